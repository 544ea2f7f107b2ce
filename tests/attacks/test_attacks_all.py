"""Properties that every attack must have; a new module in attacks/ is tested without being named.

The caller's part (balanced references, slices, fit before score) is played here by `scores`.
"""

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
from fits import fitted, scored

import miatlas.attacks
from miatlas import options
from miatlas.audits import references
from miatlas.leakage.metrics import evaluate
from miatlas.signals.statistics import logit_scaled_confidence
from miatlas.study import attack_modules
from miatlas.study.checking import checked

THIRD = 2  # models of a third cohort
FOLDER = Path(miatlas.attacks.__path__[0])
MODULES = {
    info.name: importlib.import_module(f"miatlas.attacks.{info.name}")
    for info in pkgutil.iter_modules(miatlas.attacks.__path__)
    if not info.ispkg
}
ATTACKS = sorted(MODULES)
PRESET = {"preset": "tf_privacy_2021"}
LIRA = [
    {"variance": "global"}, {"location": "median"}, {"queries": 1}, PRESET,
    PRESET | {"variance": "global"}, {"statistic": "confidence"}, {"statistic": "loss"},
    {"statistic": "logit_unstable"}, {"statistic": "hinge"},
    {"statistic": "hinge", "variance": "global"},
]  # fmt: skip
SMOOTHED = [
    {"smoothing": name}
    for name in ("empirical", "logit_gaussian", "min_linear_logit", "mean_linear_logit")
]
ON_LABELS = [{"statistic": "label"}, *[{"statistic": "label"} | given for given in SMOOTHED]]
VARIANTS = {
    "lira_online": LIRA, "lira_offline": LIRA, "loss": [{"queries": 2}],
    "confidence": [{"queries": 2}], "logit": [{"queries": 2}],
    "lira_cv": [{"prior": 0.0}], "lira_tlc": [{"prior": 0.0}],
    "lira_ds": [{"threshold": "adaptive"}, {"level": 0.5, "smoothing": 0.1}],
    "base": [{"mode": "offline"}, {"temperature": 1.0}, {"mode": "offline", "temperature": 1.0}],
    "moderated_lira": [
        {"law": "normal"}, {"queries": 1}, {"prior_freedom": 0.0}, {"prior_freedom": "infinite"},
        {"prior_freedom": 3.0}, {"statistic": "loss"}, {"statistic": "hinge"},
    ],
    "multi_lira": [{"variance": "per_example"}, {"statistics": ["hinge", "logit"]}],
    "label_only": [{"copies": "queries"}],
    "min_k": [{"share": 1.0}], "min_k_plus_plus": [{"share": 0.0}],
    "rapid": [{"maximum": 300}, {"epochs": 5}],
    "amia": [{"variance": "global"}], "e_amia": [*SMOOTHED, {"refs": "all"}],
    "qmia": [{"level": 0.1}, *[{"law": "quantile", "level": level} for level in (0.001, 0.1)]],
    "watson": [{"statistic": "logit"}], "sablayrolles": [{"statistic": "logit"}],
    "class_threshold": [{"rule": "scale"}],
    "shokri": [{"classifier": "linear"}, {"vectors": "sorted"}, {"maximum": 60}],
    "salem": [{"classifier": "linear"}, {"posteriors": 9}],
    "ldc": [
        {"classifier": "threshold"}, {"neighbours": False}, {"without": "label"},
        {"without": "membership"}, {"without": "calibrated"}, {"theta": 0.5, "epochs": 5},
    ],
    "attack_s": [*SMOOTHED, *ON_LABELS], "attack_p": [*SMOOTHED, *ON_LABELS, {"per_class": 60}],
    "attack_r": [
        *SMOOTHED, *ON_LABELS, {"refs": "all"},
        {"refs": "all", "statistic": "exp_minus_confidence"},
    ],
    "attack_d": [*SMOOTHED, {"refs": "all"}], "attack_l": SMOOTHED,
    "long": [{"outliers": 0.8}, *[{"outliers": 0.8} | given for given in SMOOTHED]],
    "gradient_norm": [
        {"norm": "l1"}, {"norm": "linf"}, {"form": "lira"}, {"form": "lira", "variance": "global"},
        {"form": "lira", "norm": "l1"}, {"form": "lira", "norm": "linf"},
    ],
    "rmia": [
        {"mode": "offline"}, {"temperature": 1.0}, {"mode": "offline", "temperature": 1.0},
        {"statistic": "taylor_soft_margin"}, {"population": "all"},
        {"population": "all", "mode": "offline", "temperature": 1.0, "gamma": 1.0},
        {"temperature": 1.0, "queries": 2}, {"trim": 0.2}, {"mode": "offline", "tuned": True},
        {"temperature": 1.0, "queries": 2, "population": "all", "mode": "offline", "tuned": True},
        {"score": "log_ratio"}, {"score": "log_ratio", "population": "all"},
    ],
}  # fmt: skip
# The two-sided density takes sure non-members for members too: what the preset is known for. Of a
# share s of outliers all score above everybody else: an AUC of at most (1 + s²) / 2.
NOT_ORIENTED = [
    ("lira_offline", PRESET), ("lira_offline", PRESET | {"variance": "global"}), ("long", {}),
]  # fmt: skip
CASES = [(name, given) for name in ATTACKS for given in [{}, *VARIANTS.get(name, [])]]
every_attack = pytest.mark.parametrize(
    ("name", "given"),
    CASES,
    ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v.values())),
)


