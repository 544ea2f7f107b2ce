"""Cohorts made of others, third cohorts, probes: what a study may say of them, and what follows."""

from copy import deepcopy

import pytest

from miatlas import jobs, study

DIGITS = {"population": "digits", "recipe": "plain", "held_out": 0.1}
HALVES = {"name": "half", "group": 4}
GIVEN = {
    "study": "tiny",
    "populations": {"digits": {"source": "digits"}, "other": {"source": "digits"}},
    "recipes": {"plain": {"architecture": {"name": "mlp", "widths": [8]}, "epochs": 2}},
    "cohorts": {
        "one": {**DIGITS, "design": HALVES, "models": 8, "block": 4},
        "students": {**DIGITS, "design": HALVES, "models": 12, "block": 4,
                     "teacher": {"cohort": "one", "students": 2}},
        "without": {**DIGITS, "models": 16, "block": 8,
                    "design": {"name": "leave_one_out", "of": "one", "examples": 6, "seeds": 2}},
        "target": {**DIGITS, "design": {"name": "six_way", "side": "target"}, "models": 2},
        "shadow": {**DIGITS, "design": {"name": "six_way", "side": "shadow", "per_target": 2},
                   "models": 4},
        "third": {**DIGITS, "design": {"name": "six_way", "side": "reference"}, "models": 2},
        "mine": {"signals": "mine.h5"},
    },
    "attacks": {
        "loss": {}, "lira_online": {}, "attack_d": {}, "attack_l": {}, "ldc": {}, "merlin": {},
        "long": {}, "gradient_norm": {}, "rmia": {}, "lira_ds": {}, "shokri": {},
        "adaptive": {"attack": "lira_ds", "threshold": "adaptive"},
    },
    "audits": {
        "d": {"target": "one", "shadow": "students", "targets": 6, "attacks": ["attack_d"]},
        "l": {"target": "one", "shadow": "without", "targets": 2, "attacks": ["attack_l"]},
        "six": {"target": "target", "shadow": "shadow", "reference": "third",
                "attacks": ["ldc", "shokri"]},
        "one": {"target": "one", "attacks": ["merlin", "long", "gradient_norm", "adaptive"]},
    },
}  # fmt: skip


def given_with(**changes):
    result = deepcopy(GIVEN)
    for path, value in changes.items():
        *parents, key = path.split("__")
        entry = result
        for parent in parents:
            entry = entry[parent]
        entry[key] = value
    return result


def test_such_a_study_is_read():
    read = study.read(GIVEN)
    assert study.made_of(read["cohorts"]["students"]) == "one"
    assert study.made_of(read["cohorts"]["without"]) == "one"
    assert study.made_of(read["cohorts"]["shadow"]) is None


