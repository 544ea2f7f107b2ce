"""Progress: a bar on a terminal, a few plain lines in a log, which gets all that is printed."""

import io
import sys

import numpy as np
import pytest

from miatlas.running import logs
from miatlas.running.progress import LINES, Progress


def test_what_is_printed_goes_to_the_log_only(tmp_path, capsys):
    before = sys.stdout, sys.stderr
    with logs.logged(tmp_path / "deep" / "a.log"):
        print("hello")
        print("warned", file=sys.stderr)
        assert (tmp_path / "deep" / "a.log").read_text() == "hello\nwarned\n"  # at once
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("", "")


def test_a_new_run_begins_a_new_log(tmp_path):
    for word in ("first", "second"):
        with logs.logged(tmp_path / "a.log"):
            print(word)
    assert (tmp_path / "a.log").read_text() == "second\n"


def epochs(progress, rounds):
    with progress:
        for epoch in range(rounds):
            progress([4, 5, 6], epoch, 1.0 / (epoch + 1), 0.25)


@pytest.mark.parametrize("rounds", [1, 7, 20, 21, 39, 1000])
def test_a_log_gets_a_few_plain_lines_and_the_last(capsys, monkeypatch, rounds):
    monkeypatch.setattr("miatlas.running.progress.terminal", lambda: None)
    epochs(Progress("c models 4-6", rounds), rounds)
    lines = capsys.readouterr().out.splitlines()
    assert min(rounds, LINES // 2) <= len(lines) <= LINES
    done = [int(line.split(": ")[1].split("/")[0]) for line in lines]
    assert (np.diff(done) > 0).all()
    assert done[-1] == rounds
    assert f"{rounds}/{rounds}, models 4-6, epoch {rounds}, loss {1 / rounds:.4f}" in lines[-1]
    assert "\r" not in "".join(lines)


def test_examples_are_counted_by_as_many_as_are_done_at_once(capsys, monkeypatch):
    monkeypatch.setattr("miatlas.running.progress.terminal", lambda: None)
    with Progress("c: examples", 1000) as progress:
        for _ in range(125):
            progress.advance(8)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == LINES
    assert lines[-1] == "c: examples: 1000/1000, 0 s"


def test_a_terminal_gets_a_bar_with_loss_accuracy_and_time_left(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("miatlas.running.progress.terminal", lambda: stream)
    epochs(Progress("c models 4-6", 3), 3)
    assert "c models 4-6" in stream.getvalue()
    assert "3/3" in stream.getvalue()
    assert "models 4-6, loss 0.333, accuracy 0.250" in stream.getvalue()
    assert "<" in stream.getvalue()  # elapsed<left


def test_a_bar_needs_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())
    assert logs.terminal() is None
    monkeypatch.setattr(sys, "__stderr__", None)
    assert logs.terminal() is None
