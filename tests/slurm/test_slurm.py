"""The tiny study on a real cluster, and what can happen to its jobs there."""

import os
import re
import signal
import subprocess
import time

import pytest
from cluster import TARGET, control

pytestmark = pytest.mark.slurm
LOG = "results/logs/train_models/one/0.log"


@pytest.fixture
def over(projects, started, cluster):
    """Wait for the end of a project's run; return it and the project."""

    def wait(name):
        return projects[name].finish_by(started[name], cluster), projects[name]

    return wait


def states(project):
    return [job["State"].split()[0] for job in project.jobs()]


def logs_named(run, job):
    """Whether every report of the training job's failure names its log, and one Slurm's own."""
    reports = re.findall(r"^Error in rule train_models:\n(?:    .*\n)+", run.text, flags=re.M)
    own = f"results/logs/slurm/rule_train_models/one_0/{job}.log"
    return (
        bool(reports)
        and all(re.search(rf"^    log: {LOG}[, ]", report, flags=re.M) for report in reports)
        and any(own in report for report in reports)
    )


def test_a_cancelled_job_is_noticed_and_tried_again(projects, started, cluster, over):
    number = projects["cancelled"].running(started["cancelled"], cluster)
    subprocess.run(["scancel", number], check=True, timeout=30)
    run, project = over("cancelled")
    assert run.status == 0, run.text
    assert f"SLURM-job '{number}' failed, SLURM status is: 'CANCELLED'" in run.text
    assert logs_named(run, number), run.text
    assert states(project) == ["CANCELLED", "COMPLETED"]
    assert (project.root / TARGET).exists()


def test_an_interrupted_run_cancels_its_jobs_and_can_be_started_again(
    projects, started, cluster, over
):
    projects["interrupted"].running(started["interrupted"], cluster)
    os.kill(started["interrupted"].pid, signal.SIGINT)
    run, project = over("interrupted")
    assert run.status != 0, run.text
    patience = time.monotonic() + 30
    while states(project) != ["CANCELLED"]:
        assert time.monotonic() < patience, project.jobs()
        time.sleep(0.5)
    assert project.plan(TARGET) == {TARGET.removeprefix("results/")}  # and nothing is locked


def test_a_failing_job_is_tried_again_with_more_and_its_logs_are_named(over):
    run, project = over("failing")
    assert run.status != 0, run.text
    first, second = project.jobs()  # as many as the profile says, and no more
    assert (first["State"], second["State"]) == ("FAILED", "FAILED")
    assert (first["ReqMem"], second["ReqMem"]) == ("1580M", "3160M")  # of an mlp, 4 to a block
    assert (first["Timelimit"], second["Timelimit"]) == ("12:00:00", "1-00:00:00")
    assert f"SLURM-job '{second['JobID']}' failed" in run.text
    assert logs_named(run, first["JobID"]), run.text
    assert logs_named(run, second["JobID"]), run.text
    for log in (LOG, f"results/logs/slurm/rule_train_models/one_0/{second['JobID']}.log"):
        assert "miatlas: cohort one" in (project.root / log).read_text() or log == LOG
    assert "Diverged" in (project.root / LOG).read_text()


def test_a_group_that_the_cluster_refuses_says_why(over):
    run, project = over("refused")
    assert run.status != 0, run.text
    assert project.jobs() == []
    assert re.search(r"^Group \S+: .*invalid partition", run.text, flags=re.M | re.S), run.text


def test_the_tiny_study_runs(over, prepared):
    run, project = over("whole")
    assert run.status == 0, run.text
    assert {f"exhibits/tiny/{name}.csv" for name in project.study["exhibits"]} <= project.made()
    assert project.plan("--resources", "gpu=2") == set()
    assert set(states(project)) == {"COMPLETED"}
    requests = {job["Comment"]: job["ReqTRES"] for job in project.jobs()}
    asking = {comment for comment, wanted in requests.items() if "gres/gpu=1" in wanted}
    assert asking == {comment for comment in requests if "train" in comment or "query" in comment}
    assert len(asking) == 6
    logs = [log.read_text() for log in (project.results / "logs/train_models").glob("*/*.log")]
    assert len(logs) == 3
    assert all(log.startswith(("GPU 0\n", "GPU 1\n")) for log in logs)  # each had its own
    drawn = [job for job in project.jobs() if "draw_membership" in job["Comment"]]
    assert [job["Comment"] for job in drawn] == ["rule_draw_assign_roles_draw_membership"]
    assert drawn[0]["Timelimit"] == "00:07:00"  # many small jobs, submitted as one for minutes
    audited = [comment for comment in requests if re.search("score_attack|leakage", comment)]
    assert audited == ["rule_audit_measure_leakage_score_attack"]  # the same words for every attack
    jobs = [job["Comment"] for job in project.jobs()]
    assert jobs.count(audited[0]) == 4  # an attack's scores and its metrics, in each audit
    assert not (project.results / "logs" / "slurm").exists()  # of what went well Slurm has no word


def test_a_job_over_its_time_is_noticed_and_not_tried_again_unless_told(over):
    run, project = over("overtime")
    assert run.status != 0, run.text
    (job,) = project.jobs()
    assert job["State"] == "TIMEOUT"
    assert f"SLURM-job '{job['JobID']}' failed, SLURM status is: 'TIMEOUT'" in run.text
    assert logs_named(run, job["JobID"]), run.text
    log = f"results/logs/slurm/rule_train_models/one_0/{job['JobID']}.log"
    assert "DUE TO TIME LIMIT" in (project.root / log).read_text()
    assert not (project.root / TARGET).exists()


def test_a_job_over_its_time_is_tried_again_with_more_of_it(over):
    run, project = over("late")
    assert run.status == 0, run.text
    first, second = project.jobs()
    assert (first["State"], second["State"]) == ("TIMEOUT", "COMPLETED")
    assert (first["Timelimit"], second["Timelimit"]) == ("00:01:00", "00:02:00")
    assert logs_named(run, first["JobID"]), run.text
    assert (project.root / TARGET).exists()


def test_a_run_outlives_an_absence_of_the_controller(projects, cluster):
    project = projects["outage"]
    process = project.start(TARGET)
    project.running(process, cluster)
    while not (project.root / LOG).exists():  # srun, which starts the script, needs the controller
        assert process.poll() is None, (project.root / "said.txt").read_text()
        time.sleep(0.1)
    subprocess.run(["scontrol", "shutdown", "slurmctld"], check=True, timeout=30)
    time.sleep(20)  # the job ends meanwhile, and Snakemake asks for it
    assert subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode != 0
    control("slurm-up")
    run = project.finish_by(process, cluster)
    assert run.status == 0, run.text
    assert states(project) == ["COMPLETED"]
    assert (project.root / TARGET).exists()
