"""Attacks run on signals files: slices, targets, references, and what must not leak into scores."""

import json
import re
import tracemalloc
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import h5py
import measure_leakage
import numpy as np
import pytest
import score_attack
from scipy.stats import mannwhitneyu, norm

from miatlas import options
from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.audits.attack import Attack, reads
from miatlas.designs import disjoint, half, paired
from miatlas.designs.base import Draws
from miatlas.designs.roles import HELD_OUT, POOL, TEST
from miatlas.running.store import by_example, new_h5, read_h5, write_h5
from miatlas.signals import answers as answered
from miatlas.signals.answers import Signals
from miatlas.signals.statistics import logit_scaled_confidence
from miatlas.study import audit_jobs, reading
from miatlas.study.checking import checked

CASES = [
    ("loss", {}), ("hinge", {}), ("entropy", {}), ("lira_online", {}),
    ("lira_online", {"variance": "global", "queries": 1}), ("lira_online", {"statistic": "hinge"}),
    ("lira_online", {"preset": "tf_privacy_2021", "variance": "global"}),
    ("lira_offline", {}), ("lira_offline", {"variance": "global", "location": "median"}),
    ("sablayrolles", {}), ("watson", {}), ("class_threshold", {}), ("song_mittal", {}),
    ("shokri", {"classifier": "linear"}), ("salem", {"classifier": "linear"}),
    ("attack_s", {}), ("attack_r", {}), ("rmia", {"population": "all", "mode": "offline"}),
    ("moderated_lira", {}),
]  # fmt: skip
every_attack = pytest.mark.parametrize(("name", "given"), CASES)


def write(path, member, signal=0.0, queries=2, classes=4, seed=0, evaluated=None, role=None):
    """Write signals of noise, raised by `signal` at the true label where a model was trained."""
    rng = np.random.default_rng(seed)
    labels = np.arange(member.shape[1]) % classes
    logits = rng.normal(size=(*member.shape, queries, classes))
    logits += rng.normal(size=(1, member.shape[1], 1, 1))
    logits += signal * member[:, :, None, None] * np.eye(classes)[labels][None, :, None]
    phi = logit_scaled_confidence(logits, labels[:, None]).astype(np.float32)
    arrays = {"member": member, "labels": labels, "phi": phi, "logits": logits[:, :, 0]}
    extra = {"evaluated": evaluated, "role": role}
    extra = {name: array for name, array in extra.items() if array is not None}
    chunks = {"phi": (len(member), 64, queries), "logits": (len(member), 64, classes)}
    write_h5(path, arrays | extra, {}, chunks)


def halves(models=16, examples=300, seed=0):
    draws = Draws(seed, "c", "p")
    return half.draw(np.arange(examples), range(models), draws, group=models).member


def run(name, given, target, shadow=None, memory_mb=64, design="half", targets=3, **keys):
    module = import_module(f"miatlas.attacks.{name}")
    declared = options.declared(Path(module.__file__), "score")
    of_target = Signals(target)
    of_shadow = of_target if shadow is None else Signals(shadow)
    audit = audits.audit(of_target, of_shadow, design=design, targets=targets, seed=0, **keys)
    return scoring.score(module, checked(given, declared, name), audit, memory_mb)


def attack(*read, score, **more):
    """A module with an attack that reads these."""
    said = {"title": "It", "authors": "nobody", "year": 2026, "source": "this test"}
    return SimpleNamespace(ATTACK=Attack(**said, score=[reads(*read)], **more), score=score)


