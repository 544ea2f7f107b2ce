"""The page's section on GPUs: what results_gpu.json has, or what is to be measured."""

import json
from pathlib import Path

UNMEASURED = """## On a GPU

Nothing here has been measured on a GPU yet: `make gpu` does it. It trains `fast`, the wide ResNet
of the paper's study and a small CNN by the trainer's default, models in turn as one CUDA graph, and
by other engines: one stack under `vmap`, one model at a time, several processes. It measures images
a second, the share of the GPU's own peak, memory, and what bounds a step, and what queries cost in
float32, TF32, float16 and bfloat16, with the error of phi.
"""
TEXT = """## On a GPU

Written by `make gpu`, from `results_gpu.json`. *Peak* is the GPU's own, in the same run:
{tflops:.0f} TFLOP/s by a large product in bfloat16, {terabytes:.2f} TB/s by a large copy, and
{launch:.1f} µs for each of many tiny operations. FLOPs are counted on one model; bytes are those of
all operations' inputs and outputs, so that what limits a step is the largest of three times: FLOPs
and bytes at the peak, and that of a step with {tiny} images a model. Each model's first epoch is
not counted.
"""
OPERATIONS = {"in turn": "one by one", "one by one": "one by one", "one stack": "one stack"}
# Of 60,000 images the last 8,800 make slices of test examples alone, which are asked once.
STUDY = {"models": 256, "examples": 25_000, "epochs": 10, "answers": 256 * (51_200 * 18 + 8_800)}
RUN = """### A study whole: {models} models of `fast` on all of CIFAR-10

{models} models of 25,000 images and {epochs} epochs, {queries} queries of {examples:,} examples,
{targets} targets; jobs one after the other, by `run_jobs.py`. Test accuracy {mean:.2%}, the lowest
{lowest:.2%}; on their own training sets {train:.2%}.

| stage | seconds |
|---|--:|
{stages}

| attack | AUC | TPR at 0.1 % FPR | TPR at 1 % FPR |
|---|--:|--:|--:|
{leakage}

Means over the targets, hindsight, with intervals of 95 % for this population. Queries were asked in
{queries_in} in this run. How far phi of these models is from float32's: {errors}.
TF32 is the lowest precision that stays within 0.01, and what is asked in since.
"""


def render(file: Path) -> str:
    """Return the section: of the results in the file, or of none."""
    if not file.is_file():
        return UNMEASURED
    results = json.loads(file.read_text())
    peaks = results["peaks"]
    if not peaks or "error" in peaks:
        return f"## On a GPU\n\nThe peaks of {results['device']} are to be measured first: peaks.\n"
    head = TEXT.format(
        tflops=peaks["flops"] / 1e12, terabytes=peaks["bytes"] / 1e12,
        launch=peaks["launch_seconds"] * 1e6, tiny=results["tiny"],
    )  # fmt: skip
    parts = [_recipe(name, found, peaks) for name, found in results["recipes"].items()]
    parts += [_run(results["study"])] if "study" in results else []
    notes = [f"Of {name}: {note}\n" for name, note in results.get("notes", {}).items()]
    about = f"Measured on {results['date']}: {results['device']}; torch {results['torch']}."
    study = _study(results["recipes"].get("fast", {}))
    return "\n".join([head, *parts, study, *notes, about, ""])


def _recipe(name, found, peaks):
    if "train_flops" not in found:
        why = f"failed: {found['error'][:120]}" if "error" in found else "to be counted first"
        return f"### {name}\n\nIts operations: {why}.\n"
    engines, flops = found.get("engines", {}), found["train_flops"]
    default = engines.get("in turn", {}).get("images_per_second")
    lines = [
        f"### {name}, batches of {found['batch']}",
        "",
        "| engine | models | images a second | default / it | share of peak | memory (GiB) |",
        "|---|--:|--:|--:|--:|--:|",
        *[_engine(name, run, default, flops, peaks) for name, run in engines.items()],
        "",
        *[line for engine in engines if (line := _bounds(engine, found, peaks))],
        *_queries(found.get("queries", {})),
        *_queries(found.get("queries_compiled", {})),
        *_operations(found.get("operations", {})),
        "",
    ]
    return "\n".join(lines)


