"""Cohorts made of others, third cohorts, probes: what a study may say of them, and what follows."""

from copy import deepcopy
from functools import partial
from importlib import import_module

import h5py
import numpy as np
import pytest
from test_study import with_values

from miatlas.designs import relations
from miatlas.designs.base import Draws
from miatlas.study import audit_jobs, contents, exhibit_jobs, jobs, reading, reference_counts

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


given_with = partial(with_values, GIVEN)


def test_such_a_study_is_read():
    read = reading.read(GIVEN)
    assert contents.made_of(read["cohorts"]["students"]) == "one"
    assert contents.made_of(read["cohorts"]["without"]) == "one"
    assert contents.made_of(read["cohorts"]["shadow"]) is None


ELSEWHERE = {**GIVEN["cohorts"]["students"], "population": "other"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__students__teacher": {"cohort": "none", "students": 2}},
         "cohorts.students.teacher.cohort: 'none' does not exist"
         " .did you mean 'one'..; there is: one, .*"),
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
        ({"cohorts__again": {"models_of": "one"}, "audits__one__shadow": "again"},
         "audits.one.shadow: again asks the targets' own models"),
        ({"cohorts__target__design": {"name": "six_way", "side": "target", "per_target": 2}},
         "audits.six.shadow: .* one target for each partition, but per_target of target is 2"),
        ({"audits__six__reference": None}, "attacks.ldc calibrates with a third cohort"),
        ({"audits__six__reference": "none"}, "audits.six.reference: 'none' does not exist"),
        ({"audits__d__shadow": "target", "audits__d__targets": 2},
         "attacks.attack_d needs a shadow cohort distilled from the targets"),
        ({"audits__l__shadow": "students"}, "attack_l needs a shadow cohort of the design leave"),
        ({"audits__l__attacks": ["lira_online"]},
         "lira_online.references: all, but lira_online needs 2 IN and 2 OUT of every example, and"
         " the design leave_one_out leaves examples with 0 IN and 2 OUT"),
        ({"audits__one__target": "mine"}, "merlin asks models for noise, and target models are ex"),
        ({"cohorts__one__probes": {"nonsense": {}}}, "cohorts.one.probes: 'nonsense' does not"),
        ({"cohorts__one__probes": {"noise": {"copies": 0}}}, "cohorts.one.probes.noise: option"),
        ({"cohorts__one__bounds": {"coverage": 0.9}, "cohorts__one__held_out": 0.0},
         "cohorts.one.bounds.coverage: needs held-out examples, but held_out is 0"),
        ({"exhibits": {"answer": {}}}, "exhibits.answer: every study has a page of that name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        reading.read(given_with(**changes))


@pytest.mark.parametrize(
    ("label", "refused", "way"),
    [("adaptive", True, "held_out: 0.1"), ("lira_ds", False, ""),
     ("rmia", True, "population: all takes those at hand"), ("everybody", False, "")],
)  # fmt: skip
def test_held_out_examples_are_demanded_where_an_option_reads_them(label, refused, way):
    given = given_with(audits={"one": {"target": "one", "attacks": [label]}})
    given["cohorts"] = {"one": {**given["cohorts"]["one"], "held_out": 0.0}}
    given["attacks"]["everybody"] = {"attack": "rmia", "population": "all"}
    if refused:
        with pytest.raises(
            ValueError, match=rf"needs held-out examples, but the target cohort has none \({way}"
        ):
            reading.read(given)
    else:
        reading.read(given)


def test_how_many_models_were_made_for_each_target_is_a_setting_of_the_scores():
    read = reading.read(GIVEN)
    assert audit_jobs.per_target(read, "d") == {"shadow": 2}
    assert audit_jobs.per_target(read, "l") == {"shadow": 8}
    assert audit_jobs.per_target(read, "six") == {"shadow": 2, "reference": 1}
    assert audit_jobs.per_target(read, "one") == {}
    assert audit_jobs.score_settings(read, "l", "attack_l")["leave_one_out"]
    assert not audit_jobs.score_settings(read, "d", "attack_d")["leave_one_out"]


def test_a_block_waits_for_the_models_it_is_made_of_and_for_no_others():
    read = reading.read(GIVEN)
    assert contents.originals(read, "students", "0") == ("one", [0])  # students of models 0 and 1
    assert contents.originals(read, "students", "1") == ("one", [0])
    assert contents.originals(read, "students", "2") == ("one", [0, 1])  # of 4 and 5
    assert contents.originals(read, "without", "1") == ("one", [0])
    assert contents.originals(read, "one", "0") is None


def test_a_single_model_must_be_of_another_group():
    one_group = given_with(cohorts__one__design={"name": "half", "group": 8})
    one_group["audits"]["l"] = one_group["audits"]["d"] | {"attacks": ["attack_d"]}
    with pytest.raises(ValueError, match=r"attacks\.long asks one model of another group .* all 8"):
        reading.read(one_group)
    one_group["cohorts"]["one"] |= {"design": {"name": "half", "group": [8, 4]}, "models": 12}
    reading.read(one_group)
    retrained = given_with(audits__l__attacks=["attack_l", "long"])
    with pytest.raises(ValueError, match=r"attacks\.long asks one model of other members"):
        reading.read(retrained)


def test_probes_are_asked_of_whom_an_attack_reads():
    read = reading.read(GIVEN)
    assert contents.probed(read, "one", "merlin", "shadow") == [("noise", 0), ("noise", 1)]
    assert contents.probed(read, "one", "merlin", "target") == []  # the same cohort: asked once
    assert contents.probed(read, "one", "long", "shadow") == [("distances", b) for b in (0, 1)]
    assert contents.probed(read, "one", "adaptive", "shadow") == []
    assert contents.probed(read, "six", "ldc", "reference") == []
    apart = given_with(audits__one__shadow="students", audits__one__targets=6)
    apart["audits"]["one"]["attacks"] = ["merlin"]
    read = reading.read(apart)
    assert contents.probed(read, "one", "merlin", "target") == [("noise", 0), ("noise", 1)]
    assert contents.probed(read, "one", "merlin", "shadow") == [("noise", b) for b in range(3)]


def test_options_of_a_probe_are_settings_of_its_answers_alone():
    before, after = (
        reading.read(given_with(cohorts__one__probes={"noise": {"copies": n}})) for n in (5, 6)
    )
    assert jobs.probe_settings(before, "one", "noise", "0")["options"]["copies"] == 5
    for job in (jobs.signal_settings, jobs.training_settings, jobs.membership_settings):
        assert job(before, "one", "0") == job(after, "one", "0")
    same = [jobs.probe_settings(read, "one", "gradients", "0") for read in (before, after)]
    assert same[0] == same[1]


AGAIN = {"models_of": "one", "queries": {"temperature": 4.0}}


def test_models_asked_again_are_another_cohorts_but_for_what_is_asked():
    read = reading.read(
        given_with(cohorts__warm=AGAIN, audits__w={"target": "warm", "attacks": []})
    )
    one, warm = (read["cohorts"][name] for name in ("one", "warm"))
    assert {key for key in warm if warm[key] != one[key]} == {"queries", "models_of"}
    assert warm["queries"] == one["queries"] | {"temperature": 4.0}
    assert contents.maker(read, "warm") == contents.maker(read, "one") == "one"
    assert "warm" in contents.queried(read)
    assert "warm" not in contents.trained(read)
    before, after = (jobs.signal_settings(read, name, "1") for name in ("one", "warm"))
    assert before["models"] == after["models"] == [4, 8]
    assert "(those of one)" in exhibit_jobs.described(read, "warm")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__warm": {"models_of": "none"}},
         "cohorts.warm.models_of: 'none' does not exist .did you mean 'one'..; there is: one, .*"),
        ({"cohorts__warm": {"models_of": "mine"}}, "'mine' does not exist"),
        ({"cohorts__warm": {**AGAIN, "models": 4}}, "cohorts.warm: .*models"),
        ({"cohorts__warm": {"models_of": "students"}},
         "cohorts.warm.models_of: students is itself made of another"),
    ],
)  # fmt: skip
def test_models_that_cannot_be_asked_again_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        reading.read(given_with(**changes))