def recorded(target, shadow=None, design="half", memory_mb=64, targets=2, **keys):
    """Return what an attack is given, for each call: (refs_phi, refs_in, refs_out, target_phi)."""
    calls = []

    def score(target_phi, refs_phi, refs_in, refs_out, *, queries):
        calls.append((refs_phi, refs_in, refs_out, target_phi))
        return target_phi[:, 0]

    own = attack("target_phi", "refs_phi", "refs_in", "refs_out", score=score)

    of_target = Signals(target)
    of_shadow = of_target if shadow is None else Signals(shadow)
    audit = audits.audit(of_target, of_shadow, design=design, targets=targets, seed=0, **keys)
    scores = scoring.score(own, {"queries": None}, audit, memory_mb)
    return scores, calls, audit


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Signals of a few examples, for slices of one each, and of more."""
    paths = {n: tmp_path_factory.mktemp("signals") / "half.h5" for n in (100, 300)}
    for examples, path in paths.items():
        write(path, halves(examples=examples), signal=1.0)
    return {examples: [path] for examples, path in paths.items()}


@pytest.fixture
def file(files):
    return files[300]


# Slices and targets --------------------------------------------------------------------------


@every_attack
@pytest.mark.parametrize(("examples", "memory_mb"), [(100, 1e-9), (300, 0.08)])
def test_slices_give_what_one_piece_gives(files, name, given, examples, memory_mb):
    file = files[examples]
    whole = run(name, given, file)
    assert whole.shape == (3, examples)
    np.testing.assert_allclose(run(name, given, file, memory_mb=memory_mb), whole, rtol=1e-9)


def test_the_slices_are_small_where_memory_is(file):
    _, calls, _ = recorded(file, memory_mb=0.08, targets=1)
    sizes = [len(phi) for *_, phi in calls]
    assert sum(sizes) == 300
    assert len(sizes) > 5
    assert max(sizes) * 16 * 2 * 48 <= 0.08 * 2**20


@every_attack
def test_a_target_is_scored_the_same_in_any_company(file, name, given):
    np.testing.assert_array_equal(run(name, given, file, targets=1), run(name, given, file)[:1])


@every_attack
def test_blocks_of_files_do_not_matter(file, tmp_path, name, given):
    cohort = Signals(file)
    paths = [tmp_path / "0.h5", tmp_path / "1.h5"]
    for path, rows in zip(paths, (slice(0, 4), slice(4, 16)), strict=True):
        arrays = {n: cohort.read(n, slice(0, 300))[rows] for n in ("phi", "logits")}
        write_h5(path, arrays | {"member": cohort.member[rows], "labels": cohort.labels}, {})
    np.testing.assert_array_equal(run(name, given, paths), run(name, given, file))


# Bytes of a further example: of none but a slice that is a little fuller; 15 OUT references of four
# bytes each, in a list that is a ninth longer than it need be, and a class of them sorted; two
# ratios while a third is made, and the mask of those that are there.
KEPT = [("lira_online", {"variance": "global"}, 4), ("rmia", {}, 4), ("loss", {}, 4),
        ("attack_s", {}, 15 * 4 * 9 / 8 + 15), ("rmia", {"population": "all"}, 26)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given", "kept"), KEPT)
def test_memory_follows_the_setting_and_not_the_number_of_examples(
    tmp_path, monkeypatch, name, given, kept
):
    monkeypatch.setattr(answered, "PART", 1000)
    module, peaks = import_module(f"miatlas.attacks.{name}"), {}
    declared = options.declared(Path(module.__file__), "score")
    chosen = checked(given, declared, name)
    for examples in (20000, 60000):
        role = (np.arange(examples) < 100).astype(np.uint8)
        write(tmp_path / "s.h5", halves(32, examples) & (role == 0), queries=1, role=role)
        tracemalloc.start()
        signals = Signals([tmp_path / "s.h5"])
        audit = audits.audit(signals, signals, design="half", targets=2, seed=0)
        with new_h5(tmp_path / "scores.h5", {}) as file:
            scores = by_example(file, "scores", (2, examples), float, np.nan)
            scoring.score(module, chosen, audit, 4, scores)
        peaks[examples] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[60000] - peaks[20000] < 40000 * kept
    assert peaks[60000] < 4 * 2**20 + 60000 * kept


@every_attack
def test_scores_come_into_a_file_as_into_memory(file, tmp_path, name, given):
    module = import_module(f"miatlas.attacks.{name}")
    declared = options.declared(Path(module.__file__), "score")
    chosen = checked(given, declared, name)
    signals = Signals(file)
    audit = audits.audit(signals, signals, design="half", targets=3, seed=0)
    with new_h5(tmp_path / "scores.h5", {}) as opened:
        scores = by_example(opened, "scores", (3, 300), float, np.nan)
        scoring.score(module, chosen, audit, 0.08, scores)
    found = read_h5(tmp_path / "scores.h5")["scores"]
    np.testing.assert_array_equal(found, run(name, given, file, memory_mb=0.08))


PASSES = [  # over the slices of the references' answers, for 3 targets
    ("loss", {}, 1), ("lira_online", {}, 1), ("lira_online", {"variance": "global"}, 2),
    ("lira_offline", {"preset": "tf_privacy_2021"}, 2), ("class_threshold", {}, 2),
    ("rmia", {"temperature": 1.0}, 1), ("rmia", {"temperature": 1.0, "population": "all"}, 3),
    ("attack_s", {}, 6),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "passes"), PASSES)
def test_targets_share_each_pass_over_the_signals_where_their_fits_are_small(
    tmp_path, monkeypatch, name, given, passes
):
    role = np.where(np.arange(300) < 20, 1, 0).astype(np.uint8)
    write(tmp_path / "s.h5", halves() & (role == 0), signal=1.0, role=role)
    times, read = np.zeros(300, int), Signals.read  # that each example's answers are read

    def counted(self, array, examples, last=None):
        times[examples] += array == "phi"
        return read(self, array, examples, last)

    monkeypatch.setattr(Signals, "read", counted)
    run(name, given, [tmp_path / "s.h5"], memory_mb=0.08)
    behind = times[100:]  # the held-out examples, and the slices that they are read with
    assert set(behind) == {passes}


@pytest.mark.parametrize(
    ("memory_mb", "least", "most"), [(64, 1, 1), (0.08, 1.2, 1.8), (1e-9, 2, 2)]
)
def test_what_fit_and_score_both_need_is_made_once_as_far_as_memory_keeps_it(
    file, monkeypatch, memory_mb, least, most
):
    plain, made = run("moderated_lira", {}, file), []
    own = import_module("miatlas.attacks.moderated_lira")
    derive = own.derive
    monkeypatch.setattr(
        own, "derive", lambda piece, **o: made.append(piece.refs_in.shape[1]) or derive(piece, **o)
    )
    found = run("moderated_lira", {}, file, memory_mb=memory_mb)
    np.testing.assert_allclose(found, plain, rtol=1e-9)
    assert least <= sum(made) / (3 * 300) <= most


@pytest.mark.parametrize("memory_mb", [64, 0.01])
def test_held_out_answers_are_those_of_the_held_out_examples(tmp_path, memory_mb):
    role = np.where(np.random.default_rng(2).random(300) < 0.2, 1, 0).astype(np.uint8)
    write(tmp_path / "s.h5", halves() & (role == 0), signal=1.0, role=role)
    cohort, calls = Signals([tmp_path / "s.h5"]), []

    read = ("target_phi", "target_held_out_phi", "refs_held_out_phi", "held_out_labels", "examples")

    def score(target_phi, target_held_out_phi, refs_held_out_phi, held_out_labels, examples):
        calls.append((target_held_out_phi, refs_held_out_phi, held_out_labels, examples))
        return target_phi[:, 0]

    audit = audits.audit(cohort, cohort, design="half", targets=2, seed=0)
    scoring.score(attack(*read, score=score), {}, audit, memory_mb)
    phi = cohort.read("phi", slice(0, 300))[..., :1]
    for target in range(2):
        own = calls[target::2]  # the targets take turns, slice by slice
        np.testing.assert_array_equal(
            np.concatenate([c[3] for c in own]), np.flatnonzero(role == 0)
        )
        for of_target, of_refs, labels, _ in own:
            np.testing.assert_array_equal(of_target, phi[target, role == 1])
            refs = np.delete(phi, target, axis=0)[:, role == 1]
            np.testing.assert_array_equal(of_refs, refs)
            np.testing.assert_array_equal(labels, cohort.labels[role == 1])


def test_an_attack_that_needs_held_out_examples_is_refused_without(file):
    with pytest.raises(ValueError, match=r"half\.h5: has no held-out examples"):
        run("attack_p", {}, file)


def test_only_evaluated_examples_are_scored(tmp_path):
    evaluated = np.random.default_rng(1).random((16, 300)) < 0.4
    write(tmp_path / "s.h5", halves(), signal=1.0, evaluated=evaluated)
    scores = run("lira_online", {"variance": "global"}, [tmp_path / "s.h5"], memory_mb=0.05)
    assert (np.isfinite(scores) == evaluated[:3]).all()


@every_attack
def test_what_test_examples_answer_to_any_query_scores_nobody(tmp_path, name, given):
    role = np.array([POOL, TEST, POOL, HELD_OUT, POOL])[np.arange(300) % 5].astype(np.uint8)
    scores = []
    for file in (tmp_path / "asked.h5", tmp_path / "not.h5"):
        write(file, halves() & (role == POOL), signal=1.0, role=role)
        if scores:
            with h5py.File(file, "r+") as of:
                for answers in (of["phi"], of["logits"]):
                    answers[:, role == TEST] = 1e6 * np.ones_like(answers[:, role == TEST])
        scores.append(run(name, given, [file], memory_mb=0.08))
    assert (np.isfinite(scores[0]) == (role == POOL)).all()
    np.testing.assert_array_equal(*scores)


def test_what_an_example_is_compared_with_does_not_depend_on_who_else_is_evaluated(tmp_path):
    evaluated = np.random.default_rng(1).random((16, 300)) < 0.4
    write(tmp_path / "some.h5", halves(), signal=1.0, evaluated=evaluated)
    write(tmp_path / "all.h5", halves(), signal=1.0)
    for memory_mb in (64, 0.08):
        keys = {"references": 6, "targets": 1, "memory_mb": memory_mb}
        _, some, _ = recorded([tmp_path / "some.h5"], **keys)
        _, everyone, _ = recorded([tmp_path / "all.h5"], **keys)
        for i, axis in enumerate((1, 1, 1, 0)):
            part, whole = (
                np.concatenate([c[i] for c in calls], axis) for calls in (some, everyone)
            )
            where = evaluated[0] if axis == 0 else (slice(None), evaluated[0])
            np.testing.assert_array_equal(part, whole[where])


# References ----------------------------------------------------------------------------------


def test_references_are_all_models_but_the_target_in_equal_numbers(file):
    scores, calls, audit = recorded(file)
    phi = audit.shadow.read("phi", slice(0, 300))
    for target, (refs, refs_in, refs_out, own) in enumerate(calls):
        others = [m for m in range(16) if m != target]
        np.testing.assert_array_equal(refs, phi[others])
        np.testing.assert_array_equal(own, phi[target])
        np.testing.assert_array_equal(scores[target], phi[target, :, 0])
        member = audit.shadow.member[others]
        assert (refs_in <= member).all()
        assert (refs_out <= ~member).all()
        assert set(refs_in.sum(0)) == set(refs_out.sum(0)) == {7}  # 8 of 16, less the target


def test_a_pair_is_never_a_reference_of_its_target(tmp_path):
    draws = Draws(0, "c", "p")
    member = paired.draw(np.arange(300), range(16), draws).member
    write(tmp_path / "s.h5", member)
    _, calls, audit = recorded([tmp_path / "s.h5"], design="paired", targets=5)
    phi = audit.shadow.read("phi", slice(0, 300))
    for target, (refs, *_) in enumerate(calls):
        partner = target + 1 if target % 2 == 0 else target - 1
        others = [m for m in range(16) if m not in (target, partner)]
        np.testing.assert_array_equal(refs, phi[others])


def test_nor_is_it_of_models_that_other_software_trained_in_pairs(tmp_path):
    """From the study to the scores: what the target's partner answers has no part in them."""
    file = tmp_path / "mine.h5"
    write(file, paired.draw(np.arange(200), range(8), Draws(0, "c", "p")).member)
    arrays = read_h5(file)
    arrays["phi"][1] += np.random.default_rng(1).normal(size=arrays["phi"][1].shape)
    write_h5(tmp_path / "partner.h5", arrays, {}, {})

    def scores(signals, **keys):
        cohort = {"signals": str(signals), **keys}
        audit = {"target": "mine", "attacks": ["lira_online"], "targets": 1}
        given = reading.read({"study": "s", "cohorts": {"mine": cohort}, "audits": {"mine": audit},
                            "attacks": {"lira_online": {"variance": "global"}}})  # fmt: skip
        sides = ("target", "shadow", "reference", "target_probes", "shadow_probes")
        answers = {side: [signals] if side in ("target", "shadow") else [] for side in sides}
        path = tmp_path / "scores.h5"
        score_attack.main(
            answers=answers,
            scores=path,
            settings=audit_jobs.score_settings(given, "mine", "lira_online"),
        )
        return read_h5(path)["scores"]

    partner = tmp_path / "partner.h5"
    np.testing.assert_array_equal(scores(partner, paired=True), scores(file, paired=True))
    assert (scores(partner) == scores(file)).mean() < 0.5  # undeclared, it is a reference


