"""What is measured of a recipe on a GPU: engines, queries, and what bounds a step."""

import time
from contextlib import contextmanager, nullcontext
from functools import partial

import numpy as np
import torch
from gpu_engines import ENGINES, compiled_queries
from gpu_trial import SHAPE, Clock, Trial
from gpu_work import Traffic, flops, slowest, synchronize

from miatlas.signals.probes.confidence import phi as phi_of
from miatlas.training import ensemble

PROCESSES = 4
TINY = 2  # images of a step that takes no longer than its calls
ASKED = 4000  # examples
PLAIN = {"turn": "in turn", "stack": "one stack", "single": "one by one"}


def trained(trial: Trial, engine: str, context=nullcontext) -> dict:
    """Return images a second, and the largest memory (GiB) where the device tells."""
    on_gpu, clock = trial.device.type == "cuda", Clock()
    models = trial.few if engine == "one_by_one" else trial.stack
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(trial.device)
    with context():
        trial.train(models, engine, clock)
    peak = torch.cuda.max_memory_reserved(trial.device) / 2**30 if on_gpu else None
    rate = clock.epochs * trial.examples / clock.seconds
    return {"models": models, "images_per_second": rate, "peak_gib": peak}


def beside(trial: Trial) -> dict:
    """Return images a second of several processes on the device, each training one by one."""
    processes = 2 if trial.quick else PROCESSES
    if trial.device.type == "cuda":
        torch.cuda.empty_cache()  # they have to fit beside this process
    context = torch.multiprocessing.get_context("spawn")
    ready, rates = context.Barrier(processes), context.SimpleQueue()
    arguments = (trial.name, trial.quick, str(trial.device), ready, rates)
    started = [context.Process(target=_process, args=arguments) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    if any(process.exitcode for process in started):
        raise RuntimeError("one of the processes failed")
    return {
        "models": processes * trial.few,
        "images_per_second": sum(rates.get() for _ in started),
        "peak_gib": None,
    }


def _process(name, quick, device, ready, rates):
    try:
        trial = Trial(name, quick, torch.device(device))
        trial.train(1, "one_by_one")
        ready.wait(timeout=600)
        rates.put(trained(trial, "one_by_one")["images_per_second"])
    except BaseException:
        ready.abort()  # the others need not wait for this one
        raise


@contextmanager
def computing(trial: Trial, convolutions: str, half: torch.dtype | None):
    """Compute in float32, its convolutions as cuDNN is told ("ieee", "tf32"), or in a half type."""
    settings = torch.backends.cudnn.conv
    before, settings.fp32_precision = settings.fp32_precision, convolutions
    try:
        with torch.autocast(trial.device.type, half or torch.bfloat16, enabled=half is not None):
            yield
    finally:
        settings.fp32_precision = before


# models as one stack?, precision, what is changed; the first is what the others are compared with
QUERIES = {
    "one by one, float32": (False, "ieee", None, nullcontext),
    "one by one, TF32": (False, "tf32", None, nullcontext),
    "one by one, float16": (False, "tf32", torch.float16, nullcontext),
    "one by one, bfloat16": (False, "tf32", torch.bfloat16, nullcontext),
    "one stack, TF32": (True, "tf32", None, nullcontext),
}
COMPILED = {
    "one by one, float32, once more": (False, "ieee", None, nullcontext),
    "compiled, TF32": (False, "tf32", None, compiled_queries),
    "compiled, float16": (False, "tf32", torch.float16, compiled_queries),
}


def queried(trial: Trial, ways: dict) -> dict:
    """Return what queries take in each way, and how far off phi is.

    The error is that of phi itself, of all examples and models; beside it the mean in units of
    phi's deviation over the models, of the median example: what attacks tell members by. The models
    are trained ones.
    """
    weights = trial.train(trial.stack, "auto")
    group = ensemble.Ensemble.from_weights(trial.make(), weights, trial.device)
    x, y = trial.data.x[:ASKED], trial.data.labels[:ASKED]
    found, exact = {}, None
    for name, (stacked, convolutions, half, changed) in ways.items():
        with computing(trial, convolutions, half), changed():
            ask = partial(_asked, group, x, y, stacked)
            ask()  # the first time takes longer
            synchronize(trial.device)
            start = time.perf_counter()
            phi = ask().cpu().numpy()
            seconds = time.perf_counter() - start
        exact = phi if exact is None else exact
        error = np.abs(phi - exact)
        found[name] = {
            "answers_per_second": phi.size / seconds,
            "mean_error": float(error.mean()), "largest_error": float(error.max()),
            "error_in_deviations": float(error.mean() / np.median(exact.std(0))),
        }  # fmt: skip
    return found


@torch.no_grad()
def _asked(group, x, y, stacked):
    """Return phi (K, n) of all models about x."""
    group.network.eval()
    group = group if stacked else group.compiled(x, len(x), 1)
    parts = [group] if stacked else [group.part(slice(k, k + 1)) for k in range(group.models)]
    phi = [
        torch.cat([phi_of(part._call(x[s], None).double(), y[s]) for part in parts])
        for s in parts[0].slices(len(x), x)
    ]
    return torch.cat(phi, 1)


def counts(trial: Trial) -> dict:
    """Return what is known of a recipe without a clock."""
    train_flops, query_flops = flops(trial.make, SHAPE, trial.device)
    plain = {piece: name for piece, name in PLAIN.items() if piece != "turn"}
    return {
        "batch": trial.recipe["batch_size"], "stack": trial.stack,
        "train_flops": train_flops, "query_flops": query_flops,
        "moved": {name: moved(trial, ENGINES[piece][1]) for piece, name in plain.items()},
    }  # fmt: skip


def moved(trial: Trial, engine: str) -> dict:
    """Return the bytes that operations read and write for an image, and the operations of a step.

    By the difference of two epochs to one, so that building and the last accuracy do not count.
    """
    seen, models = [], 1 if engine == "one_by_one" else 2
    for epochs in (1, 2):
        short = Trial(trial.name, trial.quick, trial.device, epochs=epochs)
        with Traffic() as traffic:
            short.train(models, engine)
        seen.append(traffic)
    images_of_an_epoch = models * trial.examples
    return {
        "bytes": (seen[1].bytes - seen[0].bytes) / images_of_an_epoch,
        "operations": (seen[1].operations - seen[0].operations) / trial.steps,
    }


def calls(trial: Trial) -> dict:
    """Return the seconds of steps that hold next to no images, by engine."""
    tiny = Trial(trial.name, trial.quick, trial.device, batch_size=TINY)
    return {name: step_seconds(tiny, ENGINES[piece][1]) for piece, name in PLAIN.items()}


def step_seconds(trial: Trial, engine: str) -> float:
    """Return the seconds of one step: of all models at once, or of one model."""
    run = trained(trial, engine)
    models = 1 if engine == "one_by_one" else run["models"]
    return models * trial.recipe["batch_size"] / run["images_per_second"]


def kernels(trial: Trial) -> dict:
    """Return the kernels that take most of the default's time, with their shares."""
    return slowest(lambda: trial.train(trial.stack, "auto"), trial.device)


# piece -> its place in a recipe's results, and what measures it; in the order of what matters most
PIECES = {
    "counts": ((), counts),
    **{piece: (("engines", name), partial(trained, engine=engine, context=context))
       for piece, (name, engine, context) in ENGINES.items()},
    "processes": (("engines", f"{PROCESSES} processes"), beside),
    "queries": (("queries",), partial(queried, ways=QUERIES)),
    "queries-compiled": (("queries_compiled",), partial(queried, ways=COMPILED)),
    "calls": (("tiny_steps",), calls),
    "kernels": (("operations",), kernels),
}  # fmt: skip