# References and answers that cannot be there ------------------------------------------------------

SIDE = {
    side: {**DIGITS, "models": 8, "design": {"name": "disjoint", "side": side}}
    for side in ("target", "shadow")
}
SMALL = {**DIGITS, "population": "few", "models": 8, "design": HALVES}


def asked(attack, cohorts, **audit):
    """A study with one audit of one attack, on `cohorts` or on those above."""
    given = given_with(audits={"a": {"target": "one", "attacks": ["x"], **audit}})
    given["cohorts"] |= cohorts
    given["attacks"] = {"x": attack}
    given["populations"]["few"] = {"source": "digits", "subset": 300}
    return given


LIRA = {"attack": "gradient_norm", "form": "lira"}
SIX_WAY = {"target": "target", "shadow": "shadow"}
CANNOT = {
    "no IN in a disjoint cohort": (
        asked({"attack": "lira_online"}, SIDE, target="target", shadow="shadow"),
        "references: all, but lira_online needs 2 IN and 2 OUT of every example, and the design"
        " disjoint leaves examples with 0 IN and 8 OUT",
    ),
    "no IN among six parts": (
        asked({"attack": "sablayrolles"}, {}, **SIX_WAY),
        "references: all, but sablayrolles needs 1 IN and 1 OUT of every example, and the design"
        " six_way leaves examples with 0 IN and 2 OUT",
    ),
    "no IN among the retrained, by an option's default": (
        asked({"attack": "rmia"}, {}, shadow="without", targets=2),
        "references: all, but rmia needs 1 IN and 1 OUT of every example, and the design"
        " leave_one_out leaves examples with 0 IN and 2 OUT",
    ),
    "no IN among the retrained, by an option": (
        asked(LIRA, {}, shadow="without", targets=2),
        "references: all, but gradient_norm needs 2 IN and 2 OUT of .* leave_one_out .*",
    ),
    "no members to learn from": (
        asked({"attack": "shokri"}, {}, shadow="without", targets=2),
        "references: all, but shokri needs 1 IN and 1 OUT of .* leave_one_out .* 0 IN and 2 OUT",
    ),
    "more OUT than every example has": (
        asked({"attack": "watson", "references": 6}, {}),
        "references: 6, but watson needs 6 OUT of every example, and the design half leaves"
        " examples with 3 IN and 3 OUT",
    ),
    "more students that did not draw it than there are": (
        asked({"attack": "attack_d", "references": 3},
              {"students": {**GIVEN["cohorts"]["students"], "models": 32,
                            "teacher": {"cohort": "one", "students": 4}}}, shadow="students"),
        "references: 3, but attack_d needs 3 OUT .* half leaves examples with 2 IN and 2 OUT",
    ),
    "more seeds than there are": (
        asked({"attack": "attack_l", "references": 3}, {}, shadow="without", targets=2),
        "references: 3, but attack_l needs 3 OUT .* leaves examples with 0 IN and 2 OUT",
    ),
    "one reference for a variance": (
        asked({"attack": "lira_online", "references": 2}, {}),
        "references: 2, but lira_online needs 2 of a kind for a law",
    ),
    "a model of a pair too few": (
        asked({"attack": "lira_tlc", "prior": 0.0},
              {"two": {**DIGITS, "models": 4, "design": {"name": "paired"}}}, target="two"),
        "references: all, but lira_tlc needs 2 IN and 2 OUT .* paired .* 1 IN and 1 OUT",
    ),
    "too few held-out examples for a class": (
        asked({"attack": "attack_p", "per_class": 31}, {"two": SMALL}, target="two"),
        "per_class: 31, but of at most 300 examples 30 are held out",
    ),
    "noise of no size": (
        asked({"attack": "merlin"},
              {"one": {**GIVEN["cohorts"]["one"], "probes": {"noise": {"deviations": [0.1, -1]}}}}),
        r"asks for noise of deviations \[0.1, -1.0\]: they must be positive",
    ),
    "no noise at all": (
        asked({"attack": "merlin"},
              {"one": {**GIVEN["cohorts"]["one"], "probes": {"noise": {"deviations": []}}}}),
        "asks for noise of deviations .*",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("given", "message"), CANNOT.values(), ids=CANNOT)
def test_what_no_example_could_be_given_is_refused_at_the_start(given, message):
    with pytest.raises(ValueError, match=rf"\Aaudits.a: attacks.x.{message}\Z"):
        reading.read(given)


@pytest.mark.parametrize(
    "given",
    [
        asked({"attack": "lira_offline"}, SIDE, target="target", shadow="shadow"),
        asked({"attack": "shokri"}, SIDE, target="target", shadow="shadow"),
        asked({"attack": "watson"}, {}, **SIX_WAY),
        asked({"attack": "salem"}, {}, **SIX_WAY),
        asked({"attack": "rmia", "mode": "offline"}, {}, shadow="without", targets=2),
        asked({"attack": "gradient_norm"}, {}, shadow="without", targets=2),
        asked({"attack": "gradient_norm"}, {}, shadow="mine"),
        asked({"attack": "attack_l", "references": 2}, {}, shadow="without", targets=2),
        asked({"attack": "watson", "references": 3}, {}),
        asked({"attack": "lira_online", "references": 2, "preset": "tf_privacy_2021"}, {}),
        asked({"attack": "attack_p", "per_class": 30}, {"two": SMALL}, target="two"),
    ],
)
def test_what_every_example_can_be_given_is_accepted(given):
    assert reading.read(given)["audits"]["a"]


def test_no_probe_is_asked_of_models_whose_answers_an_option_does_without():
    for attack, blocks in (({"attack": "gradient_norm"}, []), (LIRA, [0, 1])):
        read = reading.read(asked(attack, {"two": GIVEN["cohorts"]["one"]}, shadow="two"))
        assert contents.probed(read, "a", "x", "target") == [("gradients", 0), ("gradients", 1)]
        assert contents.probed(read, "a", "x", "shadow") == [("gradients", b) for b in blocks]


def test_what_targets_alone_are_asked_is_asked_of_no_model_after_them():
    for attack, blocks in (({"attack": "gradient_norm"}, [0]), (LIRA, [0, 1])):
        read = reading.read(asked(attack, {}, targets=4))
        assert contents.probed(read, "a", "x", "shadow") == [("gradients", b) for b in blocks]
        read = reading.read(asked(attack, {}, targets=5))
        assert contents.probed(read, "a", "x", "shadow") == [("gradients", b) for b in (0, 1)]


WHOLE = {"side": "target", "fractions": [0.25, 0.25, 0.15, 0.15, 0.2]}


@pytest.mark.parametrize(
    ("side", "fractions", "said"),
    [
        ("shadow", [0.13, 0.37, 0.15, 0.15, 0.2], None),
        ("reference", [0.25, 0.25, 0.1, 0.2, 0.2], None),
        ("shadow", [0.2, 0.2, 0.2, 0.2, 0.2], "fractions"),
        ("shadow", [0.25, 0.25, 0.15, 0.15, 0.1], "fractions"),
        ("target", [0.13, 0.37, 0.15, 0.15, 0.2], "fractions"),
        ("shadow", [0.5, 0.5], "fractions"),
    ],
)
def test_a_side_divides_its_own_part_as_it_likes(side, fractions, said):
    other = {"side": side, "fractions": fractions}
    assert relations.cut_differently(WHOLE, other) == said
    assert relations.cut_differently(other, WHOLE) == said


def test_pools_of_disjoint_cohorts_are_cut_at_one_place():
    one, other = ({"side": side, "target_share": 0.5} for side in ("target", "shadow"))
    assert relations.cut_differently(one, other) is None
    assert relations.cut_differently(one, other | {"target_share": 0.4}) == "target_share"
    assert relations.cut_differently(one, {"name": "half"}) is None


HALF = {"name": "half", "group": 4}
LOT = {"name": "iid", "size": 60}
PARTS = {"name": "six_way", "fractions": [0.25, 0.25, 0.15, 0.15, 0.2]}
CUT = {"name": "disjoint", "target_share": 0.5, "size": None}


@pytest.mark.parametrize(
    ("target", "shadow", "exact"),
    [
        (HALF, None, True), ({"name": "paired"}, None, True), (LOT, None, False),
        ({**CUT, "side": "target"}, None, False), ({**PARTS, "side": "target"}, None, False),
        (LOT, HALF, True), (HALF, {"name": "paired"}, True), (HALF, LOT, False),
        ({**CUT, "side": "target"}, {**CUT, "side": "shadow"}, True),
        ({**CUT, "side": "target"}, {**CUT, "side": "target"}, False),
        (LOT, {**CUT, "side": "shadow"}, False),
        ({**PARTS, "side": "target"}, {**PARTS, "side": "shadow", "per_target": 2}, True),
        ({**PARTS, "side": "target"}, {**PARTS, "side": "target", "per_target": 2}, True),
        (LOT, {**PARTS, "side": "shadow", "per_target": 2}, True),
    ],
)  # fmt: skip
def test_no_example_has_fewer_references_than_the_design_says(target, shadow, exact):
    """Counted in what the designs draw: never more in all, and no other number where it is sure."""

    def drawn(design, cohort):
        keys = {key: value for key, value in design.items() if key != "name"}
        draws = Draws(0, cohort, "p")
        drawing = import_module(f"miatlas.designs.{design['name']}")
        return drawing.draw(np.arange(200), range(8), draws, **keys)

    def entry(design):
        return {"design": {"per_target": 1, **design}, "models": 8, "teacher": None}

    targets, lent = drawn(target, "a"), drawn(shadow or target, "b" if shadow else "a")
    found = []
    for t in range(4):
        alone = range(2 * t, 2 * t + 2) if (shadow or {}).get("per_target") else range(8)
        own = set() if shadow else relations.partners(target["name"], t)
        member = lent.member[[m for m in alone if m not in own]][:, targets.evaluated[t]]
        found.append((member.sum(axis=0).min(), (~member).sum(axis=0).min()))
    cohorts = {"target": entry(target), "shadow": entry(shadow or target)}
    said = reference_counts.at_most(cohorts, same=shadow is None)
    fewest = tuple(np.min(found, axis=0))
    assert fewest[0] <= said[0]
    assert fewest[1] <= said[1]
    assert not exact or fewest == said


# Signals of other software ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attack", "audit", "message"),
    [
        ({"attack": "hinge"}, {}, "reads logits, and mine.h5 has none"),
        ({"attack": "rmia"}, {}, "needs held-out examples, but the target cohort has none"),
        ({"attack": "lira_online", "statistic": "hinge"}, {}, "reads logits, and mine"),
        ({"attack": "loss", "queries": 3}, {}, "queries: 3, but the cohort's models answer 2"),
        ({"attack": "lira_online", "references": 6}, {}, "references: 6, but there are 5 models"),
        ({"attack": "salem"}, {"target": "one", "shadow": "mine"}, "reads logits, and mine"),
        ({"attack": "lira_online"}, {}, None), ({"attack": "loss", "queries": 2}, {}, None),
    ],
)  # fmt: skip
def test_what_a_signals_file_does_not_hold_is_refused(
    tmp_path, monkeypatch, attack, audit, message
):
    monkeypatch.chdir(tmp_path)
    given = asked(attack, {}, **({"target": "mine"} | audit))
    assert reading.read(given)  # a file that is not there is missed, not judged
    with h5py.File("mine.h5", "w") as file:
        file["member"] = np.arange(6)[:, None] % 2 == np.arange(20) % 2
        file["labels"], file["phi"] = np.arange(20), np.zeros((6, 20, 2), np.float32)
    if message is None:
        assert reading.read(given)["audits"]["a"]["targets"] is None
    else:
        with pytest.raises(ValueError, match=rf"audits.a: attacks.x.{message}"):
            reading.read(given)


