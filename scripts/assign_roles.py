"""Give every example of a population its role in a cohort: pool, held-out or test."""

from typing import TYPE_CHECKING

from miatlas.designs.base import Draws
from miatlas.designs.role_assignment import assign
from miatlas.designs.roles import ROLES
from miatlas.running.logs import logged
from miatlas.running.store import opened, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, population: str, roles: str, settings: dict) -> None:
    """Write role (N,) uint8; the same for every cohort of the population with these fractions."""
    with opened(population) as file:
        test, *member = (file[name][()] for name in ("test", "member") if name in file)
    draws = Draws(settings["seed"], "", settings["population"])
    shares = {"held_out": settings["held_out"], "test_fraction": settings["test"]}
    role = assign(test, draws, **shares, member=member[0] if member else None)
    write_h5(roles, {"role": role}, {"roles": ROLES, "settings": settings})
    print({name: int((role == code).sum()) for name, code in ROLES.items()})


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
