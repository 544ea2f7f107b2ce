"""Moderated variances (Smyth 2004): a prior of all examples' variances, fitted to their logarithms.

Not an attack itself. Each s_i² with d degrees of freedom is sigma_i² χ²_d / d, and 1 / sigma_i² is
χ²_d0 / (d0 s0²) over the examples. Then log s_i² has the mean log s0² + ψ(d/2) - log(d/2) - ψ(d0/2)
+ log(d0/2) and the variance ψ'(d/2) + ψ'(d0/2) (§6.2), which are solved for d0 and s0².
"""

from dataclasses import dataclass

import numpy as np
import scipy

from miatlas.attacks.shared.gaussian import FLOOR, log_density

LARGEST = 1e8  # degrees of freedom, beyond which nothing tells a t from a normal
NEWTON = 60


@dataclass(frozen=True)
class Moments:
    """Mean and unbiased variance, (N, Q), of each example's references of a kind, so many."""

    references: int
    mean: np.ndarray
    variances: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Return those of k references' values (k, N, Q). Raises ValueError if k is 1."""
        if len(values) < 2:
            raise ValueError(
                f"a variance needs 2 references of a kind, there is {len(values)}; use more"
            )
        return cls(len(values), values.mean(axis=0), values.var(axis=0, ddof=1))

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.mean.nbytes + self.variances.nbytes


@dataclass(frozen=True)
class LogVariances:
    """Sums over examples, per query (Q,), of s² with `freedom` each; those of slices add up.

    A variance at the floor is of references that agree to the last bit: it counts for the mean
    variance alone, as its logarithm is that of the rounding.
    """

    freedom: int
    examples: int
    variances: np.ndarray
    count: np.ndarray
    logs: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, moments: Moments) -> "LogVariances":
        """Return those of the references of one kind."""
        variances = moments.variances
        varies = variances > FLOOR**2
        logs = np.log(np.where(varies, variances, 1.0))
        sums = (part.sum(axis=0) for part in (variances, varies, logs, logs**2))
        return cls(moments.references - 1, len(variances), *sums)

    def __add__(self, other: "LogVariances") -> "LogVariances":
        sums = (getattr(self, name) + getattr(other, name) for name in
                ("examples", "variances", "count", "logs", "squares"))  # fmt: skip
        return LogVariances(self.freedom, *sums)

    def prior(self, d0: float | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return d0 and s0², (Q,) each; d0 is fitted where none is given.

        Where d0 is infinite all examples have one variance, and s0² is their mean, not the mean of
        the logarithms: LiRA's global variance.
        """
        n = np.maximum(self.count, 1)
        mean = self.logs / n
        spread = (self.squares - n * mean**2) / np.maximum(n - 1, 1)
        known = scipy.special.polygamma(
            1, self.freedom / 2
        )  # of the logarithms, by the drawing of references
        fitted = freedom_of(spread - known) if d0 is None else np.full(len(n), float(d0))
        finite = np.where((fitted > 0) & (fitted < np.inf), fitted, 1.0)
        log_prior = mean - log_bias(self.freedom) + log_bias(finite)
        one_for_all = self.variances / self.examples
        return fitted, np.where(fitted < np.inf, np.exp(log_prior), one_for_all)


def log_bias(freedom):
    """Return E log(χ²_d / d) = ψ(d/2) - log(d/2)."""
    return scipy.special.digamma(freedom / 2) - np.log(freedom / 2)


def freedom_of(excess: np.ndarray) -> np.ndarray:  # (Q,) -> (Q,)
    """Return d0 of ψ'(d0/2) = excess; infinite where there is none, or one beyond LARGEST.

    Newton's method on 1 / ψ', which is convex and nearly linear (Smyth 2004, appendix).
    """
    there = excess > scipy.special.polygamma(1, LARGEST / 2)
    wanted = np.where(there, excess, 1.0)
    x = 0.5 + 1 / wanted
    for _ in range(NEWTON):
        value = scipy.special.polygamma(1, x)
        x = x + value * (1 - value / wanted) / scipy.special.polygamma(2, x)
    return np.where(there, 2 * x, np.inf)


def moderated(variances, freedom: int, d0, prior) -> np.ndarray:
    """Return (d0 s0² + d s²) / (d0 + d), and s0² where d0 is infinite."""
    weight = np.where(d0 < np.inf, d0 / (np.where(d0 < np.inf, d0, 0.0) + freedom), 1.0)
    return weight * prior + (1 - weight) * variances


def log_student(x, mu, scale, freedom) -> np.ndarray:
    """Return the log-density of Student's t, (N, Q), of freedom (Q,); infinite is the normal."""
    finite = freedom < np.inf
    if not finite.any():
        return log_density(x, mu, scale)
    if not finite.all():
        return np.where(finite, log_student(x, mu, scale, np.where(finite, freedom, 1.0)),
                        log_density(x, mu, scale))  # fmt: skip
    constant = -scipy.special.betaln(0.5, freedom / 2) - np.log(freedom) / 2
    square = ((x - mu) / scale) ** 2
    return constant - (freedom + 1) / 2 * np.log1p(square / freedom) - np.log(scale)