def test_a_signals_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.h5").write_text("member,phi")
    with pytest.raises(ValueError, match=r"\Amine.h5: not a readable HDF5 file"):
        reading.read(asked({"attack": "loss"}, {}, target="mine"))


# A shadow model in a single target's place -------------------------------------------------------


def single(attack="lira_online", audit=None, **options):
    """Return what score_attack is told of stand-ins for one target beside the cohort `one`."""
    given = deepcopy(GIVEN)
    given["cohorts"]["alone"] = {**DIGITS, "design": {"name": "iid", "size": 100}, "models": 1}
    given["attacks"]["it"] = {"attack": attack, **options}
    entry = {"target": "alone", "shadow": "one", "attacks": ["it"]}
    given["audits"] = {"it": {**entry, **(audit or {})}}
    return audit_jobs.score_settings(reading.read(given), "it", "it").get("stand_ins")


def test_shadow_models_are_attacked_in_the_place_of_a_single_target_only():
    assert single() == {"design": "half", "group": 4}
    assert single("loss") == {"design": "half", "group": 4}
    assert single(audit={"target": "one", "shadow": None, "targets": 1}) is None
    assert single(audit={"target": "one", "shadow": "alone", "targets": 3}, attack="loss") is None


@pytest.mark.parametrize(("why", "keys"), [
    ("asks shadow models that were made for the target",
     {"attack": "attack_d", "audit": {"target": "one", "targets": 1, "shadow": "students"}}),
    ("asks shadow models that were made for the target",
     {"attack": "attack_l", "audit": {"target": "one", "targets": 1, "shadow": "without"}}),
    ("asks shadow models that were made for the target",
     {"attack": "ldc", "audit": {"target": "target", "targets": 1, "shadow": "shadow",
                                 "reference": "third"}}),
    ("asks shadow models that were made for the target",
     {"attack": "loss", "audit": {"shadow": "third"}}),
    ("(.references: 8, but there are 7 models", {"references": 8}),
    ("asks the target alone for gradients", {"attack": "gradient_norm"}),
])  # fmt: skip
def test_why_a_shadow_model_cannot_stand_in_is_said(why, keys):
    assert why in single(**keys)["not"]


