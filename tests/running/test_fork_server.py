"""Jobs as forks of a process that has imported what their scripts import."""

import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from miatlas.running import fork_server
from miatlas.running.fork_server import ForkServer

SLOW = """
from pathlib import Path
with open(Path(__file__).with_name("imported.txt"), "a") as file:
    file.write(f"{__name__}\\n")
state = []
"""
SCRIPT = """
import os, signal, sys, time
import slow
if __name__ == "__main__":
    slow.state.append(1)
    with open("said.txt", "w") as file:
        print(os.getpid(), len(slow.state), sys.argv, sys.path[0], file=file)
    {work}
"""


SERVER = f"""
import contextlib, os, signal, sys
sys.path.insert(0, {str(Path(fork_server.__file__).parents[2])!r})
from miatlas.running.fork_server import ForkServer
server = ForkServer(".", dict(os.environ))
"""
unwatched = lambda pid: nullcontext()  # noqa: E731


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def server(folder):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" ignores it
    server = ForkServer(str(folder), dict(os.environ))
    signal.signal(signal.SIGINT, before)
    yield server
    server.close()


def script(folder, work="pass", name="job"):
    (folder / f"{name}.py").write_text(SCRIPT.format(work=work))
    return str(folder / f"{name}.py")


def program(code):
    """Run a program with a server in the working directory."""
    command = [sys.executable, "-c", SERVER + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


ENDINGS = {
    "pass": 0,
    "sys.exit(3)": 3,
    "raise ValueError": 1,
    "sys.exit('a message')": 1,
    "os.kill(os.getpid(), signal.SIGKILL)": -signal.SIGKILL,
}


@pytest.mark.parametrize(("work", "status"), ENDINGS.items(), ids=ENDINGS)
def test_a_job_ends_as_it_would_in_a_process_of_its_own(folder, server, work, status):
    file = script(folder, work)
    assert server.run("job", file, unwatched) == status
    plain = subprocess.run([sys.executable, file], stderr=subprocess.DEVNULL, check=False)
    assert plain.returncode == status


LATE = {
    "what it has registered": "import atexit; atexit.register(lambda: open('late.txt', 'w'))",
    "a thread": "import threading as t; t.Timer(0.3, lambda: open('late.txt', 'w')).start()",
    "what it prints": "os.dup2(os.open('late.txt', os.O_CREAT | os.O_WRONLY), 1); print('late')",
}


@pytest.mark.parametrize("work", LATE.values(), ids=LATE)
def test_a_job_that_ends_has_done_what_it_was_to_do_at_its_end(folder, server, work):
    assert server.run("job", script(folder, work), unwatched) == 0
    assert (folder / "late.txt").exists()
    assert "print" not in work or (folder / "late.txt").read_text() == "late\n"


@pytest.mark.parametrize("work", ["sys.stdout.close()", "sys.stdout = sys.stderr = None"])
def test_a_job_may_end_without_anywhere_to_print(folder, server, work):
    assert server.run("job", script(folder, work), unwatched) == 0


def test_what_two_scripts_import_is_imported_once_and_none_sees_what_another_did_with_it(
    folder, server
):
    said = []
    for name in ("first", "second", "first"):
        file = script(folder, name=name)
        assert server.run(name, file, unwatched) == 0
        said.append((folder / "said.txt").read_text().split())
    assert (folder / "imported.txt").read_text() == "slow\n"
    pids, states, arguments, paths = zip(*said, strict=True)
    assert len(set(pids)) == 3
    assert set(states) == {"1"}
    assert arguments[1] == f"['{folder}/second.py']"
    assert set(paths) == {str(folder)}


def test_a_script_is_imported_before_there_is_a_job_of_it(folder, server):
    script(folder)
    (folder / "other.py").write_text("")
    server.read("job")
    assert server.run("other", str(folder / "other.py"), unwatched) == 0  # one after the other
    assert (folder / "imported.txt").read_text() == "slow\n"


def test_the_process_that_is_watched_is_the_jobs_even_if_it_has_ended(folder, server):
    watched = []

    @contextmanager
    def watch(pid):
        time.sleep(0.3)  # by now the job is over
        os.kill(pid, 0)
        watched.append(pid)
        yield

    assert server.run("job", script(folder), watch) == 0
    assert (folder / "said.txt").read_text().split()[0] == str(watched[0])


def test_a_script_that_cannot_be_imported_says_so_itself_once_and_others_run_on(folder):
    (folder / "broken.py").write_text("import no_such_module\n")
    script(folder)
    run = program("""
for name in ('broken', 'job'):
    print(server.run(name, f'{name}.py', lambda pid: contextlib.nullcontext()))
""")
    assert run.stdout == "1\n0\n", run.stderr
    assert run.stderr.count("No module named 'no_such_module'") == 1


def test_jobs_run_at_once(folder, server):
    waits = script(folder, "while not os.path.exists('go'): time.sleep(0.01)", name="waits")
    goes = script(folder, "open('go', 'w')", name="goes")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(server.run, "waits", waits, unwatched)
        second = pool.submit(server.run, "goes", goes, unwatched)
        assert second.result(10) == first.result(10) == 0


def test_a_job_can_be_interrupted_and_the_server_goes_on(folder, server):
    work = "os.kill(os.getppid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGINT)"
    assert server.run("job", script(folder, work), unwatched) not in (0, 1)
    os.kill(server.process.pid, signal.SIGINT)
    assert server.run("job", script(folder), unwatched) == 0
    assert server.alive()


@pytest.mark.parametrize("patience", [0, 0.3])  # in seconds: told to go on alive, and dead
def test_a_job_whose_attendant_is_killed_counts_as_killed(folder, server, patience):
    @contextmanager
    def watch(pid):
        time.sleep(patience)
        yield

    work = "os.kill(os.getppid(), signal.SIGKILL); time.sleep(0.2)"
    assert server.run("job", script(folder, work), watch) == -signal.SIGKILL


def spent():
    """The CPU time of processes that this one has waited for, and of those that they have."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_the_time_of_jobs_counts_as_that_of_the_process_that_asked(folder):
    server = ForkServer(str(folder), dict(os.environ))
    busy = "while time.process_time() < 0.5: pass"
    before = spent()
    server.run("job", script(folder, busy), unwatched)
    server.close()
    assert not server.alive()
    assert spent() - before > 0.5


def test_a_server_ends_when_the_process_that_started_it_is_killed(folder):
    run = program("print(server.process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    assert run.returncode == -signal.SIGKILL
    patience = time.monotonic() + 10
    while os.path.exists(f"/proc/{run.stdout.strip()}/exe"):
        assert time.monotonic() < patience
        time.sleep(0.02)
