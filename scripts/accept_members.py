"""Take over who the members of released models are, as lists or the population say."""

from typing import TYPE_CHECKING

import numpy as np

from miatlas.designs.member_lists import read
from miatlas.designs.roles import POOL
from miatlas.running.logs import logged
from miatlas.running.store import opened, read_h5, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *,
    roles: str,
    population: str,
    membership: str,
    settings: dict,
    members: list[str] = (),
    nonmembers: list[str] = (),
) -> None:
    """Write member and evaluated, both (K, N) bool, with the mean size of a training set.

    Evaluated are members and non-members of the pool: all that are no members, or those of a list.
    """
    where = f"cohorts.{settings['cohort']}"
    with opened(population) as file:
        own = file["member"][()] if "member" in file else None
    role = read_h5(roles, ["role"])["role"]
    examples = len(role)
    member = said(members, own, examples, settings["models"], where)
    others = read(nonmembers[0], examples) if nonmembers else ~member.any(0)
    check(member, others, role, where)
    evaluated = (member | others) & (role == POOL)
    size = round(float(member.sum(1).mean()))
    write_h5(
        membership, {"member": member, "evaluated": evaluated}, {"size": size, "settings": settings}
    )
    print(f"members: {member.sum(1).tolist()}, others: {int((others & (role == POOL)).sum())}")


def said(members, own, examples, models, where) -> np.ndarray:
    """Return who is a member of which model, (K, N) bool: by lists, or by the population's own."""
    if members:
        lists = [np.atleast_2d(read(path, examples)) for path in members]
    elif own is not None:
        lists = [np.atleast_2d(own.astype(bool))]
    else:
        raise ValueError(f"{where}.members: give a list: the population does not say who they are")
    found = np.concatenate(lists)
    if len(found) not in (1, models):
        raise ValueError(f"{where}.members: {len(found)} rows of members, but {models} models")
    return np.repeat(found, models // len(found), axis=0)


def check(member, others, role, where) -> None:
    """Refuse lists that overlap, that leave nobody out, and members that cannot be in the pool."""
    both = np.flatnonzero(member.any(0) & others) if len(member) == 1 else []
    if len(both):
        raise ValueError(f"{where}.nonmembers: example {both[0]} is on the list of members too")
    outside = np.flatnonzero(member.any(0) & (role != POOL))
    if len(outside):
        raise ValueError(
            f"{where}: example {outside[0]} is a member, but held out or a test example: let"
            " held_out and test be 0, or let the population say who the members are"
        )
    pool = role == POOL
    for k, row in enumerate(member):
        if not row.any() or not (pool & ~row & (others | member.any(0))).any():
            what = "members" if not row.any() else "non-members"
            raise ValueError(f"{where}: model {k} has no {what}: there is nothing to tell apart")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = dict(snakemake.input)
        main(
            members=list(files.pop("members", [])),
            nonmembers=list(files.pop("nonmembers", [])),
            **files,
            **snakemake.output,
            settings=snakemake.params.settings,
        )