def test_probabilities_in_a_csv_hold_nothing_out(tmp_path):
    file = tmp_path / "answers.csv"
    file.write_text("model,example,label,member,0,1\n0,0,1,1,0.2,0.8\n")
    study = {"study": "s", "cohorts": {"mine": {"signals": str(file)}}, "attacks": {"rmia": {}},
             "audits": {"mine": {"target": "mine", "attacks": ["rmia"]}}}  # fmt: skip
    with pytest.raises(ValueError, match=r"held-out examples, .* .population: all"):
        reading.read(study)


@pytest.mark.parametrize(("attack", "said"), [
    ({"rmia": {}}, r"held-out examples, .* .population: all"),
    ({"lira_online": {"references": 6}}, r"references: 6, but there are 3 models"),
])  # fmt: skip
def test_probabilities_in_an_npz_tell_at_the_start_what_they_lack(tmp_path, attack, said):
    """How many models there are, and that nothing is held out, stands in the archive's headers."""
    arrays = {"probabilities": np.full((4, 6, 2), 0.5), "labels": np.arange(6) % 2,
              "member": np.arange(24).reshape(4, 6) % 2 == 0}  # fmt: skip
    cohorts = {"mine": {"signals": str(tmp_path / "answers.npz")}}
    audits = {"mine": {"target": "mine", "attacks": [*attack]}}
    study = {"study": "s", "cohorts": cohorts, "attacks": attack, "audits": audits}
    assert reading.read(study)  # a file that is not there is missed, not judged
    np.savez(tmp_path / "answers.npz", **arrays)
    with pytest.raises(ValueError, match=said):
        reading.read(study)
    np.savez(tmp_path / "answers.npz", labels=arrays["labels"])
    with pytest.raises(ValueError, match=r"answers\.npz: has no 'probabilities'"):
        reading.read(study)
