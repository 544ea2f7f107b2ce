"""What YAML makes of what users write: keys that stand twice, aliases, commas, names, paths."""

import json
import os
import re
from pathlib import Path

import check_files as check_files_script
import plan_study
import pytest
import yaml
from projects import TINY

from miatlas.study import reading, study_files
from miatlas.study.places import exhibits_folder
from miatlas.study.reading import LONGEST
from miatlas.study.yaml_faults import check_files, fault

CONFIG = Path(__file__).parents[2] / "config"

# Keys written twice --------------------------------------------------------------------------

TWICE = {  # a file, the lines of the key, the key and its place
    "at the top": ("seed: 1\nstudy: s\nseed: 2\n", (1, 3), "'seed' stands twice in the file"),
    "a section": ("cohorts: {}\nseed: 1\ncohorts: {}\n", (1, 3), "'cohorts' stands"),
    "an entry": ("cohorts:\n  a: {}\n  b: {}\n  a: {}\n", (2, 4), "'a' stands twice in cohorts"),
    "a key of an entry": ("c:\n  a:\n    x: 1\n    x: 1\n", (3, 4), "'x' stands twice in c.a"),
    "in braces": ("c: {a: {x: 1,\n  y: 2, x: 3}}\n", (1, 2), "'x' stands twice in c.a"),
    "on one line": ("c: {x: 1, x: 2}\n", (1, 1), "'x' stands twice in c"),
    "in a list": ("c:\n- {x: 1}\n- x: 1\n  x: 2\n", (3, 4), "'x' stands twice in c"),
    "quoted once": ("'a': 1\na: 2\n", (1, 2), "'a' stands twice"),
    "in what is named": ("a: &a {x: 1}\nb:\n  <<: *a\n  y: 1\n  y: 2\n", (4, 5), "'y' stands"),
    "JSON": ('{"a": 1,\n "b": {"c": 1, "c": 2}}', (2, 2), "'c' stands twice in b"),
}
ONCE = {
    "in two entries": "a: {x: 1}\nb: {x: 1}\n",
    "a word and a number": "'1': a\n1: b\n",
    "merged and said anew": "a: &a {x: 1}\nb: {<<: *a, x: 2}\n",
    "two merged": "a: &a {x: 1}\nb: &b {y: 1}\nc:\n  <<: *a\n  <<: *b\n",
    "the same by another name": "a: &a {x: 1}\nb: *a\nc: [*a, *a]\n",
    "no YAML": "a: [\n",
    "nothing": "",
}


@pytest.mark.parametrize(("text", "lines", "said"), TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path, text, lines, said):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:
        check_files([tmp_path / "s.yaml"])
    start = f"{tmp_path / 's.yaml'}, lines {lines[0]} and {lines[1]}: {said}"
    assert str(refusal.value).startswith(start)
    assert str(refusal.value).endswith("remove or rename one")


@pytest.mark.parametrize("text", ONCE.values(), ids=ONCE)
def test_what_does_not_stand_twice_is_let_pass(tmp_path, text):
    (tmp_path / "s.yaml").write_text(text)
    assert fault(tmp_path / "s.yaml") is None


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_study_has_a_key_twice(path):
    assert fault(path) is None


# What contains itself ------------------------------------------------------------------------

ENDLESS = {  # a file, the place of the alias, the line where what it names begins
    "a section": ("study: s\naudits: &a\n  x: {target: b}\n  y: *a\n", "audits.y", 2),
    "an entry": ("cohorts:\n  x: &x {models: 8, teacher: *x}\n", "cohorts.x.teacher", 2),
    "deep inside": ("a: &a {b: [1, {c: {d: [[*a]]}}]}\n", "a.b.c.d", 1),
    "a list": ("a: {b: &b [1, *b]}\n", "a.b", 1),
    "the file": ("&a\nstudy: s\nall: *a\n", "all", 1),
    "a list that is the file": ("&a [*a]", "what begins there", 1),
    "merged": ("a: &a\n  <<: *a\n", "a", 1),
    "merged with others": ("z: &z {y: 1}\na: &a\n  <<: [*z, *a]\n", "a", 2),
    "a key": ("a: 1\n? &b [1, *b]\n: 2\n", "what begins there", 2),
    "by way of another": ("a: &a {b: &b {c: *a}, d: *b}\n", "a.b.c", 1),
    "after what does not": ("z: &z {y: 1}\nw: *z\na: &a {b: *z, c: *a}\n", "a.c", 3),
}


