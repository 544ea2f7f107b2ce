"""LDC-MIA: neighbours by a double loop, features written out, the perceptron against torch's."""

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from fits import fitted, scored

import miatlas
from miatlas import options
from miatlas.attacks import ldc
from miatlas.attacks.shared import neighbours, perceptron
from miatlas.attacks.shared.neighbours import Neighbourhood
from miatlas.leakage.roc import auc, roc
from miatlas.study.checking import checked

DECLARED = options.declared(Path(ldc.__file__), "score")


def chosen(**given):
    return checked({"epochs": 5} | given, DECLARED, "ldc")


def loss(phi):
    return np.log(1 + np.exp(-float(phi)))


def arrays(n=120, auxiliary=80, classes=3, pairs=2, shift=1.5, seed=0):
    """A target on n examples; shadow models, with a reference model each, on others after them."""
    generator = np.random.default_rng(seed)
    total = n + auxiliary
    member = generator.random((pairs + 1, total)) < 0.5  # the target's first
    labels = generator.integers(classes, size=total)
    hardness = generator.normal(size=total) * 2
    phi = hardness + generator.normal(size=(2 * pairs + 1, total))
    phi[: pairs + 1] += shift * member
    logits = generator.normal(size=(pairs, total, classes)).astype(np.float32)
    asked, taught = slice(0, n), slice(n, total)
    shown = {
        "target_phi": phi[0, asked, None], "labels": labels[asked],
        "examples": 10 + np.arange(n), "reference_phi": phi[pairs + 1 :, asked, None],
        "reference_logits": logits[:, asked],
    }  # fmt: skip
    lessons = {
        "examples": 10 + n + np.arange(auxiliary), "labels": labels[taught],
        "refs_phi": phi[1 : pairs + 1, taught, None], "refs_in": member[1:, taught],
        "refs_out": ~member[1:, taught], "reference_phi": phi[pairs + 1 :, taught, None],
        "reference_logits": logits[:, taught],
    }  # fmt: skip
    return shown, lessons, member[0, asked]


def cut(values, pieces):
    """Yield slices of examples; what has a leading axis of models is cut along the second."""
    by_model = ("refs", "reference")
    for part in np.array_split(np.arange(len(values["labels"])), pieces):
        yield {n: v[:, part] if n.startswith(by_model) else v[part] for n, v in values.items()}


def run(shown, lessons, pieces=1, **given):
    options_ = chosen(**given)
    fit = fitted(ldc, cut(lessons, pieces), options_)
    return np.concatenate([scored(ldc, piece, fit, options_) for piece in cut(shown, pieces)])


def information(example, answer, others, answers, theta):
    """NI by its definition, pair by pair."""
    count = 0
    for other, its in zip(others, answers, strict=True):
        dot = sum(float(a) * float(b) for a, b in zip(answer, its, strict=True))
        lengths = [sum(float(a) ** 2 for a in v) ** 0.5 for v in (answer, its)]
        count += other != example and dot > theta * lengths[0] * lengths[1]
    return 1 / count if count else 1.0


@pytest.mark.parametrize("theta", [0.0, 0.7, -0.4, 0.9999])
@pytest.mark.parametrize("numbers", [neighbours.NUMBERS, 100])
def test_neighbour_information_is_its_definition(theta, numbers, monkeypatch):
    monkeypatch.setattr(neighbours, "NUMBERS", numbers)
    generator = np.random.default_rng(1)
    examples = np.sort(generator.choice(300, size=90, replace=False))
    answers = generator.normal(size=(90, 4)).astype(np.float32)
    auxiliary = np.arange(0, 90, 2)
    found = Neighbourhood(examples[auxiliary], answers[auxiliary], theta).information(
        examples, answers
    )
    for i in range(90):
        wanted = information(
            examples[i], answers[i], examples[auxiliary], answers[auxiliary], theta
        )
        assert found[i] == pytest.approx(wanted, rel=1e-12)


def test_an_example_is_no_neighbour_of_itself_but_its_twin_is():
    answers = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    near = Neighbourhood(np.array([4, 7, 9, 11]), answers, 0.0)
    found = near.information(np.array([4, 5, 9, 11]), answers[[0, 0, 2, 3]])
    assert found.tolist() == [1.0, 0.5, 1.0, 1.0]  # 1, 2 and no neighbours; no direction: none
    alone = Neighbourhood(np.array([4]), answers[:1], 0.0)
    assert alone.information(np.array([4, 12]), answers[:2]).tolist() == [1.0, 1.0]


