"""Which files a study is made of, and what they say together, the later ones read on top."""

import re
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

import yaml
from snakemake.utils import update_config

from miatlas.study.yaml_faults import check_files

SAID = re.compile(r"^#   make STUDY=(.*)$", re.M)  # how a study says that it is run


def together(files: Iterable[Path | str]) -> dict:
    """Return a study as Snakemake merges its files; ValueError for what `yaml_faults` finds."""
    files, config = list(files), {}
    check_files(files)
    for file in files:
        update_config(config, yaml.safe_load(Path(file).read_text(encoding="utf-8")))
    return config


def files(folder: Path, name: str) -> list[Path]:
    """Return the files of a study: those that its comment says, or what its name begins with."""
    said = SAID.search((folder / f"{name}.yaml").read_text(encoding="utf-8"))
    if said:
        return [folder / f"{part}.yaml" for part in re.findall(r"config/(\w+)\.yaml", said[1])]
    parts = accumulate(name.split("_"), "{}_{}".format)
    return [file for part in parts if (file := folder / f"{part}.yaml").is_file()]


def merged(folder: Path, name: str) -> dict:
    """Return a study of a folder, merged."""
    return together(files(folder, name))


def all_merged(folder: Path) -> dict[str, dict]:
    """Return every study of a folder, merged: name of its file -> what it says."""
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    return {name: merged(folder, name) for name in names}
