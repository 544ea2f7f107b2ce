"""Projects whose jobs a real Slurm cluster runs, and the scripts that start and stop one."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from projects import REPOSITORY, Project, Run

HERE = Path(__file__).parent
PYTHON = REPOSITORY / ".venv-slurm" / "bin" / "python"
TARGET = "results/cohorts/one/models/0.safetensors"
QUICK = ["--slurm-init-seconds-before-status-checks", "5"]  # the profile's are for long jobs
ABSENT = 77  # what slurm-up says where the packages cannot be installed
STARTED: list[subprocess.Popen] = []


def control(script: str) -> None:
    """Run one of the scripts beside this file; fail with all it said.

    Skips where Slurm's packages cannot be had, which says nothing about the profile.
    """
    done = subprocess.run([HERE / script], capture_output=True, text=True, timeout=240, check=False)
    if done.returncode == ABSENT:
        pytest.skip(f"Slurm cannot be installed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr


def stop_all() -> None:
    """Kill the workflows that have been started and still run."""
    for process in STARTED:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class ClusterProject(Project):
    """A project whose jobs are submitted to the cluster."""

    def command(self, *arguments: str, cores: int = 0) -> list[str]:
        """Return the command that runs the workflow with the profile of this repository."""
        own = ["--directory", self.root, "--snakefile", self.root / "Snakefile"]
        study = ["--configfile", self.root / "study.yaml"]
        profile = ["--profile", self.root / "profiles" / "slurm", *QUICK]
        words = [PYTHON, "-m", "snakemake", *own, *study, *profile, *arguments]
        return [str(word) for word in words]

    def start(self, *arguments: str, cores: int = 0) -> subprocess.Popen:
        """Start the workflow; `stop_all` ends what still runs of it."""
        STARTED.append(super().start(*arguments))
        return STARTED[-1]

    def finish_by(self, process: subprocess.Popen, deadline: float) -> Run:
        """Wait for a started workflow; one that is too late is killed, and fails the test."""
        try:
            status = process.wait(timeout=max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"not over in time:\n{(self.root / 'said.txt').read_text()}")
        return Run(status, (self.root / "said.txt").read_text())

    def jobs(self) -> list[dict]:
        """Return what the cluster's accounts say of this project's jobs, in order."""
        fields = ("JobID", "State", "ReqMem", "Timelimit", "ReqTRES", "Comment", "WorkDir")
        command = ["sacct", "-X", "-n", "-P", "-S", "now-1hour", "-o", ",".join(fields)]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        rows = [
            dict(zip(fields, line.split("|"), strict=True)) for line in said.stdout.splitlines()
        ]
        return [row for row in rows if row["WorkDir"] == str(self.root)]

    def running(self, process: subprocess.Popen, deadline: float) -> str:
        """Wait until a job of this project runs, whose workflow was started; return its number."""
        while process.poll() is None and time.monotonic() < deadline:
            command = ["squeue", "-h", "-t", "RUNNING", "-o", "%A %Z"]
            said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
            for line in said.stdout.splitlines():
                number, folder = line.split(maxsplit=1)
                if folder == str(self.root):
                    return number
            time.sleep(0.2)
        said = (self.root / "said.txt").read_text()
        pytest.fail(f"no job of this project ran in time:\n{said}")