def test_the_calibrated_score_is_equation_8_written_out():
    shown, lessons, _ = arrays(pairs=1)
    found = run(shown, lessons, classifier="threshold", theta=0.3, pieces=3)
    plain = run(shown, lessons, classifier="threshold", neighbours=False)
    for i in range(120):
        its = shown["reference_logits"][0, i]
        ni = information(-1, its, lessons["examples"], lessons["reference_logits"][0], 0.3)
        gap = loss(shown["reference_phi"][0, i, 0]) - loss(shown["target_phi"][i, 0])
        assert found[i] == pytest.approx(gap * ni, rel=1e-6, abs=1e-12)
        assert plain[i] == pytest.approx(gap, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("without", ["nothing", "membership", "calibrated", "label"])
def test_the_classifier_sees_the_three_features_of_members_and_non_members(without, monkeypatch):
    calls, train = [], perceptron.train
    keep = lambda *given: calls.append(given) or train(*given)  # noqa: E731
    monkeypatch.setattr(perceptron, "train", keep)
    shown, lessons, _ = arrays()
    lessons["refs_out"][0, :20] = False  # some the first shadow model knows nothing about
    lessons["refs_in"][0, :20] = False
    run(shown, lessons, pieces=4, without=without)
    assert len(calls) == 2
    for r, (features, is_member, widths, epochs) in enumerate(calls):
        own = np.flatnonzero(lessons["refs_in"][r] | lessons["refs_out"][r])
        assert len(own) == (80 if r else 60)
        rows = []
        for i in own:
            losses = loss(lessons["refs_phi"][r, i, 0]), loss(lessons["reference_phi"][r, i, 0])
            answers = lessons["reference_logits"][r]
            ni = information(
                lessons["examples"][i], answers[i], lessons["examples"][own], answers[own], 0.0
            )
            seen = {
                "membership": [-losses[0]], "calibrated": [(losses[1] - losses[0]) * ni],
                "label": [float(lessons["labels"][i] == c) for c in range(3)],
            }  # fmt: skip
            rows.append([x for name, column in seen.items() for x in column if name != without])
        assert features == pytest.approx(np.array(rows), rel=1e-6, abs=1e-12)
        assert np.array_equal(is_member, lessons["refs_in"][r, own])
        assert (widths, epochs) == ((128, 64), 5)


def test_the_layers_are_as_wide_as_the_paper_has_them():
    assert ldc.widths(12) == (128, 64)  # CIFAR-10
    assert ldc.widths(13) == (52, 26)
    assert ldc.widths(102) == (408, 204)  # CIFAR-100


def test_the_perceptron_is_torchs_sgd_with_nesterov_and_a_cosine():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(2)
    features = generator.normal(size=(300, 5)) * [1e-3, 1, 100, 1, 0] + 7
    is_member = generator.random(300) < 0.5 + 0.4 * np.sign(features[:, 1] - 7)
    found = perceptron.train(features, is_member, (16, 8), epochs=6)

    scale = np.where(features.std(axis=0) > 0, features.std(axis=0), 1)
    x = torch.tensor((features - features.mean(axis=0)) / scale)
    y = torch.tensor(is_member.astype(int))
    model = torch.nn.Sequential(
        torch.nn.Linear(5, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 2),
    ).double()  # fmt: skip
    start = [array for layer in perceptron.initial((5, 16, 8, 2)) for array in layer]
    with torch.no_grad():
        for parameter, array in zip(model.parameters(), start, strict=True):
            parameter.copy_(torch.tensor(array.T))
    steps = list(perceptron.batches(300, 6))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=len(steps))
    for batch in steps:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimiser.step()
        schedule.step()
    odds = torch.log_softmax(model(x), dim=1).detach().numpy()
    assert found.log_odds(features) == pytest.approx(odds[:, 1] - odds[:, 0], rel=1e-9, abs=1e-12)
    assert np.ptp(odds) > 0.5


def test_a_pass_visits_every_example_once_and_layers_start_within_torchs_bounds():
    steps = list(perceptron.batches(300, 2))
    assert [len(step) for step in steps] == [128, 128, 44] * 2
    first, second = np.concatenate(steps[:3]), np.concatenate(steps[3:])
    assert np.array_equal(np.sort(first), np.arange(300))
    assert not np.array_equal(first, second)
    for (weights, biases), n in zip(perceptron.initial((7, 50, 2)), (7, 50), strict=True):
        assert 0.9 / np.sqrt(n) < np.abs(weights).max() < 1 / np.sqrt(n)
        assert np.abs(biases).max() < 1 / np.sqrt(n)


