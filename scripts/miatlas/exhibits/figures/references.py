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

    Where several attacks are shown under one name, the names are the lines. Raises ValueError for
    an attack without the option `variance`, which has no place among others' variances; for one
    that does not say its number of references, of which only variances tell that they are half
    IN, half OUT; and for two results at the same number, which would draw a false line.
    """
    by_name = len(set(evidence.names.values())) < len(evidence.names)
    groups = {}
    for audit, label in evidence.pairs():
        result = evidence.result(audit, label)
        key = (audit, evidence.names[label]) if by_name else (audit, *_kind(result))
        count = _count(result)
        group = groups.setdefault(key, {})
        if count in group:
            twice = f"{group[count]['label']} and {label}"
            raise ValueError(f"{twice} are the same attack with {count} references")
        group[count] = result
    if by_name:
        return [
            Sweep(_of_audit(name, audit, groups, audit_names), sorted(group.items()))
            for (audit, name), group in groups.items()
        ]
    order = sorted(groups, key=lambda key: list(VARIANCES).index(key[2]))
    return [Sweep(_name(key, groups, audit_names), sorted(groups[key].items())) for key in order]


def _kind(result):
    variance = result["options"].get("variance")
    if variance is None:
        raise ValueError(
            f"{result['label']}: the attack {result['attack']} has no option 'variance'; show the"
            " attacks of a line under one name"
        )
    return result["attack"], variance


def _count(result):
    if result["references"] is None and "variance" not in result["options"]:
        raise ValueError(f"{result['label']}: say its number of references (attacks.references)")
    return references_used(result)


def _of_audit(name, audit, groups, audit_names):
    several = len({key[0] for key in groups}) > 1
    return f"{name}, {audit_names.get(audit, audit)}" if several else name


def _name(key, groups, audit_names):
    audit, attack, variance = key
    parts = [VARIANCES[variance]]
    if len({other[1] for other in groups}) > 1:
        parts.append(attack)
    return _of_audit(", ".join(parts), audit, groups, audit_names)
