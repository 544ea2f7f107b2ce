"""Write the page that answers: how much the models of a study give away, and whom."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
from jinja2 import Environment

from miatlas.exhibits import named
from miatlas.exhibits.answer import charts, examples, vega
from miatlas.exhibits.answer.answer import MOST_RECORDS, exposed, of_audit
from miatlas.exhibits.answer.usable import ranked, reasons, thresholds
from miatlas.exhibits.remarks import remarks
from miatlas.running.files import write_csv, write_json, write_text
from miatlas.running.logs import logged
from miatlas.running.store import opened, read_h5
from miatlas.signals.answers import Signals, check_signals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

CURVES = 8  # of the strongest attacks, that can be told apart


def main(
    *,
    page: str,
    data: str,
    thresholds_file: str,
    template: str,
    settings: dict,
    metrics: list[str],
    curves: list[str],
    scores: list[str],
    signals: dict[str, list[str]],
    populations: dict[str, str] | None = None,
    records_file: str | None = None,
) -> None:
    """Write the page, its numbers and the transferred thresholds as JSON, the records as CSV.

    metrics, curves, scores: of every audit and attack, named as the workflow names them. signals:
    by audit, the files of its target cohort; populations: its examples, where they may be shown.
    """
    audits, at, rows = [], [], []
    for name in settings["order"]:
        said = settings["audits"][name]
        own = [Path(path) for path in metrics if Path(path).parent.name == name]
        results = [json.loads(path.read_text(encoding="utf-8")) for path in own]
        found = of_audit(name, results, said["attacks"], settings["tolerance"])
        cohort, most = Signals(signals[name]), None
        at += thresholds(name, results)
        if settings["show_records"]:
            rows.append(records(found, results, scores, cohort.labels))
            most = exposed_most(rows[-1].head(MOST_RECORDS), (populations or {}).get(name))
        drawn = [row["label"] for row in found["findings"]][:CURVES]
        audits.append(
            {
                **found,
                "title": f"Audit {name}",
                "about": said["about"],
                "remark": " ".join(remarks({"metrics": own})),
                "accuracy": accuracy(cohort, results[0]["targets"]),
                "records": most,
                "reasons": reasons(results, said["attacks"]),
                "curves": {said["attacks"][label]: pooled(curves, name, label) for label in drawn},
            }
        )
    write_json(data, {"study": settings["study"], "audits": [numbers(one) for one in audits]})
    write_json(thresholds_file, at)
    if records_file:
        rows = rows or [pd.DataFrame()]  # no audit has an attack
        write_csv(records_file, pd.concat(rows, ignore_index=True))
    write_text(page, rendered(template, settings, audits))


def numbers(audit: dict) -> dict:
    """Return what is kept of an audit beside the page: no curves, and of records no pictures."""
    records = audit["records"] and [
        {key: value for key, value in one.items() if key != "picture"} for one in audit["records"]
    ]
    return {key: audit[key] for key in audit if key != "curves"} | {"records": records}


def rendered(template: str, settings: dict, audits: list[dict]) -> str:
    """Return the page; everything it needs is in it."""
    shown = [
        {**one, "chart": script(charts.roc(one["curves"], floor(one), one["few"]))}
        for one in audits
    ]
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return (
        Environment(autoescape=True, trim_blocks=True)
        .from_string(Path(template).read_text(encoding="utf-8"))
        .render(
            title=f"Study {settings['study']}",
            study=settings["study"],
            seed=settings["seed"],
            audits=shown,
            tolerance=settings["tolerance"],
            vega=vega.bundle(version).replace("</script", "<\\/script"),
        )
    )


def script(spec: dict) -> str:
    """Return a specification as JavaScript that cannot end its own script element."""
    return json.dumps(spec).replace("<", "\\u003c")


def floor(audit: dict) -> float:
    """Return the smallest rate to draw: a power of ten below what the examples resolve."""
    return float(10.0 ** np.floor(np.log10(1.0 / (audit["nonmembers"] * audit["targets"]))))


def pooled(curves: list[str], audit: str, label: str) -> pd.DataFrame:
    """Return the curve of all targets under one threshold."""
    (path,) = (p for p in curves if Path(p).parts[-2:] == (audit, f"{label}.roc.csv"))
    table = pd.read_csv(path, dtype={"target": str})
    return table[table["target"] == "pooled"][["fpr", "tpr"]]


def accuracy(cohort: Signals, targets: list[dict]) -> str | None:
    """Say how often the targets are right about their members and about non-members."""
    if "logits" not in check_signals(cohort.paths[0])[1]:
        return None
    rows, right = [target["target"] for target in targets], np.zeros((2, 2))
    for where in cohort.slices():
        logits = cohort.read("logits", where)[rows]
        logits = logits[:, :, 0] if logits.ndim == 4 else logits
        hits = logits.argmax(axis=-1) == cohort.held("labels", where)
        for kind in (True, False):
            asked = cohort.held("evaluated", where)[rows]
            asked = asked & (cohort.held("member", where)[rows] == kind)
            right[int(kind)] += (hits & asked).sum(), asked.sum()
    shares = right[:, 0] / np.maximum(right[:, 1], 1)
    who = ("The model is", "its") if len(rows) == 1 else ("The models are", "their")
    return (
        f"{who[0]} right about {100 * shares[1]:.1f} % of {who[1]} members and about"
        f" {100 * shares[0]:.1f} % of the non-members: a gap of {100 * (shares[1] - shares[0]):.1f}"
        " percentage points."
    )


def records(found: dict, results: list[dict], scores: list[str], labels) -> pd.DataFrame:
    """Return the exposed members; nobody where no threshold could be transferred."""
    results = [result for result in results if result["not_transferred"] is None]
    if not results:
        return pd.DataFrame(columns=["audit", "example", "class", "named", "of", "attacks"])
    runs, at = {}, {}
    for result in results:
        label = result["label"]
        (path,) = (p for p in scores if Path(p).parts[-2:] == (found["audit"], f"{label}.h5"))
        runs[label] = read_h5(path, ["scores", "member", "evaluated"])
        at[label] = named.thresholds(result, found["level"])
    return ranked(found["audit"], exposed(runs, at, labels), runs)


def exposed_most(most: pd.DataFrame, population: str | None) -> list[dict]:
    """Return the records to show, each with class_name and picture or row, where they are known."""
    found = most[["example", "class", "named", "of", "attacks"]].to_dict("records")
    if population is None or not found:
        return found
    with opened(population) as file:
        each = examples.shown(file, [one["example"] for one in found])
        names = json.loads(file.attrs["class_names"])
    each = [
        more | {"class_name": names[one["class"]]} for one, more in zip(found, each, strict=True)
    ]
    return [one | more for one, more in zip(found, each, strict=True)]


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            **snakemake.output,
            template=snakemake.input.template,
            metrics=list(snakemake.input.metrics),
            curves=list(snakemake.input.curves),
            scores=list(snakemake.input.scores),
            signals={
                name: list(snakemake.input[f"signals_{name}"])
                for name in snakemake.params.settings["audits"]
            },
            populations={
                name.removeprefix("population_"): path
                for name, path in snakemake.input.items()
                if name.startswith("population_")
            },
            settings=snakemake.params.settings,
        )
