"""Training and queries on a GPU: engines against each other and against what the GPU can do.

Recipes are those of the studies of carlini2022, the trainer is the workflow's own, and the images
are noise around ten patterns: it is their number and size that decides how long a step takes.
`make gpu` runs it. `--quick --device cpu` runs all of it at a tiny size, to see that it runs.
"""

import argparse
import json
import sys
import time
import traceback
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import page
import torch
from gpu_trial import RECIPES, SHAPE, Clock, Trial
from gpu_work import Traffic, flops, peaks, slowest
from measuring import HERE, circumstances

from miatlas.signals.probes.noise import answers
from miatlas.training import ensemble

PROCESSES = 4
TINY = 2  # images of a step that takes no longer than its calls


@contextmanager
def searching():
    """Let cuDNN try its algorithms for every new shape, and keep the fastest."""
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = False


def channels_last():
    """Lay a stack's images out with models and channels last, as it is done on a CPU."""
    last = lambda self, x: self._call(ensemble._channels_last(x), 0)  # noqa: E731
    return patch.object(ensemble.Ensemble, "__call__", last)


def compiled():
    """Compile the stack's forward and backward pass (on a CPU: only trace it)."""
    backend = "inductor" if torch.cuda.is_available() else "eager"
    call = torch.compile(ensemble.Ensemble.__call__, backend=backend)
    return patch.object(ensemble.Ensemble, "__call__", call)


ENGINES = {  # the trainer's default first
    "one stack": (True, nullcontext),
    "one stack, cuDNN's search": (True, searching),
    "one stack, channels last": (True, channels_last),
    "one stack, compiled": (True, compiled),
    "one by one": (False, nullcontext),
    "one by one, cuDNN's search": (False, searching),
}


def trained(trial: Trial, stacked: bool, context) -> dict:
    """Return images a second, and the largest memory (GiB) where the device tells."""
    on_gpu, clock = trial.device.type == "cuda", Clock()
    models = trial.stack if stacked else trial.few
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(trial.device)
    with context():
        trial.train(models, stacked, clock)
    peak = torch.cuda.max_memory_allocated(trial.device) / 2**30 if on_gpu else None
    rate = clock.epochs * trial.examples / clock.seconds
    return {"models": models, "images_per_second": rate, "peak_gib": peak}


def step_seconds(trial: Trial, stacked: bool, context) -> dict:
    """Return the seconds of one step: of the whole stack, or of one model."""
    run = trained(trial, stacked, context)
    models = run["models"] if stacked else 1
    return {"seconds": models * trial.recipe["batch_size"] / run["images_per_second"]}


def beside(trial: Trial, processes: int) -> dict:
    """Return images a second of several processes on the device, each training one by one."""
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
        trial.train(1, False)
        ready.wait(timeout=600)
        rates.put(trained(trial, False, nullcontext)["images_per_second"])
    except BaseException:
        ready.abort()  # the others need not wait for this one
        raise


@contextmanager
def computing(trial: Trial, convolutions: str, bfloat16: bool):
    """Compute in float32, its convolutions as cuDNN is told ("ieee", "tf32"), or in bfloat16."""
    settings = torch.backends.cudnn.conv
    before, settings.fp32_precision = settings.fp32_precision, convolutions
    try:
        with torch.autocast(trial.device.type, torch.bfloat16, enabled=bfloat16):
            yield
    finally:
        settings.fp32_precision = before


PRECISIONS = {"float32": ("ieee", False), "TF32": ("tf32", False), "bfloat16": ("tf32", True)}


def queried(trial: Trial) -> dict:
    """Return what queries take in each precision, and how far off phi is.

    The error is in units of phi's deviation over the models, of the median example: what attacks
    tell members by. Engines are the default's, a stack, and the models are trained ones.
    """
    weights = trial.train(trial.stack, True)
    group = ensemble.Ensemble.from_weights(trial.make(), weights, trial.device)
    x, y, found, exact = trial.data.x[:8000], trial.data.labels[:8000], {}, None
    for name, precision in PRECISIONS.items():
        with computing(trial, *precision):
            answers(group, x, y)  # the first time takes longer
            start = time.perf_counter()
            phi = answers(group, x, y).cpu().numpy()
            seconds = time.perf_counter() - start
        exact = phi if exact is None else exact
        error = np.abs(phi - exact) / np.median(exact.std(0))
        found[name] = {
            "answers_per_second": phi.size / seconds,
            "mean_error": float(error.mean()), "largest_error": float(error.max()),
        }  # fmt: skip
    return found


