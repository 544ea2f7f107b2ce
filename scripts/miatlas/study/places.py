"""Where the results of a study lie, out of its files alone: before and without Snakemake."""

from collections.abc import Iterable
from pathlib import Path

from miatlas.study.study_files import together


def exhibits_folder(studies: Iterable[Path | str]) -> Path:
    """Return the folder of the exhibits of the study in these files, later ones on top.

    As seen from where the run is started, if the study names no absolute path.
    """
    config = together(studies)
    results = (config.get("pathvars") or {}).get("results", "results")
    return Path(results) / "exhibits" / config["study"]