@pytest.mark.parametrize(("text", "place", "line"), ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "on top of another"])
def test_what_contains_itself_is_refused_with_its_place(tmp_path, text, place, line, alone):
    (tmp_path / "s.yaml").write_text(text)
    (tmp_path / "first.yaml").write_text(TINY)
    files = [tmp_path / "first.yaml", tmp_path / "s.yaml"][alone:]
    said = (
        f"{tmp_path / 's.yaml'}, line {line}: {place} is an alias (*) of what it stands in:"
        " write out what is meant"
    )
    readers = (check_files, study_files.together, exhibits_folder)
    for read in (*readers, lambda files: plan_study.configured(["--configfile", *map(str, files)])):
        with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:
            read(files)
        assert str(refusal.value) == said
    assert check_files_script.main(*map(str, files)) == f"miatlas: {said}"


@pytest.mark.parametrize("text", [text for text, *_ in ENDLESS.values()], ids=ENDLESS)
def test_without_that_alias_the_file_is_let_pass(tmp_path, text):
    (tmp_path / "s.yaml").write_text(re.sub(r"\*(?=[ab]\b|x\b)", "", text))
    check_files([tmp_path / "s.yaml"])


# Letters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "refused"), [
    ("utf-8", False), ("utf-8-sig", False), ("latin-1", True), ("cp1252", True), ("utf-16", True),
    ("utf-32", True), ("shift-jis", True),
])  # fmt: skip
def test_a_file_in_other_letters_than_utf8_is_named(tmp_path, encoding, refused):
    letters = "ラベル" if encoding == "shift-jis" else "é"
    (tmp_path / "s.yaml").write_bytes(f"study: s\r\n# {letters}\n".encode(encoding))
    said = f"{tmp_path / 's.yaml'} is not UTF-8: save it as such" if refused else None
    assert fault(tmp_path / "s.yaml") == said


# Decimal commas ------------------------------------------------------------------------------

COMMAS = {  # what is written in a study, and instead of what
    "in a population": ("subset: 200", "label_noise: 0,3"),
    "before another key": ("subset: 200", "label_noise: 0,3, subset: 200"),
    "with the source's": ("subset: 200", "class_overlap: 0,25"),
    "in an optimizer": ("lr: 0.2", "lr: 0,2"),
    "in a cohort": ("models: 8,", "models: 8, held_out: 0,1,"),
    "in a cohort's end": ("models: 8, block: 4", "models: 8, block: 4, test: 0,05"),
    "in a design": ("{name: half, group: 4}, models: 8", "{name: half, group: 4,0}, models: 8"),
    "in queries": ("models: 8,", "models: 8, queries: {temperature: 1,5},"),
    "in bounds": ("models: 8,", "models: 8, bounds: {threshold: 0,2},"),
    "in a probe": ("models: 8,", "models: 8, probes: {gradients: 0,2},"),
    "in an attack": ("{variance: global}", "{variance: global, references: 2,5}"),
    "in an audit": ("targets: 4", "targets: 4,5"),
    "in an exhibit's options": ("options: {", "options: {floor: 0,001, "),
    "in a block": ("    epochs: 2", "    epochs: 2\n    label_smoothing: 0,1"),
    "at the top": ("seed: 7", "seed: 0,7"),
}


@pytest.mark.parametrize(("old", "new"), COMMAS.values(), ids=COMMAS)
def test_a_decimal_comma_is_refused_and_never_read_as_zero(old, new):
    assert old in TINY
    with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:
        reading.read(yaml.safe_load(TINY.replace(old, new, 1)))
    assert any(
        word in str(refusal.value)
        for word in ("decimal comma", "YAML takes", "must be", "there is")
    )


def test_the_case_of_the_decimal_comma_says_what_to_write():
    for old, new, said in (
        ("subset: 200", "label_noise: 0,3", r"unknown option 3 \(a decimal comma\? YAML wants 0.5"),
        ("    epochs: 2", "    epochs: 2\n    ema: 0,9", "YAML takes 0,9 for text: write 0.9"),
        ("subset: 200", "label_noise: 0,08", r"unknown option '08' \(a decimal comma\?"),
        ("subset: 200", "label_noise: 0,5e-4", r"unknown option '5e-4' \(a decimal comma\?"),
    ):
        with pytest.raises(ValueError, match=said):
            reading.read(yaml.safe_load(TINY.replace(old, new, 1)))


@pytest.mark.parametrize("line", [
    "mine: {models: 8, held_out: 0,1, test: 0,1}",
    "mlp: {lr: 0,05, momentum: 0,05}",
    "mlp: {weight_decay: 0,5e-4,\n  lr: 0,5e-4}",
])  # fmt: skip
def test_two_decimal_commas_with_the_same_digits_are_no_key_that_stands_twice(tmp_path, line):
    (tmp_path / "s.yaml").write_text(f"cohorts:\n  {line}\n")
    with pytest.raises(ValueError, match=r"\A.* \(a decimal comma\? YAML wants 0.5, not 0,5\)\Z"):
        check_files([tmp_path / "s.yaml"])


