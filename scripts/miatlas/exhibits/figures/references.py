"""How the attacks of a sweep over the number of reference models are told apart.

Not a figure itself.
"""

from typing import NamedTuple

from miatlas.exhibits.evidence import Evidence, references_used

VARIANCES = {"per_example": "per-example variance", "global": "global variance"}


class Sweep(NamedTuple):
    """One attack with one kind of variance, at several numbers of references, fewest first."""

    name: str
    points: list[tuple[int, dict]]


def sweeps(evidence: Evidence, audit_names: dict) -> list[Sweep]:
    """Return the sweeps of the evidence by audit, attack and kind of variance.

    Raises ValueError for an attack without the option `variance`, which has no place here, and for
    two results at the same number of references, which would draw a false line.
    """
    groups = {}
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        variance = result["options"].get("variance")
        if variance is None:
            raise ValueError(f"{label}: the attack {result['attack']} has no option 'variance'")
        key, count = (audit, result["attack"], variance), references_used(result)
        group = groups.setdefault(key, {})
        if count in group:
            twice = f"{group[count]['label']} and {label}"
            raise ValueError(f"{twice} are the same attack with {count} references")
        group[count] = result
    order = sorted(groups, key=lambda key: list(VARIANCES).index(key[2]))
    return [Sweep(_name(key, groups, audit_names), sorted(groups[key].items())) for key in order]


def _name(key, groups, audit_names):
    audit, attack, variance = key
    parts = [VARIANCES[variance]]
    if len({other[1] for other in groups}) > 1:
        parts.append(attack)
    if len({other[0] for other in groups}) > 1:
        parts.append(audit_names.get(audit, audit))
    return ", ".join(parts)
