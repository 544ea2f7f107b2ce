"""A job does not look for garbage in what it imports: neither meanwhile nor when it ends."""

WORK = """
    import gc, sys
    class Cycle:
        def __del__(self):
            sys.__stdout__.write("collected at the end")
    cycle = Cycle()
    cycle.itself = cycle
    print("every", gc.get_threshold()[0])
    draws = Draws("""


def test_a_job_looks_for_garbage_seldom_and_not_once_more_when_it_ends(project):
    project.edit("assign_roles.py", "    draws = Draws(", WORK.lstrip("\n"))
    run = project.run("results/cohorts/one/roles.h5")
    log = (project.results / "logs/assign_roles/one.log").read_text()
    assert "every 20000\n" in log
    assert "collected at the end" not in run.text
