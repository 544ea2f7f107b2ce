"""Statistics of one answer, against arithmetic with fifty digits."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from miatlas.signals import statistics

LOGITS = {
    "ordinary": [0.3, -1.2, 2.5, 0.0],
    "sure and right": [-3.0, 41.5, -2.0, 0.25],
    "sure and wrong": [55.0, -20.0, 1.0, 2.0],
    "extreme, right": [-1e4, 1e4, -1e4, -1e4],
    "extreme, wrong": [1e4, -1e4, 0.0, 3.0],
    "two classes": [1.5, -0.5],
    "two classes, extreme": [1e4, -1e4],
    "all tied": [2.0, 2.0, 2.0],
    "tie at the top": [7.0, 7.0, -1.0],
}
CASES = [(z, y) for z in LOGITS.values() for y in range(2)]


def exact(logits, label):
    """phi, entropy, loss, confidence by the definitions, from probabilities of fifty digits."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 50, 10**9, -(10**9)
        powers = [(Decimal(z) - Decimal(max(logits))).exp() for z in logits]
        p = [power / sum(powers) for power in powers]
        wrong = sum(q for c, q in enumerate(p) if c != label)
        entropy = -sum(q * q.ln() for q in p)
        return [float(v) for v in (p[label].ln() - wrong.ln(), entropy, -p[label].ln(), p[label])]


@pytest.mark.parametrize(("logits", "label"), CASES)
def test_statistics_agree_with_the_definitions(logits, label):
    phi, entropy, loss, confidence = exact(logits, label)
    z = np.array(logits)
    assert statistics.logit_scaled_confidence(z, label) == pytest.approx(phi, rel=1e-13, abs=1e-13)
    assert statistics.entropy(z) == pytest.approx(entropy, rel=1e-12, abs=1e-300)
    assert statistics.loss_from_phi(phi) == pytest.approx(loss, rel=1e-13)
    assert statistics.confidence_from_phi(phi) == pytest.approx(confidence, rel=1e-12, abs=1e-300)
    rivals = [v for c, v in enumerate(logits) if c != label]
    assert statistics.hinge(z, label) == logits[label] - max(rivals)


def test_labels_broadcast_over_models_and_queries():
    logits = np.random.default_rng(0).normal(size=(3, 5, 2, 4))  # M, N, Q, C
    labels = np.array([0, 3, 1, 1, 2])
    for function in (statistics.logit_scaled_confidence, statistics.hinge):
        all_at_once = function(logits, labels[:, None])
        assert all_at_once.shape == (3, 5, 2)
        assert np.array_equal(function(logits[:, :, 1], labels), all_at_once[:, :, 1])
        assert all_at_once[2, 4, 1] == function(logits[2, 4, 1], labels[4])


def test_half_precision_logits_are_worked_on_in_double_precision():
    half = np.array([[12.0, -11.0, -10.5]], dtype=np.float16)
    for result in (
        statistics.logit_scaled_confidence(half, np.array([0])),
        statistics.hinge(half, np.array([0])),
        statistics.entropy(half),
    ):
        assert result.dtype == np.float64
    double = statistics.logit_scaled_confidence(half.astype(float), np.array([0]))
    assert statistics.logit_scaled_confidence(half, np.array([0])) == double


def test_entropy_is_largest_for_no_knowledge_and_keeps_the_order_of_sure_answers():
    assert statistics.entropy(np.zeros(7)) == pytest.approx(np.log(7))
    sure = statistics.entropy(np.array([[40.0, 0, 0], [50.0, 0, 0], [600.0, 0, 0]]))
    assert sure[0] > sure[1] > sure[2] > 0


def test_unstable_logit_saturates_where_the_stable_one_does_not():
    phi = np.array([-5.0, 0.0, 5.0, 20.0, 30.0])
    unstable = statistics.logit_unstable_from_phi(phi)
    assert unstable[:3] == pytest.approx(phi[:3], abs=1e-4)
    assert unstable[3] == unstable[4] == pytest.approx(-np.log(1e-45))
    assert np.isfinite(statistics.logit_unstable_from_phi(np.array([-1e4, 1e4]))).all()


def test_a_single_class_and_missing_queries_are_refused():
    with pytest.raises(ValueError, match="1 class"):
        statistics.logit_scaled_confidence(np.zeros((4, 1)), np.zeros(4, int))
    with pytest.raises(ValueError, match=r"queries is 3.* hold 2"):
        statistics.first_queries(np.zeros((4, 2)), 3)
