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
from pathlib import Path

import page
import torch
from gpu_pieces import PIECES, TINY
from gpu_trial import RECIPES, Trial
from gpu_work import peaks
from measuring import HERE, circumstances

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
    folder.mkdir(parents=True, exist_ok=True)
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
