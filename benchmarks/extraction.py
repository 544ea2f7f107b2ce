"""Extraction: the workflow's own script against a plain loop, on the same weights.

The plain loop is the one of any tutorial: one network after the other, one query after the other,
float32, images with their channels first, batches of 256, all answers in memory, written at the
end. Both sides read and write the same files, on one thread.
"""

import os
import tempfile
import time
from functools import partial
from pathlib import Path

import trainers
from measuring import REPOSITORY, child, comparison, cpu_seconds, in_turn, report

DIGITS = {"count": 9, "mirror": False, "shift": 1}
COHORTS = {  # models, epochs of their training, rounds, queries unless the study's, what it is
    "digits_mlp": (64, 2, 3, DIGITS, "the demo's MLP"),
    "digits_cnn": (64, 1, 3, DIGITS, "the demo's CNN"),
    "cifar10": (4, 1, 2, {}, "carlini2022_small's CNN"),
}
BATCH = 256


def measure(quick: bool) -> list[dict]:
    """Return the comparison of every cohort; `quick` asks two models, once."""
    root = Path(os.environ.get("DATA_ROOT", REPOSITORY / "data")).absolute()
    found = not quick and (root / "cifar-10-batches-py").is_dir()
    entries = []
    for cohort, (models, epochs, rounds, queries, kind) in COHORTS.items():
        models, rounds = (2, 1) if quick else (models, rounds)
        with tempfile.TemporaryDirectory() as folder:
            common = {"folder": folder, "cohort": cohort, "models": models, "queries": queries}
            common["data_root"] = str(root) if found and cohort == "cifar10" else None
            asked = child("extraction.py", "prepare", epochs=epochs, **common)
            sides = {"one model after the other, written meanwhile": "workflow",
                     "plain loop": "plain"}  # fmt: skip
            sides = {name: partial(child, "extraction.py", side, **common)
                     for name, side in sides.items()}  # fmt: skip
            runs = in_turn(sides, rounds)
            agreement = {"of": "phi, by model, example and query"}
            agreement |= child("extraction.py", "compare", folder=folder)
        on = {"cifar10": " on CIFAR-10" if found else " on enlarged digits"}.get(cohort, "")
        title = f"{models} models of {kind}{on}, {asked['examples']:,} examples"
        title = f"{title} × {asked['queries']} queries"
        agreement["asked"] = models * asked["examples"] * asked["queries"]
        entries.append(comparison(title, runs, "seconds", agreement))
        own, other = (sorted(run["cpu_seconds"] for run in side)[len(side) // 2]
                      for side in runs.values())  # fmt: skip
        entries[-1]["ratios"]["cpu_seconds"] = other / own
    return entries


def prepare(folder, cohort, models, queries, data_root, epochs) -> dict:
    """Train the models by the workflow's script; return the numbers of examples and queries."""
    from miatlas.running.store import read_h5

    of = {"folder": folder, "cohort": cohort, "models": models, "data_root": data_root}
    trainers.prepare(**of)
    trainers.train(engine="auto", epochs=epochs, **of)
    files, settings = _job(folder, cohort, models, queries, data_root)
    examples = len(read_h5(files["population"], ["labels"])["labels"])
    return {"examples": examples, "queries": settings["queries"]["count"]}


def workflow(folder, **of) -> dict:
    """Ask the models by the workflow's script."""
    import query_models

    files, settings = _job(folder, **of)
    start, spent = time.perf_counter(), cpu_seconds()
    query_models.main(**files, signals=f"{folder}/workflow.h5", settings=settings, threads=1)
    return {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - spent}


def plain(folder, **of) -> dict:
    """Ask the models by the plain loop, and write the same arrays."""
    import numpy as np
    import torch

    from miatlas.running.store import by_slices, read_h5, write_h5
    from miatlas.signals import trained_models as trained
    from miatlas.signals.statistics import logit_scaled_confidence
    from miatlas.training import augmentation

    torch.set_num_threads(1)
    files, settings = _job(folder, **of)
    start, spent = time.perf_counter(), cpu_seconds()
    group, x, labels, _ = trained.load(files["population"], files["weights"], settings)
    network, queries = trainers.plain_network(group.network).eval(), settings["queries"]
    specs = augmentation.queries(
        queries["count"], tuple(x.shape[1:]), mirror=queries["mirror"], shift=queries["shift"]
    )
    asked = []
    with torch.no_grad():
        for model in range(group.models):
            network.load_state_dict({n: each[model] for n, each in group.weights().items()})
            for spec in specs:
                batches = augmentation.query(x, spec).split(BATCH)
                asked.append(torch.cat([network(batch) for batch in batches]).numpy())
    logits = np.stack(asked).reshape(group.models, len(specs), *asked[0].shape)
    phi = np.stack([[logit_scaled_confidence(z, labels) for z in each] for each in logits])
    arrays = {
        **read_h5(files["membership"], ["member", "evaluated"]),
        **read_h5(files["roles"], ["role"]), "labels": labels,
        "phi": phi.transpose(0, 2, 1).astype(np.float32), "logits": logits[:, 0],
    }  # fmt: skip
    write_h5(f"{folder}/plain.h5", arrays, {}, by_slices(arrays))
    return {"seconds": time.perf_counter() - start, "cpu_seconds": cpu_seconds() - spent}


def compare(folder: str) -> dict:
    """Return the largest difference of the two sides' phi, and the largest phi."""
    import numpy as np

    from miatlas.running.store import read_h5

    ours, other = (read_h5(f"{folder}/{s}.h5", ["phi"])["phi"] for s in ("workflow", "plain"))
    return {
        "largest_difference": float(np.abs(ours - other).max()),
        "largest_phi": float(np.abs(other).max()),
    }


def _job(folder, cohort, models, queries, data_root):
    """Return the files and settings that the workflow hands the job."""
    from miatlas.study import jobs

    study = trainers.read(folder, cohort, models, data_root)
    every = {"models": [0, models], "every_query": True}  # of test examples, too, as a loop does
    settings = jobs.signal_settings(study, cohort, 0) | every
    settings["queries"] = {**settings["queries"], **queries}
    files = trainers.names(folder, cohort, models, 0)
    return {**files, "weights": f"{folder}/auto.safetensors"}, settings


if __name__ == "__main__":
    report({"prepare": prepare, "workflow": workflow, "plain": plain, "compare": compare})
