"""Training: the workflow's own script against one model after the other, processes, a plain loop.

Sides that are the workflow's script differ in the recipe's `engine`, or in the number of models in
a block. The plain loop is the one of any tutorial: one network, torch.optim, float32, images as
they lie in memory. All sides train the same models: same seeds, same files, one thread.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

from measuring import REPOSITORY, child, comparison, in_turn

COHORTS = {"digits_mlp": ("MLP", 64), "digits_cnn": ("CNN", 64)}  # models of the demo's cohorts
EPOCHS = 10  # of the demo's 40, where imports do not count
PROCESSES = 8  # of the 64 that train a model each: those of every eighth model
IMAGES, IMAGE_EPOCHS = 4, 8  # models, and epochs of the recipe's 40


def measure(quick: bool) -> list[dict]:
    """Return the comparisons; `quick` trains few models for two epochs, to see that it runs."""
    entries, repetitions = [], 1 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        for cohort, (kind, models) in COHORTS.items():
            models = 4 if quick else models
            common = {"folder": folder, "cohort": cohort}
            child("trainers.py", "prepare", models=models, **common)
            epochs = 2 if quick else EPOCHS
            title = f"{models} models of the demo's {kind} for {epochs} epochs, in one process"
            sides = {"one stack": "auto", "one by one": "one_by_one"}
            train = partial(child, "trainers.py", "train", models=models, epochs=epochs, **common)
            sides = {name: partial(train, engine=engine) for name, engine in sides.items()}
            entries.append(compared(title, sides, "seconds", repetitions))
            title = f"{models} models of the demo's {kind}, start of the processes included"
            few, epochs = (2, 2) if quick else (PROCESSES, None)
            sides = processes(models, few, epochs=epochs, **common)
            entries.append(compared(title, sides, "process_seconds", min(repetitions, 2)))
        entries.append(images(folder, quick, repetitions))
    return entries


def compared(title: str, sides: dict, time: str, repetitions: int) -> dict:
    """Return the entry of two sides: by wall time, with the ratio of their CPU time beside it."""
    runs = in_turn(sides, repetitions)
    entry = comparison(title, runs, time, agreement=agreement(runs))
    own, other = (sorted(run["cpu_seconds"] for run in side)[len(side) // 2]
                  for side in runs.values())  # fmt: skip
    entry["ratios"]["cpu_seconds"] = other / own
    return entry


def processes(models: int, few: int, **common) -> dict:
    """Return the sides: one process that trains all the models, and a process for each of them.

    Of the latter, `few` are run, and what they take is counted for all.
    """
    train, chosen = partial(child, "trainers.py", **common), range(0, models, models // few)
    for model in chosen:
        train("prepare", models=1, first=model)

    def all_together():
        run = train("train", engine="auto", models=models)
        run["cpu_seconds"] = run["process_cpu_seconds"]
        return run | {"accuracies": [run["accuracies"][model] for model in chosen]}

    def one_each():
        alone = [train("train", engine="auto", models=1, first=model) for model in chosen]
        counted = lambda key: sum(run[key] for run in alone) * models / few  # noqa: E731
        return {
            "process_seconds": counted("process_seconds"),
            "cpu_seconds": counted("process_cpu_seconds"),
            "peak_mib": max(run["peak_mib"] for run in alone),
            "accuracies": [a for run in alone for a in run["accuracies"]],
        }

    each = "a process a model" if few == models else f"a process a model, {few} of them run"
    return {"one process": all_together, each: one_each}


def images(folder: str, quick: bool, repetitions: int) -> dict:
    """Compare the default trainer with the plain loop on a CNN for CIFAR-10.

    Without the files of CIFAR-10 in DATA_ROOT (default: data), on enlarged digits.
    """
    root = Path(os.environ.get("DATA_ROOT", REPOSITORY / "data")).absolute()
    found = not quick and (root / "cifar-10-batches-py").is_dir()
    models, epochs = (2, 6) if quick else (IMAGES, IMAGE_EPOCHS)
    common = {"folder": folder, "cohort": "cifar10", "models": models, "epochs": epochs}
    common["data_root"] = str(root) if found else None
    child("trainers.py", "prepare", **common)
    train = partial(child, "trainers.py", **common)
    sides = {"bfloat16, channels last": partial(train, "train", engine="auto", leakage=True),
             "plain float32 loop": partial(train, "plain")}  # fmt: skip
    on = "CIFAR-10" if found else "enlarged digits"
    title = f"{models} models of carlini2022_small's CNN on {on} for {epochs} epochs"
    return compared(f"{title}, in one process", sides, "seconds", repetitions)


def agreement(runs: dict[str, list[dict]]) -> dict:
    """Return both sides' mean accuracy on non-members, and the mean and largest difference.

    Where the sides know it, the same of the models' leakage: the AUC of the loss.
    """
    of = "accuracy on the examples a model did not train on, model by model"
    facts = {"of": of, **_differences(runs, "accuracies")}
    if all("aucs" in side[0] for side in runs.values()):
        facts["leakage"] = {"of": "AUC of the loss", **_differences(runs, "aucs")}
    return facts


def _differences(runs, key):
    (own, ours), (other, alternative) = runs.items()
    ours, alternative = ours[0][key], alternative[0][key]
    differences = [a - b for a, b in zip(ours, alternative, strict=True)]
    mean = sum(differences) / len(differences)
    variance = sum((d - mean) ** 2 for d in differences) / max(1, len(differences) - 1)
    return {
        own: sum(ours) / len(ours),
        other: sum(alternative) / len(alternative),
        "mean_difference": mean,
        "standard_error": (variance / len(differences)) ** 0.5,
        "largest_difference": max(map(abs, differences)),
    }
