"""Designs: who trains on what, by counting; and that neither blocks nor extent decide it."""

from functools import partial
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miatlas.designs import (
    balanced,
    canaries,
    disjoint,
    half,
    iid,
    leave_one_out,
    paired,
    relations,
    role_assignment,
    six_way,
)
from miatlas.designs.base import Draws, Membership
from miatlas.designs.roles import HELD_OUT, POOL, ROLES, TEST

POOL_SIZE = 101
DESIGNS = {
    "half": partial(half.draw, group=8),
    "canaries": partial(canaries.draw, group=4),
    "paired": paired.draw,
    "iid": partial(iid.draw, size=30),
    "balanced": partial(balanced.draw, size=30),
    "target side": partial(disjoint.draw, side="target"),
    "shadow side": partial(disjoint.draw, side="shadow", size=20),
    "target of six": partial(six_way.draw, side="target"),
    "reference of six": partial(six_way.draw, side="reference"),
}
every_design = pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
SEED, SIZE = st.integers(0, 2**40), st.integers(10, 60)


def draws(seed=0, cohort="c", population="p"):
    return Draws(seed, cohort, population)


def pool(n=POOL_SIZE):
    return np.arange(n)


# What every design must do -------------------------------------------------------------------


@every_design
def test_a_row_depends_on_its_model_alone(design):
    whole = design(pool(), range(32), draws())
    longer = design(pool(), range(48), draws())
    blocks = [design(pool(), range(8 * b, 8 * b + 8), draws()) for b in range(4)]
    single = [design(pool(), [m], draws()) for m in range(32)]
    for name in ("member", "evaluated"):
        rows = getattr(whole, name)
        assert rows.shape == (32, POOL_SIZE)
        assert rows.dtype == bool
        for others in (blocks, single):
            assert (np.concatenate([getattr(o, name) for o in others]) == rows).all()
        assert (getattr(longer, name)[:32] == rows).all()
    assert {whole.size, longer.size} | {b.size for b in blocks + single} == {whole.size}


@every_design
def test_models_cohorts_and_seeds_differ(design):
    rows = design(pool(), range(16), draws()).member
    assert len(np.unique(rows, axis=0)) == 16
    assert (design(pool(), range(16), draws(seed=1)).member != rows).any(axis=1).all()
    other = design(pool(), range(16), draws(population="other", cohort="other")).member
    assert (other != rows).any(axis=1).all()


@every_design
def test_the_nominal_size_is_that_of_a_training_set(design):
    drawn = design(pool(), range(64), draws())
    sizes = drawn.member.sum(axis=1)
    assert abs(sizes.mean() - drawn.size) <= 0.05 * drawn.size


