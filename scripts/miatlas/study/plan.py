"""What a run will take: the jobs of a dry run, and the workflow's own records of jobs like them.

A job's time is that of its own earlier run, or the mean of its neighbours': jobs of the same rule
on the same cohort or audit, whose benchmarks lie in the same folder. The room a file takes is found
in the same way. Where there is neither, nothing is guessed: the job is counted as unknown.
"""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

OWN, NEIGHBOURS, NOTHING = "an earlier run", "neighbours", "nothing"  # what a number rests on
STRANGERS = {"populations", "bounds"}  # folders of files that are each about something else


@dataclass(frozen=True)
class Job:
    """A job that a dry run announces; paths are as it prints them."""

    rule: str
    outputs: tuple[str, ...] = ()
    benchmark: str | None = None
    threads: int = 1
    gpu: int = 0


@dataclass
class Sum:
    """A sum over things of which some may be unknown, and how many those are."""

    value: float = 0.0
    known: int = 0
    unknown: int = 0

    def add(self, value: float, known: bool) -> None:
        """Count one more."""
        self.value += value
        self.known += known
        self.unknown += not known

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.value + other.value, self.known + other.known, self.unknown + other.unknown)

    def __str__(self) -> str:
        """A number as it may be said: "?" if nothing is known, ">" if a part is not."""
        if not self.known:
            return "?" if self.unknown else "-"
        shown = f"{self.value:.2g}" if self.value < 10 else f"{self.value:,.0f}"
        return f"> {shown}" if self.unknown else shown


@dataclass
class Row:
    """What the jobs of one rule take."""

    jobs: int = 0
    core_hours: Sum = field(default_factory=Sum)  # of jobs without a GPU
    gpu_hours: Sum = field(default_factory=Sum)  # of jobs with one or more
    gigabytes: Sum = field(default_factory=Sum)  # of their files
    memory: float = 0.0  # GB of the largest job by the records, 0 without any
    basis: Counter = field(default_factory=Counter)  # jobs, by what their time rests on
    unknown: list[Job] = field(default_factory=list)

    def __add__(self, other: "Row") -> "Row":
        return Row(
            self.jobs + other.jobs,
            self.core_hours + other.core_hours,
            self.gpu_hours + other.gpu_hours,
            self.gigabytes + other.gigabytes,
            max(self.memory, other.memory),
            self.basis + other.basis,
            self.unknown + other.unknown,
        )


def announced(text: str) -> list[Job]:
    """Return the jobs that a dry run of Snakemake announces; targets without files are left out."""
    jobs = []
    for piece in re.split(r"^(?=(?:local)?(?:rule|checkpoint) \w+:$)", text, flags=re.M)[1:]:
        name = piece.split(":", 1)[0].split()[1]
        said = dict(re.findall(r"^    (\w+): (.*)$", piece, flags=re.M))
        resources = dict(re.findall(r"(\w+)=([^,]+)", said.get("resources", "")))
        if "output" in said:
            outputs = tuple(said["output"].split(", "))
            threads, gpu = int(said.get("threads", 1)), int(resources.get("gpu", 0))
            jobs.append(Job(name, outputs, said.get("benchmark"), threads, gpu))
    return jobs


def seconds(path: Path) -> float | None:
    """Return the wall time that a benchmark file records; None where there is none to read."""
    return recorded(path, "s")


def memory(path: Path) -> float | None:
    """Return the largest memory (MB) that a benchmark file records; None where there is none."""
    return recorded(path, "max_rss", max)


def recorded(path: Path, column: str, of=mean) -> float | None:
    """Return `of` the numbers in a column of a benchmark file; None where there is none to read."""
    if not path.is_file():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        rows = [row.get(column) for row in csv.DictReader(file, delimiter="\t")]
    found = [float(value) for value in rows if re.fullmatch(r"[\d.]+(e[+-]?\d+)?", value or "")]
    return of(found) if found else None


def expected(path: Path, measure) -> tuple[float, str]:
    """Return `measure` of a file, or the mean of its neighbours' of the same kind, and which it is.

    Neighbours lie in the same folder and have the same suffixes; a file in a folder of its rule's
    own (`benchmarks/prepare_population/x.tsv`, `populations/x.h5`) has none, for it is about
    something else.
    """
    own = measure(path)
    if own is not None:
        return own, OWN
    suffix = "".join(path.suffixes)
    alone = path.parent.parent.name == "benchmarks" or path.parent.name in STRANGERS
    others = [] if alone else path.parent.glob(f"*{suffix}")
    known = [value for value in map(measure, sorted(others)) if value is not None]
    return (mean(known), NEIGHBOURS) if known else (0.0, NOTHING)


def bytes_of(path: Path) -> float | None:
    """Return the size of a file; None where there is none."""
    return path.stat().st_size if path.is_file() else None


def estimate(jobs: list[Job], root: Path) -> dict[str, Row]:
    """Return what the jobs take, by rule in the order of their first jobs; `root`: of the paths."""
    rows: dict[str, Row] = {}
    for job in jobs:
        row = rows.setdefault(job.rule, Row())
        row.jobs += 1
        time, basis = 0.0, NOTHING
        if job.benchmark:
            time, basis = expected(root / job.benchmark, seconds)
            row.memory = max(row.memory, expected(root / job.benchmark, memory)[0] / 1e3)
        row.basis[basis] += 1
        if basis == NOTHING:
            row.unknown.append(job)
        hours = row.gpu_hours if job.gpu else row.core_hours
        hours.add(time / 3600 * (job.gpu or job.threads), basis != NOTHING)
        for output in job.outputs:
            size, basis = expected(root / output, bytes_of)
            row.gigabytes.add(size / 1e9, basis != NOTHING)
    return rows


def table(rows: dict[str, Row]) -> str:
    """Return the estimate as text, a rule a line, and a line for all of them."""
    heads = ["rule", "jobs", "core-hours", "GPU-hours", "GB", "GB of memory", "hours rest on"]
    lines = [heads]
    for name, row in [*rows.items(), ("all", sum(rows.values(), Row()))]:
        basis = [f"{kind}: {row.basis[kind]}" for kind in (OWN, NEIGHBOURS, NOTHING)
                 if row.basis[kind]]  # fmt: skip
        sums = (row.jobs, row.core_hours, row.gpu_hours, row.gigabytes)
        memory = f"{row.memory:.1f}" if row.memory else "?"
        lines.append([name, *map(str, sums), memory, ", ".join(basis)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:]), basis])
        for name, *numbers, basis in lines
    )
