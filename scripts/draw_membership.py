"""Decide which models of one block train on which examples."""

import json
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from miatlas.designs.base import Draws, Membership
from miatlas.designs.roles import POOL
from miatlas.designs.teachers import unseen
from miatlas.running.logs import logged
from miatlas.running.store import attributes, read_h5, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *,
    roles: str,
    membership: str,
    settings: dict,
    population: list[str] = (),
    targets: list[str] = (),
    like: list[str] = (),
    teachers: list[str] = (),
) -> None:
    """Write member and evaluated, both (K, N) bool, with the nominal size of a training set.

    `population`: its file, where models draw from a part of it only. The membership of another
    cohort's blocks: `targets`, for designs that start from it, or
    `like`, for those that take their size from it. `teachers`: of those whose members the models
    are audited for, from their cohort's first on; then trained (K, N) says what models train on.
    """
    role = read_h5(roles, ["role"])["role"]
    pool = np.flatnonzero(role == POOL)
    if population:
        pool = pool[is_of(population[0], settings["only"])[pool]]
    if not len(pool):
        raise ValueError(f"cohort {settings['cohort']}: no example is left to draw from (only)")
    draws = Draws(settings["seed"], settings["cohort"], settings["population"])
    options = {key: value for key, value in settings["design"].items() if key != "name"}
    design = import_module(f"miatlas.designs.{settings['design']['name']}")
    others = [of(files, pool) for files in (targets, like) if files]
    drawn = design.draw(pool, range(*settings["models"]), draws, *others, **options)
    arrays = {}
    if teachers:
        whose = of(teachers, pool)
        rows = [rows[slice(*settings["models"])] for rows in (whose.member, whose.evaluated)]
        drawn, arrays["trained"] = unseen(drawn, Membership(*rows, whose.size))
    arrays |= {"member": drawn.member, "evaluated": drawn.evaluated}
    for name, of_pool in arrays.items():
        arrays[name] = np.zeros((len(of_pool), len(role)), bool)
        arrays[name][:, pool] = of_pool
    write_h5(membership, arrays, {"size": drawn.size, "settings": settings})
    trained = arrays.get("trained", arrays["member"])
    print(f"training sets of {trained.sum(1).tolist()} examples")


def is_of(population: str, only: list[str]) -> np.ndarray:
    """Return which examples (N,) of a population are of the parts named."""
    names = json.loads(attributes(population)["parts"])
    return np.isin(read_h5(population, ["part"])["part"], [names.index(name) for name in only])


def of(targets: list[str], pool: np.ndarray) -> Membership:
    """Return the membership of the cohort that a design starts from."""
    blocks = [read_h5(path, ["member", "evaluated"]) for path in targets]
    rows = [np.concatenate([b[name] for b in blocks])[:, pool] for name in blocks[0]]
    return Membership(*rows, int(attributes(targets[0])["size"]))


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            roles=snakemake.input.roles,
            population=list(snakemake.input.get("population", [])),
            targets=list(snakemake.input.get("targets", [])),
            like=list(snakemake.input.get("like", [])),
            teachers=list(snakemake.input.get("teachers", [])),
            **snakemake.output,
            settings=snakemake.params.settings,
        )
