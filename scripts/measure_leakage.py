"""Measure what an attack's scores reveal: rates with intervals, and ROC curves."""

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from miatlas.leakage.epsilon import refuted
from miatlas.leakage.metrics import evaluate, roc_table
from miatlas.running.files import write_csv, write_json
from miatlas.running.logs import logged
from miatlas.running.store import attributes, opened, read_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

STAND_INS = {f"stand_in_{name}": name for name in ("scores", "member", "evaluated")}
COINS = ("half", "canaries")  # designs of which an example is in or out by a fair coin of its own
PUBLIC_SCRIPT = "tf_privacy_2021"  # whose TPR is that of the last point below the level


def main(*, scores: str, metrics: str, curves: str, settings: dict, claims: list[str] = ()) -> None:
    """Write the metrics of every target, their mean and the pooled ones, and the curves.

    claims: the training histories of the targets, which say what privacy they have, if they do.
    """
    arrays = read_h5(scores, ["scores", "member", "evaluated", "targets"])
    facts = attributes(scores)
    scored = json.loads(facts["settings"])
    others = stand_ins(scores)
    try:
        result = measured(arrays, others, scored, settings["delta"])
    except ValueError as error:
        raise ValueError(f"{scores}: {error}") from None
    if "no_stand_ins" in facts:
        why = f"a shadow model cannot stand in for it ({facts['no_stand_ins']})"
        result["not_transferred"] = f"there is one target, and {why}"
    result |= on_canaries(scores, arrays, others, scored, settings["delta"])
    cohorts = [f"{side}_cohort" for side in ("target", "shadow", "reference")]
    keys = ("attack", "options", "references", *cohorts)
    given = {key: scored[key] for key in keys} | {"release": scored.get("release")}
    extent = {"models": int(facts["models"]), "examples": int(arrays["evaluated"].any(0).sum())}
    extent["claimed"] = claimed(claims, arrays["targets"])
    extent["at_chance"] = json.loads(facts["at_chance"])
    write_json(metrics, {**settings, **given, **extent, **result})
    write_csv(curves, roc_table(**arrays))


def claimed(histories: list[str], targets) -> dict | None:
    """Return {"epsilon", "delta"}, the largest of the targets'; None: nothing is claimed.

    An ε without a bound is None.
    """
    if not histories:
        return None
    rows = pd.concat([pd.read_csv(path) for path in histories]).dropna(subset=["epsilon"])
    own = rows[rows["model"].isin(targets)]
    found = float(own["epsilon"].max())
    return {"epsilon": found if np.isfinite(found) else None, "delta": float(own["delta"].max())}


def measured(arrays: dict, others: dict | None, scored: dict, delta: float) -> dict:
    """Return the metrics of scores (`evaluate`), and under "epsilon" what they refute."""
    strict = scored["options"].get("preset") == PUBLIC_SCRIPT
    found = evaluate(**arrays, strict=strict, others=others)
    tossed = scored["design"] in COINS and not scored["leave_one_out"]  # asked about all of them
    return found | {"epsilon": refuted(**arrays, delta=delta, tossed=tossed, others=others)}


def on_canaries(scores: str, arrays: dict, others, scored: dict, delta: float) -> dict:
    """Return the metrics of canaries alone, as "canaries": {"examples", ...}; {} without any."""
    with opened(scores) as file:
        if "canary" not in file:
            return {}
        canary = file["canary"][()].astype(bool)
    of_canaries = arrays | {"evaluated": arrays["evaluated"] & canary}
    others = others and others | {"evaluated": others["evaluated"] & canary}
    try:
        found = measured(of_canaries, others, scored, delta)
    except ValueError as error:  # a target that has all canaries, or none
        return {"canaries": None, "no_canaries": str(error)}
    return {"canaries": {"examples": int(of_canaries["evaluated"].any(0).sum()), **found}}


def stand_ins(scores: str) -> dict | None:
    """Return scores, member, evaluated of the shadow models in a single target's place, if any."""
    with opened(scores) as file:
        if not set(STAND_INS) <= set(file):
            return None
        return {name: file[stored][()] for stored, name in STAND_INS.items()}


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