def filed(path, target, shadow, label="lira_online", **stand_ins):
    """Write the scores of an audit of two cohorts, as the workflow does; return the file's own."""
    audit = {"target": "mine", "shadow": "beside", "attacks": [label]}
    cohorts = {"mine": {"signals": str(target)}, "beside": {"signals": str(shadow)}}
    given = reading.read({"study": "s", "cohorts": cohorts, "audits": {"mine": audit},
                          "attacks": {"lira_online": {"variance": "global"}, "loss": {}},
                          })  # fmt: skip
    answers = {f"{side}{kind}": [] for side in ("target", "shadow", "reference")
               for kind in ("", "_probes")}  # fmt: skip
    answers |= {"target": [target], "shadow": [shadow]}
    settings = audit_jobs.score_settings(given, "mine", label)
    if stand_ins:
        settings["stand_ins"] = stand_ins
    score_attack.main(answers=answers, scores=path, settings=settings)
    return read_h5(path)


def test_shadow_models_stand_in_for_a_single_target_as_targets_of_their_own(file, tmp_path):
    write(tmp_path / "one.h5", halves(seed=5)[:1], signal=1.0, seed=9)
    found = filed(tmp_path / "scores.h5", tmp_path / "one.h5", file[0])
    expected = run("lira_online", {"variance": "global"}, file, design="", targets=10)
    np.testing.assert_array_equal(found["stand_in_scores"], expected)
    np.testing.assert_array_equal(found["stand_in_member"], Signals(file).member[:10])
    assert found["stand_in_evaluated"].all()
    alone = run("lira_online", {"variance": "global"}, [tmp_path / "one.h5"], file, targets=1)
    np.testing.assert_array_equal(found["scores"], alone)
    result = measured(tmp_path / "scores.h5")
    assert result["thresholds_from"]["models"] == "shadow models"
    assert result["thresholds_from"]["count"] == 10


