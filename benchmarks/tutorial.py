"""The loop that a tutorial writes: models one after the other, attacks in NumPy, a page.

It is one process and one file, and knows nothing of this project but `prepare`, which writes the
examples as arrays beforehand and is not timed.
"""

import html
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from measuring import REPOSITORY, report

LEVEL = 0.01  # the FPR whose TPR is told


def prepare(folder: str, source: str, options: dict, data_root: str) -> dict:
    """Write a population's examples, standardised as the workflow does it, into examples.npz."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    import prepare_population

    from miatlas.running.store import attributes, read_h5
    from miatlas.study import jobs, reading
    from miatlas.training.inputs import standardised

    population = {"source": source, **options}
    study = {"study": "s", "data_root": data_root, "populations": {"p": population}}
    settings = jobs.population_settings(reading.read(study), "p")
    path = f"{folder}/population.h5"
    prepare_population.main(population=path, settings=settings)
    arrays = read_h5(path, ["x", "labels", "mean", "deviation"])
    scale = float(attributes(path)["scale"])
    x = standardised(arrays["x"], scale, arrays["mean"], arrays["deviation"], "cpu")
    np.savez(f"{folder}/examples.npz", x=x.numpy(), labels=arrays["labels"])
    return {}


def run(
    folder: str, filters: int | None, models: int, targets: int, epochs: int, lr: float,
    tested: bool = True,
) -> dict:  # fmt: skip
    """Train models on halves of the data, attack the first of them, and write a page.

    `filters`: of the first convolution of three; None: a perceptron with 128 hidden units.
    `tested`: whether a model's accuracy on the other half is told after every epoch, as is usual.
    """
    import torch

    torch.manual_seed(0)
    examples = np.load(f"{folder}/examples.npz")
    x, labels = torch.from_numpy(examples["x"]), torch.from_numpy(examples["labels"])
    rng, n = np.random.default_rng(0), len(x)
    order = rng.random((models, n)).argsort(0)
    member = order < models // 2  # (K, N): every example is in half of the models
    logits, accuracies = [], []
    for row in member:
        network = build(x.shape[1:], int(labels.max()) + 1, filters)
        fit(network, (x[row], labels[row]), (x[~row], labels[~row]) if tested else None, epochs, lr)
        logits.append(ask(network, x))
        accuracies.append(float((logits[-1].argmax(1) == labels)[~row].float().mean()))
    logits, labels = torch.stack(logits).double().numpy(), labels.numpy()
    scores = attacks(logits, labels, member, targets)
    return {"accuracies": accuracies, "aucs": write_page(folder, scores, member[:targets])}


def build(shape, classes: int, filters: int | None):
    """Return a network as it stands in a tutorial."""
    from torch import nn

    if filters is None:
        wide = int(np.prod(shape))
        return nn.Sequential(nn.Flatten(), nn.Linear(wide, 128), nn.ReLU(), nn.Linear(128, classes))
    layers = []
    for before, after in pairwise([shape[0], filters, 2 * filters, 4 * filters]):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    flat = 4 * filters * (shape[1] // 8) * (shape[2] // 8)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, classes))


def fit(network, trained, others, epochs: int, lr: float) -> None:
    """Train a network with a DataLoader, SGD with momentum and a cosine."""
    from torch.nn.functional import cross_entropy
    from torch.optim import SGD
    from torch.optim.lr_scheduler import CosineAnnealingLR
    from torch.utils.data import DataLoader, TensorDataset

    loader = DataLoader(TensorDataset(*trained), batch_size=64, shuffle=True)
    tests = DataLoader(TensorDataset(*others), batch_size=64) if others else None
    optimizer = SGD(network.parameters(), lr=lr, momentum=0.9)
    schedule = CosineAnnealingLR(optimizer, epochs * len(loader))
    for epoch in range(epochs):
        network.train()
        for images, classes in loader:
            optimizer.zero_grad()
            cross_entropy(network(images), classes).backward()
            optimizer.step()
            schedule.step()
        if tests:
            print(f"epoch {epoch + 1}: accuracy {accuracy(network, tests):.3f}")


def accuracy(network, loader) -> float:
    """Return a network's accuracy on what a DataLoader holds."""
    import torch

    network.eval()
    with torch.no_grad():
        right = [network(images).argmax(1) == classes for images, classes in loader]
    return float(torch.cat(right).float().mean())


def ask(network, x):
    """Return a network's logits (N, C)."""
    import torch

    network.eval()
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(256)])


def attacks(logits, labels, member, targets: int) -> dict:
    """Return the scores (T, N) of LOSS, LiRA and RMIA, with all other models as references."""
    shifted = logits - logits.max(2, keepdims=True)
    log = shifted - np.log(np.exp(shifted).sum(2, keepdims=True))  # (K, N, C)
    confidence = np.exp(log[:, np.arange(len(labels)), labels])
    phi = np.log(confidence + 1e-45) - np.log1p(-np.minimum(confidence, 1 - 1e-12))
    scores = {"LOSS": np.log(confidence[:targets] + 1e-45), "LiRA": [], "RMIA": []}
    for target in range(targets):
        others = np.arange(len(logits)) != target
        inside, p, ref = member[others], phi[target], phi[others]
        laws = []
        for of in (inside, ~inside):
            values = np.where(of, ref, np.nan)
            mean, deviation = np.nanmean(values, 0), np.nanstd(values, 0) + 1e-30
            laws.append(-(((p - mean) / deviation) ** 2) / 2 - np.log(deviation))
        scores["LiRA"].append(laws[0] - laws[1])
        ratio = confidence[target] / confidence[others].mean(0)
        below = np.searchsorted(np.sort(ratio), ratio, side="right")
        scores["RMIA"].append(below / len(ratio))
    return {name: np.asarray(rows) for name, rows in scores.items()}


def write_page(folder: str, scores: dict, member) -> dict:
    """Write ROC curves and a table as a page; return each attack's AUC, target by target."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from sklearn.metrics import roc_auc_score, roc_curve

    figure, axes = plt.subplots()
    aucs, rows = {}, []
    for name, of in scores.items():
        aucs[name] = [float(roc_auc_score(m, s)) for m, s in zip(member, of, strict=True)]
        false, true, _ = roc_curve(member.ravel(), of.ravel())
        axes.loglog(false, true, label=f"{name}: AUC {np.mean(aucs[name]):.3f}")
        at = true[false <= LEVEL].max()
        rows.append(f"<tr><td>{html.escape(name)}<td>{np.mean(aucs[name]):.3f}<td>{at:.2%}")
    axes.set(xlabel="FPR", ylabel="TPR", xlim=(1e-4, 1), ylim=(1e-4, 1))
    axes.legend()
    figure.savefig(f"{folder}/roc.svg")
    table = "<table><tr><th>attack<th>AUC<th>TPR at 1 % FPR" + "".join(rows) + "</table>"
    Path(folder, "report.html").write_text(f"<h1>Leakage</h1>{table}<img src=roc.svg>")
    return aucs


if __name__ == "__main__":
    report({"prepare": prepare, "run": run})
