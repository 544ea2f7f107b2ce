"""What is released: each kind against an example at a time, and what attacks then can tell."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import score_attack
from scipy.special import softmax

from miatlas.audits import audit as audits
from miatlas.audits import release, scoring
from miatlas.audits.attack import Attack, reads
from miatlas.running.store import read_h5, write_h5
from miatlas.signals.answers import Signals
from miatlas.study import audit_jobs, reading, releases

KINDS = [
    {"name": "top", "k": 2},
    {"name": "rounded", "digits": 2},
    {"name": "label"},
    {"name": "groups", "size": 3},
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["name"])
MODELS, EXAMPLES, QUERIES, CLASSES = 8, 90, 2, 4


def write(path, seed=0, logits="all", change=None, examples=EXAMPLES, **arrays):
    """Write signals whose phi is what the logits of every query say."""
    draws = np.random.default_rng(seed)
    labels = np.arange(examples) % CLASSES
    z = draws.normal(size=(MODELS, examples, QUERIES, CLASSES)) * 2
    z = change(z) if change else z
    p = softmax(z, axis=-1)
    own = np.take_along_axis(p, labels[None, :, None, None], 3)[..., 0]
    member = draws.random((MODELS, examples)).argsort(0).argsort(0) < MODELS // 2
    kept = z if logits == "all" else z[:, :, 0]
    phi = (np.log(own) - np.log1p(-own)).astype(np.float32)
    found = {"member": member, "labels": labels, "phi": phi, "logits": kept.astype(np.float32)}
    write_h5(path, found | arrays, {})
    return z, labels


def audit_of(path, shadow=None, kind=None):
    target = Signals([path])
    other = target if shadow is None else Signals([shadow])
    one = audits.audit(target, other, design="half", targets=2, seed=5)
    return release.released(one, kind) if kind else one


def scores(name, path, kind=None, memory_mb=64, **options):
    module = import_module(f"miatlas.attacks.{name}")
    return scoring.score(module, options, audit_of(path, kind=kind), memory_mb)


def known(p, label, kind):
    """Return the confidences that one released answer p (C,) leaves, told in a loop."""
    if kind["name"] == "top":
        best = sorted(range(len(p)), key=lambda c: -p[c])[: kind["k"]]
        rest = (1 - sum(p[c] for c in best)) / (len(p) - len(best))
        return [p[c] if c in best else rest for c in range(len(p))]
    if kind["name"] == "rounded":
        step = 10 ** -kind["digits"]
        cut = [min(max(round(float(x), kind["digits"]), step / 4), 1 - step / 4) for x in p]
        return cut
    likeliest = max(range(len(p)), key=lambda c: p[c])
    return [1.0 if c == likeliest else 1e-6 for c in range(len(p))]


@pytest.mark.parametrize("kind", KINDS[:3], ids=lambda kind: kind["name"])
def test_an_answer_is_what_a_loop_over_examples_says(tmp_path, kind):
    z, labels = write(tmp_path / "s.h5")
    one = audit_of(tmp_path / "s.h5", kind=kind).target
    z = z.astype(np.float32).astype(float)
    found, phi = (one.read(name, slice(10, 30)) for name in ("logits", "phi"))
    for m, i, q in ((0, 10, 0), (3, 17, 1), (7, 29, 0)):
        p = softmax(z[m, i, q])
        left = np.array(known(p, labels[i], kind))
        assert softmax(found[m, i - 10, q]) == pytest.approx(left / left.sum(), abs=2e-6)
        own = left[labels[i]]
        others = 1 - own if kind["name"] == "rounded" else left.sum() - own
        assert phi[m, i - 10, q] == pytest.approx(np.log(own / others), abs=1e-4)


def test_a_group_is_answered_by_the_mean_of_its_examples(tmp_path):
    z, labels = write(tmp_path / "s.h5", examples=91)
    kind = {"name": "groups", "size": 4}
    one = audit_of(tmp_path / "s.h5", kind=kind).target
    given = softmax(one.read("logits", slice(0, 91)).astype(float), axis=-1)
    p = softmax(z.astype(np.float32).astype(float), axis=-1)
    sizes = []
    for i in range(91):
        group = np.flatnonzero((np.abs(given - given[:, i : i + 1]) < 1e-7).all(axis=(0, 2, 3)))
        assert (labels[group] == labels[i]).all()
        assert given[:, i] == pytest.approx(p[:, group].mean(axis=1), abs=1e-6)
        sizes.append(len(group))
    assert min(sizes) >= 4
    assert max(sizes) < 8


def test_groups_keep_to_a_role_and_to_whole_stretches(tmp_path):
    """Whoever reads a few examples finds them in the groups that all readers find."""
    examples = 2048 + 300
    role = (np.arange(examples) % 5 == 0).astype(np.uint8)
    _, labels = write(tmp_path / "s.h5", examples=examples, role=role)
    one = audit_of(tmp_path / "s.h5", kind={"name": "groups", "size": 5}).target
    whole = one.read("logits", slice(0, examples))
    for where in (slice(0, 7), slice(2040, 2060), slice(2300, 2400)):
        assert np.array_equal(one.read("logits", where), whole[:, where])
    alike = {tuple(row) for row in np.round(whole[0, :, 0], 5)}
    groups = [np.flatnonzero((np.abs(whole[0, :, 0] - row) < 2e-5).all(-1)) for row in alike]
    assert all(len(set(role[g])) == len(set(labels[g])) == 1 for g in groups)
    assert all(len({i // 2048 for i in g}) == 1 for g in groups)


@pytest.mark.parametrize("logits", ["all", "first"])
@pytest.mark.parametrize(
    "kind",
    [{"name": "everything"}, {"name": "confidences"}, {"name": "top", "k": CLASSES},
     {"name": "groups", "size": 1}],
    ids=lambda kind: kind["name"],
)  # fmt: skip
def test_a_release_of_everything_is_none_to_the_byte(tmp_path, kind, logits):
    write(tmp_path / "s.h5", logits=logits)
    for name, options in (
        ("loss", {"queries": 2}),
        ("lira_offline", {"variance": "global", "location": "mean", "statistic": "logit",
                          "queries": None, "preset": None}),
        ("entropy", {}),
    ):  # fmt: skip
        bare = scores(name, tmp_path / "s.h5", **options)
        assert scores(name, tmp_path / "s.h5", kind, **options).tobytes() == bare.tobytes()


@every_kind
def test_targets_and_shadow_models_give_out_the_same(tmp_path, kind):
    """Of a shadow cohort that answers as the targets do, an attack sees what it sees of them."""
    write(tmp_path / "s.h5")
    write(tmp_path / "t.h5")
    seen = []

    def score(target_phi, refs_phi, target_logits, refs_logits, refs_out):
        seen.append((target_phi, refs_phi, target_logits, refs_logits))
        return np.zeros(len(target_phi))

    one = Attack(
        title="It", authors="nobody", year=2026, source="this test",
        score=[reads("target_phi", "refs_phi", "target_logits", "refs_logits", "refs_out")],
    )  # fmt: skip
    both = audit_of(tmp_path / "s.h5", tmp_path / "t.h5", kind)
    scoring.score(SimpleNamespace(ATTACK=one, score=score), {}, both, 64)
    for row, (phi, refs_phi, logits, refs_logits) in enumerate(seen):
        assert np.array_equal(phi, refs_phi[row])
        assert np.array_equal(logits, refs_logits[row])


@every_kind
def test_slices_of_any_size_give_the_same_scores(tmp_path, kind):
    write(tmp_path / "s.h5", examples=2500)
    few, many = (scores("loss", tmp_path / "s.h5", kind, mb, queries=1) for mb in (0.03, 64))
    assert few.tobytes() == many.tobytes()


@pytest.mark.parametrize(
    ("kind", "hidden"),
    [
        (KINDS[0], lambda z: shuffled(z, keep=2)),
        (KINDS[2], lambda z: np.where(z == z.max(-1, keepdims=True), z, z - 5)),
        (KINDS[1], lambda z: sure(z) + 0.1 * np.tanh(z)),
    ],
    ids=["top", "label", "rounded"],
)
def test_what_is_withheld_changes_no_score(tmp_path, kind, hidden):
    write(tmp_path / "s.h5", change=lambda z: sure(z) if kind["name"] == "rounded" else z)
    write(tmp_path / "t.h5", change=hidden)
    a, b = (scores("loss", tmp_path / f, kind, queries=2) for f in ("s.h5", "t.h5"))
    assert a == pytest.approx(b, abs=1e-5)
    bare = [scores("loss", tmp_path / f, queries=2) for f in ("s.h5", "t.h5")]
    assert np.abs(bare[0] - bare[1]).max() > 1e-3


def shuffled(z, keep):
    """Return logits whose smaller ones have changed places."""
    order = np.argsort(-z, axis=-1)
    turned = np.concatenate([order[..., :keep], order[..., keep:][..., ::-1]], axis=-1)
    found = np.empty_like(z)
    np.put_along_axis(found, turned, np.take_along_axis(z, order, -1), -1)
    return found


def sure(z):
    """Return logits of answers so sure that two digits do not tell them apart."""
    return 8.0 * (z == z.max(-1, keepdims=True))


def test_of_whole_answers_phi_is_known_where_logits_are_kept(tmp_path):
    write(tmp_path / "all.h5")
    write(tmp_path / "first.h5", logits="first")
    for kind in KINDS:
        queries = QUERIES if kind["name"] == "rounded" else 1
        first, every = (audit_of(tmp_path / f"{f}.h5", kind=kind).target for f in ("first", "all"))
        assert first.dimensions("phi") == (MODELS, EXAMPLES, queries)
        assert first.read("phi", slice(0, 5)).shape == (MODELS, 5, queries)
        assert every.dimensions("phi") == (MODELS, EXAMPLES, QUERIES)
        assert every.read("phi", slice(0, 5), last=1).shape == (MODELS, 5, 1)


def test_a_job_scores_what_is_released_and_says_so(tmp_path):
    write(tmp_path / "s.h5")
    study = reading.read({
        "study": "t", "attacks": {"loss": {}},
        "cohorts": {"c": {"signals": str(tmp_path / "s.h5")}},
        "audits": {"a": {"target": "c", "attacks": ["loss"], "targets": 2,
                         "release": {"name": "top", "k": 1}},
                   "b": {"target": "c", "attacks": ["loss"], "targets": 2}},
    })  # fmt: skip
    answers = {"target": [tmp_path / "s.h5"], "shadow": [tmp_path / "s.h5"], "reference": []}
    answers |= {f"{side}_probes": [] for side in list(answers)}
    for name in "ab":
        settings = audit_jobs.score_settings(study, name, "loss")
        assert ("release" in settings) == (name == "a")
        score_attack.main(answers=answers, scores=tmp_path / name, settings=settings)
    found = [read_h5(tmp_path / name, ["scores"])["scores"] for name in "ab"]
    assert np.array_equal(
        found[0], scores("loss", tmp_path / "s.h5", KINDS[0] | {"k": 1}, queries=1)
    )
    assert not np.array_equal(*found)


GIVEN = {
    "study": "t",
    "populations": {"digits": {"source": "digits"}},
    "recipes": {"plain": {"architecture": {"name": "mlp"}, "epochs": 1}},
    "cohorts": {"c": {"population": "digits", "recipe": "plain", "models": 8, "held_out": 0.1,
                      "design": {"name": "half", "group": 4},
                      "queries": {"count": 9, "shift": 1, "mirror": False}}},
    "attacks": {"loss": {}, "several": {"attack": "loss", "queries": 9}, "lira_cv": {},
                "gradient_norm": {}, "merlin": {}, "long": {}, "lira_online": {}},
}  # fmt: skip


def read_with(attack, kind, **queries):
    cohort = GIVEN["cohorts"]["c"]
    cohort = {**cohort, "queries": cohort["queries"] | queries}
    one = {"target": "c", "attacks": [attack], "release": kind}
    return reading.read(GIVEN | {"cohorts": {"c": cohort}, "audits": {"a": one}})


@pytest.mark.parametrize(
    ("attack", "kind", "says"),
    [
        ("loss", {"name": "label"}, r"audits.a: attacks.loss needs confidences.*'label'"),
        ("lira_online", {"name": "label"}, "attacks.lira_online needs confidences"),
        ("gradient_norm", {"name": "confidences"}, "reads gradients of the models.*'confidences'"),
        ("merlin", {"name": "top", "k": 2}, "reads noise of the models.*'top' does not give"),
        ("several", {"name": "top", "k": 2}, "several.queries: 9.*'top'.*queries.logits: all"),
        ("several", {"name": "groups", "size": 2}, "several.queries: 9.*'groups'"),
        ("loss", {"name": "top"}, r"audits.a.release \(top\): option 'k' is required"),
        ("loss", {"name": "top", "k": 0}, "'k' is 0, but it must be positive"),
        ("loss", {"name": "rounded", "size": 2}, "size"),
        ("loss", {"name": "tops"}, "'tops' does not exist.*top"),
    ],
)
def test_what_cannot_work_is_refused_by_name(attack, kind, says):
    with pytest.raises(ValueError, match=says):
        read_with(attack, kind)


@pytest.mark.parametrize(
    ("attack", "kind"),
    [("gradient_norm", {"name": "everything"}), ("merlin", {"name": "confidences"}),
     ("long", {"name": "top", "k": 2}), ("several", {"name": "rounded", "digits": 3}),
     ("lira_cv", {"name": "groups", "size": 4})],
)  # fmt: skip
def test_what_can_work_is_read(attack, kind):
    assert read_with(attack, kind)["audits"]["a"]["release"] == kind


def test_several_queries_are_released_where_their_logits_are_kept():
    read_with("several", {"name": "top", "k": 2}, logits="all")


def test_an_attack_that_needs_only_the_label_may_have_it(tmp_path):
    own = tmp_path / "right.py"
    own.write_text(
        '"""Right (nobody 2026): whether the label is right."""\n'
        "from miatlas.audits.attack import Attack, reads\n"
        'ATTACK = Attack(title="Right", authors="nobody", year=2026, source="here",\n'
        '    score=[reads("target_logits", "labels")], labels_suffice=({},))\n'
        "def score(target_logits, labels):\n"
        '    """Return 1 where the label is right."""\n'
        "    return (target_logits.argmax(-1) == labels) * 1.0\n"
    )
    entry = {"attack": str(own), "options": {}}
    assert releases.complaint(entry, {}, {"name": "label"}) is None


def test_an_external_cohort_without_logits_releases_rounded_numbers_only(tmp_path):
    draws = np.random.default_rng(0)
    arrays = {"member": draws.random((8, 20)) < 0.5, "labels": np.arange(20) % 2}
    write_h5(tmp_path / "s.h5", arrays | {"phi": np.zeros((8, 20, 1), np.float32)}, {})
    cohorts = {"c": {"signals": str(tmp_path / "s.h5")}}
    given = {"study": "t", "attacks": {"loss": {}}, "cohorts": cohorts}
    one = {"target": "c", "attacks": ["loss"], "targets": 2}
    with pytest.raises(ValueError, match="loss needs logits for the release 'top'"):
        reading.read(given | {"audits": {"a": one | {"release": {"name": "top", "k": 1}}}})
    reading.read(given | {"audits": {"a": one | {"release": {"name": "rounded", "digits": 1}}}})