def test_nothing_stands_in_for_several_targets(file, tmp_path):
    write(tmp_path / "two.h5", halves(seed=5)[:2], signal=1.0, seed=9)
    found = filed(tmp_path / "scores.h5", tmp_path / "two.h5", file[0])
    assert set(found) == {"scores", "member", "evaluated", "targets"}
    assert measured(tmp_path / "scores.h5")["thresholds_from"]["models"] == "other targets"


def test_too_few_shadow_models_leave_an_audit_without_transferred_rates(tmp_path):
    """Of four, a member's is left one IN reference, which has no variance."""
    write(tmp_path / "one.h5", halves(seed=5)[:1], signal=1.0, seed=9)
    write(tmp_path / "shadow.h5", halves(4), signal=1.0)
    found = filed(tmp_path / "scores.h5", tmp_path / "one.h5", tmp_path / "shadow.h5")
    assert set(found) == {"scores", "member", "evaluated", "targets"}
    result = measured(tmp_path / "scores.h5")
    assert "cannot stand in for it (a global variance needs" in result["not_transferred"]
    assert result["targets"][0]["transferred"] is None
    other = filed(tmp_path / "loss.h5", tmp_path / "one.h5", tmp_path / "shadow.h5", "loss",
                  **{"not": "because"})  # fmt: skip
    assert "stand_in_scores" not in other
    assert measured(tmp_path / "loss.h5")["not_transferred"].endswith("(because)")


