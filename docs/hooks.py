"""Pages of the site that are made from the library: one for each attack, and their list."""

import sys
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "docs"))

import attack_pages  # noqa: E402


def on_files(files, config):
    """Add the attacks' pages, their list, and their pictures to what is written."""
    curves = attack_pages.demo_curves(ROOT / "docs" / "demo_roc.csv")
    for path, content in attack_pages.pages(curves).items():
        files.append(File.generated(config, path, content=content))
    return files
