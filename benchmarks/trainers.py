"""The sides of the benchmark of training, each run in a process of its own."""

import sys
import time
from functools import partial
from importlib import import_module
from pathlib import Path

from measuring import REPOSITORY, cpu_seconds, peak_mib, report

sys.path.insert(0, str(REPOSITORY / "scripts"))


def prepare(folder: str, cohort: str, models: int, first: int = 0, data_root=None, **_) -> dict:
    """Write population, roles and the membership of a block, as the workflow's scripts do."""
    import assign_roles
    import draw_membership
    import prepare_population

    from miatlas.study import jobs

    study, files = read(folder, cohort, models, data_root), names(folder, cohort, models, first)
    name, block = study["cohorts"][cohort]["population"], {"cohort": cohort, "block": 0}
    if not Path(files["roles"]).exists():
        if study["populations"][name]["source"] == "npz":
            enlarged_digits(Path(folder) / "digits.npz")
        settings = jobs.population_settings(study, name)
        prepare_population.main(population=files["population"], settings=settings)
        roles = jobs.role_settings(study, cohort)
        assign_roles.main(population=files["population"], roles=files["roles"], settings=roles)
    settings = {**jobs.membership_settings(study, **block), "models": [first, first + models]}
    path = files["membership"]
    draw_membership.main(roles=files["roles"], membership=path, settings=settings)
    return {}


def enlarged_digits(path: Path) -> None:
    """Write scikit-learn's digits as colour images of 32x32 pixels."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    x = np.kron(digits.images, np.ones((4, 4)))[:, None].repeat(3, 1)
    np.savez(path, x=(x * 15).astype(np.uint8), labels=digits.target)


def train(
    folder: str, cohort: str, models: int, epochs: int | None, first: int = 0, engine: str = "auto",
    data_root: str | None = None, leakage: bool = False, changes: dict | None = None,
) -> dict:  # fmt: skip
    """Train a block by the workflow's script: seconds (imports apart), start_mib, accuracies.

    `changes`: of the recipe.
    """
    import pandas as pd
    import train_models

    settings = settings_of(folder, cohort, models, first, epochs, data_root)
    settings["recipe"] |= {"engine": engine, **(changes or {})}
    files = names(folder, cohort, models, first)
    outputs = {"weights": f"{folder}/{engine}.safetensors", "history": f"{folder}/{engine}.csv"}
    start_mib = peak_mib()
    start, spent = time.perf_counter(), cpu_seconds()
    train_models.main(**files, **outputs, settings=settings, threads=1)
    seconds, spent = time.perf_counter() - start, cpu_seconds() - spent
    last = pd.read_csv(outputs["history"]).dropna(subset="test_accuracy").sort_values("model")
    found = {"accuracies": last["test_accuracy"].tolist()}
    if leakage:
        found["aucs"] = aucs(answers(files, outputs["weights"], settings["recipe"]), files)
    return {"seconds": seconds, "cpu_seconds": spent, "start_mib": start_mib, **found}


def plain(
    folder: str, cohort: str, models: int, epochs: int | None, first: int = 0,
    data_root: str | None = None, leakage: bool = False,
) -> dict:  # fmt: skip
    """Train the same models, one after the other, by a plain loop; the same measurements."""
    import torch
    import train_models

    from miatlas.running.store import attributes

    torch.set_num_threads(1)
    settings = settings_of(folder, cohort, models, first, epochs, data_root)
    files = names(folder, cohort, models, first)
    start, spent = time.perf_counter(), cpu_seconds()
    data, shape, classes = train_models.load(files["population"], files["roles"], "cpu")
    (member, _), size = membership(files), int(attributes(files["membership"])["size"])
    models = [train_models.model(settings, m, row) for m, row in enumerate(member, start=first)]
    train_one = partial(plain_model, settings["recipe"], data, size, shape, classes)
    networks, accuracies = [], []
    for model, row in zip(models, member, strict=True):
        networks.append(train_one(model))
        others = data.test if len(data.test) else torch.from_numpy(~row)
        trained = torch.from_numpy(row)  # its accuracy is the history's, too
        _, accuracy = (plain_accuracy(networks[-1], data, part) for part in (trained, others))
        accuracies.append(accuracy)
    seconds, spent = time.perf_counter() - start, cpu_seconds() - spent
    found = {"accuracies": accuracies}
    if leakage:
        logits = torch.stack([plain_answers(network, data.x) for network in networks])
        found["aucs"] = aucs(logits.numpy(), files)
    return {"seconds": seconds, "cpu_seconds": spent, **found}


def plain_model(recipe: dict, data, size: int, shape, classes: int, model):
    """Train one network as a tutorial does."""
    import torch
    from torch.nn.functional import cross_entropy

    from miatlas.training.batches import Batches
    from miatlas.training.optimization import SCHEDULES

    torch.manual_seed(model.weights_seed)
    named = lambda entry: {k: v for k, v in recipe[entry].items() if k != "name"}  # noqa: E731
    architecture = import_module(f"miatlas.training.architectures.{recipe['architecture']['name']}")
    network = plain_network(architecture.build(shape, classes, **named("architecture")))
    schedule = partial(SCHEDULES[recipe["schedule"]["name"]], **named("schedule"))
    options = named("optimizer")
    options.pop("decay_norms_and_biases")  # torch's do
    optimizer = torch.optim.SGD(network.parameters(), **options)
    batches, done = Batches([model], recipe, data, size), 0
    for _ in range(recipe["epochs"]):
        for x, y in batches.epoch():
            share = schedule((done + 0.5) / (recipe["epochs"] * batches.steps))
            optimizer.param_groups[0]["lr"] = recipe["optimizer"]["lr"] * share
            optimizer.zero_grad()
            smoothing = recipe["label_smoothing"]
            cross_entropy(network(x[0]), y[0], label_smoothing=smoothing).backward()
            optimizer.step()
            done += 1
    return network.eval()


def plain_answers(network, x):
    """Return a network's logits (n, C) of x (n, ...)."""
    import torch

    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(256)])


