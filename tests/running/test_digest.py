"""The digest of a job's code: what is in it, what is not, and what the library imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from miatlas.running import digest as module
from miatlas.running.digest import digest

SCRIPTS = Path(module.__file__).parents[2]
FILES = {
    "run.py": "import sys\nfrom lib.near import f\nfrom importlib import import_module\n",
    "lib/__init__.py": '"""A library."""\n',
    "lib/near.py": '"""Near."""\nfrom lib import far\n\ndef f(x):\n    "Doc."\n'
    "    return far.g(x)\n",
    "lib/far.py": "import lib.deep.down as down\n\ndef g(x):\n    return down.h(x) + 1\n",
    "lib/deep/__init__.py": "",
    "lib/deep/down.py": "def h(x):\n    def inner():\n        import lib.late\n    return 2 * x\n",
    "lib/late.py": "LATE = 1\n",
    "lib/beside.py": "import lib.near\n\nVALUE = 3\n",
    "lib/attacks/__init__.py": "",
    "lib/attacks/one.py": "from lib.attacks import shared\n\ndef score(): return shared.A\n",
    "lib/attacks/two.py": "def score(): return 2\n",
    "lib/attacks/shared.py": "A = 1\n",
}
USED = ["run.py", "lib/__init__.py", "lib/near.py", "lib/far.py", "lib/deep/__init__.py",
        "lib/deep/down.py", "lib/late.py", "lib/attacks/__init__.py", "lib/attacks/one.py",
        "lib/attacks/shared.py"]  # fmt: skip


def of(root, changes=()):
    for name, text in {**FILES, **dict(changes)}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    forget()
    return digest(root, "run.py", "lib/attacks/one.py")


def forget():
    """Forget what is kept for a run."""
    for cached in (digest, module.read, module._modules):
        cached.cache_clear()
    module.READ.clear()


@pytest.mark.parametrize("name", FILES)
def test_code_counts_where_it_is_imported_and_only_there(tmp_path, name):
    before = of(tmp_path)
    changed = of(tmp_path, {name: FILES[name] + "\nmore = 1\n"})
    assert (changed != before) == (name in USED)
    assert of(tmp_path) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lib/near.py", FILES["lib/near.py"].replace("Near.", "Nearer.").replace("Doc", "Text")),
        ("lib/near.py", "# a comment\n" + FILES["lib/near.py"].replace("\n\n", "\n\n\n# more\n")),
        ("lib/near.py", FILES["lib/near.py"].replace("f(x):", "f(\n    x,\n):")),
        ("lib/far.py", FILES["lib/far.py"].replace("def g(x):\n", 'def g(x):\n    """New."""\n')),
        ("lib/__init__.py", '"""Another text."""\n'),
        ("lib/__init__.py", ""),
    ],
)
def test_words_and_layout_do_not_count(tmp_path, name, text):
    before = of(tmp_path)
    assert text != FILES[name]
    assert of(tmp_path, {name: text}) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lib/deep/down.py", "2 * x", "3 * x"),
        ("lib/far.py", "+ 1", "- 1"),
        ("lib/late.py", "1", "2"),
        ("lib/near.py", "return far.g(x)", "return 'Doc.'"),
        ("lib/near.py", "def f(x)", "def f(x=0)"),
    ],
)
def test_code_counts(tmp_path, name, old, new):
    before = of(tmp_path)
    assert of(tmp_path, {name: FILES[name].replace(old, new)}) != before


def test_where_the_repository_lies_does_not_count(tmp_path):
    assert of(tmp_path / "here") == of(tmp_path / "there")


def test_a_module_moved_to_another_name_counts(tmp_path):
    before = of(tmp_path)
    renamed = FILES["lib/far.py"].replace("lib.deep.down", "lib.deep.below")
    text = {"lib/far.py": renamed, "lib/deep/below.py": FILES["lib/deep/down.py"]}
    assert of(tmp_path, text) != before


EVERY_KIND = """
import lib.far as far
from . import near
@staticmethod
async def f[T](a: int, /, b: "T" = 1.5, *c, d=None, **e) -> None:
    async with a as b, c: await d
    return [x async for x in a if x if not x]
class C(dict, metaclass=type):
    x: int = -1j
    def g(self): yield from (lambda: ...)() or {**self, 1: b"\\x00", "é\\u0378": 1e300}
try: print(f"a{x!r:>{w}}b{{c}} {'d' 'e'}", *[1, 2][::-1], sep="" "")
except (A, B) as error: raise X from error
else: pass
finally: del x, y[0], z.a
match point:
    case {"x": [1, *rest], **others} | C(x=1) if rest: ...
    case None | "s" as s: assert s, "said"
while (n := n - 1): continue
for i, (j, *k) in z: i **= 2; break
with a as (b, c): global g
x = u"u" if 1 < 2 <= 3 is not None else not {1, 2} @ 3
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EVERY_KIND.replace("[T]", ""), "62913335872c93ef"),
        (FILES["lib/far.py"], "ce5a4d4c1f75e4c2"),
    ],
)
def test_the_version_of_python_does_not_count(tmp_path, text, expected):
    """The digest is the one that Python 3.11, 3.12 and 3.13 found when this was written."""
    path = tmp_path / "all.py"
    path.write_text(text)
    assert module.read(path)[1][:16] == expected


