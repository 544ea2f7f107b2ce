"""Training: a block as one stack, one model after the other, and one process a model.

Both sides are the workflow's own script on the demo's cohorts: same models, same seeds, same files,
one thread. What differs is the recipe's `engine`, or the number of models in a block.
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from measuring import REPOSITORY, child, comparison, in_turn, report

sys.path.insert(0, str(REPOSITORY / "scripts"))

COHORTS = {"digits_mlp": ("MLP", 64), "digits_cnn": ("CNN", 16)}  # models in one process
EPOCHS = 10  # of the demo's 40, so that there is time for repetitions
PROCESSES = 8  # trained for all the demo's epochs: a shorter job would be nothing but its start


def measure(quick: bool) -> list[dict]:
    """Return the comparisons; `quick` trains few models for two epochs, to see that it runs."""
    entries, epochs, repetitions = [], 2 if quick else EPOCHS, 1 if quick else 3
    with tempfile.TemporaryDirectory() as folder:
        for cohort, (kind, models) in COHORTS.items():
            models = 4 if quick else models
            common = {"folder": folder, "cohort": cohort, "epochs": epochs}
            child("training.py", "prepare", models=models, **common)
            train = partial(child, "training.py", "train", models=models, **common)
            runs = in_turn(
                {"one stack": partial(train, engine="stacked"),
                 "one by one": partial(train, engine="one_by_one")}, repetitions,
            )  # fmt: skip
            title = f"{models} models of the demo's {kind} for {epochs} epochs, in one process"
            entries.append(comparison(title, runs, "seconds", agreement=agreement(runs)))
        models, epochs = (2, 2) if quick else (PROCESSES, None)
        entries.append(processes(folder, models, min(repetitions, 2), epochs))
    return entries


def processes(folder: str, models: int, repetitions: int, epochs: int | None) -> dict:
    """Compare one stack with a process a model, started one after the other on one core."""
    common = {"folder": folder, "cohort": "digits_mlp", "epochs": epochs, "engine": "stacked"}
    train = partial(child, "training.py", "train", **common)
    child("training.py", "prepare", models=models, **common)
    for model in range(models):
        child("training.py", "prepare", models=1, first=model, **common)

    def one_each():
        alone = [train(models=1, first=model) for model in range(models)]
        return {
            "process_seconds": sum(run["process_seconds"] for run in alone),
            "seconds": sum(run["seconds"] for run in alone),
            "peak_mib": max(run["peak_mib"] for run in alone),
            "accuracies": [a for run in alone for a in run["accuracies"]],
        }

    sides = {"one process, one stack": partial(train, models=models),
             "one process a model": one_each}  # fmt: skip
    runs = in_turn(sides, repetitions)
    title = f"{models} models of the demo's MLP, start of the processes included"
    return comparison(title, runs, "process_seconds", agreement=agreement(runs))


def agreement(runs: dict[str, list[dict]]) -> dict:
    """Return both sides' mean accuracy on non-members, and the mean and largest difference."""
    (own, ours), (other, alternative) = runs.items()
    ours, alternative = ours[0]["accuracies"], alternative[0]["accuracies"]
    differences = [a - b for a, b in zip(ours, alternative, strict=True)]
    mean = sum(differences) / len(differences)
    variance = sum((d - mean) ** 2 for d in differences) / max(1, len(differences) - 1)
    return {
        "of": "accuracy on the examples a model did not train on, model by model",
        own: sum(ours) / len(ours),
        other: sum(alternative) / len(alternative),
        "mean_difference": mean,
        "standard_error": (variance / len(differences)) ** 0.5,
        "largest_difference": max(map(abs, differences)),
    }


def prepare(folder: str, cohort: str, models: int, first: int = 0, **_) -> dict:
    """Write population, roles and the membership of a block, as the workflow's scripts do."""
    import assign_roles
    import draw_membership
    import prepare_population

    from miatlas import jobs

    study, files = demo(cohort, models), names(folder, cohort, models, first)
    name, block = study["cohorts"][cohort]["population"], {"cohort": cohort, "block": 0}
    if not Path(files["roles"]).exists():
        settings = jobs.population_settings(study, name)
        prepare_population.main(population=files["population"], settings=settings)
        roles = jobs.role_settings(study, cohort)
        assign_roles.main(population=files["population"], roles=files["roles"], settings=roles)
    settings = {**jobs.membership_settings(study, **block), "models": [first, first + models]}
    path = files["membership"]
    draw_membership.main(roles=files["roles"], membership=path, settings=settings)
    return {}


def train(
    folder: str, cohort: str, models: int, engine: str, epochs: int | None, first: int = 0
) -> dict:
    """Train a block; return seconds (imports apart), start_mib before it, and the accuracies."""
    import resource

    import pandas as pd
    import train_models

    from miatlas import jobs

    study = demo(cohort, models)
    settings = jobs.training_settings(study, cohort, 0)
    settings["models"] = [first, first + models]
    settings["recipe"]["engine"] = engine
    settings["recipe"]["epochs"] = epochs or settings["recipe"]["epochs"]
    files = names(folder, cohort, models, first)
    outputs = {"weights": f"{folder}/{engine}.safetensors", "history": f"{folder}/{engine}.csv"}
    start_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    start = time.perf_counter()
    train_models.main(**files, **outputs, settings=settings, threads=1)
    seconds = time.perf_counter() - start
    last = pd.read_csv(outputs["history"]).dropna(subset="test_accuracy").sort_values("model")
    accuracies = last["test_accuracy"].tolist()
    return {"seconds": seconds, "start_mib": start_mib, "accuracies": accuracies}


def demo(cohort: str, models: int) -> dict:
    """Return the demo's study, with only so many models in one block of one cohort."""
    import yaml

    from miatlas import study as studies

    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
    entry = config["cohorts"][cohort]
    group = entry["design"]["group"]
    whole = -(-models // group) * group  # the design wants whole groups
    entry |= {"models": whole, "block": whole}
    kept = {key: config[key] for key in ("study", "seed", "populations", "recipes")}
    return studies.read({**kept, "cohorts": {cohort: entry}})


def names(folder: str, cohort: str, models: int, first: int) -> dict:
    """Return the input files of a block."""
    return {
        "population": f"{folder}/{cohort}.population.h5",
        "roles": f"{folder}/{cohort}.roles.h5",
        "membership": f"{folder}/{cohort}.{first}.{models}.h5",
    }


if __name__ == "__main__":
    report({"prepare": prepare, "train": train})
