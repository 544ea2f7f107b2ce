"""Plug-ins that are files of a user's own, in a study: found beside it and checked."""

import re
from pathlib import Path

import pytest
import yaml
from projects import TINY, change

from miatlas.study import exhibit_jobs, jobs, reading, users_files

ATTACK = '''"""Mine (nobody 2026): x."""
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(title="Mine", authors="nobody", year=2026, source="", score=[reads("target_phi")])


def score(target_phi, *, more: float = 1.0):
    return more * target_phi[:, 0]
'''
FIGURE = "READS = ('signals',)\n\ndef draw(evidence, *, bins: int = 3):\n    pass\n"
TABLE = "def tabulate(evidence, *, heading: str):\n    pass\n"
SOURCE = "def load(data_root, *, path: str, rows: int = 5):\n    pass\n"
FILES = {"attack.py": ATTACK, "figure.py": FIGURE, "table.py": TABLE, "source.py": SOURCE}
SHOWN = {"paper": "P", "title": "T"}


def own(kind):
    return {kind: {"file": f"my/{kind}.py"}}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study beside whose folder there are plug-ins; it is read from elsewhere."""
    folder = tmp_path / tmp_path.name / "my"  # a name of its own: what is read is kept by name
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "lines.txt").write_text("1\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    study = yaml.safe_load(TINY)
    study["attacks"]["mine"] = own("attack") | {"more": 2.0}
    study["audits"]["one"]["attacks"].append("mine")
    study["populations"]["mine"] = own("source") | {"path": "my/lines.txt"}
    study["exhibits"]["mine"] = SHOWN | own("figure") | {"cohort": "one", "options": {"bins": 4}}
    study["exhibits"]["rows"] = (
        SHOWN | own("table") | {"audits": ["one"], "attacks": ["mine"], "options": {"heading": "x"}}
    )
    return study


def read(study):
    return reading.read(study, [f"../{Path.cwd().parent.name}"])


def test_files_are_found_beside_the_study_with_their_options(study):
    found = read(study)
    at = f"../{Path.cwd().parent.name}/my/"
    assert found["attacks"]["mine"] == {
        "attack": f"{at}attack.py", "references": None, "options": {"more": 2.0}
    }  # fmt: skip
    assert found["populations"]["mine"]["source"] == f"{at}source.py"
    assert found["populations"]["mine"]["options"] == {"path": f"../{at}lines.txt", "rows": 5}
    assert found["exhibits"]["mine"]["figure"] == f"{at}figure.py"
    assert found["exhibits"]["mine"]["options"] == {"bins": 4}
    assert found["exhibits"]["mine"]["reads"] == ["signals"]
    assert found["exhibits"]["rows"]["table"] == f"{at}table.py"
    assert reading.missing(found) == []
    answered = exhibit_jobs.answer_settings(found)["audits"]["one"]["attacks"]
    assert (answered["mine"], answered["loss"]) == ("Mine (mine)", "LOSS attack")


def test_the_data_that_a_users_source_reads_is_looked_for_and_digested(study):
    found = read(study)
    assert [path.name for path in users_files.data_files(found, "mine")] == ["lines.txt"]
    study["populations"]["mine"]["path"] = "my/none.txt"
    [said] = reading.missing(read(study))
    assert re.fullmatch(r"populations.mine: .*none\.txt.*", said)


def test_the_source_of_canaries_is_code_of_their_population(study):
    other = own("source") | {"path": "my/lines.txt"}
    change(study, "populations.digits.canaries", {"count": 2, "kind": "other", "other": other})
    found = read(study)
    [file] = jobs.canary_sources(found, "digits")
    assert file == str(Path(found["populations"]["mine"]["source"]).resolve())
    study["populations"]["digits"]["canaries"]["other"] = {"source": "digits"}
    assert jobs.canary_sources(read(study), "digits") == ["miatlas/populations/digits.py"]
    assert jobs.canary_sources(read(study), "mine") == []


NO_ATTACK = ATTACK.replace("ATTACK =", "OTHER =")
FAULTS = {  # what stands in a file, what is written in the study, what is said
    "no file": ({}, {"attacks.mine.attack.file": "my/none.py"}, "attacks.mine: there is no file"),
    "no path": ({}, {"attacks.mine.attack.file": "mine"}, "attacks.mine.attack.file: 'mine' is n"),
    "a key": ({}, {"attacks.mine.attack.more": 1}, "attacks.mine.attack: unknown option 'more'"),
    "no file key": ({}, {"attacks.mine.attack": {}}, "attacks.mine.attack: option 'file' is req"),
    "a bare path": ({}, {"attacks.mine.attack": "my/attack.py"}, "mine.attack: write {file: my/at"),
    "an option": ({}, {"attacks.mine.mroe": 1}, "unknown option 'mroe' (did you mean 'more'?)"),
    "a value": ({}, {"attacks.mine.more": "x"}, "option 'more' is 'x', but it must be of type fl"),
    "no ATTACK": ({"attack": NO_ATTACK}, {}, "my/attack.py: no ATTACK = Attack(...)"),
    "no score": ({"attack": "X = 1\n"}, {}, "attacks.mine: my/attack.py: no function 'score'"),
    "syntax": ({"attack": "def score(:\n"}, {}, "attacks.mine: my/attack.py, line 1: invalid syn"),
    "not text": ({"attack": "\0"}, {}, "attacks.mine: my/attack.py: source code string cannot con"),
    "not UTF-8": ({"attack": "# \udcff"}, {}, "attacks.mine: my/attack.py: 'utf-8' codec"),
    "a fault": ({"attack": f"{ATTACK}1 / 0\n"}, {}, "my/attack.py, line 9: ZeroDivisionError: div"),
    "not taken": (
        {"attack": ATTACK.replace('"target_phi"', '"target_phi", "labels"')}, {},
        "its ATTACK says that score reads labels, but score takes no labels",
    ),
    "no draw": ({"figure": "X = 1\n"}, {}, "exhibits.mine.figure: my/figure.py: no function"),
    "READS": (
        {"figure": FIGURE.replace("signals", "signal")}, {},
        "exhibits.mine: figure.py: READS: 'signal' does not exist (did you mean 'signals'?)",
    ),
    "READS no literal": (
        {"figure": FIGURE.replace("('signals',)", "tuple('a')")}, {},
        "my/figure.py: READS is not written out as a literal",
    ),
    "published": (
        {"table": f"READS = ('metrics', 'published')\n{TABLE}"}, {},
        "exhibits.rows: table.py reads published values: its option published",
    ),
    "no heading": ({}, {"exhibits.rows.options": {}}, "exhibits.rows.options: option 'heading' is"),
    "no table": ({}, {"exhibits.rows.table.file": "t.py"}, "exhibits.rows.table: there is no file"),
    "no load": ({"source": "\n"}, {}, "populations.mine.source: my/source.py: no function 'load'"),
    "rows": ({}, {"populations.mine.rows": 0.5}, "option 'rows' is 0.5, but it must be of type in"),
    "an annotation": (
        {"source": SOURCE.replace("int", "Path")}, {},
        "populations.mine.source: my/source.py: option 'rows' needs a type made of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("files", "changes", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_said_in_one_line(study, tmp_path, files, changes, said):
    for name, text in files.items():
        (tmp_path / tmp_path.name / "my" / f"{name}.py").write_text(text, errors="surrogateescape")
    for path, value in changes.items():
        change(study, path, value)
    with pytest.raises(ValueError, match=r"\A.*\Z") as caught:
        read(study)
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", ["other", "other_relabelled"])
def test_canaries_of_another_population_name_it_and_others_do_not(study, kind):
    given = {"count": 2, "kind": kind}
    change(study, "populations.digits.canaries", given)
    with pytest.raises(ValueError, match="canaries: kinds 'other' and"):
        read(study)
    change(study, "populations.digits.canaries", given | {"other": {"source": "digits"}})
    assert read(study)["populations"]["digits"]["canaries"]["kind"] == kind
    change(study, "populations.digits.canaries", {"count": 2, "other": {"source": "digits"}})
    with pytest.raises(ValueError, match="and only these, need a population"):
        read(study)
