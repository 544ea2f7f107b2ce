"""A single target's transferred rates, in the layout of means over several (`means`)."""


def transferred(entry: dict) -> dict:
    """Return {"rates": [one a level], "best"} of one target's entry (`thresholds.judged`).

    Each number is {mean, std: None, n: 1, these_examples: None, this_population}: the target's own
    interval, Clopper-Pearson's for a rate, speaks of this model and other examples.
    """
    best = entry["best"]
    of_best = {key: _alone(**best[key]) for key in ("balanced_accuracy", "advantage")}
    return {
        "rates": [{"level": one["level"], **_rates(one)} for one in entry["rates"]],
        "best": _rates(best) | of_best,
    }


def _rates(one):
    return {
        "realised_fpr": _alone(one["realised_fpr"], one["fpr_low"], one["fpr_high"]),
        "tpr": _alone(one["tpr"], one["low"], one["high"]),
        "precision": one["precision"],
    }


def _alone(value, low, high):
    interval = {"low": low, "high": high}
    only = {"std": None, "n": 1, "these_examples": None}
    return {"mean": value, **only, "this_population": interval}
