"""What an attack says of itself, in plain data: the object ATTACK of its module.

Whoever wants to know what an attack reads, learns from or needs asks this object; `score` and `fit`
of the module are pure functions of what it says they are given.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from miatlas.running import plugins

PROBES = ("noise", "noisy_labels", "gradients", "distances", "tokens")  # that attacks may read
# Whose answer about what: the target's, its shadow models', one of theirs, the third cohort's.
ANSWER = re.compile(
    r"(?P<who>target|refs|ref|reference)_(?P<held_out>held_out_)?"
    rf"(?P<what>phi|logits|{'|'.join(PROBES)}"
    r"|(?<=^target_)(?:normal|quantile)_regression"
    r"|(?:(?<=^target_)|(?<=^refs_))perturbed)"
)
MASKS = ("refs_in", "refs_out")
OTHERS = (*MASKS, "labels", "zlib_bytes", "held_out_labels", "examples", "derived")


@dataclass(frozen=True)
class Not:
    """In a condition: any value of an option but this one."""

    value: Any


@dataclass(frozen=True)
class Reads:
    """Names of what is read where the options meet a condition: all of `when`."""

    names: tuple[str, ...]
    when: Mapping[str, Any]


def reads(*names: str, **when) -> Reads:
    """Return that these are read: always, or where options have the values (or are `Not` them)."""
    return Reads(names, when)


@dataclass(frozen=True)
class Attack:
    """Whose attack it is, and what it needs of a study.

    title, authors, year and source: what it is called, whose it is, and where it is defined.
    score: what `score` is given beside its options. fit: what `fit` is given of each slice of the
    examples; `score` gets its result as `fitted`. An attack without has no `fit`; `fits` are
    conditions on the options, one of which must hold for a fit to be made (default: it always is).

    learns: `fit` is taught by the shadow models' members and non-members; otherwise it reads about
    the examples that count for the target. shares_pass: a small summary of each slice is all that
    `fit` takes. The module has `summarise(piece, **options)`, `fit` is given its results, and one
    pass over the signals serves all targets; otherwise each target that needs a fit has its own.

    derive: what a function `derive` is given of a slice. What it returns, arrays by name or what
    has `nbytes` as they do, is read as `derived` by `summarise` and `score` alike, and made once
    for both where memory allows to keep it.

    in_order: conditions on the options, one of which makes the first models of a cohort an
    example's references, not any by lot. shadow: which kind of cohort the shadow models must be; of
    `several` training sets: what one has trained on, others have not.
    labels_suffice: conditions on the options, one of which makes the likeliest label alone enough
    of an answer; default: confidences are needed.
    hardness: what the answers of other models tell it about how hard a guess is, of each class or
    of each example (carlini2022 Table I).
    """

    title: str
    authors: str
    year: int
    source: str
    score: tuple[Reads, ...]
    fit: tuple[Reads, ...] = ()
    fits: tuple[Mapping[str, Any], ...] = ({},)
    learns: bool = False
    shares_pass: bool = False
    derive: tuple[Reads, ...] = ()
    in_order: tuple[Mapping[str, Any], ...] = ()
    shadow: Literal["any", "distilled", "leave_one_out", "several"] = "any"
    labels_suffice: tuple[Mapping[str, Any], ...] = ()
    hardness: Literal["none", "class", "example"] = "none"

    def read_by_score(self, options: Mapping | None = None) -> set[str]:
        """Return the arguments of `score` under these options, but `fitted`; None: all ever."""
        return _names(self.score, options)

    def read_by_fit(self, options: Mapping | None = None) -> set[str]:
        """Return what `fit` is given under these options, nothing if none is made; None: ever."""
        return _names(self.fit, options) if self.is_fitted(options) else set()

    def read(self, options: Mapping | None = None) -> set[str]:
        """Return all that is read under these options; None: all that ever may be."""
        made = self.read_by_score(options) | self.read_by_fit(options)
        return made | self.read_by_derive(options)

    def read_by_derive(self, options: Mapping | None = None) -> set[str]:
        """Return what `derive` is given under these options; None: all ever."""
        return _names(self.derive, options)

    def is_fitted(self, options: Mapping | None = None) -> bool:
        """Say whether these options make a `fit`; None: whether any do."""
        return bool(self.fit) and (options is None or any(met(w, options) for w in self.fits))

    def does_with_labels(self, options: Mapping) -> bool:
        """Say whether under these options the likeliest label is all that models must answer."""
        return any(met(when, options) for when in self.labels_suffice)

    def compares_in_order(self, options: Mapping) -> bool:
        """Say whether under these options an example's references are the first, not any."""
        return any(met(when, options) for when in self.in_order)


def met(when: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Say whether options meet a condition."""
    return all(
        options[name] != value.value if isinstance(value, Not) else options[name] == value
        for name, value in when.items()
    )


def _names(said: Iterable[Reads], options) -> set[str]:
    return {name for one in said if options is None or met(one.when, options) for name in one.names}


def of_held_out(name: str) -> bool:
    """Say whether it is read of the held-out examples, which are the same in every slice."""
    asked = ANSWER.fullmatch(name)
    return name == "held_out_labels" or bool(asked and asked["held_out"])


def load(name: str) -> ModuleType:
    """Return the module of an attack: of the library, or a file of the user's own."""
    return plugins.module("attacks", name)
