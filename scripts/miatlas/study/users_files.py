"""The files of a user's own that jobs read: inputs by content, whatever their names and times."""

from pathlib import Path

from miatlas.populations.source_files import brought_files
from miatlas.study import regressors


def data_files(study: dict, population: str) -> list[Path]:
    """The files of the user's own that a population is read from, what canaries are of included."""
    entry, root = study["populations"][population], study["data_root"]
    other = entry["canaries"] and entry["canaries"]["other"]
    return [
        file
        for each in filter(None, (entry, other))
        for file in brought_files(each["source"], each["options"], root)
    ]


def list_files(study: dict, cohort: str, block: str) -> list[str]:
    """The lists of members of released models, which their user brings."""
    entry = study["cohorts"][cohort]
    return [*entry["members"], *entry["nonmembers"]]


def released_files(study: dict, cohort: str, block: str) -> list[str]:
    """The weights of released models, which their user brings."""
    return study["cohorts"][cohort]["weights"]


def pretrained_files(study: dict, cohort: str, block: str) -> list[str]:
    """The weights that a cohort's training begins with, which their user brings."""
    path = study["recipes"][study["cohorts"][cohort]["recipe"]]["pretrained"]
    return [path] if path else []


def regressors_files(study: dict, audit: str, law: str) -> list[str]:
    """The weights that an audit's regressors begin with, which their user brings."""
    path = regressors.recipe(study, audit)["pretrained"]
    return [path] if path else []


def external_files(study: dict, cohort: str, block: str) -> list[str]:
    """The file of the user's own that an external cohort is."""
    return [study["cohorts"][cohort]["signals"]]
