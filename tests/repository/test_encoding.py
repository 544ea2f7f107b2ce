"""Text files are UTF-8, whatever the locale of the machine."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "scripts").rglob("*.py"))
RULES = [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def unsaid(source: str) -> list[int]:
    """Return the lines that open a text file and leave its encoding to the locale."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        binary = any("b" in a.value for a in _modes(node) if isinstance(a.value, str))
        opens = isinstance(node.func, ast.Name) and name == "open" and not binary
        texts = isinstance(node.func, ast.Attribute) and name in ("read_text", "write_text")
        said = {keyword.arg for keyword in node.keywords} & {"encoding", None}  # None: **settings
        if (opens or texts) and not said:
            lines.append(node.lineno)
    return lines


def _modes(call):
    given = call.args[1:2] + [k.value for k in call.keywords if k.arg == "mode"]
    return [value for value in given if isinstance(value, ast.Constant)]


def test_what_opens_a_file_by_the_locale_is_found():
    lines = [
        "open(p)", "open(p, 'w')", "p.read_text()", "p.write_text(t)", "open(p, 'rb')",
        "open(p, encoding='utf-8')", "p.read_text(encoding='utf-8')", "write_text(p, t)",
    ]  # fmt: skip
    assert unsaid("\n".join(lines)) == [1, 2, 3, 4]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_text_file_is_opened_as_utf8(path):
    assert unsaid(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_open_no_file_by_the_locale(path):
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.search(r"\bopen\(|\.(read|write)_text\(", line):
            assert "encoding" in line, line


def in_ascii(code: str, **environment) -> str:
    """Run Python where text is ASCII unless something else is said."""
    before = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); "
    command = [sys.executable, "-c", before + code]
    run = subprocess.run(command, capture_output=True, env=os.environ | ASCII | environment,
                         check=False)  # fmt: skip
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout.decode()


WORDS = "Büßer — 样本 φ ≤ 1"


def test_the_locale_of_these_tests_knows_no_other_letters():
    assert in_ascii("import locale; print(locale.getpreferredencoding(False))").strip() in (
        "ANSI_X3.4-1968", "US-ASCII", "ascii",
    )  # fmt: skip


def test_what_is_written_and_logged_is_utf8(tmp_path):
    in_ascii(f"""
import json, os; os.chdir({str(tmp_path)!r})
import pandas as pd
from miatlas.running import files, logs
words = {WORDS!a}
files.write_text("text.md", words)
files.write_json("text.json", {{"title": words}})
files.write_csv("text.csv", pd.DataFrame({{"title": [words]}}))
with logs.logged("text.log"):
    print(words)
""")
    for name in ("text.md", "text.csv", "text.log"):
        assert WORDS in (tmp_path / name).read_text(encoding="utf-8")


def test_a_refusal_in_other_letters_is_told(tmp_path):
    code = f"""
from miatlas.running import logs
with logs.logged({str(tmp_path / "a.log")!r}):
    raise ValueError({WORDS!a})
"""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"]
    command[-1] += code
    run = subprocess.run(command, capture_output=True, env=os.environ | ASCII, check=False)
    assert run.returncode == 1
    assert b"miatlas: B" in run.stderr
    assert b"Traceback" not in run.stderr
    assert WORDS in (tmp_path / "a.log").read_text(encoding="utf-8")


def test_code_is_read_and_a_table_made_where_text_is_ascii(tmp_path):
    """The digest of code, its options, and a page with other letters, end to end."""
    in_ascii(f"""
import os; os.chdir({str(tmp_path)!r})
from pathlib import Path
from miatlas.running.digest import digest
from miatlas.study import attack_list, entries
scripts = Path({str(ROOT / "scripts")!r})
assert len(digest(scripts, "make_table.py", "miatlas/exhibits/tables/summary.py")) > 10
entries.attack({{"attack": "lira_online"}}, "attacks.a")
attack_list.attacks()
import pandas as pd
from miatlas.exhibits.pages import markdown, page
from miatlas.running.files import write_text
words = {WORDS!a}
shown = pd.DataFrame({{words: [words]}})
write_text("a.html", page(words, {{"": shown}}, words))
write_text("a.md", markdown(shown))
""")
    assert (tmp_path / "a.html").read_text(encoding="utf-8").count(WORDS) == 5
    assert (tmp_path / "a.md").read_text(encoding="utf-8").count(WORDS) == 2


def test_what_a_person_runs_prints_where_text_is_ascii(tmp_path):
    study = (ROOT / "config" / "config.yaml").read_text(encoding="utf-8") + f"\n# {WORDS}\n"
    (tmp_path / "study.yaml").write_text(study, encoding="utf-8")
    planned = ["--cores", "1", "--directory", str(tmp_path), "--configfile"]
    for script, *arguments in (
        ["list_attacks.py"],
        ["plan_study.py", *planned, str(tmp_path / "study.yaml")],
    ):
        command = [sys.executable, str(ROOT / "scripts" / script), *arguments]
        run = subprocess.run(
            command, capture_output=True, env=os.environ | ASCII, check=False, cwd=ROOT
        )
        assert run.returncode == 0, run.stderr.decode()
        assert run.stdout.decode("ascii")
