"""Copies of this repository in which a study runs as a user would run it."""

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import yaml

REPOSITORY = Path(__file__).parents[2]
CODE = ("Snakefile", "rules", "scripts", "config", "profiles", "envs", "pyproject.toml")

TINY = """
study: tiny
seed: 7
populations:
  digits: {source: digits, subset: 200}
recipes:
  plain:
    architecture: {name: mlp, widths: [16]}
    epochs: 2
    batch_size: 20
    optimizer: {name: sgd, lr: 0.1}
  faster:
    architecture: {name: mlp, widths: [16]}
    epochs: 2
    batch_size: 20
    optimizer: {name: sgd, lr: 0.2}
cohorts:
  one: {population: digits, recipe: plain, design: {name: half, group: 4}, models: 8, block: 4}
  two: {population: digits, recipe: faster, design: {name: half, group: 4}, models: 4, block: 4}
attacks:
  loss: {}
  lira_online: {variance: global}
  lira_offline: {variance: global}
audits:
  one: {target: one, targets: 4, attacks: [loss, lira_online, lira_offline]}
  two: {target: two, targets: 2, attacks: [loss]}
exhibits:
  loss_curve:
    {paper: P, title: L, figure: roc_linear_log, audits: [two, one], attacks: {loss: LOSS},
     options: {audit_names: {two: Second, one: First}}}
  curves: {paper: P, title: C, figure: roc, audits: [one], attacks: [loss, lira_online]}
  losses: {paper: P, title: H, caption: What is seen, figure: histograms, cohort: one}
  loss_table: {paper: P, title: T, table: summary, audits: [one], attacks: [loss]}
  lira_table: {paper: P, title: T, table: ablation, audits: [one], attacks: [lira_offline]}
"""


@dataclass
class Run:
    """What a finished command said, and its exit status."""

    status: int
    text: str


class Project:
    """A copy of the repository's code in `root`, and a study beside it."""

    def __init__(self, root: Path, study: dict):
        self.root, self.study = root, study
        self.results = root / "results"
        self.write()

    def write(self):
        """Write the study to its file."""
        (self.root / "study.yaml").write_text(yaml.safe_dump(self.study, sort_keys=False))

    def command(self, *arguments: str, cores: int = 2) -> list[str]:
        """Return the command that runs the workflow."""
        own = ["--directory", str(self.root), "--snakefile", str(self.root / "Snakefile")]
        study = ["--configfile", str(self.root / "study.yaml"), "--cores", str(cores)]
        return [sys.executable, "-m", "snakemake", *own, *study, *arguments]

    def start(self, *arguments: str, cores: int = 2) -> subprocess.Popen:
        """Start the workflow in a process group of its own, its words going to `said.txt`."""
        with open(self.root / "said.txt", "w") as said:
            return subprocess.Popen(
                self.command(*arguments, cores=cores),
                stdout=said, stderr=subprocess.STDOUT, cwd=self.root, start_new_session=True,
                preexec_fn=heed_interrupts,
            )  # fmt: skip

    def finish(self, process: subprocess.Popen) -> Run:
        """Wait for a started workflow."""
        status = process.wait(timeout=300)
        return Run(status, (self.root / "said.txt").read_text())

    def run(self, *arguments: str, cores: int = 2) -> Run:
        """Run the workflow; fail the test, with all it said, if it does not succeed."""
        self.write()
        run = self.finish(self.start(*arguments, cores=cores))
        assert run.status == 0, run.text
        return run

    def fail(self, *arguments: str) -> Run:
        """Run the workflow, which must not succeed."""
        self.write()
        run = self.finish(self.start(*arguments))
        assert run.status != 0, run.text
        return run

    def plan(self, *arguments: str) -> set[str]:
        """Return what a dry run would make: the first output of each job, below `results`."""
        jobs = self.run("--dry-run", *arguments).text
        outputs = [
            line.split()[1].rstrip(",").removeprefix("results/")
            for line in jobs.splitlines()
            if line.startswith("    output: ")
        ]
        assert outputs or "Nothing to be done" in jobs, jobs
        assert len(set(outputs)) == len(outputs)
        return set(outputs)

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a piece of code that stands there exactly once."""
        path = self.root / "scripts" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new))

    def made(self, folder: str = "") -> set[str]:
        """Return the files below a folder of the results; logs, benchmarks, records left out."""
        files = (path for path in (self.results / folder).rglob("*") if path.is_file())
        names = {str(path.relative_to(self.results)) for path in files}
        return {name for name in names if not name.startswith(("logs/", "benchmarks/", "records/"))}

    def times(self) -> dict[str, int]:
        """Return when each result was last written, in ns."""
        return {name: (self.results / name).stat().st_mtime_ns for name in self.made()}


def heed_interrupts():
    """Let a child be interrupted also where the tests were started in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def new_project(root: Path, study: dict) -> Project:
    """Copy the repository's code to a new folder."""
    root.mkdir()
    for name in CODE:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, root / name)
    return Project(root, study)


def change(study: dict, path: str, value, gone: bool = False) -> None:
    """Set the value at a dotted path of a study, or take it away."""
    *parents, last = path.split(".")
    for key in parents:
        study = study[key]
    if gone:
        del study[last]
    else:
        study[last] = value


def simulated(path: Path, models: int, examples: int, seed: int = 1) -> None:
    """Write signals as other software would: Gaussian phi, with a mean of each example's own.

    Members' phi is 1 higher, at a deviation of 1; the means have a deviation of 3.
    """
    stream = np.random.default_rng(seed)
    ranks = stream.random((models, examples)).argsort(axis=0)
    member = ranks < models // 2
    phi = 3 * stream.standard_normal(examples) + member + stream.standard_normal(member.shape)
    with h5py.File(path, "w") as file:
        file["member"] = member
        file["labels"] = stream.integers(0, 10, examples)
        file["phi"] = phi[..., None].astype(np.float32)
