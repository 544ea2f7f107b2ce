"""What is wrong with a study is said in one line, before anything expensive runs."""

import hashlib
import re
import shutil
import subprocess
import sys
from copy import deepcopy

import h5py
import numpy as np
import pytest
import yaml
from projects import REPOSITORY, TINY, change, simulated

from miatlas import attacks
from miatlas.study import attack_list as registry
from miatlas.study import attack_modules, entries, plugins, reading

GONE = object()
CNN = {"name": "cnn", "filters": 16, "stages": 2}
TEXT = {  # the tiny study on text
    "populations.digits": {"source": "wikitext2", "vocabulary": 1000},
    "recipes.plain.architecture": {"name": "gpt2", "vocabulary": 1000},
    "recipes.faster.architecture": {"name": "gpt2", "vocabulary": 1000},
}
SAID = {  # what is changed in the tiny study, and the message
    "an unknown key": (
        {"sede": 1},
        "configuration: unknown option 'sede'"
        " .did you mean 'seed'..; allowed: study, seed, data_root, memory_mb, .*",
    ),
    "no study": ({"study": GONE}, "configuration: option 'study' is required"),
    "a name for files": ({"study": "a/b"}, r"study: the name 'a/b' must consist of letters, .*"),
    "a key of a recipe": (
        {"recipes.plain.epoch": 3},
        "recipes.plain: unknown option 'epoch'"
        " .did you mean 'epochs'..; allowed: .*epochs.*"
    ),
    "a key that is missing": (
        {"recipes.plain.epochs": GONE}, "recipes.plain: option 'epochs' is required"
    ),
    "an architecture": (
        {"recipes.plain.architecture.name": "mpl"},
        "recipes.plain.architecture: 'mpl' does not exist .did you mean 'mlp'..; there is: .*mlp.*",
    ),
    "an architecture's option": (
        {"recipes.plain.architecture.width": 8},
        r"recipes.plain.architecture \(mlp\): unknown option 'width'"
        " .did you mean 'widths'..; allowed: widths.*",
    ),
    "an optimizer's option": (
        {"recipes.plain.optimizer.lr": "fast"},
        r"recipes.plain.optimizer \(sgd\): option 'lr' is 'fast', but it must be of type float",
    ),
    "a key of a cohort": (
        {"cohorts.one.blok": 4},
        "cohorts.one: unknown option 'blok'"
        " .did you mean 'block'..; allowed: .*block.*"
    ),
    "a recipe": (
        {"cohorts.one.recipe": "plane"},
        "cohorts.one.recipe: 'plane' does not exist"
        " .did you mean 'plain'..; there is: faster, plain",
    ),
    "a design": (
        {"cohorts.one.design.name": "halves"},
        "cohorts.one.design: 'halves' does not exist .did you mean 'half'..; there is: .*half.*",
    ),
    "an odd number of models": (
        {"cohorts.one.models": 7},
        r"cohorts.one.models: 7 models are not whole groups of 4 \(design.group\): 4 or 8"
        " models are, as the design half demands",
    ),
    "an odd group": (
        {"cohorts.one.design.group": 1}, r"cohorts.one.models: .*design.group: an even number.*"
    ),
    "no whole blocks": (
        {"cohorts.one.block": 3}, "cohorts.one.block: 8 models are not whole blocks of 3"
    ),
    "an attack": (
        {"attacks.lyra": {}}, "attacks.lyra: 'lyra' does not exist; there is: .*lira_online.*"
    ),
    "an attack's option": (
        {"attacks.lira_online.varience": "global"},
        r"attacks.lira_online \(lira_online\): unknown option 'varience'"
        " .did you mean 'variance'..; allowed: .*variance.*",
    ),
    "an attack's value": (
        {"attacks.lira_online.variance": "locale"},
        r"attacks.lira_online \(lira_online\): option 'variance' is 'locale', but it must be one"
        " of per_example, global",
    ),
    "a smoothing of the thresholds": (
        {"attacks.attack_r": {"smoothing": "cubic"}},
        r"attacks.attack_r \(attack_r\): option 'smoothing' is 'cubic', but it must be one of"
        " empirical, linear, logit_gaussian, min_linear_logit, mean_linear_logit",
    ),
    "a gamma of zero": (
        {"attacks.rmia": {"gamma": 0}},
        r"attacks.rmia \(rmia\): option 'gamma' is 0, but it must be positive",
    ),
    "more references of a kind than an example has": (
        {"attacks.lira_offline.references": 4},
        "audits.one: attacks.lira_offline.references: 4, but lira_offline needs 4 OUT of every"
        " example, and the design half leaves examples with 3 IN and 3 OUT",
    ),
    "references of an attack without": (
        {"attacks.loss.references": 4},
        "audits.one: attacks.loss.references: 4, but loss compares with no reference models",
    ),
    "an odd number of references": (
        {"attacks.lira_online.references": 3},
        "audits.one: attacks.lira_online.references: 3 cannot be split into half IN and half OUT",
    ),
    "more references than models": (
        {"attacks.lira_online.references": 8},
        "audits.one: attacks.lira_online.references: 8, but there are 7 models that are not the"
        " target's own",
    ),
    "more queries than there are": (
        {"attacks.lira_online.queries": 2},
        "audits.one: attacks.lira_online.queries: 2, but the cohort's models answer 1",
    ),
    "a cohort of an audit": (
        {"audits.one.target": "eno"}, "audits.one.target: 'eno' does not exist; there is: one, two"
    ),
    "an attack of an audit": (
        {"audits.one.attacks": ["hinge"]},
        "audits.one.attacks: 'hinge' does not exist; there is: .*loss.*",
    ),
    "more targets than models": (
        {"audits.two.targets": 5},
        "audits.two.targets: 5 targets, but the cohort two has 4 models",
    ),
    "cohorts of two populations": (
        {"populations.other": {"source": "digits"}, "cohorts.two.population": "other",
         "audits.two.shadow": "one"},
        "audits.two.shadow: its population is 'digits', the target cohort's 'other'",
    ),
    "a source": (
        {"populations.digits.source": "digit"},
        "populations.digits.source: 'digit' does not exist"
        " .did you mean 'digits'..; there is: .*digits.*",
    ),
    "a figure": (
        {"exhibits.curves.figure": "rock"},
        "exhibits.curves.figure: 'rock' does not exist .did you mean 'roc'..; there is: .*roc.*",
    ),
    "an option of a figure": (
        {"exhibits.curves.options": {"bend": 1}},
        "exhibits.curves.options: unknown option 'bend' .did you mean 'band'..; allowed: band.*",
    ),
    "an exhibit of nothing": (
        {"exhibits.curves.audits": []}, "exhibits.curves: the figure roc needs audits and attacks"
    ),
    "a figure of the wrong thing": (
        {"exhibits.losses.figure": "roc"},
        "exhibits.losses: the figure roc needs audits and attacks",
    ),
    "an attack that an exhibit's audit has not": (
        {"attacks.watson": {}, "exhibits.loss_curve.attacks": ["watson"]},
        "exhibits.loss_curve.attacks: watson is an attack of none of its audits, which are two,"
        " one",
    ),
    "an attack of an exhibit that does not exist": (
        {"exhibits.loss_curve.attacks": ["watson"]},
        "exhibits.loss_curve.attacks: 'watson' does not exist; there is: .*lira_offline, .*",
    ),
    "an attack that needs what is not there": (
        {"attacks.p": {"attack": "attack_p"}, "audits.one.attacks": ["p"]},
        r"audits.one: attacks.p needs held-out examples, but the target cohort has none"
        r" \(held_out: 0.1 sets some apart\)",
    ),
    "no mapping": ({"cohorts": [1]}, r"configuration: option 'cohorts' is \[1\], but .* dict"),
    "an entry that is no mapping": (
        {"cohorts.one": "many"}, "cohorts.one: must be a mapping of keys to values, not 'many'"
    ),
    "canaries without": (
        {"cohorts.one.design.name": "canaries"},
        "cohorts.one.design: the population digits has no canaries",
    ),
    "text for a network of numbers": (
        {"populations.digits": {"source": "wikitext2"}},
        "cohorts.one.recipe: mlp reads no text, and examples of wikitext2 are text",
    ),
    "features for a network of images": (
        {"populations.digits": {"source": "adult"}, "recipes.plain.architecture": CNN},
        "cohorts.one.recipe: cnn reads nothing but images, and examples of adult are features",
    ),
    "a number of queries that there is not": (
        {"cohorts.one.queries": {"count": 7}},
        r"cohorts.one.queries.count: 7 is not one of 1, 2, 18, 162 \(mirror: true, shift: 4\)",
    ),
    "as many queries of a user's own images": (
        {"populations.digits": {"source": "npz", "path": "x.npz"},
         "cohorts.one.queries": {"count": 18, "mirror": False, "shift": 1}},
        r"cohorts.one.queries.count: 18 is not one of 1, 9 \(mirror: false, shift: 1\)",
    ),
    "queries that are shifted out of the image": (
        {"cohorts.one.queries": {"count": 18, "shift": 8}},
        "cohorts.one.queries.shift: 8, but images of digits have 8 pixels a side",
    ),
    "images that are shifted out of themselves": (
        {"recipes.plain.augmentation": {"name": "shift", "shift": 9}},
        "cohorts.one.recipe: augmentation.shift: 9, but images of digits have 8 pixels a side",
    ),
    "a layer of no neurons": (
        {"recipes.plain.architecture.widths": [16, 0]},
        r"recipes.plain.architecture \(mlp\): option 'widths' is \[16, 0\], but it has 0, which"
        " must be positive",
    ),
    "a subset of more than there is": (
        {"populations.digits.subset": 2000},
        "populations.digits.subset: 2000, but digits has 1797 examples",
    ),
    "a level at which nothing is measured": (
        {"exhibits.loss_table.options": {"levels": [0.001, 2.0]}},
        r"exhibits.loss_table.options: option 'levels' is \[0.001, 2.0\], but it has 2.0, which"
        " must be one of 1e-05, 0.0001, 0.001, 0.01, 0.1",
    ),
    "a language model of images": (
        {"recipes.plain.architecture": {"name": "gpt2"}},
        "cohorts.one.recipe: gpt2 reads nothing but text, and examples of digits are images",
    ),
    "more words than a language model has": (
        TEXT | {"recipes.plain.architecture": {"name": "gpt2", "vocabulary": 999}},
        "cohorts.one.recipe: architecture.vocabulary is 999, but the population's vocabulary 1000",
    ),
    "words that are moved in training": (
        TEXT | {"recipes.plain.augmentation": {"name": "shift"}},
        "cohorts.one.recipe: augmentation moves images, and examples of wikitext2 are text",
    ),
    "words that are moved in queries": (
        TEXT | {"cohorts.one.queries": {"count": 2}},
        "cohorts.one.queries: count moves images, and examples of wikitext2 are text",
    ),
    "noise on words": (
        TEXT | {"attacks.merlin": {}, "audits.one.attacks": ["merlin"]},
        "audits.one: attacks.merlin adds noise to examples, which makes no words of words",
    ),
    "features that are moved": (
        {"populations.digits": {"source": "adult"}, "cohorts.one.queries": {"count": 2}},
        "cohorts.one.queries: count moves images, and examples of adult are features",
    ),
    "early stopping without": (
        {"recipes.plain.early_stopping": 2},
        "cohorts.one.held_out: early stopping needs held-out examples, but it is 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), SAID.values(), ids=SAID)
def test_a_wrong_study_is_refused(study, changes, message):
    for path, value in changes.items():
        change(study, path, value, gone=value is GONE)
    with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:  # one line
        reading.read(study)
    assert re.fullmatch(message, str(refusal.value))


def places(entry, path=()):
    """Yield the path of everything in a study."""
    below = entry.items() if isinstance(entry, dict) else ()
    below = enumerate(entry) if isinstance(entry, list) else below
    for key, value in below:
        yield (*path, key)
        yield from places(value, (*path, key))


def refusal_of(study):
    """What is said against a study; nothing if it is accepted."""
    try:
        reading.read(study)
    except ValueError as refusal:
        return str(refusal)
    return ""


PLACES = list(places(yaml.safe_load(TINY)))
VALUES = [
    None, 0, -1, 10**9, True, 1.5, float("nan"), "x", "", "a/b", [], [1], ["x"], [["x"]], {},
    {"a": 1}, {1: 2}, {"name": ["x"]}, {"name": None}, GONE,
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda v: "gone" if v is GONE else str(v))
def test_any_value_anywhere_is_accepted_or_refused_in_one_line(value):
    refused = 0
    for path in PLACES:
        study = deepcopy(yaml.safe_load(TINY))
        parent = study
        for key in path[:-1]:
            parent = parent[key]
        parent.pop(path[-1]) if value is GONE else parent.__setitem__(path[-1], value)
        said = refusal_of(study)
        assert "\n" not in said
        assert "object at" not in said
        refused += said != ""
    assert refused > len(PLACES) / 4


def refused(project, *message):
    """Run a study that must be refused: each part said once, no traceback, nothing trained.

    On one core, where what is cheap comes first; a second one would not wait for it.
    """
    text = project.fail("--cores", "1").text
    for part in message:
        assert text.count(part) == 1, text
    assert "Traceback" not in text
    assert not list(project.results.rglob("*.safetensors"))
    return text


def test_what_the_terminal_shows_of_a_refused_study_is_the_message(project):
    project.study["attacks"]["lyra"] = {}
    text = refused(project, "miatlas: attacks.lyra: 'lyra' does not exist; there is: ")
    lines = [line for line in text.splitlines() if line]
    assert [line for line in lines if not line.startswith("Using workflow specific profile")] == [
        line for line in lines if line.startswith("miatlas: ")
    ]


def test_a_study_without_its_name_is_not_merged_into_the_demo(project):
    del project.study["study"]
    refused(project, "miatlas: configuration: option 'study' is required")


def test_a_key_that_stands_twice_is_refused_with_its_lines(project, monkeypatch):
    """Whoever reads the file takes the last one: it is looked at before what it says."""
    twice = (project.root / "study.yaml").read_text() + "seed: 8\n"
    monkeypatch.setattr(project, "write", lambda: (project.root / "study.yaml").write_text(twice))
    last = twice.count("\n")
    refused(project, f"study.yaml, lines 2 and {last}: 'seed' stands twice in the file")


THRESHOLD = '''"""Own (nobody 2026): an example."""

from miatlas.audits.attack import Attack, reads

ATTACK = Attack("Own", "nobody", 2026, "a test", score=[reads("target_phi")])


def score(target_phi):
    return target_phi[:, 0]
'''
FAULTS = {  # the file of an attack, and what is said of it
    "a syntax error": (THRESHOLD + "x = (", "attacks/own.py, line 10: '(' was never closed"),
    "no score": (
        THRESHOLD.replace("def score", "def scores"),
        "attacks/own.py: no function 'score'",
    ),
    "no words": (
        THRESHOLD.replace("ATTACK =", "SAID ="),
        "attacks/own.py: no ATTACK = Attack(...), which says whose it is and what it reads",
    ),
    "a slip": (
        THRESHOLD.replace("target_phi", "target_fi"),
        "attacks/own.py reads target_fi, which there is not; there is: refs_in, refs_out, labels,"
        " zlib_bytes, held_out_labels, examples, derived, and phi, logits, noise, noisy_labels,"
        " gradients, distances and tokens of target_, refs_, ref_ and reference_ (also"
        " target_held_out_, ...),"
        " normal_regression and quantile_regression of target_, perturbed of target_ and refs_",
    ),
    "less said than is taken": (
        THRESHOLD.replace("score(target_phi", "score(target_phi, labels"),
        "attacks/own.py: its score takes labels, but its ATTACK does not say that it reads it",
    ),
    "more said than is taken": (
        THRESHOLD.replace('reads("target_phi"', 'reads("target_phi", "labels"'),
        "attacks/own.py: its ATTACK says that score reads labels, but score takes no labels",
    ),
    "a condition on no option": (
        THRESHOLD.replace('reads("target_phi"', 'reads("target_phi", form="lira"'),
        "attacks/own.py: its ATTACK asks for the option form, but score has none",
    ),
    "a fit that is not there": (
        THRESHOLD.replace("score=[", 'fit=[reads("refs_phi")], score=['),
        "attacks/own.py: its ATTACK says that it has a fit",
    ),
    "a fit that nobody knows of": (
        THRESHOLD + "\n\ndef fit(slices):\n    return 1\n",
        "attacks/own.py: its ATTACK says nothing of what it has a fit",
    ),
    "a module that fails": (
        THRESHOLD + "\n\nLEAST = least\n",
        "attacks/own.py cannot be imported: NameError(\"name 'least' is not defined\")",
    ),
    "a type of its own": (
        THRESHOLD.replace("(target_phi)", "(target_phi, *, k: Number = 1)"),
        "attacks/own.py: option 'k' needs a type made of Annotated, .*, and a literal default",
    ),
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A folder of attacks in place of the repository's."""
    shutil.copytree(plugins.LIBRARY / "attacks", tmp_path / "attacks")
    shutil.copytree(plugins.LIBRARY / "study", tmp_path / "study")
    for reader in (plugins, registry):
        monkeypatch.setattr(reader, "LIBRARY", tmp_path)
    monkeypatch.setattr(attacks, "__path__", [str(tmp_path / "attacks")])
    monkeypatch.setattr(attack_modules, "said", attack_modules.said.__wrapped__)
    monkeypatch.setattr(registry, "said", attack_modules.said)
    for name in ("own", "other", "bare"):  # modules that earlier tests have imported
        monkeypatch.delitem(sys.modules, f"miatlas.attacks.{name}", raising=False)
        monkeypatch.delattr(attacks, name, raising=False)
    monkeypatch.setattr(plugins, "implementing", plugins.implementing.__wrapped__)
    return tmp_path


@pytest.mark.parametrize(("source", "message"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_an_attack_of_ones_own_is_said(library, source, message):
    (library / "attacks" / "own.py").write_text(source)
    with pytest.raises(ValueError, match=r"\A.*\Z") as refusal:
        entries.attack({}, "attacks.own")
    assert re.fullmatch(f"attacks.own: {re.escape(message) if '*' not in message else message}",
                        str(refusal.value))  # fmt: skip


def test_the_list_of_attacks_leaves_none_out_in_silence(library):
    assert registry.faults() == []
    folder = library / "attacks"
    (folder / "own.py").write_text(FAULTS["a syntax error"][0])
    (folder / "other.py").write_text(FAULTS["no score"][0])
    bare = THRESHOLD.partition("\n")[2].replace("(target_phi)", "(target_phi, *, k)")
    (folder / "bare.py").write_text(bare)
    said = ["attacks/other.py: no function 'score'", FAULTS["a syntax error"][1]]
    assert registry.faults() == said
    assert not {"own", "other"} & set(registry.attacks())
    assert "its docstring's first line" in registry.described("bare")
    assert "k = ?    (Any)" in registry.described("bare")


def test_make_names_the_study_file_that_is_not_there(project):
    shutil.copy(REPOSITORY / "Makefile", project.root)
    command = ["make", "--dry-run", "STUDY=study.yaml nope.yaml"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=project.root, check=False)
    assert run.returncode != 0
    assert re.fullmatch(
        r"Makefile:\d+: \*\*\* STUDY: there is no file nope.yaml. *Stop.\n", run.stderr
    )


FAULTY = {
    "study: é".encode("latin-1"): "other.yaml is not UTF-8: save it as such",
    b"study: s\naudits: &a {b: *a}\n": "other.yaml, line 2: audits.b is an alias (*) of what it",
    b"seed: 1\nseed: 2\n": "other.yaml, lines 1 and 2: 'seed' stands twice in the file",
}


@pytest.mark.parametrize("target", ["demo", "report", "figures", "plan", "check"])
@pytest.mark.parametrize("content", FAULTY, ids=["no UTF-8", "endless", "twice"])
def test_make_names_what_is_wrong_with_a_study_file_before_it_starts(project, content, target):
    shutil.copy(REPOSITORY / "Makefile", project.root)
    (project.root / ".venv/bin").mkdir(parents=True)
    (project.root / ".venv/bin/python").symlink_to(sys.executable)
    (project.root / ".venv/installed").touch()
    (project.root / "other.yaml").write_bytes(content)
    command = ["make", "--no-print-directory", "-o", ".venv/installed"]
    command += ["STUDY=study.yaml other.yaml", target]
    run = subprocess.run(command, capture_output=True, text=True, cwd=project.root, check=False)
    assert run.stderr.startswith(f"miatlas: {FAULTY[content]}")
    assert len(run.stderr.splitlines()) == 2  # the other line is of make
    assert not run.stdout


def test_a_missing_data_file_is_named_with_its_origin(project):
    project.study["populations"]["digits"] = {"source": "adult"}
    refused(
        project,
        "populations.digits: adult: missing file adult.data: looked for data/adult/adult.data; "
        "it comes from https://",
    )


def test_a_damaged_data_file_is_named(project):
    folder = project.root / "data" / "german_credit"
    folder.mkdir(parents=True)
    (folder / "german.data").write_text("A11 6 A34\n")
    project.study["populations"]["other"] = {"source": "german_credit"}
    project.study["cohorts"]["two"]["population"] = "other"
    found = hashlib.md5(b"A11 6 A34\n").hexdigest()
    refused(project, f"german.data: wrong checksum: its md5 is {found}, not 6b94c2e35480e671")


def test_a_design_that_cannot_be_drawn_costs_nothing(project):
    project.study["cohorts"]["two"]["design"] = {"name": "iid", "size": 5000}
    refused(project, "miatlas: iid: size is 5000, but ", "200 examples are there")


def test_a_subset_of_more_examples_than_a_file_has_is_refused_by_its_key(project):
    x, labels = np.zeros((100, 8), np.float32), np.arange(100) % 10
    np.savez(project.root / "mine.npz", x=x, labels=labels)
    path = str(project.root / "mine.npz")
    project.study["populations"]["digits"] = {"source": "npz", "path": path, "subset": 200}
    refused(project, "miatlas: populations.digits.subset: 200, but 100 examples are there")


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_finite(path):
    with h5py.File(path, "r+") as file:
        file["phi"][1, 3, 0] = np.nan


def without_phi(path):
    with h5py.File(path, "r+") as file:
        del file["phi"]


def too_few_labels(path):
    with h5py.File(path, "r+") as file:
        labels = file["labels"][1:]
        del file["labels"]
        file["labels"] = labels


def no_hdf5(path):
    path.write_text("member,phi\n")


DAMAGES = {
    truncated: "mine.h5: not a readable HDF5 file",
    no_hdf5: "mine.h5: not a readable HDF5 file",
    not_finite: "mine.h5: phi is not finite for model 1 of the file, example 3",
    without_phi: "mine.h5: has no 'phi'; it holds ",
    too_few_labels: "mine.h5: labels has shape (99,), but member has (6, 100)",
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.items())
def test_damaged_signals_of_other_software_are_named(project, damage, message):
    simulated(project.root / "mine.h5", models=6, examples=100)
    damage(project.root / "mine.h5")
    project.study["cohorts"]["mine"] = {"signals": "mine.h5"}
    project.study["audits"]["mine"] = {"target": "mine", "attacks": ["loss"]}
    project.study["exhibits"]["curves"]["audits"] = ["mine"]
    project.study["exhibits"]["curves"]["attacks"] = ["loss"]
    refused(project, message)


def test_signals_that_are_not_there_are_named(project):
    project.study["cohorts"]["mine"] = {"signals": "mine.h5"}
    refused(project, "miatlas: cohorts.mine.signals: there is no file mine.h5")


def test_a_diverging_model_is_named_and_loses_nothing(done):
    before = done.times()
    done.study["recipes"]["faster"]["optimizer"]["lr"] = 1e35
    text = done.fail().text
    assert re.search(
        r"miatlas: cohort two: model [0-3] diverged: its loss is not finite at step \d+", text
    )
    assert "Traceback" not in text
    kept = {name: time for name, time in before.items() if "two" not in name}
    after = done.times()
    assert {name: after.get(name) for name in kept} == kept
    done.study["recipes"]["faster"]["optimizer"]["lr"] = 0.2
    plan = done.plan()
    assert {name for name in plan if name.startswith("cohorts")} == {
        "cohorts/two/models/0.safetensors",
        "cohorts/two/signals/0.h5",
    }
