"""What others can go on with: the thresholds an attacker has, and the records in their order."""

import warnings

import numpy as np
import pandas as pd


def thresholds(audit: str, results: list[dict]) -> list[dict]:
    """Return an entry for each attack and target: the transferred thresholds with their rates.

    results: as `leakage.metrics.evaluate` returns them. An entry has audit, attack, target,
    members, nonmembers, from (whose thresholds they are), not_transferred (why there are none, or
    null) and thresholds: for each level, "member" is said where score ≥ threshold (null: of
    everybody), with the counts and rates on this target and their 95 % intervals.
    """
    return [
        {
            "audit": audit,
            "attack": result["label"],
            **{key: target[key] for key in ("target", "members", "nonmembers")},
            "from": result["thresholds_from"],
            "not_transferred": result["not_transferred"],
            "thresholds": _at_levels(target["transferred"]),
        }
        for result in results
        for target in result["targets"]
    ]


def _at_levels(transferred):
    rows = transferred["rates"] if transferred else []
    return [{key: value for key, value in row.items() if key != "precision"} for row in rows]


def ranked(audit: str, exposed: pd.DataFrame, runs: dict[str, dict]) -> pd.DataFrame:
    """Return the exposed records with their scores: the mean over the targets that had them.

    exposed: as `answer.exposed` returns it; runs: by label, scores, member, evaluated (T, N).
    """
    rows = exposed["example"].to_numpy()
    scores = {}
    for label, run in runs.items():
        own = np.where(run["member"] & run["evaluated"], run["scores"], np.nan)[:, rows]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of records that no target had
            scores[f"score_{label}"] = np.nanmean(own, axis=0)
    table = exposed.assign(**scores)
    table.insert(0, "audit", audit)
    return table


def reasons(results: list[dict], shown: dict[str, str]) -> list[str]:
    """Return a sentence for each reason why thresholds have no transferred value."""
    whose = {}
    for result in results:
        if result["not_transferred"]:
            whose.setdefault(result["not_transferred"], []).append(shown[result["label"]])
    return [f"{', '.join(names)}: {reason}." for reason, names in whose.items()]
