"""Training: the workflow's own script against one model after the other, processes, a plain loop.

Sides that are the workflow's script differ in the recipe's `engine`, or in the number of models in
a block. The plain loop is the one of any tutorial: one network, torch.optim, float32, images as
they lie in memory. All sides train the same models: same seeds, same files, one thread.
"""

import os
import tempfile
from functools import partial
from itertools import product
from pathlib import Path

from measuring import REPOSITORY, child, comparison, in_turn

KINDS = {"digits_mlp": "MLP", "digits_cnn": "CNN"}
MODELS = 64  # of each of the demo's cohorts of the design `half`
HALVES = ["digits_mlp", "smooth_10", "smooth_30", "noise_15", "noise_30", "size_450", "size_900"]
EPOCHS = 10  # of the demo's 40, where imports do not count
PROCESSES = 8, 2  # of the 64 that train a model each: of one cohort, of each of several
IMAGES, IMAGE_EPOCHS = 4, 8  # models, and epochs of the recipe's 40


def measure(quick: bool) -> list[dict]:
    """Return the comparisons; `quick` trains few models for two epochs, to see that it runs."""
    entries, repetitions, models = [], 1 if quick else 3, 4 if quick else MODELS
    with tempfile.TemporaryDirectory() as folder:
        cohorts = [*HALVES[: 1 if quick else None], "digits_cnn"]
        for cohort in cohorts:
            child("trainers.py", "prepare", folder=folder, cohort=cohort, models=models)
        for cohort, kind in KINDS.items():
            epochs = 2 if quick else EPOCHS
            title = f"{models} models of the demo's {kind} for {epochs} epochs, in one process"
            sides = {"stacks": "auto", "one by one": "one_by_one"}
            common = {"folder": folder, "cohort": cohort, "models": models, "epochs": epochs}
            train = partial(child, "trainers.py", "train", **common)
            sides = {name: partial(train, engine=engine) for name, engine in sides.items()}
            entries.append(entry(title, in_turn(sides, repetitions), "seconds"))
        for what, of in {"CNN": ["digits_cnn"], f"{len(cohorts)} cohorts": cohorts}.items():
            title = f"{models * len(of)} models of the demo's {what}, start of the processes"
            sides = processes(folder, of, models, epochs=2 if quick else None)
            own, *others = in_turn(sides, 1).items()
            pairs = [dict([own, other]) for other in others]
            entries += [entry(f"{title} included", pair, "process_seconds") for pair in pairs]
        entries.append(images(folder, quick, repetitions))
    return entries


def entry(title: str, runs: dict[str, list[dict]], time: str) -> dict:
    """Return the entry of two sides: by wall time, with the ratio of their CPU time beside it."""
    result = comparison(title, runs, time, agreement=agreement(runs))
    own, other = (sorted(run["cpu_seconds"] for run in side)[len(side) // 2]
                  for side in runs.values())  # fmt: skip
    result["ratios"]["cpu_seconds"] = other / own
    return result


def processes(folder: str, cohorts: list[str], models: int, epochs: int | None) -> dict:
    """Return the sides: a process for all models of a cohort, and, twice, one for each of them.

    The latter runs the workflow's script or a plain loop. PROCESSES of them are run, one after the
    other, and what they take is counted for all.
    """
    few = min(PROCESSES[len(cohorts) > 1], models)
    chosen = range(0, models, models // few)
    train = partial(child, "trainers.py", folder=folder)
    for cohort, model in product(cohorts, chosen):
        train("prepare", cohort=cohort, models=1, first=model)
    train = partial(train, epochs=epochs)

    def together():
        runs = [train("train", cohort=cohort, models=models) for cohort in cohorts]
        return _summed(runs, [run["accuracies"][model] for run in runs for model in chosen])

    def one_each(how):
        each = product(cohorts, chosen)
        runs = [train(how, cohort=cohort, models=1, first=model) for cohort, model in each]
        return _summed(runs, [run["accuracies"][0] for run in runs], models / few)

    part = "" if few == models else f", {few} of {models} run"
    return {
        "a process a cohort": together,
        f"a process a model{part}": partial(one_each, "train"),
        f"a plain loop in a process a model{part}": partial(one_each, "plain"),
    }


def _summed(runs, accuracies, times=1.0):
    return {
        "process_seconds": times * sum(run["process_seconds"] for run in runs),
        "cpu_seconds": times * sum(run["process_cpu_seconds"] for run in runs),
        "peak_mib": max(run["peak_mib"] for run in runs),
        "accuracies": accuracies,
    }


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
    sides = {"bfloat16, channels last": partial(train, "train", leakage=True),
             "plain float32 loop": partial(train, "plain", leakage=True)}  # fmt: skip
    on = "CIFAR-10" if found else "enlarged digits"
    title = f"{models} models of carlini2022_small's CNN on {on} for {epochs} epochs"
    return entry(f"{title}, in one process", in_turn(sides, repetitions), "seconds")


def agreement(runs: dict[str, list[dict]]) -> dict:
    """Return both sides' mean accuracy on non-members, and the mean and largest difference.

    Where the sides know it, the same of the models' leakage: the AUC of the loss.
    """
    of = "accuracy on the examples a model did not train on, model by model"
    facts = {"of": of, **differences(runs, "accuracies")}
    if all("aucs" in side[0] for side in runs.values()):
        facts["leakage"] = {"of": "AUC of the loss", **differences(runs, "aucs")}
    return facts


def differences(runs: dict[str, list[dict]], key: str) -> dict:
    """Return both sides' means of a list of the first runs, and how far they are apart."""
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