# Names that YAML reads as something else ------------------------------------------------------

READ = {
    "2024": "a number", "1.5": "a number", "0x10": "a number", "1_000": "a number",
    "12:30:00": "a number", "no": "true or false", "on": "true or false", "True": "true or false",
    "2024-01-31": "a date", "~": "nothing",
}  # fmt: skip
SECTIONS = ("populations", "recipes", "cohorts", "attacks", "audits", "exhibits")


@pytest.mark.parametrize("written", READ)
@pytest.mark.parametrize("section", SECTIONS)
def test_a_name_that_yaml_does_not_read_as_text_is_to_be_quoted(section, written):
    for entry in ("{}", "null"):  # also where it would be taken away
        study = yaml.safe_load(TINY) | {section: yaml.safe_load(f"{{{written} : {entry}}}")}
        with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:
            reading.read(study)
        said = str(refusal.value)
        assert said.startswith(f"{section}: YAML reads the name ")
        assert said.endswith(f" as {READ[written]}: quote it")


@pytest.mark.parametrize("written", [word for word in READ if word != "~"])
@pytest.mark.parametrize("place", ["study: tiny", "target: one, targets: 4", "recipe: plain"])
def test_so_is_a_name_that_is_referred_to(place, written):
    key = place.split(":")[0]
    new = f"{key}: {written}" + (", targets: 4" if "targets" in place else "")
    said = rf"option '{key}' is .* reads it as {READ[written]}: quote it"
    with pytest.raises(ValueError, match=said):
        reading.read(yaml.safe_load(TINY.replace(place, new, 1)))


def test_a_quoted_name_is_a_name():
    study = yaml.safe_load(TINY.replace("tiny", "'2024'").replace("plain", "'no'"))
    assert reading.read(study)["cohorts"]["one"]["recipe"] == "no"


# Names that the file system cannot take -------------------------------------------------------


@pytest.mark.parametrize("section", ["study", *SECTIONS])
@pytest.mark.parametrize("name", ["k" * 201, "k" * 245, "k" * 4000, "ü" * 101, "数" * 67], ids=len)
def test_a_name_too_long_for_a_file_is_refused(section, name):
    study = yaml.safe_load(TINY) | {section: name if section == "study" else {name: {}}}
    said = rf"\A{section}: the name '\w{{20}}'\.\.\. is longer than the 200 bytes .*: shorten it\Z"
    with pytest.raises(ValueError, match=said):
        reading.read(study)


@pytest.mark.parametrize("letter", ["k", "ü"])
def test_the_longest_name_is_one_of_a_file(tmp_path, letter):
    name = letter * (LONGEST // len(letter.encode()))
    study = yaml.safe_load(TINY.replace("loss_curve", name).replace("loss:", f"{name}:"))
    text = json.dumps(study).replace('"loss"', json.dumps(name))
    study = json.loads(text)
    study["attacks"][name] = {"attack": "loss"}
    assert name in reading.read(study)["exhibits"]
    for suffix in (".metrics.json", ".roc.csv", ".safetensors", ".history.csv"):
        (tmp_path / f".{name}{suffix}.{os.getpid()}").touch()


# The home folder ------------------------------------------------------------------------------


def test_a_path_may_begin_with_the_home_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    study = yaml.safe_load(TINY) | {"data_root": "~/mydata"}
    study["populations"]["mine"] = {"source": "npz", "path": "~/mine.npz"}
    study["cohorts"]["other"] = {"signals": "~/mine.h5"}
    read = reading.read(study)
    assert read["data_root"] == "/home/me/mydata"
    assert read["populations"]["mine"]["options"]["path"] == "/home/me/mine.npz"
    assert read["cohorts"]["other"]["signals"] == "/home/me/mine.h5"


@pytest.mark.parametrize("path", ["~", "~/", "a/~", "./~/x", "a~b"])
def test_nothing_else_of_a_path_is_changed(monkeypatch, path):
    monkeypatch.setenv("HOME", "/home/me")
    read = reading.read(yaml.safe_load(TINY) | {"data_root": path})
    assert read["data_root"] == ("/home/me" + path[1:] if path.startswith("~") else path)


def test_a_home_folder_of_nobody_is_refused():
    with pytest.raises(ValueError, match=r"\Adata_root: '~nobody_at_all/x' begins with the home"):
        reading.read(yaml.safe_load(TINY) | {"data_root": "~nobody_at_all/x"})