@dataclass
class Cohort:
    """M models of a `half` design; logits of two queries, raised by `signal` where trained on.

    The last `held_out` examples are no part of the design: no model trains on them. Noise raises
    the loss, and leaves the label, more often where trained on, most at the second of three
    deviations; gradients are as large as the loss is, times a factor of the example and its norm;
    distances are the same in every model's features. A regression knows how hard an example is, and
    nothing of who trained on it. Tokens are likelier where trained on.
    """

    logits: np.ndarray  # (M, N, 2, C)
    labels: np.ndarray
    member: np.ndarray
    held_out_logits: np.ndarray  # (M, H, 2, C)
    held_out_labels: np.ndarray
    noise: np.ndarray  # (M, N, 3)
    noisy_labels: np.ndarray  # (M, N, 3)
    gradients: np.ndarray  # (M, N, 3)
    distances: np.ndarray  # (N,)
    normal_regression: np.ndarray  # (N, 2)
    quantile_regression: np.ndarray  # (N, 3)
    tokens: np.ndarray  # (M, N, 10, 3)
    zlib_bytes: np.ndarray  # (N,)

    @property
    def phi(self):
        return logit_scaled_confidence(self.logits, self.labels[:, None]).astype(np.float32)

    @property
    def held_out_phi(self):
        phi = logit_scaled_confidence(self.held_out_logits, self.held_out_labels[:, None])
        return phi.astype(np.float32)


