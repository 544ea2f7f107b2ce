"""What an attack's `score` is given of its `fit`, as the workflow makes it for one target."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from miatlas.options import declared
from miatlas.study.checking import checked


def fitted(attack, slices: Iterable[Mapping], options: Mapping) -> dict:
    """Return {"fitted": ...} of slices of arrays by name, or {} where these options make no fit.

    The fit sees what the attack says that it reads, and nothing else.
    """
    said = attack.ATTACK
    if not said.is_fitted(options):
        return {}
    names = said.read_by_fit(options)
    pieces = (SimpleNamespace(**shown(attack, cut, names, options)) for cut in slices)
    if said.shares_pass:
        pieces = [attack.summarise(piece, **options) for piece in pieces]
    return {"fitted": attack.fit(pieces, **options)}


def scored(attack, cut: Mapping, fit: Mapping, options: Mapping):
    """Return the scores of a slice of arrays by name: `score` is given what the attack says."""
    given = shown(attack, cut, attack.ATTACK.read_by_score(options), options)
    return attack.score(**given, **fit, **options)


def shown(attack, cut: Mapping, names: Iterable[str], options: Mapping) -> dict:
    """Return what is read of a slice of arrays by these names, what the attack derives too."""
    found = {name: cut[name] for name in names if name != "derived"}
    if "derived" in names:
        told = {name: cut[name] for name in attack.ATTACK.read_by_derive(options)}
        found["derived"] = attack.derive(SimpleNamespace(**told), **options)
    return found


def run(attack, a: Mapping, pieces: int = 1, **given) -> np.ndarray:  # (N,)
    """Return the scores of arrays by name, `refs_...` with models first, passed in pieces."""
    chosen = checked(given, declared(Path(attack.__file__), "score"), "test")
    cuts = [
        {n: v[:, i] if n.startswith("refs") else v[i] for n, v in a.items()}
        for i in np.array_split(np.arange(a["refs_out"].shape[1]), pieces)
    ]
    fit = fitted(attack, cuts, chosen)
    return np.concatenate([scored(attack, cut, fit, chosen) for cut in cuts])
