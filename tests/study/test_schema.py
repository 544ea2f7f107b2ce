"""What editors check studies by: fresh, accepting what is there, refusing what our reader does."""

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest
import write_schema
import yaml
from projects import TINY, change

from miatlas.study import plugins, reading
from miatlas.study.json_keys import meaning, option_properties
from miatlas.study.json_schema import study_schema

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(CONFIG.glob("*.yaml"))


@pytest.fixture(scope="module")
def editor():
    """An editor's validation: that of the committed schema."""
    schema = json.loads((CONFIG / "schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("name", ["schema.json", "README.md"])
def test_what_is_written_out_of_the_code_is_fresh(tmp_path, name):
    write_schema.main(tmp_path, tmp_path)
    written, there = ((folder / name).read_text() for folder in (tmp_path, CONFIG))
    assert written == there, f"config/{name} is stale: make schema"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_an_editor_accepts_every_study_and_every_file_read_on_top_of_one(editor, path):
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert [error.message for error in editor.iter_errors(yaml.safe_load(text))] == []


def options_of(kind):
    return {option for name in kind.names() for option in kind.options(name)}


# What stands beside the keys of a section: each plug-in's own docstring says what it is.
OPTIONS_BESIDE = {
    "population": options_of(plugins.SOURCES),
    "attack": options_of(plugins.ATTACKS),
}


def objects(schema):
    """Yield every mapping in a schema, but those that are defaults or values allowed."""
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if isinstance(value, (dict, list)) and key not in ("default", "enum"):
            if isinstance(value, dict):
                yield value
            yield from objects(value)


def test_what_the_schema_refers_to_is_there(editor):
    """Editors refuse every file where it is not; jsonschema, only what would be checked by it."""
    referred = {found["$ref"] for found in objects(editor.schema) if "$ref" in found}
    assert referred == {f"#/definitions/{name}" for name in editor.schema["definitions"]}


def test_an_editor_can_say_of_every_key_what_it_is_and_what_it_may_be(editor):
    """What is shown beside a key, and what is offered for its value."""
    whole = {"a study": editor.schema, **editor.schema["definitions"]}
    for name, section in whole.items():
        for key, schema in (section.get("else") or section)["properties"].items():
            assert schema.keys() & {"type", "enum", "anyOf"}, (name, key)
            assert "description" in schema or key in OPTIONS_BESIDE.get(name, ()), (name, key)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_what_a_study_names_to_say_it_again_is_said_again(path):
    """Editors warn of an anchor (&name) without an alias (*name)."""
    tokens = list(yaml.scan(path.read_text()))
    anchors, aliases = (
        {token.value for token in tokens if isinstance(token, kind)}
        for kind in (yaml.AnchorToken, yaml.AliasToken)
    )
    assert anchors == aliases


MINE = {"signals": "mine.h5"}
RELEASED = {"population": "digits", "recipe": "plain", "weights": "model.pt"}
FAULTS = {
    "an unknown key": {"sede": 1},
    "a negative seed": {"seed": -1},
    "a seed that is text": {"seed": "x"},
    "half a seed": {"seed": 1.5},
    "a name that is a number": {"study": 2024},
    "a name with a slash": {"study": "a/b"},
    "a path that is a number": {"data_root": 3},
    "no memory": {"memory_mb": 0},
    "what may be given away, in a word": {"tolerance": "little"},
    "more given away than there is": {"tolerance": {"tpr": 1.5}},
    "a level of accusations that is not measured": {"tolerance": {"tpr": 0.1, "level": 0.2}},
    "a key of what may be given away": {"tolerance": {"tpr": 0.1, "fpr": 0.001}},
    "a list of populations": {"populations": [1]},
    "a population that is a word": {"populations.digits": "digits"},
    "a source": {"populations.digits.source": "digit"},
    "an empty subset": {"populations.digits.subset": 0},
    "noise above one": {"populations.digits.label_noise": 1.5},
    "a decimal comma": {"populations.digits.label_noise": "0,3"},
    "an option of another source": {"populations.digits.path": "x.npz"},
    "no canaries": {"populations.digits.canaries": {"count": 0}},
    "canaries of a kind": {"populations.digits.canaries": {"count": 3, "kind": "loud"}},
    "a key of a recipe": {"recipes.plain.epoch": 3},
    "epochs in words": {"recipes.plain.epochs": "many"},
    "an architecture": {"recipes.plain.architecture.name": "mpl"},
    "an architecture's option": {"recipes.plain.architecture.width": 8},
    "a width in words": {"recipes.plain.architecture.widths": [16, "a"]},
    "a layer of nothing": {"recipes.plain.architecture.widths": [16, 0]},
    "a rate that YAML takes for text": {"recipes.plain.optimizer.lr": "1e-3"},
    "a momentum above one": {"recipes.plain.optimizer.momentum": 2},
    "a schedule": {"recipes.plain.schedule": {"name": "linear"}},
    "an option of another schedule": {"recipes.plain.schedule": {"name": "cosine", "gamma": 1.0}},
    "an augmentation": {"recipes.plain.augmentation": {"name": "shift", "shift": -1}},
    "a precision": {"recipes.plain.precision": "float16"},
    "smoothing that is true": {"recipes.plain.label_smoothing": True},
    "a key of a cohort": {"cohorts.one.blok": 4},
    "a key of a released cohort": {"cohorts.mine": RELEASED | {"weight": "model.pt"}},
    "a design of a released cohort": {"cohorts.mine": RELEASED | {"design": {"name": "paired"}}},
    "a list of members that is a number": {"cohorts.mine": RELEASED | {"members": 3}},
    "what is to be done at chance": {"cohorts.mine": RELEASED | {"at_chance": "stay"}},
    "an architecture of a file that is none": {"recipes.plain.architecture": {"file": "network"}},
    "a design without its mapping": {"cohorts.one.design": "half"},
    "a design": {"cohorts.one.design.name": "halves"},
    "a group of none": {"cohorts.one.design.group": 0},
    "a group of none behind others": {"cohorts.one.design.group": [4, 0]},
    "no models": {"cohorts.one.models": 0},
    "a share in words": {"cohorts.one.held_out": "0,1"},
    "no queries": {"cohorts.one.queries": {"count": 0}},
    "logits of none": {"cohorts.one.queries": {"logits": "none"}},
    "a key of bounds": {"cohorts.one.bounds": {"treshold": 0.1}},
    "a probe": {"cohorts.one.probes": {"nois": {}}},
    "a probe's option": {"cohorts.one.probes": {"noise": {"copies": 0}}},
    "a teacher of none": {"cohorts.one.teacher": {"cohort": "two", "students": 0}},
    "a trained cohort with signals": {"cohorts.one.signals": "mine.h5"},
    "models asked again, and more": {"cohorts.two": {"models_of": "one", "models": 4}},
    "an external cohort's key": {"cohorts.mine": {**MINE, "pairs": True}},
    "an attack": {"attacks.other": {"attack": "lyra"}},
    "an attack's option, by its label": {"attacks.lira_online.varience": "global"},
    "an attack's option": {"attacks.other": {"attack": "lira_online", "varience": "global"}},
    "an option's value": {"attacks.lira_online.variance": "locale"},
    "an option of another attack": {"attacks.loss": {"variance": "global"}},
    "no references": {"attacks.lira_online.references": 0},
    "attacks that are a word": {"audits.one.attacks": "loss"},
    "a label that is a number": {"audits.one.attacks": ["loss", 2024]},
    "no targets": {"audits.one.targets": 0},
    "a key of an audit": {"audits.one.shadows": "two"},
    "a figure": {"exhibits.curves.figure": "rock"},
    "a table": {"exhibits.loss_table.table": "summery"},
    "an option of a figure": {"exhibits.curves.options": {"bend": 1}},
    "a level at which nothing is measured": {"exhibits.loss_table.options": {"levels": [0.5]}},
    "a name shown that is a number": {"exhibits.curves.attacks": {"loss": 3}},
    "a key of an exhibit": {"exhibits.curves.titel": "x"},
}  # fmt: skip


@pytest.mark.parametrize("changes", FAULTS.values(), ids=FAULTS)
def test_an_editor_refuses_what_the_reader_refuses(editor, changes):
    study = yaml.safe_load(TINY)
    assert editor.is_valid(study)
    for path, value in changes.items():
        change(study, path, value)
    assert not editor.is_valid(study)
    with pytest.raises(ValueError, match=r"\A.*\Z"):
        reading.read(study)


def test_an_editor_accepts_released_models_and_a_network_of_ones_own(editor, tmp_path):
    study = yaml.safe_load(TINY)
    (tmp_path / "network.py").write_text(
        "def build(shape, classes, *, width: int = 3):\n    pass\n"
    )
    own = {"file": str(tmp_path / "network.py"), "width": 4}
    change(study, "recipes.mine", study["recipes"]["plain"] | {"architecture": own})
    for released in (RELEASED, RELEASED | {"weights": ["a.pt", "b.pt"], "members": "members.txt"}):
        change(study, "cohorts.mine", released | {"recipe": "mine", "at_chance": "go_on"})
        assert [error.message for error in editor.iter_errors(study)] == []
        reading.read(study)
    change(study, "recipes.mine.architecture.width", "wide")
    with pytest.raises(ValueError, match="option 'width' is 'wide'"):
        reading.read(study)


OWN = {"file": "mine.py"}
SHOWN = {"paper": "P", "title": "T", "options": {"any": 1}}
MINE_TOO = {
    "populations.mine": {"source": OWN, "path": "x", "subset": 3, "any": [1]},
    "populations.digits.canaries": {"count": 1, "kind": "other", "other": {"source": OWN}},
    "attacks.mine": {"attack": OWN, "references": 4, "any": {"x": 1}},
    "attacks.loss": {"attack": OWN, "any": 1},
    "exhibits.mine": SHOWN | {"figure": OWN, "audits": ["one"]},
    "exhibits.rows": SHOWN | {"table": OWN, "audits": ["one"]},
}
NOT_MINE = {
    "populations.mine": {"source": {"file": "mine.txt"}},
    "populations.digits": {"source": OWN, "subset": 0},
    "attacks.mine": {"attack": {"file": "mine.py", "any": 1}},
    "attacks.other": {"attack": OWN, "references": 0},
    "attacks.loss": {"attack": {}},
    "exhibits.mine": SHOWN | {"figure": OWN, "titel": "x"},
    "exhibits.rows": SHOWN | {"table": {"path": "mine.py"}},
}


@pytest.mark.parametrize("path", MINE_TOO)
def test_an_editor_accepts_any_option_of_a_users_own_plug_in(editor, path):
    study = yaml.safe_load(TINY)
    change(study, path, MINE_TOO[path])
    assert [error.message for error in editor.iter_errors(study)] == []


@pytest.mark.parametrize("path", NOT_MINE)
def test_an_editor_refuses_other_keys_beside_a_users_own_plug_in(editor, path):
    study = yaml.safe_load(TINY)
    change(study, path, NOT_MINE[path])
    assert not editor.is_valid(study)


def test_there_are_forty_faults():
    assert len({json.dumps(changes) for changes in FAULTS.values()}) == len(FAULTS) >= 40


def test_what_the_reader_accepts_of_null_the_editor_does(editor):
    """An option of the design that stood there before is taken away together with its name."""
    study = yaml.safe_load(TINY)
    change(study, "cohorts.two.design", {"name": "paired", "group": None})
    change(study, "exhibits.curves", None)
    change(study, "recipes.plain.early_stopping", None)
    assert editor.is_valid(study)
    read = reading.read(study)
    assert read["cohorts"]["two"]["design"] == {"name": "paired"}
    assert "curves" not in read["exhibits"]
    for key in ("gruop", 3):
        wrong = deepcopy(study)
        wrong["cohorts"]["two"]["design"][key] = None
        said = rf"\(paired\): unknown option {key!r}.*; allowed: none"
        with pytest.raises(ValueError, match=said):
            reading.read(wrong)


def test_options_of_every_plug_in_are_in_the_schema_and_on_the_page():
    text, page = json.dumps(study_schema()), (CONFIG / "README.md").read_text()
    for kind in (plugins.SOURCES, plugins.DESIGNS, plugins.ARCHITECTURES, plugins.OPTIMIZERS,
                 plugins.PROBES, plugins.ATTACKS, plugins.FIGURES, plugins.TABLES):  # fmt: skip
        for name in kind.names():
            assert f"**{name}**" in page
            for option in kind.options(name):
                assert f'"{option}": ' in text
                assert f"| `{option}` |" in page


DESCRIBED = (plugins.SOURCES, plugins.DESIGNS, plugins.ARCHITECTURES, plugins.OPTIMIZERS,
             plugins.SCHEDULES, plugins.AUGMENTATIONS, plugins.RELEASES, plugins.PROBES,
             plugins.ATTACKS, plugins.FIGURES, plugins.TABLES)  # fmt: skip


@pytest.mark.parametrize("kind", DESCRIBED, ids=lambda kind: kind.folder.replace("/", "-"))
def test_what_an_option_of_a_plug_in_means_is_said(kind):
    for name in kind.names():
        for option, schema in option_properties(kind, name).items():
            assert schema.get("description"), f"{name}: its docstring says nothing of `{option}`"


def test_an_options_meaning_is_what_the_docstring_says_of_it():
    text = "What `c` does.\n\n`a`: the first,\nof all; `b` the second. Also `a` again, and `b`.\n"
    assert meaning(text, "a") == "the first, of all."
    assert meaning(text, "b") == "`b` the second; Also `a` again, and `b`."
    assert meaning(text, "d") == ""


def test_a_schema_is_written_without_importing_what_is_slow():
    """All options of all plug-ins are read, and a study with most of them, as Snakemake starts."""
    code = (
        "import sys, yaml; from miatlas.study import json_schema, reading; "
        "json_schema.study_schema(); reading.read(yaml.safe_load(open('config/config.yaml'))); "
        "print(*{'torch', 'pandas', 'matplotlib', 'sklearn', 'h5py'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": "scripts"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=CONFIG.parent, env=environment,
    )  # fmt: skip
    assert run.stdout == "\n"
