"""Pages of the site that are made from the library: one for each attack, and their list."""

import sys
from pathlib import Path

from mkdocs.structure.files import File

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))


def on_files(files, config):
    """Add the attacks' pages to those that are written."""