def measured(scores):
    metrics = scores.with_suffix(".json")
    settings = {"audit": "mine", "label": "it", "delta": 1e-5}
    curves = scores.with_suffix(".csv")
    measure_leakage.main(scores=scores, metrics=metrics, curves=curves, settings=settings)
    return json.loads(metrics.read_text())


def test_another_cohort_lends_all_its_models(file, tmp_path):
    write(tmp_path / "shadow.h5", halves(8, seed=5), signal=1.0, seed=9)
    _, calls, audit = recorded(file, [tmp_path / "shadow.h5"])
    for target, (refs, refs_in, refs_out, own) in enumerate(calls):
        np.testing.assert_array_equal(refs, audit.shadow.read("phi", slice(0, 300)))
        np.testing.assert_array_equal(own, audit.target.read("phi", slice(0, 300))[target])
        assert set(refs_in.sum(0)) == set(refs_out.sum(0)) == {4}


def test_references_of_a_disjoint_cohort_are_all_out(tmp_path):
    draws = {side: Draws(0, side, "p") for side in ("target", "shadow")}
    for side, models in (("target", 2), ("shadow", 6)):
        drawn = disjoint.draw(np.arange(300), range(models), draws[side], side=side)
        write(tmp_path / f"{side}.h5", drawn.member, 1.0, seed=models, evaluated=drawn.evaluated)
    files = [tmp_path / "target.h5"], [tmp_path / "shadow.h5"]
    scores = run("lira_offline", {}, *files, design="disjoint", targets=2)
    assert np.isfinite(scores).sum(1).tolist() == [150, 150]
    with pytest.raises(ValueError, match="0 IN and"):
        run("lira_online", {}, *files, design="disjoint", targets=2)


