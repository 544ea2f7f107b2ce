"""Jobs as forks: one process imports what their scripts import, and forks for every job.

Its own imports take a job a second or two, and the work of most a tenth of that. A fork begins
with the modules of the scripts that ran before it, and shares their memory; all else is its own.
"""

import atexit
import gc
import importlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress

LOST = -signal.SIGKILL  # the status of a job of which nobody can tell how it ended


class ForkServer:
    """Runs scripts of a folder, several at once if asked to, until this process ends."""

    def __init__(self, folder: str, environment: dict[str, str]):
        self.asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, __file__, folder, str(number)]
            self.process = subprocess.Popen(command, pass_fds=[number], env=environment)
        atexit.register(self.close)

    def run(self, script: str, file: str, watched) -> int:
        """Run `file`, which is the script of that name and what is written before it.

        Returns its exit status, as subprocess does. `watched(pid)` is entered while it runs.
        """
        ours, theirs = socket.socketpair()
        with ours, ours.makefile() as answers:
            with theirs:
                words = os.fsencode(f"{script}\0{file}")
                socket.send_fds(self.asked, [words], [theirs.fileno()])
            started = answers.readline()
            if not started:
                return LOST
            with watched(int(started)), suppress(ConnectionError):
                ours.send(b".")  # until then there is such a process, even if it has ended
                return int(answers.readline() or LOST)
            return LOST

    def read(self, script: str) -> None:
        """Have a script of that name imported; its jobs, and others, wait for it from now on."""
        self.asked.send(os.fsencode(script))

    def alive(self) -> bool:
        """Say whether it can be asked."""
        return self.process.poll() is None

    def close(self) -> None:
        """Let it end, once its jobs have."""
        self.asked.close()
        self.process.wait()


def serve(folder: str, number: int) -> None:
    """Fork for each request on the socket `number`; in the fork, return when its job has ended."""
    sys.path[:1] = []  # the folder of this file
    sys.path.append(folder)
    gc.set_threshold(20_000)
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the jobs' own to tell
    asked, attendants = socket.socket(fileno=number), []
    while (request := socket.recv_fds(asked, 2**16, 1))[0]:
        script, _, file = os.fsdecode(request[0]).partition("\0")
        read(script)
        if not file:
            continue
        attendants = [pid for pid in attendants if not os.waitpid(pid, os.WNOHANG)[0]]
        attendant = os.fork()
        if not attendant:
            asked.close()
            if attended(*request[1]):
                signal.signal(signal.SIGINT, interrupted)
                return become(file)
        os.close(*request[1])
        attendants.append(attendant)
    for pid in attendants:
        os.waitpid(pid, 0)
    leave()


def read(script: str) -> None:
    """Import a script and with it all that it imports; what goes wrong, its job tells."""
    gc.disable()  # nearly all that an import makes stays
    with suppress(Exception, SystemExit):
        importlib.import_module(script)
    gc.enable()
    gc.freeze()  # nobody looks at it again, so that forks go on sharing its memory


def attended(answers: int) -> bool:
    """Fork once more: return True in the job, and tell of it, and end with it, in this process."""
    job = os.fork()
    if not job:
        os.close(answers)
        return True
    with suppress(BrokenPipeError):  # whoever asked was killed
        os.write(answers, f"{job}\n".encode())
        os.read(answers, 1)
        status = os.waitstatus_to_exitcode(os.waitpid(job, 0)[1])
        os.write(answers, f"{status}\n".encode())
    os._exit(0)


def become(file: str) -> None:
    """Be the program in a file."""
    sys.argv = [file]
    sys.path.insert(0, os.path.dirname(os.path.abspath(file)))
    runpy.run_path(file, run_name="__main__")
    leave()


def leave() -> None:
    """End this process at once, unless threads of it are still at work.

    Python would tear down all that was imported, and a fork get a copy of its memory for that: a
    tenth of a second each.
    """
    if threading.enumerate() == [threading.main_thread()]:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream and not stream.closed:
                stream.flush()
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
