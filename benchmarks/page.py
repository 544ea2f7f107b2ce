"""The page that shows the results: benchmarks/README.md, rendered from results.json."""

from pathlib import Path

import gpu_page
from measuring import HERE
from page_words import HEAD, LOST, READING, SECTIONS

SIDES = "ours", "alternative"


def render(results: dict, gpu: Path = HERE / "results_gpu.json") -> str:
    """Return the page of results: section -> circumstances and comparisons; and those of a GPU."""
    sections = [_section(name, results[name]) for name in SECTIONS if name in results]
    texts = [LOST.lstrip(), gpu_page.render(gpu), READING.lstrip()]
    return "\n".join([HEAD, *sections, *texts])


def _section(name, section):
    title, text = SECTIONS[name]
    entries = [entry for entry in section["comparisons"] if "runs" in entry]
    grown = [entry for entry in section["comparisons"] if "sizes" in entry]
    steps = [entry for entry in section["comparisons"] if "parts" in entry]
    start = next(iter(entries[0]["runs"].values()))[0].get("start_mib", 0) if entries else 0
    lines = [f"## {title}", "", text.format(start=start), ""]
    lines += _growth(grown) if grown else []
    lines += _steps_table(steps) if steps else []
    lines += _compared(entries) if entries else []
    return "\n".join([*lines, _circumstances(section), ""])


def _compared(entries):
    """Return the table of two sides each, and below it how far they did the same."""
    return [
        "| what | this project | alternative | time | | ratio | memory (MiB) | | ratio |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
        *[_row(entry) for entry in entries],
        "",
        *[f"- {_check(entry)}" for entry in entries],
        "",
    ]


