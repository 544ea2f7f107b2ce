"""Check the signals that other software made, and write them in this project's layout."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from miatlas.running.logs import logged
from miatlas.running.store import (
    PART,
    SLICE,
    by_slices,
    fill,
    fill_by_slices,
    new_h5,
    opened,
    write_h5,
)
from miatlas.signals import consistency, probabilities
from miatlas.signals.answers import ALIKE, ANSWERS, MASKS, NONE, SIGNALS, Signals, slices

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

OF_EXAMPLES = ("labels", "role")  # what answers are checked against
AT_ONCE = 2**25  # numbers read at once, whatever the chunks of the file


def main(*, external: str, signals: str, settings: dict) -> None:
    """Write the accepted signals; refuse shapes that do not fit and values that cannot be.

    A table of probabilities (.csv, .npz) is made into signals first.
    """
    if probabilities.is_table(external):
        return accept_probabilities(external, signals, settings)
    given = Signals([external])
    with opened(external) as file:
        answers = [name for name in ANSWERS if name in file]
        others = sorted(set(file) - set(SIGNALS))
        alike = {name: getattr(given, name) for name in ALIKE if name in {*file, *NONE}}
    classes = given.dimensions("logits")[-1] if "logits" in answers else None
    consistency.check_classes(external, alike["labels"], classes)
    facts = {"cohort": settings["cohort"], "external": str(external)}
    with new_h5(signals, facts) as file:
        fill(file, alike, {})
        fill_by_slices(file, given.shape[1], checked(given, answers, settings["paired"]))
        check_members(external, file["member"])
    print(f"{settings['cohort']}: {given.shape[0]} models, {given.shape[1]} examples accepted")
    if others:
        print(f"{external}: not read: {', '.join(others)}")


def accept_probabilities(external, signals, settings) -> None:
    """Write the signals of a table of probabilities, which has been checked as it was read."""
    arrays = probabilities.read(external)
    models, examples = arrays["member"].shape
    known = {name: arrays[name] for name in ("role", "member")}  # of phi and logits, one is made
    consistency.check(external, 0, known, settings["paired"])
    consistency.check_classes(external, arrays["labels"], arrays["logits"].shape[-1])
    facts = {"cohort": settings["cohort"], "external": str(external)}
    write_h5(signals, arrays, facts, by_slices(arrays))
    check_members(external, arrays["member"])
    print(f"{settings['cohort']}: {models} models, {examples} examples accepted")


def checked(given: Signals, answers: list[str], paired: bool) -> Iterator:
    """Yield slices of the examples, as `fill_by_slices` takes them, once they are consistent."""
    names = [*MASKS, *answers]
    numbers = sum(math.prod(given.dimensions(name)) for name in answers) // given.shape[1]
    for large in given.slices(max(1, AT_ONCE // numbers // SLICE) * SLICE):
        arrays = {name: given.read(name, large) for name in (*names, *OF_EXAMPLES)}
        for start in range(large.start, large.stop, SLICE):
            here = slice(start - large.start, start - large.start + SLICE)
            part = {n: a[here] if n in OF_EXAMPLES else a[:, here] for n, a in arrays.items()}
            consistency.check(given.paths[0], start, part, paired)
            yield (
                slice(start, start + len(part["role"])),
                lambda part=part: {name: part[name] for name in names},
            )


def check_members(external, member) -> None:
    """Refuse members without a non-member; models may well know no example."""
    if all(member[:, where].all() for where in slices(member.shape[1], PART)):
        raise ValueError(
            f"{external}: member is all true: models 0 to {len(member) - 1} have no non-members to"
            " tell members from"
        )


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
