"""A study's defaults, and the settings of its jobs: what is in them and what must not be."""

import json
from copy import deepcopy
from functools import partial
from importlib import import_module

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from projects import TINY

from miatlas.options import constant, declared
from miatlas.study import (
    audit_jobs,
    cohorts,
    contents,
    exhibit_jobs,
    jobs,
    plugins,
    reading,
    sections,
)
from miatlas.study import example_kinds as kinds
from miatlas.study.checking import Section, checked
from miatlas.training import augmentation, optimization

GIVEN = {
    "study": "tiny",
    "populations": {"digits": {"source": "digits"}},
    "recipes": {
        "plain": {"architecture": {"name": "mlp", "widths": [8]}, "epochs": 2},
        "other": {"architecture": {"name": "mlp", "widths": [4]}, "epochs": 1},
        "moved": {
            "architecture": {"name": "cnn", "filters": 4, "stages": 2},
            "epochs": 3,
            "optimizer": {"name": "adam", "lr": 0.01},
            "augmentation": {"name": "shift", "shift": 1},
        },
    },
    "cohorts": {
        "one": {"population": "digits", "recipe": "plain", "models": 8, "block": 4,
                "design": {"name": "half", "group": 4}, "queries": {"count": 18, "shift": 1}},
        "two": {"population": "digits", "recipe": "moved", "models": 4,
                "design": {"name": "paired"}},
        "apart": {"population": "digits", "recipe": "other", "models": 2,
                  "design": {"name": "paired"}, "held_out": 0.1},
        "mine": {"signals": "mine.h5"},
    },
    "attacks": {"loss": {}, "lira": {"attack": "lira_online", "variance": "global"}},
    "audits": {
        "one": {"target": "one", "attacks": ["loss", "lira"]},
        "both": {"target": "one", "shadow": "two", "targets": 3, "attacks": ["lira"]},
        "mine": {"target": "mine", "attacks": ["loss"]},
    },
    "exhibits": {
        "curves": {"paper": "p", "title": "t", "figure": "roc", "audits": ["one"],
                   "attacks": {"lira": "LiRA", "loss": "Loss"}},
    },
}  # fmt: skip


def with_values(given, **changes):
    """Return a study with values at dotted paths replaced: cohorts__one__models=16."""
    result = deepcopy(given)
    for path, value in changes.items():
        *parents, key = path.split("__")
        entry = result
        for parent in parents:
            entry = entry[parent]
        entry[key] = value
    return result


given_with = partial(with_values, GIVEN)


def all_settings(config):
    """Return the settings of every job of a study, as they are given to the rules."""
    read = reading.read(config)
    found = {}
    for name in read["populations"]:
        found["population", name] = jobs.population_settings(read, name)
    for cohort in contents.trained(read):
        found["roles", cohort] = jobs.role_settings(read, cohort)
        for block in map(str, contents.blocks(read, cohort)):
            found["membership", cohort, block] = jobs.membership_settings(read, cohort, block)
            found["models", cohort, block] = jobs.training_settings(read, cohort, block)
            found["signals", cohort, block] = jobs.signal_settings(read, cohort, block)
    for cohort in contents.external(read):
        found["external", cohort] = jobs.external_settings(read, cohort, "0")
    for audit, entry in read["audits"].items():
        for label in entry["attacks"]:
            found["scores", audit, label] = audit_jobs.score_settings(read, audit, label)
            found["metrics", audit, label] = audit_jobs.metric_settings(read, audit, label)
    for exhibit in read["exhibits"]:
        found["exhibit", exhibit] = exhibit_jobs.exhibit_settings(read, exhibit)
    return {job: json.dumps(jobs.canonical(settings)) for job, settings in found.items()}


def changed(**changes):
    """Return the kinds of the jobs whose settings differ after a change, with their first name.

    Exhibits say in words what they are made of, and follow it: they are left out of other changes.
    """
    before, after = all_settings(GIVEN), all_settings(given_with(**changes))
    found = {job[:2] for job in before if after.get(job) != before[job]}
    shown = any(path.startswith("exhibits") for path in changes)
    return {job for job in found if shown or job[0] != "exhibit"}


# The names that are repeated, so that torch need not be imported to check a study -------------