def plain_accuracy(network, data, which) -> float:
    """Return a network's accuracy on some of the examples."""
    hits = plain_answers(network, data.x[which]).argmax(-1) == data.labels[which]
    return float(hits.float().mean())


def plain_network(network):
    """Return the network as a tutorial has it: pooling, where there is any, after the ReLU."""
    from torch import nn

    from miatlas.training.architectures.base import PooledConvolution

    for i, layer in enumerate(network.body):
        if isinstance(layer, PooledConvolution):
            layer.__class__ = nn.Conv2d
            network.body[i + 1] = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    return network


def answers(files: dict, weights: str, recipe: dict):
    """Return the logits (K, N, C) of trained models on all examples."""
    import numpy as np

    from miatlas.signals import trained_models as trained

    group, x, *_ = trained.load(files["population"], weights, recipe)
    one = [group.part(slice(k, k + 1)) for k in range(group.models)]
    return np.concatenate([np.concatenate([part.answer(x[w]) for w in part.slices(len(x), x)], 1)
                           for part in one])  # fmt: skip


def aucs(logits, files: dict) -> list[float]:
    """Return each model's AUC of the loss, over the examples that it is evaluated on."""
    from sklearn.metrics import roc_auc_score

    from miatlas.running.store import read_h5
    from miatlas.signals.statistics import logit_scaled_confidence

    labels = read_h5(files["population"], ["labels"])["labels"]
    return [
        float(roc_auc_score(row[on], logit_scaled_confidence(answer, labels)[on]))
        for answer, row, on in zip(logits, *membership(files), strict=True)
    ]


def membership(files: dict):
    """Return who trained on what, and who is evaluated on it: bool (K, N) each."""
    from miatlas.running.store import read_h5

    arrays = read_h5(files["membership"], ["member", "evaluated"])
    return arrays["member"].astype(bool), arrays["evaluated"].astype(bool)


def settings_of(folder, cohort, models, first, epochs, data_root) -> dict:
    """Return what the workflow hands the job that trains these models; null: all its epochs."""
    from miatlas.study import jobs

    settings = jobs.training_settings(read(folder, cohort, models, data_root), cohort, 0)
    settings["models"] = [first, first + models]
    settings["recipe"]["epochs"] = epochs or settings["recipe"]["epochs"]
    return settings


def read(folder: str, cohort: str, models: int, data_root: str | None) -> dict:
    """Return the demo's or carlini2022_small's study, with so many models in a cohort's one block.

    Without a `data_root`, CIFAR-10 is enlarged digits.
    """
    import yaml

    from miatlas.study import reading

    load = lambda name: yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text())  # noqa: E731
    config = load("config")
    if cohort == "cifar10":
        from snakemake.utils import update_config

        config = load("carlini2022")
        update_config(config, load("carlini2022_small"))
        config["data_root"] = data_root or folder
        if not data_root:
            config["populations"]["cifar10"] = {"source": "npz", "path": "digits.npz"}
    entry = config["cohorts"][cohort]
    group = entry["design"]["group"]
    whole = -(-models // group) * group  # the design wants whole groups
    entry |= {"models": whole, "block": whole}
    kept = {key: config.get(key) for key in ("study", "seed", "data_root", "recipes")}
    population = {entry["population"]: config["populations"][entry["population"]]}
    return reading.read({**kept, "populations": population, "cohorts": {cohort: entry}})


def names(folder: str, cohort: str, models: int, first: int) -> dict:
    """Return the input files of a block."""
    return {
        "population": f"{folder}/{cohort}.population.h5",
        "roles": f"{folder}/{cohort}.roles.h5",
        "membership": f"{folder}/{cohort}.{first}.{models}.h5",
    }


if __name__ == "__main__":
    report({"prepare": prepare, "train": train, "plain": plain})