def _engine(name, run, default, flops, peaks):
    if "error" in run:
        return f"| {name} | | failed: {run['error'].replace('|', '/')[:120]} | | | |"
    rate = run["images_per_second"]
    ratio = f"{default / rate:.2f}" if default else ""
    peak = f"{run['peak_gib']:.1f}" if run["peak_gib"] is not None else ""
    share = f"{rate * flops / peaks['flops']:.1%}"
    return f"| {name} | {run['models']} | {rate:,.0f} | {ratio} | {share} | {peak} |"


def _bounds(engine, found, peaks):
    """Say what a step takes, and what it would take if one thing alone bounded it.

    Models in turn do what they do one by one, a step of all of them.
    """
    run, moved = found["engines"][engine], found["moved"].get(OPERATIONS.get(engine))
    if "error" in run or not moved or engine not in found.get("tiny_steps", {}):
        return ""
    images = found["batch"] * (1 if engine == "one by one" else run["models"])
    whole = images / run["images_per_second"]
    bounds = {
        "FLOPs": images * found["train_flops"] / peaks["flops"],
        "bytes": images * moved["bytes"] / peaks["bytes"],
        "calls": found["tiny_steps"][engine],
    }
    times = ", ".join(f"{name} {1e3 * seconds:.2f} ms" for name, seconds in bounds.items())
    return (
        f"- {engine}: a step takes {1e3 * whole:.2f} ms ({moved['operations']:.0f} operations,"
        f" {moved['bytes'] / 1e6:.1f} MB an image); bounds: {times}; nearest:"
        f" {max(bounds, key=bounds.get)}."
    )


def _queries(found):
    if "error" in found:
        return [f"- Queries failed: {found['error'][:120]}"]
    return [
        f"- Queries, {name}: {run['answers_per_second']:,.0f} answers a second; error of phi: mean"
        f" {run['mean_error']:.1e} ({run['error_in_deviations']:.1e} deviations over the models),"
        f" largest {run['largest_error']:.1e}."
        for name, run in found.items()
    ]


def _operations(found):
    if not found or "error" in found:
        return []
    shares = ", ".join(f"`{name}` {share:.0%}" for name, share in found.items())
    return [f"- The default's time: {shares}."]


def _run(study):
    """Say what a whole study took, how accurate its models are, and how much they leak."""
    share = lambda v: f"{v['mean']:.2%} ({v['low']:.2%} to {v['high']:.2%})"  # noqa: E731
    auc = lambda v: f"{v['mean']:.4f} ({v['low']:.4f} to {v['high']:.4f})"  # noqa: E731
    leakage = [
        f"| {attack} | {auc(v['auc'])} | {share(v['tpr_at_0.001'])} | {share(v['tpr_at_0.01'])} |"
        for attack, v in study["leakage"].items()
    ]
    seconds = study["seconds"] | {"together": sum(study["seconds"].values())}
    errors = "; ".join(
        f"{kind} {e['mean']:.4f} in the mean, 99 % below {e['q99']:.4f}, {e['largest']:.3f} at most"
        for kind, e in study["phi_error"].items()
    )
    return RUN.format(
        **study | study["test_accuracy"] | {"leakage": "\n".join(leakage), "errors": errors},
        train=study["train_accuracy"]["mean"],
        stages="\n".join(f"| {stage} | {value:.1f} |" for stage, value in seconds.items()),
    )


def _study(fast):
    """Say what follows for 256 models of `fast` on CIFAR-10, from the rates alone."""
    engines, queries = fast.get("engines", {}), fast.get("queries")
    run = engines.get("in turn, compiled") or engines.get("in turn")
    if not (run and queries) or "error" in {**run, **queries}:
        return ""
    images = STUDY["models"] * STUDY["examples"] * STUDY["epochs"]
    training = images / run["images_per_second"] / 60
    answers = {
        name: STUDY["answers"] / each["answers_per_second"] / 60 for name, each in queries.items()
    }
    asked = "; ".join(f"{minutes:.1f} ({name})" for name, minutes in answers.items())
    return (
        f"At these rates, 256 models of `fast` on CIFAR-10 take {training:.1f} minutes to train,"
        f" and the answers to 18 queries, to one of most test images, take, in minutes: {asked}."
        " It asks one by one in TF32. What"
        " starting jobs, writing and scoring take is in the study's own table.\n"
    )
