"""Where the results of a study lie, out of its files alone: before and without Snakemake."""

from collections.abc import Iterable
from pathlib import Path

import yaml
from snakemake.utils import update_config


def exhibits_folder(studies: Iterable[Path | str]) -> Path:
    """Return the folder of the exhibits of the study in these files, later ones on top.

    As seen from where the run is started, if the study names no absolute path.
    """
    config = {}
    for file in studies:
        update_config(config, yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    results = (config.get("pathvars") or {}).get("results", "results")
    return Path(results) / "exhibits" / config["study"]
