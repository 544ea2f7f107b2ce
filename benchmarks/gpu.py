"""Training and queries on a GPU: engines against each other and against what the GPU can do.

Recipes are those of the studies of carlini2022, the trainer is the workflow's own, and the images
are noise around ten patterns: it is their number and size that decides how long a step takes.
Every piece is measured by a process of its own and added to what is there: `--only fast:stack`.
torch, numpy and this repository are all that it needs. `make gpu` runs it; `--quick --device cpu`
runs all of it at a tiny size, to see that it runs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
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


def counts(trial: Trial) -> dict:
    """Return what is known of a recipe without a clock."""
    train_flops, query_flops = flops(trial.make, SHAPE, trial.device)
    return {
        "batch": trial.recipe["batch_size"], "stack": trial.stack,
        "train_flops": train_flops, "query_flops": query_flops,
        "moved": {engine: moved(trial, ENGINES[engine][0]) for engine in PLAIN},
    }  # fmt: skip


def calls(trial: Trial) -> dict:
    """Return the seconds of steps that hold next to no images."""
    tiny = Trial(trial.name, trial.quick, trial.device, batch_size=TINY)
    steps = {engine: step_seconds(tiny, *ENGINES[engine]) for engine in PLAIN}
    return {engine: run["seconds"] for engine, run in steps.items()}


def kernels(trial: Trial) -> dict:
    """Return the kernels that take most of a stack's time, with their shares."""
    return slowest(lambda: trial.train(trial.stack, True), trial.device)


def several(trial: Trial) -> dict:
    """Return images a second of several processes."""
    return beside(trial, 2 if trial.quick else PROCESSES)


PLAIN = ("one stack", "one by one")
SLUGS = {
    "stack": "one stack", "stack-search": "one stack, cuDNN's search",
    "stack-channels-last": "one stack, channels last", "stack-compiled": "one stack, compiled",
    "single": "one by one", "single-search": "one by one, cuDNN's search",
}  # fmt: skip
# piece -> its place in a recipe's results, and what measures it; in the order of what matters most.
PIECES = {
    "counts": ((), counts),
    **{slug: (("engines", name), lambda trial, how=ENGINES[name]: trained(trial, *how))
       for slug, name in SLUGS.items()},
    "processes": (("engines", f"{PROCESSES} processes"), several),
    "calls": (("tiny_steps",), calls),
    "queries": (("queries",), queried),
    "kernels": (("operations",), kernels),
}  # fmt: skip
EVERY = ["peaks", *(f"{recipe}:{piece}" for recipe in RECIPES for piece in PIECES)]


def chosen(only: str | None) -> list[str]:
    """Return the pieces of a list like `peaks,fast,cnn:stack`: a recipe is all of its pieces."""
    names = only.split(",") if only else EVERY
    unknown = [name for name in names if name not in EVERY and name not in RECIPES]
    if unknown:
        sys.exit(f"--only {unknown[0]}: there is {', '.join(['peaks', *RECIPES, *EVERY[1:]])}")
    return [p for name in names for p in EVERY if p == name or p.split(":")[0] == name]


def measure(piece: str, quick: bool, device: torch.device) -> dict:
    """Return what one piece measures."""
    if piece == "peaks":
        return peaks(device, quick)
    recipe, part = piece.split(":")
    return PIECES[part][1](Trial(recipe, quick, device))


def in_its_process(piece: str, options) -> dict:
    """Measure a piece in a process of its own; return its result, or its error after the limit."""
    command = [sys.executable, __file__, "--piece", piece, "--device", options.device]
    command += ["--quick"] if options.quick else []
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        try:
            said, errors = process.communicate(timeout=options.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # it may have started others
            return {"error": f"not done within {options.seconds:.0f} s"}
    last = said.rstrip().rpartition("\n")[2]
    if process.returncode or not last.startswith("{"):
        lines = errors.strip().splitlines() or [f"exit status {process.returncode}"]
        return {"error": lines[-1]}
    return json.loads(last)


def placed(results: dict, piece: str, found: dict) -> dict:
    """Add what a piece found to the results; an error takes the place of nothing but errors."""
    recipe, _, part = piece.partition(":")
    place = ("peaks",) if piece == "peaks" else ("recipes", recipe, *PIECES[part][0])
    at = results
    for key in place[:-1]:
        at = at.setdefault(key, {})
    before = at.get(place[-1], {})
    if part == "counts":  # beside its engines
        lost = "error" in found and "train_flops" in before
        at[recipe] = before if lost else {k: v for k, v in before.items() if k != "error"} | found
    elif "error" not in found or not before or "error" in before:
        at[place[-1]] = found
    return results


def main() -> None:
    """Measure pieces, each in a process of its own; add them to results_gpu.json and its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="default: cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--only", help="pieces: peaks, RECIPE or RECIPE:PIECE, with commas between")
    parser.add_argument("--seconds", type=float, default=600, help="limit of a piece (600)")
    parser.add_argument("--output", type=Path, help="folder to write to (default: this one)")
    parser.add_argument("--piece", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        sys.exit("no GPU: torch sees none on this machine, and nothing is measured without one")
    device = torch.device(options.device)
    if options.piece:
        print("\n" + json.dumps(measure(options.piece, options.quick, device)))
        return
    folder, pieces = options.output or (None if options.quick else HERE), chosen(options.only)
    results = begun(folder, device)
    for piece in pieces:
        found = in_its_process(piece, options)
        print(f"{piece}: {found}", flush=True)
        results = placed(results, piece, found)
        if folder:
            write(folder, results)


def begun(folder: Path | None, device: torch.device) -> dict:
    """Return the results that are there already, or none with the circumstances of this run."""
    file = folder / "results_gpu.json" if folder else None
    about = {**circumstances(), "torch": torch.__version__, "device": described(device),
             "tiny": TINY, "peaks": {}, "recipes": {}}  # fmt: skip
    if not (file and file.is_file()):
        return about
    before = json.loads(file.read_text())
    for what in ("device", "torch"):
        if before[what] != about[what]:
            sys.exit(f"{file} is of {what} {before[what]}, this is {about[what]}: name --output")
    return before


def write(folder: Path, results: dict) -> None:
    """Write results and page, the former whole or not at all: what is there is not lost."""
    file, others = folder / "results_gpu.json", folder / "results.json"
    whole = file.with_suffix(".part")
    whole.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    whole.replace(file)
    known = json.loads(others.read_text()) if others.is_file() else {}
    (folder / "README.md").write_text(page.render(known, file))


def described(device: torch.device) -> str:
    """Return the device's name, and its memory if it is a GPU."""
    if device.type != "cuda":
        return circumstances()["machine"]["processor"]
    facts = torch.cuda.get_device_properties(device)
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


if __name__ == "__main__":
    main()
