"""Check the signals that other software made, and write them in this project's layout."""

from typing import TYPE_CHECKING

import numpy as np

from miatlas.designs.roles import ROLES
from miatlas.running.logs import logged
from miatlas.running.store import by_slices, read_h5, write_h5
from miatlas.signals.answers import Signals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, external: str, signals: str, settings: dict) -> None:
    """Write the accepted signals; refuse shapes that do not fit and values that cannot be."""
    accepted = Signals([external])
    everything = slice(0, accepted.shape[1])
    arrays = read_h5(external)
    for name in ("phi", "logits", "features"):
        if name in arrays:
            arrays[name] = accepted.read(name, everything)
    arrays |= {"member": accepted.member, "evaluated": accepted.evaluated, "role": accepted.role}
    if not np.issubdtype(arrays["labels"].dtype, np.integer):
        raise ValueError(f"{external}: labels are {arrays['labels'].dtype}, expected integers")
    check(external, arrays["member"], arrays["role"])
    if settings["paired"]:
        check_pairs(external, arrays["member"])
    facts = {"cohort": settings["cohort"], "external": str(external)}
    write_h5(signals, arrays, facts, by_slices(arrays))
    print(
        f"{settings['cohort']}: {accepted.shape[0]} models, {accepted.shape[1]} examples accepted"
    )


def check(external, member, role) -> None:
    """Refuse unknown roles, and members without a non-member; models may well know no example."""
    unknown = np.flatnonzero(~np.isin(role, list(ROLES.values())))
    if len(unknown):
        known = ", ".join(f"{number} {name}" for name, number in ROLES.items())
        raise ValueError(
            f"{external}: role is {role[unknown[0]]} for example {unknown[0]}, expected one of:"
            f" {known}"
        )
    if member.all():
        raise ValueError(
            f"{external}: member is all true: models 0 to {len(member) - 1} have no non-members to"
            " tell members from"
        )


def check_pairs(external, member) -> None:
    """Refuse models that are no pairs: of 2k and 2k+1, no example is a member of both."""
    if len(member) % 2:
        raise ValueError(f"{external}: {len(member)} models are not pairs, but paired is true")
    both = np.argwhere(member[::2] & member[1::2])
    if len(both):
        pair, example = both[0]
        raise ValueError(
            f"{external}: example {example} is a member of models {2 * pair} and {2 * pair + 1},"
            " but paired is true: models 2k and 2k+1 hold complementary halves"
        )


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
