"""Decide which models of one block train on which examples."""

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from miatlas.designs.base import Draws, Membership
from miatlas.designs.roles import POOL
from miatlas.running.logs import logged
from miatlas.running.store import attributes, read_h5, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *,
    roles: str,
    membership: str,
    settings: dict,
    targets: list[str] = (),
    like: list[str] = (),
) -> None:
    """Write member and evaluated, both (K, N) bool, with the nominal size of a training set.

    The membership of another cohort's blocks: `targets`, for designs that start from it, or
    `like`, for those that take their size from it.
    """
    role = read_h5(roles, ["role"])["role"]
    pool = np.flatnonzero(role == POOL)
    draws = Draws(settings["seed"], settings["cohort"], settings["population"])
    options = {key: value for key, value in settings["design"].items() if key != "name"}
    design = import_module(f"miatlas.designs.{settings['design']['name']}")
    others = [of(files, pool) for files in (targets, like) if files]
    drawn = design.draw(pool, range(*settings["models"]), draws, *others, **options)
    arrays = {}
    for name in ("member", "evaluated"):
        arrays[name] = np.zeros((len(drawn.member), len(role)), bool)
        arrays[name][:, pool] = getattr(drawn, name)
    write_h5(membership, arrays, {"size": drawn.size, "settings": settings})
    print(f"training sets of {arrays['member'].sum(1).tolist()} examples")


def of(targets: list[str], pool: np.ndarray) -> Membership:
    """Return the membership of the cohort that a design starts from."""
    blocks = [read_h5(path, ["member", "evaluated"]) for path in targets]
    rows = [np.concatenate([b[name] for b in blocks])[:, pool] for name in blocks[0]]
    return Membership(*rows, int(attributes(targets[0])["size"]))


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            roles=snakemake.input.roles,
            targets=list(snakemake.input.get("targets", [])),
            like=list(snakemake.input.get("like", [])),
            **snakemake.output,
            settings=snakemake.params.settings,
        )
