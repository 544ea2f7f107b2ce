"""Where the time of a training step goes, and which share of the machine's own peak it reaches.

The peak is that of products of matrices of 1024 rows and columns in float32 on one thread, NumPy's
or torch's, whichever is faster, measured in the same process before and after. FLOPs are those of
products and convolutions.
"""

import sys
import time

from measuring import REPOSITORY, child, report

NETWORKS = {  # title -> architecture, shape, classes, batch, models
    "MLP 446-128-30": ({"name": "mlp"}, (446,), 30, 64, 34),
    "the demo's MLP": ({"name": "mlp"}, (1, 8, 8), 10, 32, 64),
    "the demo's CNN": ({"name": "cnn", "filters": 16, "stages": 2}, (1, 8, 8), 10, 32, 64),
    "CNN-16 on 3x32x32": ({"name": "cnn", "filters": 16, "stages": 3}, (3, 32, 32), 10, 64, 8),
}
STEPS, SIDE = 40, 1024
PARTS = {  # what operations are called that belong to a part; the first that fits
    "products": ("bmm", "addmm", "mm", "convolution"),
    "optimiser": ("fused_sgd", "foreach"),
    "gathering": ("index", "permute_copy"),
    "activations and pooling": ("relu", "threshold", "pool"),
    "loss": ("softmax", "nll", "cross_entropy", "max", "eq"),
    "copies and sums": ("copy", "sum", "add", "cat", "mul", "div", "fill", "zero", "clone"),
}
OWN_PRODUCTS = ("Product", "ProductBackward")  # of stacked layers, by NumPy
REST = "calls and everything else"


def measure(quick: bool) -> list[dict]:
    """Return an entry for each network; `quick` takes a few steps of few models."""
    return [child("steps.py", "step", title=title, quick=quick) for title in NETWORKS]


def step(title: str, quick: bool) -> dict:
    """Return what a step of all models takes, its share of the peak, and those of its parts."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    import torch

    torch.set_num_threads(1)
    before = peak()
    train, of_one = training(*NETWORKS[title], *((4, 4) if quick else (None, STEPS)))
    train()  # the first time takes longer
    flops, steps, models, stack = of_one
    runs = []
    for _ in range(1 if quick else 3):
        start = time.process_time()
        train()
        runs.append(time.process_time() - start)
    spent = min(runs) / steps
    top = max(before, peak())
    return {
        "title": title, "models": models, "stack": stack, "step_ms": 1e3 * spent / models,
        "gflops": flops / spent / 1e9, "peak_gflops": top / 1e9, "parts": parts(train),
    }  # fmt: skip


def training(architecture, shape, classes, batch, models, few, steps):
    """Return what trains the models for one epoch, and the FLOPs of a step of all of them."""
    import numpy as np
    import torch
    from gpu_work import flops

    from miatlas.training import networks, stack_sizes, trainer
    from miatlas.training.batches import Data, Model

    models, n = few or models, 2 * batch * steps
    generator = torch.Generator().manual_seed(0)
    x, none = torch.randn(n, *shape, generator=generator), torch.empty(0, dtype=torch.long)
    data = Data(x, torch.arange(n) % classes, none, none)
    recipe = {
        "architecture": architecture, "epochs": 1, "batch_size": batch, "engine": "auto",
        "optimizer": {"name": "sgd", "lr": 0.01}, "schedule": {"name": "constant"},
        "augmentation": {"name": "none"}, "label_smoothing": 0.0, "gradient_clip": None,
        "ema": None, "early_stopping": None, "precision": "float32",
    }  # fmt: skip
    make = networks.builder(architecture, shape, classes)
    found = networks.architecture(architecture)
    stack = stack_sizes.stack_size(found, make, recipe, x, models)
    half = np.arange(n // 2)
    group = [Model(m, 2 * half + m % 2, m, m, m) for m in range(models)]
    trainer._final_accuracy = lambda *_: None  # which is no part of a step
    train = lambda: trainer.train(  # noqa: E731
        make, recipe, data, group, n // 2, stack, lambda *_: None
    )
    of_one, _ = flops(make, shape, torch.device("cpu"))
    return train, (of_one * batch * models, steps, models, stack)


def peak() -> float:
    """Return the FLOPs a second of a product of large matrices: the best of some."""
    import numpy as np
    import torch

    matrix, best = torch.randn(SIDE, SIDE), 0.0
    for product, factor in ((torch.mm, matrix), (np.matmul, matrix.numpy())):
        for _ in range(30):
            start = time.process_time()
            product(factor, factor)
            best = max(best, 2 * SIDE**3 / (time.process_time() - start))
    return best


def parts(train) -> dict:
    """Return the shares of a training's time, by the profiler: operations, and what is beside."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as seen:
        start = time.perf_counter()
        train()
        whole = time.perf_counter() - start
    shares = dict.fromkeys([*PARTS, REST], 0.0)
    for event in seen.key_averages():
        shares[part_of(event.key)] += event.self_cpu_time_total / 1e6 / whole
    shares[REST] += 1 - sum(shares.values())
    return shares


def part_of(operation: str) -> str:
    """Return the part that an operation belongs to by its name."""
    if operation in OWN_PRODUCTS:
        return "products"
    if not operation.startswith("aten::"):
        return REST
    name = operation.removeprefix("aten::")
    fits = (part for part, names in PARTS.items() if any(each in name for each in names))
    return next(fits, REST)


if __name__ == "__main__":
    report({"step": step})
