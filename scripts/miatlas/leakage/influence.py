"""How much each example moves a rate: the first-order influence of examples on what is measured.

Estimates of this room are means over members and over non-members, to first order: each example
adds (its value - the mean) / count. Sums of squares of influences are variances (for the AUC
DeLong's own); over several targets, summed example by example, they know which examples the targets
share. Shapes: scores, member, evaluated (T, N), a row a game; results (T, N), 0 where not
evaluated.
"""

import numpy as np

from miatlas.leakage.roc import Roc


def of_auc(curves: list[Roc], scores, member, evaluated) -> np.ndarray:
    """Return the influence on the AUC: how much of the other kind an example beats (V10, V01)."""
    beats = np.zeros(scores.shape)
    for row, curve in enumerate(curves):
        members, nonmembers = member[row] & evaluated[row], ~member[row] & evaluated[row]
        beats[row, members] = _outscored(curve, scores[row, members], curve.false_positives)
        beats[row, nonmembers] = -_outscored(curve, scores[row, nonmembers], curve.true_positives)
    return _centred(beats, member & evaluated) + _centred(beats, ~member & evaluated)


def of_rates(scores, member, evaluated, thresholds, on_tpr, on_fpr) -> np.ndarray:
    """Return the influence on on_tpr TPR + on_fpr FPR at thresholds (T,); weights (T,) or numbers.

    For a threshold that is itself a quantile of the non-members, on_fpr = -dTPR/dFPR. For the
    best TPR - FPR nothing is to be added: to first order it does not move with its threshold.
    """
    called = scores >= np.asarray(thresholds, np.float64)[:, None]
    by_tpr = _centred(called, member & evaluated)
    by_fpr = _centred(called, ~member & evaluated)
    on_tpr, on_fpr = (np.reshape(weight, (-1, 1)) for weight in (on_tpr, on_fpr))
    return on_tpr * by_tpr + on_fpr * by_fpr


def _centred(values, mask):
    """Return (value - the row's mean over the mask) / count inside the mask, 0 outside."""
    count = mask.sum(axis=1, keepdims=True)
    mean = np.where(mask, values, 0.0).sum(axis=1, keepdims=True) / count
    return np.where(mask, (values - mean) / count, 0.0)


def _outscored(curve, scores, positives):
    """Return the share of one kind, by its cumulative counts, below each score, ties half."""
    group = np.searchsorted(-curve.thresholds, -scores, side="right") - 1
    above, reached = positives[group - 1], positives[group]
    return 1.0 - (above + reached) / (2.0 * positives[-1])
