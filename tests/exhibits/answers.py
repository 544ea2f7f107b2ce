"""Results, curves and scores of simulated attacks, as the workflow files them."""

import json

import numpy as np

from miatlas.leakage.metrics import evaluate, roc_table
from miatlas.running.files import write_csv, write_json
from miatlas.running.store import by_slices, write_h5


def simulated(effects: dict[str, float], targets=4, examples=600, seed=0) -> dict[str, dict]:
    """Return score arrays of attacks: members' normal scores lie an effect above the others."""
    rng = np.random.default_rng(seed)
    member = rng.permuted(np.tile(np.arange(examples) % 2 == 0, (targets, 1)), axis=1)
    own = {"member": member, "evaluated": np.ones_like(member), "targets": np.arange(targets)}
    noise = rng.normal(size=member.shape)
    return {label: {"scores": noise + effect * member, **own} for label, effect in effects.items()}


def alone(arrays: dict) -> tuple[dict, dict]:
    """Return the first target, a single one, and the others' scores, which stand in for it."""
    others = {name: arrays[name][1:] for name in ("scores", "member", "evaluated")}
    return {name: array[:1] for name, array in arrays.items()}, others


def result(label: str, arrays: dict, others: dict | None = None) -> dict:
    """Return the metrics of one attack, as filed."""
    found = evaluate(**arrays, others=others)
    return json.loads(json.dumps({"label": label, "audit": "one", **found}))


def filed(folder, runs: dict[str, dict], classes=3, others=None) -> dict[str, list[str]]:
    """Write all that the page reads of one audit, `one`; return the files by kind.

    others: by label, scores of what stands in for a single target.
    """
    folder = folder / "audits" / "one"
    folder.mkdir(parents=True)
    files = {"metrics": [], "curves": [], "scores": []}
    for label, arrays in runs.items():
        paths = [folder / f"{label}{s}" for s in (".metrics.json", ".roc.csv", ".h5")]
        write_json(paths[0], result(label, arrays, (others or {}).get(label)))
        write_csv(paths[1], roc_table(**arrays))
        write_h5(paths[2], arrays, {})
        for kind, path in zip(files, paths, strict=True):
            files[kind].append(str(path))
    member = next(iter(runs.values()))["member"]
    logits = np.zeros((*member.shape, classes), np.float32)
    labels = np.arange(member.shape[1]) % classes
    right = np.where(member, 4.0, np.where(np.arange(member.shape[1]) % 2 == 0, 4.0, -4.0))
    np.put_along_axis(logits, np.broadcast_to(labels, member.shape)[..., None], right[..., None], 2)
    phi = right - np.log(classes - 1)
    signals = {"member": member, "evaluated": np.ones_like(member), "labels": labels,
               "role": np.zeros(len(labels), np.uint8), "logits": logits,
               "phi": phi[..., None].astype(np.float32)}  # fmt: skip
    path = folder.parent.parent / "cohorts/mine/signals/0.h5"
    path.parent.mkdir(parents=True)
    write_h5(path, signals, {"cohort": "mine"}, by_slices(signals))
    return {**files, "signals": {"one": [str(path)]}}