# half ----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(SEED, st.integers(1, 8), st.integers(1, 4), SIZE)
def test_half_is_in_exactly_half_of_every_group(seed, pairs, groups, n):
    group = 2 * pairs
    drawn = half.draw(pool(n), range(group * groups), draws(seed), group=group)
    assert (drawn.member.reshape(groups, group, n).sum(1) == group // 2).all()
    assert (drawn.member.sum(0) == group * groups // 2).all()
    assert drawn.evaluated.all()


GROUPED = {
    "half": half.draw,
    "canaries": canaries.draw,
    "balanced": partial(balanced.draw, size=30),
}


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("later", [[8, 6], [8, 8, 2], [8, 4, 12]])
def test_a_cohort_grows_by_groups_of_another_size(name, later):
    """The models that it began with stay as they are, and each group is balanced by itself."""
    draw, size = GROUPED[name], 100
    begun = draw(pool(size), range(8), draws(), group=8).member
    grown = draw(pool(size), range(sum(later)), draws(), group=later).member
    assert (grown[:8] == begun).all()
    first = 0
    for models in later:
        counts = grown[first : first + models].sum(0)
        exact = models * (30 / 100 if name == "balanced" else 1 / 2)
        assert set(counts) <= {int(np.floor(exact)), int(np.ceil(exact))}
        first += models
    for start in range(0, first, 2):  # in whatever blocks they are drawn
        part = draw(pool(size), range(start, start + 2), draws(), group=later).member
        assert (part == grown[start : start + 2]).all()
    on = draw(pool(size), range(first + later[-1]), draws(), group=later).member
    assert (on[:first] == grown).all()
    assert not (on[first:] == grown[first - later[-1] :]).all()


@pytest.mark.parametrize("group", [4, [4], [8, 4], [2, 6, 4], [3, 1]])
def test_groups_are_those_of_a_walk_along_the_models(group):
    sizes = group if isinstance(group, list) else [group]
    sizes = sizes + sizes[-1:] * 30
    starts = np.cumsum([0, *sizes]).tolist()
    for model in range(24):
        number = max(n for n, start in enumerate(starts) if start <= model)
        assert relations.group_at(group, model) == (number, starts[number], sizes[number])
        assert relations.whole_groups(group, model) == (model in starts)
        until = relations.groups_until(group, model)
        assert relations.group_at(until, model) == relations.group_at(group, model)
        own = range(starts[number], starts[number + 1])
        assert relations.drawn_with("half", group, model) == set(own)
    assert relations.groups_until([4, 4, 8], 7) == 4
    assert relations.groups_until([4, 4, 8], 8) == [4, 4, 8]
    assert relations.groups_until([4, 8], 30) == [4, 8, 8, 8, 8]


def test_half_chooses_every_half_of_a_group_equally_often():
    drawn = half.draw(pool(60000), range(4), draws(), group=4)
    patterns, counts = np.unique(drawn.member, axis=1, return_counts=True)
    assert patterns.shape == (4, 6)  # 4 over 2
    assert (((counts - 10000) ** 2 / 10000).sum()) < 25.7  # chi-square, 5 degrees, p = 1e-4


def test_groups_of_half_are_independent():
    rows = half.draw(pool(20000), range(8), draws(), group=4).member
    correlation = np.corrcoef(rows)
    assert np.abs(correlation[:4, 4:]).max() < 5 / np.sqrt(20000)
    np.testing.assert_allclose(correlation[:4, :4][~np.eye(4, dtype=bool)], -1 / 3, atol=0.04)


def test_canaries_are_drawn_as_half():
    one = canaries.draw(pool(), range(8), draws(), group=8)
    assert (one.member == half.draw(pool(), range(8), draws(), group=8).member).all()


# paired, iid ---------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(SEED, st.integers(1, 6), SIZE)
def test_pairs_are_complementary_halves(seed, pairs, n):
    member = paired.draw(pool(n), range(2 * pairs), draws(seed)).member
    assert (member[0::2] ^ member[1::2]).all()
    assert (member[0::2].sum(1) == n // 2).all()


def test_models_drawn_together_are_those_whose_members_tell_something():
    """Given all the others of its group, a model's members are known; given other groups, not."""
    member = half.draw(pool(4000), range(12), draws(1), group=4).member
    for m in range(4, 8):
        kin = relations.drawn_with("half", 4, m)
        assert kin == {4, 5, 6, 7}
        rest = member[sorted(kin - {m})].sum(axis=0)
        assert (member[m] == (rest == 1)).all()
        for other in set(range(12)) - kin:
            assert abs((member[m] == member[other]).mean() - 0.5) < 0.04
    assert relations.drawn_with("paired", None, 6) == {6, 7}
    assert relations.drawn_with("iid", None, 6) == {6}


def test_partners():
    assert [relations.partners("paired", m) for m in range(4)] == [{0, 1}, {0, 1}, {2, 3}, {2, 3}]
    assert relations.partners("half", 3) == {3}


@settings(max_examples=30, deadline=None)
@given(SEED, SIZE, st.floats(0.1, 1))
def test_iid_draws_its_size_without_replacement(seed, n, share):
    size = max(1, int(share * n))
    drawn = iid.draw(pool(n), range(5), draws(seed), size=size)
    assert (drawn.member.sum(1) == size).all()
    assert drawn.size == size


@given(SEED, SIZE, st.floats(0.05, 1), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_balanced_has_rows_of_one_size_and_columns_of_one_count(seed, n, share, group):
    size = max(1, round(share * n))
    member = balanced.draw(pool(n), range(2 * group), draws(seed), size=size, group=group).member
    assert (member.sum(1) == size).all()
    for rows in (member[:group], member[group:]):
        counts = rows.sum(0)
        assert set(counts) <= {group * size // n, -(-group * size // n)}


def test_balanced_draws_examples_equally_often_in_every_model_and_groups_by_themselves():
    member = balanced.draw(pool(60), range(3000), draws(), size=20, group=6).member
    by_place = member.reshape(-1, 6, 60).mean(0)
    assert abs(by_place - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 500)
    together = (member[0::6] & member[1::6]).sum(1).mean()
    assert abs(together - 60 * 1 / 3 * 1 / 5) < 1  # of 6 models 2 hold an example: 1 in 5 is next
    apart = (member[0:-6:6] & member[6::6]).sum(1).mean()
    assert abs(apart - 60 / 9) < 0.5


@pytest.mark.parametrize("design", [iid, balanced], ids=["iid", "balanced"])
def test_a_cohort_takes_the_size_and_the_examples_of_another(design):
    """Of a released model only some of the pool may be known as member or not."""
    known = np.arange(POOL_SIZE) % 4 > 0
    member = known & (np.arange(POOL_SIZE) % 3 == 0)
    like = Membership(member[None], known[None], int(member.sum()))
    drawn = design.draw(pool(), range(8), draws(), like, size_of="target")
    assert (drawn.member.sum(1) == member.sum()).all()
    assert not drawn.member[:, ~known].any()
    assert np.array_equal(drawn.evaluated, np.broadcast_to(known, (8, POOL_SIZE)))
    assert drawn.size == member.sum()
    assert (drawn.member[0] != drawn.member[1]).any()


def test_iid_draws_examples_equally_often_and_models_independently():
    member = iid.draw(pool(100), range(2000), draws(), size=30).member
    shares = member.mean(0)
    assert np.abs(shares - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 2000)
    overlap = (member[:-1] & member[1:]).sum(1).mean()
    assert abs(overlap - 9) < 5 * np.sqrt(100 * 0.09 / 2000)


# disjoint ------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SEED, SIZE, st.floats(0.2, 0.8))
def test_shadows_never_see_the_targets_side(seed, n, share):
    sides = {
        side: disjoint.draw(
            pool(n), range(6), draws(seed, cohort=side), side=side, target_share=share
        )
        for side in ("target", "shadow")
    }
    targets, shadows = sides["target"], sides["shadow"]
    assert not (targets.member.any(0) & shadows.member.any(0)).any()
    assert not (targets.evaluated.any(0) & shadows.member.any(0)).any()
    assert (targets.evaluated.all(0) != shadows.evaluated.all(0)).all()  # each side its own part
    assert (shadows.member <= shadows.evaluated).all()
    cut = round(share * n)
    assert (targets.evaluated.sum(1) == cut).all()
    assert (targets.member <= targets.evaluated).all()
    assert set(targets.member.sum(1)) == {cut // 2} == {targets.size}
    assert set(shadows.member.sum(1)) == {(n - cut) // 2} == {shadows.size}


def test_a_cohort_named_as_its_population_is_drawn_independently_of_the_cut():
    # Both used to come from one stream: model 0 then trained on what the cut put first.
    drawn = disjoint.draw(pool(4000), [0], draws(cohort="p"), side="target", size=1000)
    order = draws(cohort="p").shared("disjoint").permutation(4000)
    first = drawn.member[0, order[:1000]].sum()
    assert abs(first - 500) < 5 * np.sqrt(1000 * 0.25 * 0.5)


# six_way -------------------------------------------------------------------------------------

TABLE_1 = {  # shi2024: target train, held-out; shadow train, held-out; reference train
    "CIFAR-10": (12500, 12500, 7500, 7500, 10000),
    "CINIC-10": (22500, 22500, 13500, 13500, 18000),
    "Adult": (8140, 8140, 4884, 4884, 6513),
    "Credit": (200, 200, 120, 120, 160),
}


@pytest.mark.parametrize("sizes", TABLE_1.values(), ids=TABLE_1)
def test_the_six_way_parts_have_the_published_sizes(sizes):
    n = sum(sizes)
    parts = six_way.parts_of(n, draws(), 0, [0.25, 0.25, 0.15, 0.15, 0.2])
    assert np.abs(np.bincount(parts) - sizes).max() <= 1
    for side, part, judged in (("target", 0, [0, 1]), ("shadow", 2, [2, 3]), ("reference", 4, [])):
        drawn = six_way.draw(pool(n), [0], draws(cohort=side), side=side)
        assert (drawn.member[0] == (parts == part)).all()
        assert (drawn.evaluated[0] == np.isin(parts, judged)).all()


@settings(max_examples=30, deadline=None)
@given(SEED, st.integers(30, 200))
def test_the_sides_of_a_partition_are_disjoint_and_partitions_differ(seed, n):
    members = [
        six_way.draw(pool(n), range(3), draws(seed, cohort=side), side=side).member
        for side in ("target", "shadow", "reference")
    ]
    assert np.sum(members, axis=0).max() == 1
    assert (members[0][0] != members[0][1]).any()


def test_several_models_for_a_target_share_its_partition():
    targets = six_way.draw(pool(), range(3), draws(cohort="t"), side="target")
    shadows = six_way.draw(pool(), range(6), draws(), side="shadow", per_target=2)
    plain = six_way.draw(pool(), range(3), draws(), side="shadow")
    assert (shadows.member == plain.member.repeat(2, axis=0)).all()
    assert not (shadows.evaluated & targets.evaluated.repeat(2, axis=0)).any()


@pytest.mark.parametrize("fractions", [[0.5, 0.5], [0.3] * 5, [0.5, 0.5, 0.1, -0.1, 0.0]])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="six_way: fractions must be 5 positive shares"):
        six_way.draw(pool(), [0], draws(), side="target", fractions=fractions)


@pytest.mark.parametrize("share", [0.13, 0.16, 0.19, 0.22])
@given(SEED, st.integers(50, 3000))
def test_other_sides_keep_their_parts_where_one_divides_its_own_otherwise(share, seed, n):
    usual, other = ([0.25, 0.25, 0.15, 0.15, 0.2], [share, 0.5 - share, 0.15, 0.15, 0.2])
    before, after = (six_way.parts_of(n, draws(seed), 0, parts) for parts in (usual, other))
    assert (before[before > 1] == after[before > 1]).all()
    assert ((before <= 1) == (after <= 1)).all()
    assert abs((after == 0).sum() - share * n) <= 0.5 + 1e-6


def test_fractions_below_one_leave_a_rest_that_no_one_uses():
    parts = six_way.parts_of(100, draws(), 0, [0.1] * 5)
    assert np.bincount(parts).tolist() == [10] * 5 + [50]


# leave_one_out -------------------------------------------------------------------------------


def left_out(models, examples=6, seeds=2, seed=0):
    targets = half.draw(pool(), range(4), draws(seed, "targets"), group=4)
    drawn = leave_one_out.draw(
        pool(), models, draws(seed), targets, of="targets", examples=examples, seeds=seeds
    )
    return targets, drawn


def test_each_member_is_left_out_by_as_many_models_as_judge_every_other():
    targets, drawn = left_out(range(16))  # two targets of (3 members + 1) x 2 seeds
    for target in (0, 1):
        own = slice(8 * target, 8 * target + 8)
        trained, about = drawn.member[own], drawn.evaluated[own]
        judged = np.flatnonzero(about.any(axis=0))
        assert len(judged) == 6
        assert targets.member[target, judged].sum() == 3
        for example in judged:
            speaks = about[:, example]
            assert speaks.sum() == 2
            # a model that speaks about an example holds the target's set without it
            expected = targets.member[target] & (np.arange(POOL_SIZE) != example)
            assert (trained[speaks] == expected).all()


def test_leaving_one_out_does_not_depend_on_the_block():
    _, whole = left_out(range(16))
    for m in range(16):
        _, single = left_out([m])
        assert (single.member[0] == whole.member[m]).all()
        assert (single.evaluated[0] == whole.evaluated[m]).all()
        assert single.size == whole.size == POOL_SIZE // 2


def test_more_examples_than_members_are_refused():
    with pytest.raises(ValueError, match="leave_one_out: of target 0, examples is 60, but"):
        left_out([0], examples=120)


@pytest.mark.parametrize(
    ("entry", "models"),
    [
        ({"design": {"name": "half", "group": 4}}, None),
        ({"design": {"name": "iid", "size": 5}, "teacher": {"cohort": "x", "students": 3}}, 3),
        ({"design": {"name": "leave_one_out", "of": "x", "examples": 6, "seeds": 2}}, 8),
        ({"design": {"name": "six_way", "side": "shadow", "per_target": 2}}, 2),
        ({"signals": "mine.h5"}, None),
    ],
)
def test_how_many_models_are_made_for_each_target(entry, models):
    assert relations.made_for_each_target(entry) == models


# Roles ---------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(SEED, SIZE, st.floats(0, 0.4), st.floats(0, 0.4))
def test_roles_are_counted_out_of_what_is_not_the_test_set(seed, n, held_out, test):
    official = np.arange(n) % 5 == 0
    role = role_assignment.assign(official, draws(seed), held_out=held_out, test_fraction=test)
    rest = (~official).sum()
    assert (role[official] == TEST).all()
    assert (role == HELD_OUT).sum() == round(held_out * rest)
    assert (role[~official] == TEST).sum() == round(test * rest)
    same = role_assignment.assign(official, draws(seed, "x"), held_out=held_out, test_fraction=test)
    assert (role == same).all()  # for every cohort of the population


def test_roles_are_drawn_and_named():
    official = np.zeros(10000, bool)
    role = role_assignment.assign(official, draws(), held_out=0.3, test_fraction=0.2)
    assert abs(np.flatnonzero(role == HELD_OUT).mean() - 5000) < 5 * 10000 / np.sqrt(12 * 3000)
    assert ROLES == {"pool": POOL, "held_out": HELD_OUT, "test": TEST}
    assert set(role) == set(ROLES.values())
    with pytest.raises(ValueError, match=r"held_out 0\.5 and test 0\.5 leave no example"):
        role_assignment.assign(official, draws(), held_out=0.5, test_fraction=0.5)


# Complaints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (partial(iid.draw, size=102), "iid: size is 102, but 101 examples are there"),
        (
            partial(disjoint.draw, side="target", size=51),
            "disjoint: size of side target is 51, but 50 examples are there",
        ),
        (
            partial(disjoint.draw, side="shadow", target_share=1.0),
            "disjoint: size of side shadow is 0, but 0 examples are there",
        ),
    ],
)
def test_more_examples_than_there_are_are_refused(design, message):
    with pytest.raises(ValueError, match=message):
        design(pool(), [0], draws())


@pytest.mark.parametrize(
    ("name", "options", "models", "wrong"),
    [
        ("half", {"group": 16}, 32, None), ("half", {"group": 16}, 24, "not whole groups of 16"),
        ("half", {"group": 256}, 264, ": 256 or 512 models are; group: [256, 8] keeps the first"),
        ("half", {"group": 16}, 56, "; group: [16, 16, 16, 8] keeps the first 48 and draws 8 more"),
        ("half", {"group": 16}, 172, ": 160 or 176 models are; groups of 4 fit, and draw all"),
        ("half", {"group": [16, 8]}, 28, "groups of 16 and 8 (design.group): 24 or 32"),
        ("half", {"group": [16, 8]}, 40, None), ("half", {"group": [16, 7]}, 23, "of 7 have no"),
        ("half", {"group": []}, 4, "design.group: names no size"),
        ("half", {"group": 16}, 8, ": 16 models are; groups of 8 fit"),
        ("half", {"group": 16}, 7, "groups of 16 (design.group): 16 models are"),
        ("balanced", {"size": 3, "group": 8}, 9, ": 8 or 16 models are; group: [8, 1] keeps"),
        ("half", {"group": 3}, 9, "group: an even number"),
        ("canaries", {"group": 4}, 6, "groups of 4"),
        ("paired", {}, 8, None), ("paired", {}, 7, "7 models are not pairs"),
        ("iid", {"size": 3}, 7, None), ("six_way", {"side": "target", "per_target": 1}, 1, None),
        ("balanced", {"size": 3, "group": 8}, 16, None),
        ("balanced", {"size_of": "x", "group": 8}, 12, "12 models are not whole groups of 8"),
        ("iid", {}, 7, "either a size, or size_of"),
        ("balanced", {"size": 3, "size_of": "x", "group": 8}, 8, "either a size, or size_of"),
        ("six_way", {"side": "shadow", "per_target": 3}, 7, "not whole targets of 3"),
        ("leave_one_out", {"of": "x", "examples": 6, "seeds": 2}, 16, None),
        ("leave_one_out", {"of": "x", "examples": 6, "seeds": 2}, 12, "whole targets of"),
        ("leave_one_out", {"of": "x", "examples": 5, "seeds": 2}, 6, "5 examples are not half"),
    ],
)  # fmt: skip
def test_numbers_of_models_that_a_design_cannot_have(name, options, models, wrong):
    complaint = import_module(f"miatlas.designs.{name}").complaint(models, options)
    assert complaint is None if wrong is None else wrong in complaint
