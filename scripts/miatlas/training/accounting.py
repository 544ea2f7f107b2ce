"""What (ε, δ) the steps of DP-SGD add up to, by Opacus' accountants, which are used alone."""

import math
from functools import cache

TOLERANCE = 0.01  # by which ε may stay below the one that noise is sought for


@cache
def epsilon(noise: float, rate: float, steps: int, delta: float, accountant: str = "rdp") -> float:
    """Return the ε at δ of so many steps, each on examples drawn at `rate` (Poisson sampling).

    `noise` is the deviation of the noise on a sum of gradients, in units of their largest norm;
    without any, ε is inf. `accountant`: "rdp", moments of Rényi divergences (Mironov et al. 2019),
    or "prv", the privacy loss itself by Fourier transforms (Gopi et al. 2021), which is tighter.
    """
    if not noise:
        return math.inf
    from opacus.accountants import create_accountant

    found = create_accountant(accountant)
    found.history = [(noise, rate, steps)]
    return float(found.get_epsilon(delta))


@cache
def noise_for(target: float, rate: float, steps: int, delta: float, accountant="rdp") -> float:
    """Return the noise with which ε at δ is at most `target`, and hardly less."""
    from opacus.accountants.utils import get_noise_multiplier

    try:
        return get_noise_multiplier(
            target_epsilon=target,
            target_delta=delta,
            sample_rate=rate,
            steps=steps,
            accountant=accountant,
            epsilon_tolerance=min(TOLERANCE, target * TOLERANCE),
        )
    except ValueError:
        raise ValueError(
            f"privacy.epsilon: {target:g} is not reached at delta {delta:g} by any noise"
            f" (accountant {accountant}): give a larger one"
        ) from None
