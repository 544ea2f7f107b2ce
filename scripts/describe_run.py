"""Describe a run: its data, cohorts, software and machine, as one page of the report."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from miatlas.exhibits.pages import page
from miatlas.running.files import write_text
from miatlas.running.logs import logged
from miatlas.running.store import attributes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PACKAGES = ["snakemake", "torch", "torchvision", "numpy", "scipy", "pandas", "scikit-learn", "h5py"]


def main(*, html: str, settings: dict, populations: list[str] = (), histories: list[str] = ()):
    """Write the page; models' accuracies are means over each cohort."""
    sections = {
        "Populations": pd.DataFrame([data(path) for path in populations]),
        "Cohorts": cohorts(settings, histories),
        "Recipes": recipes(settings["recipes"]),
        "Settings of populations": listed("population, as set", settings["populations"]),
        "Settings of cohorts": listed("cohort, as set", settings["made_by"]),
        "Attacks": listed("label", settings["attacks"]),
        "Audits": listed("audit", settings["audits"]),
        "Exhibits": listed("exhibit", settings["exhibits"]),
        "Software and machine": pd.DataFrame(machine().items(), columns=["", "value"]),
    }
    sections = {heading: table for heading, table in sections.items() if len(table)}
    title = f"Study {settings['study']}: what was run, on what"
    write_text(html, page(title, sections, f"Seed of every random stream: {settings['seed']}."))


def cohorts(settings: dict, histories) -> pd.DataFrame:
    """Return a row per cohort: what it is, and the mean accuracy of its models."""
    table = pd.DataFrame([{"cohort": name, **c} for name, c in settings["cohorts"].items()])
    if not histories:
        return table
    last = [
        pd.read_csv(path)
        .dropna(subset="test_accuracy")
        .assign(cohort=Path(path).parent.parent.name)
        for path in histories
    ]
    rows = pd.concat(last, ignore_index=True)
    means = rows.groupby("cohort")[["train_accuracy", "test_accuracy"]].mean()
    shown = means.map(lambda rate: f"{100 * rate:.1f} %")
    shown.columns = [name.replace("_", " ") for name in shown.columns]
    if "epsilon" in rows:
        private = rows.dropna(subset="epsilon").groupby("cohort")
        shown["differential privacy"] = {name: privacy(own) for name, own in private}
    return table.merge(shown, left_on="cohort", right_index=True, how="left").fillna("")


def privacy(rows: pd.DataFrame) -> str:
    """Return what the (ε, δ) of a cohort's models is and by what, of their last rows.

    Of the largest ε where models' numbers of examples, and with them their ε, differ.
    """
    worst = rows.loc[rows["epsilon"].idxmax()]
    epsilon = "∞" if worst["epsilon"] == float("inf") else f"{worst['epsilon']:.2f}"
    clip = "none" if pd.isna(worst["clip"]) else f"{worst['clip']:g}"
    return (
        f"ε = {epsilon} at δ = {worst['delta']:g}, clip {clip}, noise {worst['noise']:.3g},"
        f" accountant {worst['accountant']}"
    )


def recipes(entries: dict) -> pd.DataFrame:
    """Return a row for every hyperparameter, a column for each recipe, defaults filled in."""
    columns = {name: flat(with_defaults(entry)) for name, entry in entries.items()}
    rows = dict.fromkeys(key for column in columns.values() for key in column)
    return pd.DataFrame(
        [[row, *(column.get(row, "") for column in columns.values())] for row in rows],
        columns=["hyperparameter", *columns],
    )


def with_defaults(recipe: dict) -> dict:
    """Return a recipe in which an estimator's options are all there, as scikit-learn has them."""
    own = recipe["architecture"]
    if "estimator" not in own:
        return recipe
    from miatlas.training.estimators import build, parameters

    *before, (_, options) = parameters(build(own["estimator"], own["options"], own["before"]))
    return recipe | {"architecture": {**own, "before": dict(before), "options": options}}


def flat(entry: dict, before: str = "") -> dict[str, str]:
    """Return nested settings under dotted names, as a study's file would say them."""
    found = {}
    for key, value in entry.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[before + key] = said(value)
    return found


def listed(kind: str, entries: dict) -> pd.DataFrame:
    """Return a row for every entry of a section, with its settings as a study's file says them."""
    rows = []
    for name, entry in entries.items():
        settings = {key: value for key, value in entry.items() if value not in (None, [], {})}
        rows.append([name, ", ".join(f"{k}: {said(value)}" for k, value in settings.items())])
    return pd.DataFrame(rows, columns=[kind, "settings"])


def said(value) -> str:
    """Return a setting in YAML's short form; texts are as they are, objects as they show."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)


def data(path) -> dict:
    """Return where a population comes from, and its digest."""
    facts = attributes(path)
    classes = len(json.loads(facts["class_names"]))
    return {
        "population": facts["population"],
        "classes": classes,
        "source": facts["source"],
        "SHA-256 of the examples": facts["digest"][:16],
    }


def machine() -> dict:
    """Return the versions of the packages, the commit, and the machine."""
    return {
        "miatlas": commit() or "not a git checkout",
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
    }


def commit() -> str:
    """Return the commit of this code; "" without git, or outside of a checkout."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            **snakemake.output,
            populations=list(snakemake.input.get("populations", [])),
            histories=list(snakemake.input.get("histories", [])),
            settings=snakemake.params.settings,
        )