@pytest.mark.parametrize(("wanted", "kept"), [(4, 2), (14, 7)])
def test_fewer_references_when_asked_for(file, wanted, kept):
    _, calls, _ = recorded(file, references=wanted)
    assert {n for _, refs_in, refs_out, _ in calls for n in refs_in.sum(0)} == {kept}


def test_what_cannot_be_is_refused(file, tmp_path):
    with pytest.raises(ValueError, match="17 targets, but the target cohort has 16 models"):
        run("loss", {}, file, targets=17)
    with pytest.raises(ValueError, match=r"half\.h5: 3 queries are wanted, but there are 2"):
        run("lira_online", {"queries": 3}, file)
    with pytest.raises(ValueError, match="16 references were asked for"):
        run("lira_online", {}, file, references=16)
    write(tmp_path / "more.h5", halves(8, 301))
    with pytest.raises(ValueError, match=r"half\.h5 and .*more\.h5: their examples' labels differ"):
        run("lira_online", {}, file, [tmp_path / "more.h5"])


WRONG = {
    "float64 of shape (300, 1), expected a number for each of 300 examples": lambda x: x[:, :1],
    "float64 of shape (), expected a number": lambda x: x.mean(),
    "<U3 of shape (300,), expected a number": lambda x: x[:, 0].astype("U3"),
    "300 of 300 scores are not finite, e.g. nan": lambda x: x[:, 0] * np.nan,
    "1 of 300 scores are not finite, e.g. inf": lambda x: np.append(x[1:, 0], np.inf),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_no_score_for_each_example_is_refused_with_the_attack(file, words):
    def score(target_phi):
        return WRONG[words](target_phi.astype(float))

    signals = Signals(file)
    audit = audits.audit(signals, signals, design="half", targets=2, seed=0)
    with pytest.raises(ValueError, match=f"^attack test_scoring: .*{re.escape(words)}"):
        scoring.score(attack("target_phi", score=score), {}, audit, 64)


@pytest.mark.parametrize(("known", "lacking"), [(False, "members"), (True, "non-members")])
def test_a_target_without_both_kinds_is_refused_before_anything_is_scored(tmp_path, known, lacking):
    member, evaluated = halves(), np.ones((16, 300), bool)
    evaluated[1] = member[1] == known
    write(tmp_path / "s.h5", member, evaluated=evaluated)
    assert run("loss", {}, [tmp_path / "s.h5"], targets=1).shape == (1, 300)
    words = f"member, model 1, a target, has no {lacking} among the examples that count"
    with pytest.raises(ValueError, match=rf"s\.h5: by its array {words}"):
        run("loss", {}, [tmp_path / "s.h5"], targets=2)


def test_shadow_models_may_know_no_example(file, tmp_path):
    write(tmp_path / "out.h5", np.zeros((6, 300), bool))
    assert np.isfinite(run("lira_offline", {}, file, [tmp_path / "out.h5"], design="")).all()


def test_ten_targets_by_default_or_all(file, tmp_path):
    assert run("loss", {}, file, targets=None).shape == (10, 300)
    write(tmp_path / "few.h5", halves(4))
    assert run("loss", {}, [tmp_path / "few.h5"], targets=None).shape == (4, 300)


# The public script of 2021 ---------------------------------------------------------------------


def by_the_public_script(phi, member, target, online, fixed):
    """The script's score of one model by all others, example by example: higher = member."""
    others = [m for m in range(len(phi)) if m != target]
    lists = {
        kind: [[phi[m, i] for m in others if member[m, i] == kind] for i in range(phi.shape[1])]
        for kind in (True, False)
    }
    cut = {kind: [x[: min(map(len, every))] for x in every] for kind, every in lists.items()}
    spread = {kind: np.std(np.array(cut[kind])) for kind in cut}

    def log_density(i, kind):
        s = spread[True if online else kind] if fixed else np.std(cut[kind][i], axis=0)
        return norm.logpdf(phi[target, i], np.median(cut[kind][i], axis=0), s + 1e-30)

    return [
        (log_density(i, True) * online - log_density(i, False)).mean() for i in range(phi.shape[1])
    ]


@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("variance", ["per_example", "global"])
@pytest.mark.parametrize("design", ["half", "iid"])
def test_the_preset_scores_files_as_the_public_script_does(tmp_path, design, variance, online):
    """Which models are left out counts: all but the target, and the last where lists are longer."""
    keys = {"group": 16} if design == "half" else {"size": 120}
    drawn = import_module(f"miatlas.designs.{design}").draw
    member = drawn(np.arange(200), range(16), Draws(0, "c", "p"), **keys).member
    write(tmp_path / "s.h5", member, 1.0)
    options = {"preset": "tf_privacy_2021", "variance": variance}
    name = "lira_online" if online else "lira_offline"
    found = run(name, options, [tmp_path / "s.h5"], design=design, targets=16, memory_mb=0.05)
    phi = Signals([tmp_path / "s.h5"]).read("phi", slice(0, 200)).astype(np.float64)
    for target in (0, 7, 15):  # the script's own target is the last
        expected = by_the_public_script(phi, member, target, online, variance == "global")
        np.testing.assert_allclose(found[target], expected, rtol=1e-9, atol=1e-9)


# Leaks ---------------------------------------------------------------------------------------


@every_attack
@pytest.mark.parametrize("design", ["half", "paired"])
def test_noise_reveals_nothing_and_a_signal_much(tmp_path, name, given, design):
    draws, pool = Draws(0, "c", "p"), np.arange(1500)
    more = {"group": 16} if design == "half" else {}
    member = import_module(f"miatlas.designs.{design}").draw(pool, range(16), draws, **more).member
    areas = {}
    for signal in (0.0, 4.0):
        write(tmp_path / "s.h5", member, signal, seed=7)
        scores = run(name, given, [tmp_path / "s.h5"], design=design, targets=8)
        areas[signal] = [
            mannwhitneyu(s[m], s[~m]).statistic / m.sum() / (~m).sum()
            for s, m in zip(scores, member, strict=False)
        ]
    deviation = np.sqrt(1 / 12 * 2 * 2 / 1500)  # of one AUC on noise: sqrt((n+1)/(12 n0 n1))
    assert np.abs(np.array(areas[0.0]) - 0.5).max() < 4.5 * deviation
    assert abs(np.mean(areas[0.0]) - 0.5) < 4 * deviation / np.sqrt(8)
    assert np.mean(areas[4.0]) > 0.7


@pytest.mark.parametrize("memory_mb", [64, 0.001])
@pytest.mark.parametrize(
    ("inside", "name", "words"),
    [
        (False, "lira_online", r"0 IN and \d+ OUT for target 0 .evaluated 0 leaves .* no IN"),
        (
            True,
            "lira_online",
            r"\d+ IN and 0 OUT for target 0 .evaluated 0 leaves an example out.$",
        ),
        (
            True,
            "lira_offline",
            r"\d+ IN and 0 OUT for target 0 .evaluated 0 leaves an example out.$",
        ),
    ],
)
@pytest.mark.parametrize("example", [0, 37, 69])
def test_an_example_that_lacks_a_kind_of_model_is_named(
    tmp_path, memory_mb, inside, name, words, example
):
    member = halves(examples=70)
    member[:, example] = inside
    path = tmp_path / "mine.h5"
    write(path, member)
    with pytest.raises(ValueError, match=rf"mine\.h5: .*by member, example {example} has {words}"):
        run(name, {"variance": "global"}, [path], memory_mb=memory_mb)
    if not inside:  # who asks no IN models may go on
        run("lira_offline", {"variance": "global"}, [path], memory_mb=memory_mb)
    spared = np.ones(member.shape, bool)
    spared[:, example] = False
    write(path, member, evaluated=spared)
    assert np.isnan(
        run(name, {"variance": "global"}, [path], memory_mb=memory_mb)[:, example]
    ).all()
