"""Students that stand in for teachers: what they see, and whose members they are asked for."""

from copy import deepcopy

import draw_membership
import numpy as np
import pytest
from scipy.stats import norm

from miatlas.attacks import lira_online
from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.designs import half, iid
from miatlas.designs.base import Draws
from miatlas.designs.teachers import unseen
from miatlas.running.store import attributes, read_h5, write_h5
from miatlas.signals.answers import Signals
from miatlas.study import audit_jobs, jobs, reading

POOL = np.arange(400)


def teachers(models=8):
    return half.draw(POOL, range(models), Draws(1, "teachers", "p"), group=8)


def test_students_see_no_member_of_their_teacher_and_are_not_asked_about_what_they_saw():
    drawn, theirs = half.draw(POOL, range(8), Draws(1, "s", "p"), group=8), teachers()
    (member, evaluated, size), trained = unseen(drawn, theirs)
    assert np.array_equal(member, theirs.member)
    for own, seen, asked, kept in zip(theirs.member, drawn.member, evaluated, trained, strict=True):
        for example in POOL:
            assert kept[example] == (seen[example] and not own[example])
            assert asked[example] == (own[example] or not seen[example])
    assert size == 100
    assert abs(trained.sum(1).mean() - size) < 10


def test_a_student_needs_an_example_of_its_own():
    theirs = teachers(2)
    drawn = theirs._replace(member=theirs.member.copy())
    with pytest.raises(ValueError, match="nothing but its teacher's members"):
        unseen(drawn, theirs)


GIVEN = {
    "study": "t",
    "populations": {"digits": {"source": "digits"}},
    "recipes": {"r": {"architecture": {"name": "mlp"}, "epochs": 1}},
    "cohorts": {
        "t": {"population": "digits", "recipe": "r", "design": {"name": "paired"}, "models": 8},
        "u": {"population": "digits", "recipe": "r", "design": {"name": "half", "group": 8},
              "models": 8},
        "s": {"population": "digits", "recipe": "r", "design": {"name": "iid", "size": 500},
              "models": 8, "block": 4,
              "teacher": {"cohort": "t", "students": 1, "members_of": "teacher"}},
        "s2": {"population": "digits", "recipe": "r", "design": {"name": "half", "group": 8},
               "models": 8, "teacher": {"cohort": "u", "students": 1, "members_of": "teacher"}},
    },
    "attacks": {"lira_online": {}, "loss": {}, "attack_d": {}},
    "audits": {"a": {"target": "s", "attacks": ["lira_online", "loss"], "targets": 2}},
}  # fmt: skip


def with_audit(**keys):
    study = deepcopy(GIVEN)
    study["audits"]["a"] |= keys
    return study


def test_an_audit_of_students_is_one_of_their_teachers_members():
    settings = audit_jobs.score_settings(reading.read(GIVEN), "a", "loss")
    assert settings["design"] == "paired"
    assert settings["leave_one_out"]
    assert settings["per_target"] == {}
    drawn = jobs.membership_settings(reading.read(GIVEN), "s", "1")
    assert drawn["design"]["name"] == "iid"
    assert drawn["members_of"] == "t"
    assert "members_of" not in jobs.membership_settings(reading.read(GIVEN), "t", "0")
    other = audit_jobs.score_settings(reading.read(with_audit(shadow="s2")), "a", "loss")
    assert other["leave_one_out"]
    assert other["per_target"] == {}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"shadow": "t"}, "audits.a.shadow: the members of t are the targets' own"),
        ({"target": "t", "shadow": "s"}, "the members of s are the targets' own"),
        ({"target": "t", "shadow": "s", "attacks": ["attack_d"]}, "the targets' own"),
        ({"attacks": ["attack_d"]}, "attack_d needs a shadow cohort distilled from the targets"),
    ],
)
def test_who_knows_the_targets_members_is_no_shadow_model(keys, says):
    with pytest.raises(ValueError, match=says):
        reading.read(with_audit(**keys))