def test_sure_answers_keep_their_order_and_lone_outliers_break_nothing():
    generator = np.random.default_rng(3)
    features = np.concatenate([generator.normal(size=(400, 2)), [[0.0, 1e6]]])
    features[:200, 0] += 40
    is_member = np.arange(401) < 200
    found = perceptron.train(features, is_member, (128, 64), 60).log_odds(features)
    assert np.isfinite(found).all()
    assert (found[:200] > 0).all()
    assert len(np.unique(found)) == 401


@pytest.mark.parametrize("given", [{}, {"without": "label"}, {"classifier": "threshold"}])
def test_pairs_are_averaged_in_any_order_and_slices_change_nothing(given):
    shown, lessons, _ = arrays(pairs=3)
    whole = run(shown, lessons, **given)
    assert run(shown, lessons, pieces=7, **given) == pytest.approx(whole, rel=1e-9, abs=1e-12)
    assert np.array_equal(run(shown, lessons, **given), whole)

    def only(values, order):
        by_model = ("refs", "reference")
        return {n: v[order] if n.startswith(by_model) else v for n, v in values.items()}

    order = [2, 0, 1]
    moved = run(only(shown, order), only(lessons, order), **given)
    assert moved == pytest.approx(whole, rel=1e-9, abs=1e-12)
    single = [run(only(shown, [r]), only(lessons, [r]), **given) for r in range(3)]
    assert np.mean(single, axis=0) == pytest.approx(whole, rel=1e-9, abs=1e-12)
    assert np.ptp(single, axis=0).max() > 1e-3


def test_a_shadow_model_without_a_reference_model_takes_no_part():
    shown, lessons, _ = arrays(pairs=3)
    fewer = {n: v[:2] if n.startswith("reference") else v for n, v in lessons.items()}
    asked = {n: v[:2] if n.startswith("reference") else v for n, v in shown.items()}
    found = run(asked, fewer)
    fewer |= {n: v[:2] for n, v in lessons.items() if n.startswith("refs")}
    assert np.array_equal(run(asked, fewer), found)


def test_members_score_higher_with_the_three_features_than_by_the_calibrated_score_alone():
    shown, lessons, member = arrays(n=3000, auxiliary=3000, shift=2.0, seed=4)
    whole, single = (
        auc(roc(run(shown, lessons, epochs=20, **given), member))
        for given in ({}, {"classifier": "threshold"})
    )
    assert whole["low"] > max(0.7, single["high"])
    shown, lessons, member = arrays(n=3000, auxiliary=3000, shift=0.0, seed=4)
    blind = auc(roc(run(shown, lessons), member))
    assert blind["low"] < 0.5 < blind["high"]


def test_lessons_that_teach_nothing_are_refused():
    shown, lessons, _ = arrays()
    with pytest.raises(ValueError, match="no members, or no non-members"):
        run(shown, lessons | {"refs_out": lessons["refs_out"] & False})
    with pytest.raises(ValueError, match="no shadow model with a reference model"):
        ldc.fit(iter([]), **chosen())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"theta": 1.5}, "must lie in"), ({"epochs": 0}, "must be positive"),
        ({"without": "labels"}, "must be one of"), ({"classifier": "linear"}, "must be one of"),
        ({"neighbours": 1}, "must be of type bool"), ({"pairs": 2}, "unknown option"),
    ],
)  # fmt: skip
def test_bad_options_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        chosen(**given)


def test_similarities_are_held_a_few_at_a_time():
    generator = np.random.default_rng(5)
    answers = generator.normal(size=(50_000, 10)).astype(np.float32)
    near = Neighbourhood(np.arange(50_000), answers, 0.0)
    tracemalloc.start()
    near.information(np.arange(1000), answers[:1000])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all of them at once are 400 MB, and 20 GB for 50,000 examples


# VmHWM is the peak of this program alone; ru_maxrss begins with that of the program that started it
ALL = """
import sys
sys.path[:0] = {paths}
from test_attacks_ldc import arrays, run
shown, lessons, _ = arrays(n=50_000, auxiliary=50_000, classes=10, pairs=1)
run(shown, lessons, epochs=1)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak of memory")
def test_features_of_50_000_examples_stay_below_1_gb():
    paths = [str(Path(__file__).parent), str(Path(miatlas.__file__).parents[1])]
    code = ALL.format(paths=paths)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) * 1024 < 1e9


def test_the_attack_waits_neither_for_torch_nor_for_scikit_learn():
    code = (
        "import miatlas.attacks.ldc, sys; sys.exit(bool({'torch', 'sklearn'} & set(sys.modules)))"
    )
    folder = Path(miatlas.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=folder, check=False).returncode == 0