def test_names_are_those_of_what_exists():
    assert plugins.AUGMENTATIONS.members == augmentation.KINDS
    assert plugins.OPTIMIZERS.members == tuple(optimization.OPTIMIZERS)
    assert plugins.SCHEDULES.members == tuple(optimization.SCHEDULES)
    for name, function in {**optimization.OPTIMIZERS, **optimization.SCHEDULES}.items():
        assert function is getattr(optimization, name)


@pytest.mark.parametrize(
    ("package", "function"),
    [("training/architectures", "build"), ("attacks", "score"), ("populations", "load"),
     ("designs", "draw"), ("exhibits/figures", "draw"), ("exhibits/tables", "tabulate")],
)  # fmt: skip
def test_modules_are_found_by_the_function_they_define(package, function):
    names = plugins.implementing(package, function)
    assert names
    for name in names:
        declared(plugins.LIBRARY / package / f"{name}.py", function)


def accepts(function, *arguments, **options):
    try:
        return bool(function(*arguments, **options))
    except ValueError:
        return False


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("shift", [1, 2, 4])
def test_as_many_queries_are_allowed_as_can_be_asked(mirror, shift):
    moves = {"mirror": mirror, "shift": shift}
    asked = [n for n in range(1, 200) if accepts(augmentation.queries, n, (1, 8, 8), **moves)]
    assert kinds.counts(**moves) == asked


