"""DP-SGD: the workflow's own script against Opacus' loop, model after model, on one thread.

Both sides train the same networks on the same examples: Poisson batches of one mean, gradients of
examples clipped to one norm, noise of one deviation. The loop is the one of Opacus' tutorials:
`make_private`, then `zero_grad`, `backward`, `step` on what its data loader draws.
"""

import sys
import tempfile
import time
from functools import partial
from importlib import import_module
from statistics import median

import trainers
from measuring import REPOSITORY, child, comparison, cpu_seconds, in_turn, report
from training import agreement

sys.path.insert(0, str(REPOSITORY / "scripts"))

PRIVACY = {"clip": 1.0, "noise": 0.6, "epsilon": None, "delta": 1e-4, "accountant": "rdp"}
CHANGES = {"privacy": PRIVACY, "augmentation": {"name": "none"}, "precision": "float32"}
SIDES = {  # cohort -> what it is, models, epochs of the recipe's 40
    "digits_mlp": ("the demo's MLP", 64, 10),
    "digits_cnn": ("the demo's CNN", 8, 5),
    "cifar10": ("carlini2022_small's CNN, on enlarged digits", 8, 5),
}


def measure(quick: bool) -> list[dict]:
    """Return the comparisons; `quick` trains few models for two epochs, to see that it runs."""
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        for cohort, (what, models, epochs) in SIDES.items():
            models, epochs = (min(models, 4), 2) if quick else (models, epochs)
            common = {"folder": folder, "cohort": cohort, "models": models, "epochs": epochs}
            child("trainers.py", "prepare", folder=folder, cohort=cohort, models=models)
            own, other = (partial(child, "private.py", side, **common) for side in ("own", "loop"))
            runs = in_turn({"this project": own, "Opacus' loop": other}, 1 if quick else 3)
            title = f"{models} models of {what} for {epochs} epochs"
            entries.append(comparison(title, runs, "cpu_seconds", agreement(runs)))
            ours = entries[-1]["medians"]["this project"]["cpu_seconds"]
            steps = median(run["steps"] for run in runs["Opacus' loop"])
            entries[-1]["ratios"]["steps"] = steps / ours
    return entries


def own(folder: str, cohort: str, models: int, epochs: int) -> dict:
    """Train by the workflow's script: seconds without imports, start_mib, accuracies."""
    import opacus.accountants  # noqa: F401 (as on the other side)

    return trainers.train(folder, cohort, models, epochs, changes=CHANGES)


def loop(folder: str, cohort: str, models: int, epochs: int) -> dict:
    """Train the same models by Opacus; `steps` is the time without what draws the batches."""
    import torch
    import train_models
    from opacus import PrivacyEngine  # noqa: F401 (imports are not counted)

    torch.set_num_threads(1)
    settings = trainers.settings_of(folder, cohort, models, 0, epochs, None)
    recipe, files = settings["recipe"] | CHANGES, trainers.names(folder, cohort, models, 0)
    start, spent = time.perf_counter(), cpu_seconds()
    data, shape, classes = train_models.load(files["population"], files["roles"], "cpu")
    (member, _), accuracies, steps = trainers.membership(files), [], 0.0
    for number, row in enumerate(member):
        model = train_models.model(settings, number, row)
        network, seconds = loop_model(recipe, data, shape, classes, model)
        steps += seconds
        others = data.test if len(data.test) else torch.from_numpy(~row)
        trained = torch.from_numpy(row)  # its accuracy is the history's, too
        _, accuracy = (trainers.plain_accuracy(network, data, part) for part in (trained, others))
        accuracies.append(accuracy)
    seconds, spent = time.perf_counter() - start, cpu_seconds() - spent
    return {"seconds": seconds, "cpu_seconds": spent, "steps": steps, "accuracies": accuracies}


def loop_model(recipe: dict, data, shape, classes: int, model):
    """Train one network as Opacus' tutorials do; return it, and the CPU time of its steps."""
    import torch
    from opacus import PrivacyEngine
    from torch.nn.functional import cross_entropy
    from torch.utils.data import DataLoader, TensorDataset

    from miatlas.training.optimization import SCHEDULES

    torch.manual_seed(model.weights_seed)
    named = lambda key: {k: v for k, v in recipe[key].items() if k != "name"}  # noqa: E731
    architecture = import_module(f"miatlas.training.architectures.{recipe['architecture']['name']}")
    network = trainers.plain_network(architecture.build(shape, classes, **named("architecture")))
    options = named("optimizer")
    options.pop("decay_norms_and_biases")  # torch's do
    examples = TensorDataset(data.x[model.examples], data.labels[model.examples])
    network, optimizer, batches = PrivacyEngine(accountant="rdp").make_private(
        module=network,
        optimizer=torch.optim.SGD(network.parameters(), **options),
        data_loader=DataLoader(examples, recipe["batch_size"]),
        noise_multiplier=PRIVACY["noise"],
        max_grad_norm=PRIVACY["clip"],
    )
    schedule = partial(SCHEDULES[recipe["schedule"]["name"]], **named("schedule"))
    total, done, seconds = recipe["epochs"] * len(batches), 0, 0.0
    for _ in range(recipe["epochs"]):
        for x, y in batches:
            share = schedule((done + 0.5) / total)
            optimizer.param_groups[0]["lr"] = recipe["optimizer"]["lr"] * share
            start = time.process_time()
            optimizer.zero_grad()
            cross_entropy(network(x), y).backward()
            optimizer.step()
            seconds, done = seconds + time.process_time() - start, done + 1
    return network.eval(), seconds


if __name__ == "__main__":
    report({"own": own, "loop": loop})
