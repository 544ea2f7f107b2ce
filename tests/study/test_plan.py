"""What a plan says of jobs with records, with neighbours that have some, and with neither."""

import re
from pathlib import Path

import pytest

from miatlas.study import plan

DRY_RUN = """Building DAG of jobs...
Working directory: /somewhere
Job stats:
job             count
------------  -------
train_models        2

[Sat Nov 21 14:34:23 2026]
rule train_models:
    input: results/populations/digits.h5, results/cohorts/one/roles.h5
    output: results/cohorts/one/models/0.safetensors, results/cohorts/one/models/0.history.csv
    log: results/logs/train_models/one/0.log
    jobid: 5
    benchmark: results/benchmarks/train_models/one/0.tsv
    reason: Missing output files: results/cohorts/one/models/0.safetensors
    wildcards: cohort=one, block=0
    threads: 2
    resources: tmpdir=/tmp, runtime=720, gpu=1, mem_mb=4000, mem=4 GB
[Sat Nov 21 14:34:23 2026]
rule assign_roles:
    output: results/cohorts/one/roles.h5
    resources: tmpdir=/tmp
[Sat Nov 21 14:34:23 2026]
localrule all:
    input: results/cohorts/one/models/0.safetensors
    jobid: 0
"""
TSV = "s\th:m:s\tmax_rss\n"


def test_a_dry_run_is_read():
    train, roles = plan.announced(DRY_RUN)  # and not the target without files of its own
    assert train == plan.Job(
        "train_models",
        ("results/cohorts/one/models/0.safetensors", "results/cohorts/one/models/0.history.csv"),
        "results/benchmarks/train_models/one/0.tsv",
        threads=2,
        gpu=1,
    )
    assert roles == plan.Job("assign_roles", ("results/cohorts/one/roles.h5",))


def test_nothing_to_do_is_no_job():
    assert plan.announced("Building DAG of jobs...\nNothing to be done.\n") == []


@pytest.fixture
def job(tmp_path):
    """Make a job of a cohort's block; optionally with the record and the files of a run."""

    def new(block, *times, size=None, cohort="one", **wants):
        benchmark = f"benchmarks/train_models/{cohort}/{block}.tsv"
        output = f"cohorts/{cohort}/models/{block}.safetensors"
        for name in (benchmark, output):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if times:
            rows = "".join(f"{time}\t0:00:01\t7\n" for time in times)
            (tmp_path / benchmark).write_text(TSV + rows)
        if size is not None:
            (tmp_path / output).write_bytes(b"x" * size)
        return plan.Job("train_models", (output,), benchmark, **wants)

    return new


def test_without_any_record_nothing_is_claimed(job, tmp_path):
    (row,) = plan.estimate([job(0), job(1)], tmp_path).values()
    assert row.basis == {plan.NOTHING: 2}
    assert len(row.unknown) == 2
    assert str(row.core_hours) == "?"
    assert str(row.gpu_hours) == "-"
    assert str(row.gigabytes) == "?"


def test_a_jobs_own_record_comes_first_then_the_mean_of_its_neighbours(job, tmp_path):
    job(7, 1800, size=10**6)
    jobs = [job(0, 3600, 7200, size=4 * 10**6), job(1)]  # its own: a mean of 1.5 h
    (row,) = plan.estimate(jobs, tmp_path).values()
    assert row.basis == {plan.OWN: 1, plan.NEIGHBOURS: 1}
    assert row.core_hours.value == pytest.approx(1.5 + (1.5 + 0.5) / 2)
    assert row.gigabytes.value == pytest.approx((4 + 2.5) * 1e-3)
    assert not row.unknown


def test_the_memory_of_the_largest_job_is_shown(job, tmp_path):
    jobs = [job(0, 60), job(1, 60), job(2)]
    for name, megabytes in (("0", "700.5"), ("1", "2600"), ("2", None)):
        path = tmp_path / jobs[int(name)].benchmark
        path.unlink(missing_ok=True)
        if megabytes:
            path.write_text(TSV + f"60\t0:01:00\t{megabytes}\n1\t0:00:01\t90\n")
    for own, expected in ((jobs, 2.6), (jobs[:1], 0.7005), (jobs[2:], (0.7005 + 2.6) / 2)):
        (row,) = plan.estimate(own, tmp_path).values()
        assert row.memory == pytest.approx(expected)  # of its own record, or its neighbours' mean
    lines = plan.table(plan.estimate(jobs, tmp_path)).splitlines()
    assert "GB of memory" in lines[0]
    assert all(" 2.6  " in line for line in lines[1:])
    alone = job(0, 60, cohort="two")
    (tmp_path / alone.benchmark).write_text(TSV + "60\t0:01:00\tnan\n")
    (row,) = plan.estimate([alone], tmp_path).values()
    assert row.memory == 0
    assert " ?  " in plan.table({"train_models": row})


def test_records_of_other_cohorts_say_nothing(job, tmp_path):
    job(0, 3600, size=100, cohort="two")
    rows = plan.estimate([job(0)], tmp_path)
    assert rows["train_models"].basis == {plan.NOTHING: 1}
    assert rows["train_models"].gigabytes.unknown == 1


def test_records_of_other_populations_say_nothing(tmp_path):
    folder = tmp_path / "benchmarks" / "prepare_population"
    folder.mkdir(parents=True)
    (folder / "digits.tsv").write_text(TSV + "5\t0:00:05\t7\n")
    other = tmp_path / "results" / "populations" / "digits.h5"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"x" * 100)
    path, made = "benchmarks/prepare_population/cifar10.tsv", "results/populations/cifar10.h5"
    rows = plan.estimate([plan.Job("prepare_population", (made,), path)], tmp_path)
    assert rows["prepare_population"].basis == {plan.NOTHING: 1}
    assert str(rows["prepare_population"].gigabytes) == "?"


def test_hours_are_of_cores_or_of_gpus(job, tmp_path):
    jobs = [job(0, 3600, threads=4), job(1, 7200, threads=4, gpu=2)]
    (row,) = plan.estimate(jobs, tmp_path).values()
    assert row.core_hours.value == pytest.approx(4)
    assert row.gpu_hours.value == pytest.approx(4)


def test_a_sum_that_leaves_something_out_says_so(job, tmp_path):
    known, unknown = job(0, 3600, size=10), job(0, cohort="two")
    text = plan.table(plan.estimate([known, unknown], tmp_path))
    *_, line = text.splitlines()
    assert line.startswith("all")
    assert "> 1 " in line
    assert line.endswith("an earlier run: 1, nothing: 1")
    whole = plan.table(plan.estimate([known], tmp_path))
    assert ">" not in whole
    assert "?" not in whole


@pytest.mark.parametrize("content", ["", TSV, TSV + "-\t-\t-\n", "words\n1\n"])
def test_a_record_without_a_time_is_none(tmp_path, content):
    path = tmp_path / "0.tsv"
    path.write_text(content)
    assert plan.seconds(path) is None


def test_every_rule_that_makes_files_leaves_a_record():
    for path in (Path(__file__).parents[2] / "rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(), flags=re.M)[1:]:
            assert ("    output:" in rule) == ("    benchmark:" in rule), rule.split(":")[0]