@pytest.mark.parametrize("later", [[4, 4, 2], [8, 2], [4, 4, 6]])
def test_a_cohort_that_grows_by_another_group_makes_no_earlier_block_anew(later):
    begun, grown = deepcopy(GIVEN), deepcopy(GIVEN)
    size = 8 if later[0] == 8 else 4
    for study, group, models in ((begun, size, 8), (grown, later, sum(later))):
        study["cohorts"]["one"] |= {"design": {"name": "half", "group": group}, "models": models,
                                    "block": 2}  # fmt: skip
    begun, grown = reading.read(begun), reading.read(grown)
    for said in (jobs.membership_settings, jobs.training_settings, jobs.signal_settings):
        for block in "0123":
            assert said(begun, "one", block) == said(grown, "one", block)
    last = jobs.membership_settings(grown, "one", str(sum(later) // 2 - 1))
    assert last["design"]["group"] == later


@pytest.mark.parametrize("name", plugins.implementing("training/architectures", "build"))
def test_architectures_say_what_they_read(name):
    build = import_module(f"miatlas.training.architectures.{name}").build
    if name == "sklearn":
        build = partial(build, estimator="GaussianNB")
    says = constant(plugins.LIBRARY / "training" / "architectures" / f"{name}.py", "INPUTS")
    assert (says == "text") == (name == "gpt2")
    if says != "text":
        assert accepts(lambda: [build((20,), 2)]) == (says != "images")
        assert accepts(lambda: [build((3, 32, 32), 2)])


# Defaults ------------------------------------------------------------------------------------


def test_defaults_are_filled_in():
    read = reading.read(GIVEN)
    assert (read["seed"], read["data_root"]) == (0, "data")
    assert read["recipes"]["plain"]["optimizer"]["name"] == "sgd"
    assert read["recipes"]["plain"]["optimizer"]["momentum"] == 0.9
    assert read["recipes"]["plain"]["augmentation"]["name"] == "none"
    assert read["recipes"]["moved"]["optimizer"] == {
        "name": "adam", "lr": 0.01, "weight_decay": 0, "decay_norms_and_biases": True,
    }  # fmt: skip
    assert read["cohorts"]["two"]["block"] == 4  # one block of all
    assert read["cohorts"]["two"]["queries"]["count"] == 1
    assert read["audits"]["one"]["shadow"] == "one"
    assert read["audits"]["one"]["targets"] == 8  # ten, or all there are
    assert read["attacks"]["loss"]["attack"] == "loss"
    assert read["attacks"]["lira"]["options"]["variance"] == "global"
    assert read["exhibits"]["curves"]["attacks"] == [["lira", "LiRA"], ["loss", "Loss"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__two__held_out": 0.1}, "audits.both.shadow: its held_out is 0.1, .*'s 0.0"),
        ({"cohorts__two__test": 0.1}, "audits.both.shadow: its test is 0.1"),
        ({"cohorts__one__held_out": 0.6, "cohorts__one__test": 0.4}, "cohorts.one: held_out and"),
        ({"cohorts__one__design": {"name": "disjoint", "side": "target", "target_share": 0.4},
          "cohorts__two__design": {"name": "disjoint", "side": "shadow"}},
         "audits.both.shadow: .* cut the pool differently .target_share."),
        ({"cohorts__one__design": {"name": "six_way", "side": "target"},
          "cohorts__two__design": {"name": "six_way", "side": "shadow", "fractions": [0.2] * 5}},
         "differently .fractions."),
    ],
)  # fmt: skip
def test_cohorts_of_an_audit_know_the_same_examples_in_the_same_parts(changes, message):
    with pytest.raises(ValueError, match=message):
        reading.read(given_with(**changes))


def test_shadow_models_may_ignore_the_parts_of_the_targets():
    """LiRA's train on the targets' examples too: here on half of a pool that has five parts."""
    parts = {"name": "six_way", "side": "target"}
    read = reading.read(given_with(cohorts__one__design=parts))
    assert read["cohorts"]["two"]["design"]["name"] == "paired"


def test_what_is_null_is_not_there():
    gone = given_with(audits__mine=None, cohorts__mine=None, exhibits__curves__attacks__loss=None)
    read = reading.read(gone)
    assert set(read["audits"]) == {"one", "both"}
    assert "mine" not in read["cohorts"]
    assert read["exhibits"]["curves"]["attacks"] == [["lira", "LiRA"]]
    expected = deepcopy(GIVEN)
    del expected["audits"]["mine"], expected["cohorts"]["mine"]
    del expected["exhibits"]["curves"]["attacks"]["loss"]
    assert read == reading.read(expected)
    with pytest.raises(ValueError, match=r"audits\.both\.shadow: 'two' does not exist"):
        reading.read(given_with(cohorts__two=None))


def test_reading_leaves_the_configuration_alone():
    before = deepcopy(GIVEN)
    reading.read(GIVEN)
    assert before == GIVEN


def test_blocks_and_their_models():
    read = reading.read(given_with(cohorts__one__models=12))
    assert contents.blocks(read, "one") == [0, 1, 2]
    assert [jobs.models(read, "one", b) for b in "012"] == [[0, 4], [4, 8], [8, 12]]
    assert contents.blocks(read, "mine") == [0]
    assert contents.trained(read) == ["one", "two", "apart"]  # as in the study
    assert contents.external(read) == ["mine"]
    assert contents.exhibits(read, "figure") == ["curves"]
    assert contents.exhibits(read, "table") == []


def test_an_external_file_that_is_not_there_is_named():
    assert reading.missing(reading.read(GIVEN)) == [
        "cohorts.mine.signals: there is no file mine.h5"
    ]


# Settings ------------------------------------------------------------------------------------


def shuffled(entry, random):
    """Return a nested mapping with its keys in another order; an exhibit's attacks keep theirs."""
    if not isinstance(entry, dict):
        return entry
    keys = list(entry)
    if "LiRA" not in entry.values():
        random.shuffle(keys)
    return {key: shuffled(entry[key], random) for key in keys}


@settings(deadline=None)  # a loaded machine takes its time
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_count(random):
    assert all_settings(shuffled(GIVEN, random)) == all_settings(GIVEN)


def test_settings_are_plain_and_the_same_when_read_back():
    for text in all_settings(GIVEN).values():
        settings = json.loads(text)
        assert jobs.canonical(settings) == settings
        assert json.dumps(jobs.canonical(settings)) == text
        assert "NaN" not in text


def test_written_out_defaults_do_not_count():
    assert not changed(
        recipes__plain__batch_size=128, recipes__plain__optimizer={"name": "sgd", "momentum": 0.9},
        seed=0, cohorts__two__block=4, cohorts__two__queries={"count": 1},
        audits__one__shadow="one", audits__one__targets=8, attacks__loss={"attack": "loss"},
    )  # fmt: skip


def test_more_models_change_no_block_that_was_there():
    more = {"cohorts__one__models": 16, "audits__one__targets": 8}
    assert not changed(**more)
    new = all_settings(given_with(**more)).keys() - all_settings(GIVEN).keys()
    assert {job[2] for job in new} == {"2", "3"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("recipes__plain__epochs", 7, {("models", "one")}),
        ("recipes__moved__optimizer", {"name": "adam", "lr": 0.1}, {("models", "two")}),
        (
            "recipes__plain__architecture", {"name": "mlp", "widths": [9]},
            {("models", "one"), ("signals", "one")},
        ),
        ("cohorts__one__queries", {"count": 1}, {("signals", "one")}),
        ("cohorts__apart__held_out", 0.2, {("roles", "apart")}),
        ("cohorts__one__design", {"name": "half", "group": 8},
         {("membership", "one"), ("scores", "one"), ("scores", "both")}),
        ("attacks__lira__variance", "per_example", {("scores", "one"), ("scores", "both")}),
        ("audits__both__targets", 2, {("scores", "both")}),
        ("exhibits__curves__title", "other", {("exhibit", "curves")}),
        ("memory_mb", 2048, set()),
        ("exhibits", {}, {("exhibit", "curves")}),
        ("attacks__hinge", {}, set()),
        ("audits__more", {"target": "two", "attacks": ["loss"]}, set()),
        # Signals of other software may count what is of role test here.
        ("audits__more", {"target": "mine", "shadow": "two", "attacks": ["loss"]},
         {("signals", "two")}),
        ("audits__both__reference", "mine",
         {("scores", "both"), ("signals", "one"), ("signals", "two")}),
    ],
)  # fmt: skip
def test_a_change_changes_the_settings_of_what_depends_on_it(path, value, expected):
    assert changed(**{path: value}) == expected


def test_a_seed_changes_all_that_is_drawn():
    kinds = {kind for kind, _ in changed(seed=1)}
    assert kinds == {"population", "roles", "membership", "models", "scores"}


# Every key of every section -------------------------------------------------------------------

SECTIONS = [
    section
    for module in (sections, cohorts)
    for section in vars(module).values()
    if isinstance(section, type) and issubclass(section, Section) and section is not Section
]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_sections_refuse_what_is_no_mapping_unknown_or_missing(section):
    for wrong in (None, 3, "x", [1]):
        with pytest.raises(ValueError, match="place: must be a mapping of keys to values"):
            checked(wrong, section, "place")
    fields = section.model_fields
    with pytest.raises(
        ValueError, match=r"place: unknown option 'nonsense'.*; allowed: " + ", ".join(fields)
    ):
        checked({"nonsense": 1}, section, "place")
    required = [key for key, field in fields.items() if field.is_required()]
    if required:
        with pytest.raises(ValueError, match=f"place: option '{required[0]}' is required"):
            checked({}, section, "place")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_of_a_section_says_what_it_means(section):
    assert section.__doc__.endswith(".")
    for field in section.model_fields.values():
        assert field.description.endswith(".")


# What nobody has to write -----------------------------------------------------------------------


def test_a_study_without_exhibits_shows_all_that_its_audits_found():
    study = yaml.safe_load(TINY)
    del study["exhibits"]
    shown = reading.read(study)["exhibits"]
    assert list(shown) == ["attacks", "one_curves", "two_curves"]
    assert {name: entry["audits"] for name, entry in shown.items()} == {
        "attacks": ["one", "two"], "one_curves": ["one"], "two_curves": ["two"],
    }  # fmt: skip
    names = {label for label, _ in shown["attacks"]["attacks"]}
    assert names == {"loss", "lira_online", "lira_offline"}
    assert shown["two_curves"]["attacks"] == [["loss", "LOSS attack"]]
    assert shown["attacks"]["table"] == "summary"
    assert shown["one_curves"]["figure"] == "roc"
    assert {entry["paper"] for entry in shown.values()} == {"tiny"}
    assert reading.read(study | {"exhibits": {}})["exhibits"] == {}
    assert reading.read(study | {"audits": {}})["exhibits"] == {}


def test_an_exhibit_without_a_paper_is_of_the_study():
    study = yaml.safe_load(TINY)
    del study["exhibits"]["curves"]["paper"]
    shown = reading.read(study)["exhibits"]
    assert (shown["curves"]["paper"], shown["losses"]["paper"]) == ("tiny", "P")


def test_the_page_that_answers_depends_on_the_order_of_audits():
    audits = GIVEN["audits"] | {"none": {"target": "one", "attacks": []}}
    turned = dict(reversed(audits.items()))
    reads = [reading.read({**GIVEN, "audits": given}) for given in (audits, turned)]
    said = [jobs.canonical(exhibit_jobs.answer_settings(read)) for read in reads]
    assert [one["order"] for one in said] == [["one", "both", "mine"], ["mine", "both", "one"]]
    assert said[0]["audits"] == said[1]["audits"]
