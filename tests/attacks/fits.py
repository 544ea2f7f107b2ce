"""What an attack's `score` is given of its `fit`, as the workflow makes it for one target."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace


def fitted(attack, slices: Iterable[Mapping], options: Mapping) -> dict:
    """Return {"fitted": ...} of slices of arrays by name, or {} where these options make no fit.

    The fit sees what the attack says that it reads, and nothing else.
    """
    said = attack.ATTACK
    if not said.is_fitted(options):
        return {}
    names = said.read_by_fit(options)
    pieces = (SimpleNamespace(**{name: cut[name] for name in names}) for cut in slices)
    if said.shares_pass:
        pieces = [attack.summarise(piece, **options) for piece in pieces]
    return {"fitted": attack.fit(pieces, **options)}


def scored(attack, cut: Mapping, fit: Mapping, options: Mapping):
    """Return the scores of a slice of arrays by name: `score` is given what the attack says."""
    given = {name: cut[name] for name in attack.ATTACK.read_by_score(options)}
    return attack.score(**given, **fit, **options)