def moved(trial: Trial, stacked: bool) -> dict:
    """Return the bytes that operations read and write for an image, and the operations of a step.

    By the difference of two epochs to one, so that building and the last accuracy do not count.
    """
    seen, models = [], 2 if stacked else 1
    for epochs in (1, 2):
        short = Trial(trial.name, trial.quick, trial.device, epochs=epochs)
        with Traffic() as traffic:
            short.train(models, stacked)
        seen.append(traffic)
    images_of_an_epoch = models * trial.examples
    return {
        "bytes": (seen[1].bytes - seen[0].bytes) / images_of_an_epoch,
        "operations": (seen[1].operations - seen[0].operations) / trial.steps,
    }


def measured(name: str, quick: bool, device: torch.device) -> dict:
    """Return all that is measured of a recipe; what fails is told in its place."""
    trial, tiny = Trial(name, quick, device), Trial(name, quick, device, batch_size=TINY)
    engines = {engine: attempted(trained, trial, *how) for engine, how in ENGINES.items()} | {
        f"{PROCESSES} processes": attempted(beside, trial, 2 if quick else PROCESSES)
    }
    tiny_steps = {
        engine: attempted(step_seconds, tiny, *ENGINES[engine])
        for engine in ("one stack", "one by one")
    }
    train_flops, query_flops = flops(trial.make, SHAPE, device)
    return {
        "batch": trial.recipe["batch_size"], "stack": trial.stack,
        "train_flops": train_flops, "query_flops": query_flops,
        "moved": {
            engine: attempted(moved, trial, ENGINES[engine][0])
            for engine in ("one stack", "one by one")
        },
        "engines": engines,
        "tiny_steps": {e: run["seconds"] for e, run in tiny_steps.items() if "error" not in run},
        "queries": attempted(queried, trial),
        "operations": attempted(slowest, lambda: trial.train(trial.stack, True), device),
    }  # fmt: skip


def attempted(function, *arguments) -> dict:
    """Return what the function returns, or its error: one engine's failure is no other's."""
    try:
        found = function(*arguments)
    except Exception as error:  # out of memory, no compiler, ...
        found = failure(error)
    print(f"  {found}", flush=True)
    return found


def failure(error: Exception) -> dict:
    """Return what stands in the place of results."""
    return {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0]}


def main() -> None:
    """Measure all recipes; write results_gpu.json and renew the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--output", type=Path, help="folder to write to (default: this one)")
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("no GPU: torch sees none on this machine, and nothing is measured without one")
    device, folder = torch.device(options.device), options.output or HERE
    results = {
        **circumstances(), "torch": torch.__version__, "device": described(device), "tiny": TINY,
        "peaks": peaks(device, options.quick), "recipes": {},
    }  # fmt: skip
    for name in RECIPES:
        print(name, flush=True)
        try:
            results["recipes"][name] = measured(name, options.quick, device)
        except Exception as error:  # no other recipe's results are lost
            traceback.print_exc()
            results["recipes"][name] = failure(error)
        if options.output or not options.quick:
            text = json.dumps(results, indent=1, ensure_ascii=False)
            (folder / "results_gpu.json").write_text(text + "\n")
    if options.output or not options.quick:
        file = folder / "results.json"
        others = json.loads(file.read_text()) if file.is_file() else {}
        (folder / "README.md").write_text(page.render(others, folder / "results_gpu.json"))


def described(device: torch.device) -> str:
    """Return the device's name, and its memory if it is a GPU."""
    if device.type != "cuda":
        return circumstances()["machine"]["processor"]
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


if __name__ == "__main__":
    main()