# What earlier runs have read ------------------------------------------------------------------

RUN = """
import ast, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from miatlas.running.digest import READ, digest
from miatlas.running.kept import remember
parse, parsed = ast.parse, []
ast.parse = lambda source, **options: parsed.append(source) or parse(source, **options)
remember(READ, Path("kept/read.json"))
print(digest(Path.cwd(), "run.py"), len(parsed))
import os; os.chdir("/")
"""


def run(folder):
    """Return the digest that a new process finds, and the number of sources that it parsed."""
    command = [sys.executable, "-c", RUN, str(SCRIPTS)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found, parsed = done.stdout.split()
    return found, int(parsed)


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "run.py": "import one, two\n",
        "one.py": "A = 1\n",
        "two.py": "B = 2\n",
    }.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_source_is_parsed_once_and_again_when_it_changes(folder):
    first, parsed = run(folder)
    assert parsed == 3
    assert run(folder) == (first, 0)
    (folder / "one.py").write_text("A = 3\n")
    second, parsed = run(folder)
    assert parsed == 1
    assert second != first
    (folder / "one.py").write_text("A = 1\n")
    assert run(folder) == (first, 0)


def test_what_was_kept_is_not_written_again(folder):
    run(folder)
    kept = folder / "kept/read.json"
    before = kept.stat().st_ino, kept.stat().st_mtime_ns
    run(folder)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == before


@pytest.mark.parametrize("text", ["", "{", "[1]", "3"])
def test_a_damaged_file_is_as_good_as_none(folder, text):
    first, _ = run(folder)
    (folder / "kept/read.json").write_text(text)
    assert run(folder) == (first, 3)
    assert run(folder) == (first, 0)


def test_where_nothing_can_be_kept_all_is_as_before(folder):
    (folder / "kept").write_text("a file where the folder should be")
    first, parsed = run(folder)
    assert parsed == 3
    assert run(folder) == (first, 3)


# The library itself --------------------------------------------------------------------------

LEAVES = {
    "miatlas/__init__.py", "miatlas/options.py", "miatlas/running/__init__.py",
    "miatlas/running/store.py", "miatlas/running/files.py", "miatlas/running/logs.py",
    "miatlas/running/foreign_arrays.py",
    "miatlas/running/plugins.py",
    "miatlas/designs/__init__.py", "miatlas/designs/roles.py",
    "miatlas/signals/__init__.py", "miatlas/signals/answers.py",
}  # fmt: skip


def reached(*files):
    """Return all files below scripts/ that these import, transitively, found by a slow search."""
    found, waiting = set(), list(files)
    while waiting:
        file = waiting.pop()
        if file in found or not (SCRIPTS / file).is_file():
            continue
        found.add(file)
        for node in ast.walk(ast.parse((SCRIPTS / file).read_text())):
            if not isinstance(node, (ast.Import, ast.ImportFrom)):
                continue
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module] + [f"{node.module}.{name}" for name in names]
            for name in names:
                parts = name.split(".")
                for n in range(1, len(parts) + 1):
                    waiting += ["/".join(parts[:n]) + ".py", "/".join(parts[:n]) + "/__init__.py"]
    return found


def modules(package):
    return [str(p.relative_to(SCRIPTS)) for p in (SCRIPTS / "miatlas" / package).glob("[!_]*.py")]


def test_training_shares_only_leaves_with_exhibits():
    training = reached("train_models.py", *modules("training/architectures"))
    drawn = [*modules("exhibits/figures"), *modules("exhibits/tables")]
    exhibits = reached("draw_figure.py", "make_table.py", *drawn)
    assert training & exhibits <= LEAVES
    for leaf in LEAVES:
        assert reached(leaf) <= LEAVES


def test_designs_attacks_and_queries_retrain_nothing():
    training = reached("train_models.py", *modules("training/architectures"))
    for other in ("designs/half", "signals/queries", "signals/statistics", "audits/scoring",
                  "leakage/metrics", "study/reading", "study/entries"):  # fmt: skip
        assert f"miatlas/{other}.py" not in training
    assert not training & set(modules("attacks"))
    assert "miatlas/training/trainer.py" not in reached("query_models.py")


@pytest.mark.parametrize("script", ["draw_figure.py", "make_table.py", "measure_leakage.py",
                                    "score_attack.py", "draw_membership.py"])  # fmt: skip
def test_torch_is_not_imported_where_it_is_not_needed(script):
    packages = [m for p in ("attacks", "exhibits/figures", "exhibits/tables") for m in modules(p)]
    for file in reached(script, *packages, "miatlas/study/reading.py", "miatlas/running/digest.py"):
        assert "import torch" not in (SCRIPTS / file).read_text(), file


def test_no_package_imports_its_members():
    for path in (SCRIPTS / "miatlas").rglob("__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1, path
        assert isinstance(body[0].value, ast.Constant), path


@pytest.mark.parametrize("script", [p.name for p in SCRIPTS.glob("*.py")])
def test_what_a_script_reaches_is_what_its_digest_covers(script, monkeypatch):
    read = []
    was = module.read.__wrapped__
    monkeypatch.setattr(module, "read", lambda path: read.append(path) or was(path))
    digest.__wrapped__(SCRIPTS, script)
    assert {str(path.relative_to(SCRIPTS)) for path in read} == reached(script)