ELSEWHERE = {**GIVEN["cohorts"]["students"], "population": "other"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__students__teacher": {"cohort": "none", "students": 2}},
         "cohorts.students.teacher.cohort: 'none' does not exist; there is: one, .*"),
        ({"cohorts__students__teacher": {"cohort": "mine", "students": 2}}, "'mine' does not"),
        ({"cohorts__students__teacher": {"cohort": "one", "students": 1}},
         "cohorts.students.models: 12 models are not 1 for each of up to 8 models of one"),
        ({"cohorts__students__teacher": {"cohort": "students", "students": 2}},
         "students is itself made of another cohort"),
        ({"cohorts__students": ELSEWHERE},
         "cohorts.students: its population is 'other', the target cohort's 'digits'"),
        ({"cohorts__without__models": 20, "cohorts__without__block": 4},
         "cohorts.without.models: 20 models are not whole targets of .* = 8, as the design"),
        ({"cohorts__without__models": 72},
         "cohorts.without.models: 72 models are not 8 for each of up to 8 models of one"),
        ({"audits__d__targets": 7}, "audits.d.shadow: 7 targets need 2 models each, but students"),
        ({"audits__six__targets": 2, "cohorts__shadow__models": 2},
         "audits.six.shadow: 2 targets need 2 models each, but shadow has 2"),
        ({"audits__d__target": "target", "audits__d__targets": 2},
         "audits.d.shadow: students was made of one, not of the targets"),
        ({"audits__six__reference": None}, "attacks.ldc.ldc calibrates with a third cohort"),
        ({"audits__six__reference": "none"}, "audits.six.reference: 'none' does not exist"),
        ({"audits__d__shadow": "target", "audits__d__targets": 2},
         "attacks.attack_d.attack_d needs a shadow cohort distilled from the targets"),
        ({"audits__l__shadow": "students"}, "attack_l needs a shadow cohort of the design leave"),
        ({"audits__l__attacks": ["lira_online"]}, "lira_online needs IN references, .* all OUT"),
        ({"audits__one__target": "mine"}, "merlin asks models for noise, and target models are ex"),
        ({"cohorts__one__probes": {"nonsense": {}}}, "cohorts.one.probes: 'nonsense' does not"),
        ({"cohorts__one__probes": {"noise": {"copies": 0}}}, "cohorts.one.probes.noise: option"),
        ({"cohorts__one__bounds": {"coverage": 0.9}, "cohorts__one__held_out": 0.0},
         "cohorts.one.bounds.coverage: needs held-out examples, but held_out is 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        study.read(given_with(**changes))


@pytest.mark.parametrize(("label", "refused"), [("adaptive", True), ("lira_ds", False),
                                                ("rmia", True)])  # fmt: skip
def test_held_out_examples_are_demanded_where_an_option_reads_them(label, refused):
    given = given_with(audits={"one": {"target": "one", "attacks": [label]}})
    given["cohorts"] = {"one": {**given["cohorts"]["one"], "held_out": 0.0}}
    if refused:
        with pytest.raises(
            ValueError, match="needs held-out examples, but a cohort's held_out is 0"
        ):
            study.read(given)
    else:
        study.read(given)


def test_how_many_models_were_made_for_each_target_is_a_setting_of_the_scores():
    read = study.read(GIVEN)
    assert jobs.per_target(read, "d") == {"shadow": 2}
    assert jobs.per_target(read, "l") == {"shadow": 8}
    assert jobs.per_target(read, "six") == {"shadow": 2, "reference": 1}
    assert jobs.per_target(read, "one") == {}
    assert jobs.score_settings(read, "l", "attack_l")["leave_one_out"]
    assert not jobs.score_settings(read, "d", "attack_d")["leave_one_out"]


def test_a_block_waits_for_the_models_it_is_made_of_and_for_no_others():
    read = study.read(GIVEN)
    assert study.originals(read, "students", "0") == ("one", [0])  # students of models 0 and 1
    assert study.originals(read, "students", "1") == ("one", [0])
    assert study.originals(read, "students", "2") == ("one", [0, 1])  # of 4 and 5
    assert study.originals(read, "without", "1") == ("one", [0])
    assert study.originals(read, "one", "0") is None


def test_probes_are_asked_of_whom_an_attack_reads():
    read = study.read(GIVEN)
    assert study.probed(read, "one", "merlin", "shadow") == [("noise", 0), ("noise", 1)]
    assert study.probed(read, "one", "merlin", "target") == []  # the same cohort: asked once
    assert study.probed(read, "one", "long", "shadow") == [("distances", 0)]  # of one model
    assert study.probed(read, "one", "adaptive", "shadow") == []
    assert study.probed(read, "six", "ldc", "reference") == []
    apart = given_with(audits__one__shadow="students", audits__one__targets=6)
    apart["audits"]["one"]["attacks"] = ["merlin"]
    read = study.read(apart)
    assert study.probed(read, "one", "merlin", "target") == [("noise", 0), ("noise", 1)]
    assert study.probed(read, "one", "merlin", "shadow") == [("noise", b) for b in range(3)]


def test_options_of_a_probe_are_settings_of_its_answers_alone():
    before, after = (
        study.read(given_with(cohorts__one__probes={"noise": {"copies": n}})) for n in (5, 6)
    )
    assert jobs.probe_settings(before, "one", "noise", "0")["options"]["copies"] == 5
    for job in (jobs.signal_settings, jobs.training_settings, jobs.membership_settings):
        assert job(before, "one", "0") == job(after, "one", "0")
    same = [jobs.probe_settings(read, "one", "gradients", "0") for read in (before, after)]
    assert same[0] == same[1]


AGAIN = {"models_of": "one", "queries": {"temperature": 4.0}}


def test_models_asked_again_are_another_cohorts_but_for_what_is_asked():
    read = study.read(given_with(cohorts__warm=AGAIN, audits__w={"target": "warm", "attacks": []}))
    one, warm = (read["cohorts"][name] for name in ("one", "warm"))
    assert {key for key in warm if warm[key] != one[key]} == {"queries", "models_of"}
    assert warm["queries"] == one["queries"] | {"temperature": 4.0}
    assert study.maker(read, "warm") == study.maker(read, "one") == "one"
    assert "warm" in study.queried(read)
    assert "warm" not in study.trained(read)
    before, after = (jobs.signal_settings(read, name, "1") for name in ("one", "warm"))
    assert before["models"] == after["models"] == [4, 8]
    assert "(those of one)" in jobs.described(read, "warm")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__warm": {"models_of": "none"}},
         "cohorts.warm.models_of: 'none' does not exist; there is: one, .*"),
        ({"cohorts__warm": {"models_of": "mine"}}, "'mine' does not exist"),
        ({"cohorts__warm": {**AGAIN, "models": 4}}, "cohorts.warm: .*models"),
        ({"cohorts__warm": {"models_of": "students"}},
         "cohorts.warm.models_of: students is itself made of another"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_asked_again_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        study.read(given_with(**changes))