def _steps_table(entries):
    """Return the table of steps: their share of the peak, and those of their parts of the time."""
    parts = list(entries[0]["parts"])
    lines = [
        f"| network | models | in stacks of | a model's step | GFLOP/s | of the peak |"
        f" {' | '.join(parts)} |",
        f"|---|{'--:|' * (5 + len(parts))}",
    ]
    for entry in entries:
        cells = [
            entry["title"], f"{entry['models']}", f"{entry['stack']}",
            f"{entry['step_ms']:.3g} ms", f"{entry['gflops']:.0f}",
            f"**{entry['gflops'] / entry['peak_gflops']:.0%}** of {entry['peak_gflops']:.0f}",
            *[f"{entry['parts'][part]:.0%}" for part in parts],
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _row(entry):
    time = entry["time"]
    sides = [entry["medians"][entry[side]] for side in SIDES]
    spread = f"{min(entry['rounds']):.2g}–{max(entry['rounds']):.2g}"
    spread = spread if len(entry["rounds"]) > 1 else "one round"
    cells = [
        entry["title"], entry["ours"], entry["alternative"],
        *[_seconds(side[time]) for side in sides],
        f"**{entry['ratios'][time]:.2f}** ({spread})",
        *[f"{side['peak_mib']:.0f}" for side in sides],
        f"{entry['ratios']['peak_mib']:.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _growth(entries):
    """Return the table of memory by the number of examples, with its slope between the last."""
    sizes = list(entries[0]["sizes"])
    files = [run["signals_mib"] for run in entries[0]["sizes"].values()]
    at = [f"at {int(n):,} ({mib:,} MiB of signals)" for n, mib in zip(sizes, files, strict=True)]
    lines = [
        f"| attack | memory (MiB) {' | '.join(at)} | bytes a further example | time |",
        f"|---|{'--:|' * (len(sizes) + 2)}",
    ]
    for entry in entries:
        runs = list(entry["sizes"].values())
        peaks = [run["peak_mib"] for run in runs]
        slope = (peaks[-1] - peaks[-2]) * 2**20 / (int(sizes[-1]) - int(sizes[-2]))
        cells = [f"{entry['title']}, within {entry['within_mb']} MiB", *[f"{p:.0f}" for p in peaks]]
        lines.append(f"| {' | '.join(cells)} | {slope:.0f} | {_seconds(runs[-1]['seconds'])} |")
    return [*lines, ""]


def _check(entry):
    """Say in words how far the two sides did the same."""
    facts, (own, other) = entry["agreement"], (entry["ours"], entry["alternative"])
    about = f"{entry['title']} ({own}): {facts['of']}"
    if "mean_difference" in facts:
        return (
            f"{about}: {facts[own]:.2%}, {other} {facts[other]:.2%}; mean difference"
            f" {100 * facts['mean_difference']:.3f} ± {100 * facts['standard_error']:.3f} points"
            f" (standard error), largest {100 * facts['largest_difference']:.2f}."
            + _leakage(entry)
            + _cpu(entry)
            + _wall(entry)
            + _steps(entry)
        )
    if "largest_log" in facts:
        return (
            f"{about}: largest difference {facts['largest_difference']:.1e}, of logarithms up to"
            f" {facts['largest_log']:.0f}."
        )
    if "largest_score" in facts:
        largest = f"largest difference {facts['largest_difference']:.1e}"
        if "reading_seconds" not in entry["runs"][own][0]:
            whole = [_middle(entry["runs"][side], "seconds") for side in (own, other)]
            return f"{about}: {largest}; the whole attack took {whole[0]} and {whole[1]}."
        reading = [_middle(entry["runs"][side], "reading_seconds") for side in (own, other)]
        return (
            f"{about}: {largest}, of scores up to {facts['largest_score']:.0f};"
            f" reading took {reading[0]} and {reading[1]}."
        )
    if "asked" in facts:
        rates = [facts["asked"] / entry["medians"][side][entry["time"]] for side in (own, other)]
        return (
            f"{about}: largest difference {facts['largest_difference']:.1e}, of phi up to"
            f" {facts['largest_phi']:.0f}; {rates[0]:,.0f} and {rates[1]:,.0f} answers a second."
            + _cpu(entry)
        )
    times = 1 / entry["ratios"][entry["time"]]
    return f"{about}: {facts[own]:,}, {other} {facts[other]:,}; {times:.2f} times its time."


def _leakage(entry):
    """Say how far both sides' models leak the same."""
    facts = entry["agreement"].get("leakage")
    if facts is None:
        return ""
    return (
        f" {facts['of']}: {facts[entry['ours']]:.3f}, {entry['alternative']}"
        f" {facts[entry['alternative']]:.3f}; mean difference {facts['mean_difference']:.4f}"
        f" ± {facts['standard_error']:.4f}."
    )


def _cpu(entry):
    """Say the ratio of CPU times, where they were measured: other processes disturb it less."""
    ratio = entry["ratios"].get("cpu_seconds")
    if ratio is None or entry["time"] == "cpu_seconds":  # which the table has
        return ""
    return f" In CPU time the ratio is {ratio:.2f}."


def _wall(entry):
    """Say the times from start to end, where CPU times are compared and both were measured."""
    ratio = entry["ratios"].get("process_seconds")
    if ratio is None or entry["time"] != "cpu_seconds":
        return ""
    own, other = (_middle(entry["runs"][entry[s]], "process_seconds") for s in SIDES)
    return f" From start to end {own} and {other}: a ratio of {ratio:.2f}."


def _steps(entry):
    """Say the ratio of times without what draws the alternative's batches, if it was measured."""
    ratio = entry["ratios"].get("steps")
    return "" if ratio is None else f" Its steps alone take {ratio:.2f} times our whole time."


def _middle(runs, name):
    values = sorted(run[name] for run in runs)
    return _seconds(values[len(values) // 2])


def _circumstances(section):
    machine, versions = section["machine"], section["versions"]
    return (
        f"Measured on {section['date']}: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, load {machine['load_at_start']};"
        f" {', '.join(f'{name} {version}' for name, version in versions.items())}."
    )


def _seconds(value):
    return f"{value:.3g} s"
