"""Cohorts of a part of their population: what a study may say, and whom they train on."""

from functools import partial

import draw_membership
import numpy as np
import pytest
from test_study import with_values

from miatlas.designs.roles import HELD_OUT, POOL
from miatlas.running.store import read_h5, write_h5
from miatlas.study import jobs, reading

OF = {"population": "both", "recipe": "plain"}
GIVEN = {
    "study": "tiny",
    "populations": {"both": {"source": "digits_mnist"}, "digits": {"source": "digits"}},
    "recipes": {"plain": {"architecture": {"name": "mlp"}, "epochs": 1}},
    "cohorts": {
        "target": {**OF, "only": "digits", "design": {"name": "iid", "size": 20}, "models": 2},
        "shadow": {**OF, "only": ["mnist"], "design": {"name": "iid", "size": 20}, "models": 4},
        "all": {**OF, "design": {"name": "iid", "size": 20}, "models": 4},
    },
    "attacks": {"lira_offline": {}, "lira_online": {}, "loss": {}},
    "audits": {"other": {"target": "target", "shadow": "shadow", "attacks": ["lira_offline"]}},
}


given_with = partial(with_values, GIVEN)


def test_a_part_is_among_the_settings_of_the_membership_alone_and_only_if_it_is_asked_for():
    read = reading.read(GIVEN)
    assert read["cohorts"]["target"]["only"] == ["digits"]
    assert jobs.membership_settings(read, "target", "0")["only"] == ["digits"]
    assert "only" not in jobs.membership_settings(read, "all", "0")
    assert "only" not in jobs.role_settings(read, "target")


DISJOINT = {"name": "disjoint", "side": "target"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cohorts__target__only": "letters"},
         "only: 'letters' is no part of digits_mnist, whose parts are digits, mnist"),
        ({"cohorts__target__only": []}, "nothing is no part"),
        ({"cohorts__target__population": "digits"}, "only: the source digits has no parts"),
        ({"populations__both__canaries": {"count": 9, "kind": "noise"}}, "canaries are of no part"),
        ({"audits__other__attacks": ["lira_online"]}, "0 IN and 4 OUT"),
        ({"cohorts__target__design": DISJOINT}, "the design disjoint cuts one pool for both"),
        ({"cohorts__more": {**OF, "models": 8, "design": {
            "name": "leave_one_out", "of": "target", "examples": 6, "seeds": 1}}},
         r"its only is None, the target cohort's \['digits'\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_of_a_part_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        reading.read(given_with(**changes))


@pytest.mark.parametrize(("target", "shadow"), [("digits", None), ("digits", ["digits", "mnist"])])
def test_shadow_models_of_more_parts_may_know_the_targets_examples(target, shadow):
    changes = {"cohorts__target__only": target, "cohorts__shadow__only": shadow}
    reading.read(given_with(**changes, audits__other__attacks=["lira_online", "lira_offline"]))


def test_models_train_on_their_part_of_the_pool_and_are_asked_about_it(tmp_path):
    part = np.arange(90, dtype=np.int16) % 3
    role = np.where(np.arange(90) < 60, POOL, HELD_OUT).astype(np.uint8)
    population, roles, membership = (str(tmp_path / f"{n}.h5") for n in ("p", "r", "m"))
    write_h5(population, {"part": part}, {"parts": ["a", "b", "c"]})
    write_h5(roles, {"role": role}, {})
    settings = {"seed": 1, "cohort": "c", "population": "p", "models": [0, 3], "only": ["a", "c"],
                "design": {"name": "iid", "size": 10}}  # fmt: skip
    files = {"roles": roles, "population": [population], "membership": membership}
    draw_membership.main(**files, settings=settings)
    drawn = read_h5(membership)
    own = (part != 1) & (role == POOL)
    assert (drawn["evaluated"].astype(bool) == own).all()
    assert not drawn["member"][:, ~own].any()
    assert drawn["member"].sum(axis=1).tolist() == [10] * 3
    write_h5(roles, {"role": np.where(part == 0, POOL, HELD_OUT).astype(np.uint8)}, {})
    with pytest.raises(ValueError, match="cohort c: no example is left"):
        draw_membership.main(**files, settings=settings | {"only": ["b"]})