def cohort(signal, models=16, examples=2000, classes=4, seed=0, held_out=500):
    generator = np.random.default_rng(seed)
    total = examples + held_out
    ranks = np.argsort(np.argsort(generator.random((models, total)), axis=0), axis=0)
    member = (ranks < models // 2) & (np.arange(total) < examples)
    labels = generator.integers(classes, size=total)
    own = np.arange(classes) == labels[:, None]
    hardness = generator.normal(size=(total, 1, 1)) + generator.normal(size=(total, 1, classes))
    noise = generator.normal(size=(models, total, 2, classes)) * generator.uniform(
        0.5, 1.5, size=(total, 1, 1)
    )
    trained = member[:, :, None, None] * own[:, None]
    logits = 2 * own[:, None] + hardness + noise + signal * trained
    pool, rest = slice(examples), slice(examples, None)
    sides = logits[:, pool], labels[pool], member[:, pool], logits[:, rest], labels[rest]
    return Cohort(*sides, *probed(sides, signal, np.random.default_rng([seed, 1])))


def probed(sides, signal, generator):
    """Return what the probes say: noise, gradients and distances."""
    logits, labels, member, *_ = sides
    hard = generator.normal(size=(len(labels), 1))
    often = 1 / (1 + np.exp(-(hard + signal * np.array([0.1, 0.6, 0.2]) * member[..., None])))
    phi = logit_scaled_confidence(logits[:, :, 0], labels)
    factor = hard + generator.normal(size=(*phi.shape, 3)) / 2
    norms = np.exp(factor) / (1 + np.exp(phi[..., None]))
    shares, right = generator.binomial(100, [often, often]) / 100
    found = [share.astype(np.float32) for share in (shares, right, norms)]
    mu, sigma = hard[:, 0], 0.5 + generator.random(len(labels))
    quantiles = mu[:, None] + sigma[:, None] * [3.1, 2.3, 1.3] + generator.random((len(labels), 3))
    regressed = generator.random(len(labels)), np.stack([mu, sigma], 1), quantiles
    log_p = generator.normal(size=(*phi.shape, 10, 1)) - 4 + hard[:, None]
    laws = np.broadcast_to([-4.0, 1.5], (*log_p.shape[:3], 2)) + hard[:, None] / 9
    tokens = np.concatenate([log_p + signal * member[..., None, None], laws], axis=-1)
    lengths = generator.integers(40, 200, size=len(labels))
    return *found, *regressed, tokens.astype(np.float32), lengths


def scores(name, given, data, target, pieces=1, order=None, n=None, lesson=dict, spoil=list):
    """Return (N,) scores as the workflow makes them; `order` permutes the references.

    `lesson` makes an attack's lessons of the slices of the evaluated examples, `spoil` what is
    scored of them. The third cohort,
    where an attack asks for one, is two models that are neither the target nor among the
    references; two references with their two of the third cohort are permuted as pairs.
    """
    module, chosen = MODULES[name], completed(name, given)
    read = module.ATTACK.read(chosen)
    others = np.delete(np.arange(len(data.member)), target)
    third = others[-THIRD:] if any(w.startswith("reference_") for w in read) else []
    others = others[: len(others) - len(third)]
    if order is not None:
        others = permuted(others, order, len(third))
        third = permuted(third, order, len(third)) if len(third) else third
    cuts = cut(data, target, others, third, pieces, n)
    assert read <= {*cuts[0], "derived"}, "teach this test to simulate the new input"
    fit = fitted(module, map(lesson, cuts) if module.ATTACK.learns else cuts, chosen)
    return np.concatenate([scored(module, c, fit, chosen) for c in spoil(cuts)])


def completed(name, given):
    """Return the options of an attack, all of them."""
    return checked(given, options.declared(FOLDER / f"{name}.py", "score"), name)


def permuted(models, order, pairs):
    """Return models in an order; the first `pairs` of them stay the first."""
    order = order[order < len(models)]
    return models[np.concatenate([order[order < pairs], order[order >= pairs]])]


def cut(data, target, others, third, pieces, n):
    """Return every input of one target's slices of examples, by name."""
    refs_in, refs_out = references.balanced(data.member[others], n, seed=1, models=others)
    by_example = {
        "target_phi": data.phi[target], "target_logits": data.logits[target, :, 0],
        "labels": data.labels, "examples": np.arange(len(data.labels)),
        "target_noise": data.noise[target], "target_gradients": data.gradients[target],
        "target_noisy_labels": data.noisy_labels[target],
        "target_tokens": data.tokens[target], "zlib_bytes": data.zlib_bytes,
        "ref_distances": data.distances,
        "target_normal_regression": data.normal_regression,
        "target_quantile_regression": data.quantile_regression,
        "target_perturbed": data.phi[target, :, 1:],
    }  # fmt: skip
    by_model = {
        "refs_phi": data.phi[others], "refs_logits": data.logits[others, :, 0],
        "refs_in": refs_in, "refs_out": refs_out,
        "refs_noise": data.noise[others], "refs_gradients": data.gradients[others],
        "refs_noisy_labels": data.noisy_labels[others],
        "refs_perturbed": data.phi[others][..., 1:],
        "reference_phi": data.phi[third], "reference_logits": data.logits[third, :, 0],
    }  # fmt: skip
    held_out = {
        "held_out_labels": data.held_out_labels,
        "target_held_out_phi": data.held_out_phi[target],
        "refs_held_out_phi": data.held_out_phi[others],
        "target_held_out_logits": data.held_out_logits[target, :, 0],
        "refs_held_out_logits": data.held_out_logits[others, :, 0],
    }
    return [
        {n: v[i] for n, v in by_example.items()}
        | {n: v[:, i] for n, v in by_model.items()}
        | held_out
        for i in np.array_split(np.arange(len(data.labels)), pieces)
    ]


@pytest.fixture(scope="module")
def noise():
    return cohort(signal=0.0)


@pytest.fixture(scope="module")
def leaky():
    return cohort(signal=2.0, examples=400)


def by_chance(pooled):
    """The standard error of an AUC without any signal (Mann and Whitney 1947)."""
    m, n = pooled["members"], pooled["nonmembers"]
    return np.sqrt((m + n + 1) / (12 * m * n))


def judged(name, given, data, targets, **how):
    found = np.stack([scores(name, given, data, target, **how) for target in targets])
    member = data.member[list(targets)]
    return evaluate(found, member, np.ones_like(member), targets)["pooled"]


def thinned(piece):
    """Return lessons in which the shadow models have other numbers of members and non-members."""
    kept = np.random.default_rng(5).random(piece["refs_in"].shape) < 0.6
    return piece | {"refs_in": piece["refs_in"] & kept, "refs_out": piece["refs_out"] & kept}


def spoiled(piece):
    """Return thinned lessons, with other answers of the shadow models that no mask marks."""
    piece = thinned(piece)
    unmarked = ~(piece["refs_in"] | piece["refs_out"])
    for name in ("refs_phi", "refs_logits", "refs_noise", "refs_noisy_labels"):
        piece[name] = piece[name].copy()
        piece[name][unmarked] += 30.0 * np.arange(piece[name].shape[-1])
    return piece


def test_every_attack_is_found():
    assert {"loss", "confidence", "logit", "hinge", "entropy", "lira_online"} <= set(ATTACKS)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_module_says_whose_attack_it_is_and_its_options_have_defaults(name):
    said = MODULES[name].ATTACK
    assert MODULES[name].__doc__.startswith(f"{said.title} ({said.authors} {said.year}")
    assert attack_modules.complaint(MODULES[name]) is None
    declared = options.declared(FOLDER / f"{name}.py", "score")
    assert options.REQUIRED not in [option.default for option in declared.values()]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_says_what_its_score_takes_under_all_options(name):
    """Whatever the options: nothing that must be given is missing, nothing is asked for twice."""
    module, declared = MODULES[name], options.declared(FOLDER / f"{name}.py", "score")
    taken = inspect.signature(module.score).parameters.values()
    required = {p.name for p in taken if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD}
    for pairs in product(*values(declared)):
        said = module.ATTACK.read_by_score(dict(pairs))
        said |= {"fitted"} if module.ATTACK.is_fitted(dict(pairs)) else set()
        assert required <= said <= {p.name for p in taken}


def values(declared):
    """Yield pairs of each option with each of its words, or with its default and 1."""
    for name, option in declared.items():
        words = [w for kind in (option.type, *get_args(option.type)) if get_origin(kind) is Literal
                 for w in get_args(kind)]  # fmt: skip
        yield [(name, value) for value in (words or [option.default, 1])]


def test_the_simulated_cohort_tells_whether_an_input_is_looked_at(leaky):
    plain, moved = (
        scores("loss", {}, leaky, 0, spoil=spoil)
        for spoil in (list, partial(shifted, name="target_phi"))
    )
    assert moved.tolist() == np.roll(plain, 1).tolist()


def shifted(cuts, name):
    """Return slices in which every example has the next one's input of this name."""
    axis = int(name.startswith(("refs", "reference_")) and "held_out" not in name)
    axis = 1 if name.startswith("refs_held_out") else axis
    return [cut | {name: np.roll(cut[name], 1, axis=axis)} for cut in cuts]


def inputs(name, given=None):
    """Return what a score depends on under these options, also by way of what is derived."""
    said = MODULES[name].ATTACK
    return (said.read_by_score(given) | said.read_by_derive(given)) - {"derived"}


LOOKED_AT = [(name, read) for name in ATTACKS for read in inputs(name)]


@pytest.mark.parametrize(("name", "read"), sorted(LOOKED_AT))
def test_nothing_is_read_that_no_score_depends_on(name, read, leaky):
    for given in [{}, *VARIANTS.get(name, [])]:
        if read in inputs(name, completed(name, given)):
            plain, other = (
                outcome(name, given, leaky, spoil) for spoil in (list, partial(shifted, name=read))
            )
            if plain != other:
                return
    raise AssertionError(f"{read} is read by {name} and makes no difference")


def outcome(name, given, data, spoil):
    """Return the scores, or what is said against what is scored."""
    try:
        return scores(name, given, data, 3, spoil=spoil).tolist()
    except ValueError as refusal:
        return str(refusal)


def takes_long(name, given, n):
    """Few references say little more of further options; LDC trains a network for each target."""
    return bool(given) if n == 8 else name == "ldc"


BLIND = [
    pytest.param(*case, n, marks=[pytest.mark.slow] * takes_long(*case, n))
    for case in CASES
    for n in (None, 8)
]


@pytest.mark.parametrize(("name", "given", "n"), BLIND)
def test_blind_on_noise(name, given, n, noise):
    """Scores drawn independently of membership, the target one of the cohort: an AUC of 0.5."""
    pooled = judged(name, given, noise, targets=(0, 7, 15), n=n)
    assert abs(pooled["auc"]["value"] - 0.5) < 3.9 * by_chance(pooled)  # so many cases are tried
    for point in pooled["tpr_at_fpr"][-2:]:
        reach = 4 * np.sqrt(2 * point["level"] / pooled["members"])
        assert abs(point["tpr"] - point["realised_fpr"]) < reach


@pytest.mark.parametrize(("name", "given"), [case for case in CASES if case not in NOT_ORIENTED])
def test_members_score_higher(name, given, leaky):
    pooled = judged(name, given, leaky, targets=(0, 3))
    assert pooled["auc"]["value"] - 0.5 > 1.96 * by_chance(pooled)


@every_attack
def test_slices_and_the_order_of_the_references_change_nothing(name, given, leaky):
    whole = scores(name, given, leaky, 3)
    assert whole.shape == (400,)
    assert whole.dtype == np.float64
    assert np.isfinite(whole).all()
    assert scores(name, given, leaky, 3, pieces=7) == pytest.approx(whole, rel=1e-9, abs=1e-12)
    order = np.random.default_rng(2).permutation(15)
    assert scores(name, given, leaky, 3, order=order) == pytest.approx(whole, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "given"), [case for case in CASES if MODULES[case[0]].ATTACK.learns]
)
def test_lessons_may_be_ragged_and_no_more_of_them_is_read_than_they_mark(name, given, leaky):
    found = scores(name, given, leaky, 3, lesson=thinned)
    assert np.isfinite(found).all()
    differ = not np.array_equal(found, scores(name, given, leaky, 3))
    assert differ or name in ("merlin", "label_only")  # which learns only where to look
    assert np.array_equal(found, scores(name, given, leaky, 3, lesson=spoiled))
