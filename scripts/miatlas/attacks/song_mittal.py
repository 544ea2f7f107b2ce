"""Modified entropy (Song & Mittal 2021; carlini2022 §V-C): its IN and OUT laws in each class."""

import numpy as np

from miatlas.attacks.shared.class_moments import look_up, moments, normals
from miatlas.attacks.shared.gaussian import log_density
from miatlas.attacks.shared.likelihoods import untouched
from miatlas.audits.attack import Attack, reads
from miatlas.signals.statistics import confidence_from_phi, logit_scaled_confidence, loss_from_phi

ATTACK = Attack(
    title="Modified entropy",
    authors="Song & Mittal",
    year=2021,
    source="carlini2022 §V-C",
    score=[reads("target_logits", "labels")],
    fit=[reads("labels", "refs_logits", "refs_in", "refs_out")],
    learns=True,
    shares_pass=True,
    hardness="class",
)

LEAST = np.finfo(np.float64).tiny  # of an entropy whose logarithm is taken


def score(target_logits, labels, fitted) -> np.ndarray:
    """Return log f_in(log Mentr) - log f_out(log Mentr), (N,); higher = member.

    f_in and f_out are Gaussians, fitted for each class to log Mentr of the shadow models' members
    and of their non-members. The density is our choice, as the paper has a threshold per class: the
    modified entropy spans decades and its logarithm is nearly -2 phi for sure answers. Logits
    (N, C), or with queries before C, of which the first is used.
    """
    observed = np.log(modified_entropy(untouched(target_logits, "logits"), labels))
    mu_in, s_in, mu_out, s_out = look_up(fitted, labels).T
    return log_density(observed, mu_in, s_in) - log_density(observed, mu_out, s_out)


def summarise(lesson) -> tuple[dict, dict]:
    """Return the moments of log Mentr by class, of members and of others; refs_logits (R, n, C)."""
    logits = untouched(lesson.refs_logits, "logits", models=True)
    entropies = np.log(modified_entropy(logits, lesson.labels))
    return tuple(moments(lesson.labels, entropies, m) for m in (lesson.refs_in, lesson.refs_out))


def fit(summaries) -> dict[int, tuple[float, ...]]:
    """Return mu_in, s_in, mu_out, s_out of log Mentr of each class."""
    normal_in, normal_out = (normals(one[kind] for one in summaries) for kind in (0, 1))
    return {y: normal_in[y] + normal_out[y] for y in normal_in.keys() & normal_out.keys()}


def modified_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return Mentr = -(1 - p_y) log p_y - Σ_{c≠y} p_c log(1 - p_c) > 0, low where sure of y.

    logits (..., C), labels broadcast against logits.shape[:-1], the result's shape. With phi of a
    class, p = 1 / (1 + exp(-phi)), -log p = softplus(-phi) and -log(1 - p) = softplus(phi): so the
    true class is written, and the likeliest, the only other one whose p can round to 1.
    """
    phi, top = logit_scaled_confidence(logits, labels), logits.argmax(axis=-1)
    of_top = logit_scaled_confidence(logits, top)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True).astype(np.float64))
    p /= p.sum(axis=-1, keepdims=True)
    for separate in (top, np.broadcast_to(labels, phi.shape)):
        np.put_along_axis(p, separate[..., None], 0.0, axis=-1)
    wrong = -(p * np.log1p(-p)).sum(axis=-1)  # of all but y and the likeliest
    wrong += np.where(top == labels, 0.0, confidence_from_phi(of_top) * loss_from_phi(-of_top))
    return np.maximum(confidence_from_phi(-phi) * loss_from_phi(phi) + wrong, LEAST)