def test_of_a_teacher_there_is_one_student():
    study = deepcopy(GIVEN)
    study["cohorts"]["s"]["teacher"]["students"] = 2
    with pytest.raises(ValueError, match=r"cohorts.s.teacher.students: 2, .* one each"):
        reading.read(study)


@pytest.mark.parametrize("block", ["0", "1"])
def test_a_block_s_membership_is_of_its_own_teachers(tmp_path, block):
    study = reading.read(GIVEN)
    role = np.arange(600) % 3
    write_h5(tmp_path / "roles.h5", {"role": role.astype(np.uint8)}, {})
    study["cohorts"]["s"]["design"]["size"] = 100
    paths = {}
    for cohort, number in (("t", "0"), ("s", block)):
        paths[cohort] = tmp_path / f"{cohort}.h5"
        settings = jobs.membership_settings(study, cohort, number)
        more = {"teachers": [paths["t"]]} if cohort == "s" else {}
        draw_membership.main(
            roles=tmp_path / "roles.h5", membership=paths[cohort], settings=settings, **more
        )
    own, theirs = read_h5(paths["s"]), read_h5(paths["t"])
    first = 4 * int(block)
    assert np.array_equal(own["member"], theirs["member"][first : first + 4])
    assert own["trained"].any(axis=1).all()
    assert not (own["trained"] & (own["member"] | own["evaluated"])).any()
    assert not own["trained"][:, role != 0].any()
    assert attributes(paths["s"])["size"] == 50
    pool = np.flatnonzero(role == 0)
    drawn = iid.draw(pool, range(first, first + 4), Draws(0, "s", "digits"), size=100).member
    assert np.array_equal(own["trained"][:, pool], drawn & ~own["member"][:, pool])


def students(path, seed, gap=0.0, examples=300, models=32):
    """Signals of students that are asked about teachers' members; what they saw is well known."""
    draws = np.random.default_rng(seed)
    pool = np.arange(examples)
    theirs = half.draw(pool, range(models), Draws(seed, "t", "p"), group=models)
    drawn = half.draw(pool, range(models), Draws(seed, "s", "p"), group=models)
    (member, evaluated, _), trained = unseen(drawn, theirs)
    phi = draws.normal(size=member.shape) + draws.normal(size=examples)
    phi += gap * member + 6 * trained
    arrays = {"member": member, "evaluated": evaluated, "labels": pool % 2, "phi": phi[..., None]}
    write_h5(path, arrays, {})


def auc_deviations(path):
    """Return the target's AUC of LiRA, in deviations of what knows nothing."""
    signals = Signals([path])
    one = audits.audit(signals, signals, design="half", targets=3, seed=0, leave_one_out=True)
    options = {"queries": 1, "variance": "global", "location": "mean", "statistic": "logit",
               "preset": None}  # fmt: skip
    found = []
    for scores, member in zip(
        scoring.score(lira_online, options, one, 64), signals.member[:3], strict=True
    ):
        known = np.isfinite(scores)
        ranks = scores[known].argsort().argsort() + 1
        n, m = member[known].sum(), (~member[known]).sum()
        centred = ranks[member[known]].sum() - n * (n + m + 1) / 2
        found.append(centred / np.sqrt(n * m * (n + m + 1) / 12))
    return np.array(found)


def test_students_that_learned_nothing_of_the_members_give_nothing_away(tmp_path):
    """Neither what the others were trained on, nor of whom fewer can be asked, tells members."""
    found = []
    for seed in range(12):
        students(tmp_path / "s.h5", seed)
        found += auc_deviations(tmp_path / "s.h5").tolist()
    assert abs(np.sum(found) / np.sqrt(len(found))) < norm.ppf(0.999)
    assert np.std(found) < 1.5


def test_students_that_know_their_teachers_members_are_found_out(tmp_path):
    students(tmp_path / "s.h5", 0, gap=2.0)
    assert (auc_deviations(tmp_path / "s.h5") > 6).all()
