"""Snakemake looks for jobs to start when one has ended, not once a second for each that has."""

import re

import pytest


def passes(said: str) -> int:
    """How often the scheduler looked for jobs to start."""
    return len(re.findall(r"^Ready jobs: ", said, flags=re.M))


def test_the_scheduler_looks_once_for_each_job_that_ends(done):
    metrics = ("--forcerun", "measure_leakage", "--until", "measure_leakage", "--verbose")
    run = done.run(*metrics, cores=1)  # four jobs of a second or so
    assert passes(run.text) == run.text.count("Finished jobid") == 4


@pytest.mark.slow
def test_a_limit_of_jobs_a_second_that_was_asked_for_stays(done):
    metrics = ("--forcerun", "measure_leakage", "--until", "measure_leakage")
    run = done.run(*metrics, "--verbose", "--max-jobs-per-timespan", "1/3s")
    assert "Job rate limit reached" in run.text
