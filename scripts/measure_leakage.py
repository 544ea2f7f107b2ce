"""Measure what an attack's scores reveal: rates with intervals, and ROC curves."""

import json
from typing import TYPE_CHECKING

from miatlas.leakage import thresholds
from miatlas.leakage.metrics import evaluate, roc_table
from miatlas.running.files import write_csv, write_json
from miatlas.running.logs import logged
from miatlas.running.store import attributes, opened, read_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

STAND_INS = {f"stand_in_{name}": name for name in ("scores", "member", "evaluated")}
PUBLIC_SCRIPT = "tf_privacy_2021"  # whose TPR is that of the last point below the level


def main(*, scores: str, metrics: str, curves: str, settings: dict) -> None:
    """Write the metrics of every target, their mean and the pooled ones, and the curves."""
    arrays = read_h5(scores, ["scores", "member", "evaluated", "targets"])
    facts = attributes(scores)
    scored = json.loads(facts["settings"])
    strict = scored["options"].get("preset") == PUBLIC_SCRIPT
    try:
        result = evaluate(**arrays, strict=strict, others=stand_ins(scores))
    except ValueError as error:
        raise ValueError(f"{scores}: {error}") from None
    if "no_stand_ins" in facts:
        why = f"a shadow model cannot stand in for it ({facts['no_stand_ins']})"
        result["not_transferred"] = f"{thresholds.ONE_TARGET}; {why}"
    cohorts = [f"{side}_cohort" for side in ("target", "shadow", "reference")]
    keys = ("attack", "options", "references", *cohorts)
    given = {key: scored[key] for key in keys} | {"release": scored.get("release")}
    extent = {"models": int(facts["models"]), "examples": int(arrays["evaluated"].any(0).sum())}
    extent["at_chance"] = json.loads(facts["at_chance"])
    write_json(metrics, {**settings, **given, **extent, **result})
    write_csv(curves, roc_table(**arrays))


def stand_ins(scores: str) -> dict | None:
    """Return scores, member, evaluated of the shadow models in a single target's place, if any."""
    with opened(scores) as file:
        if not set(STAND_INS) <= set(file):
            return None
        return {name: file[stored][()] for stored, name in STAND_INS.items()}


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
