"""Compute what no attack on a cohort could exceed, example by example."""

from typing import TYPE_CHECKING

from miatlas.bounds.uncertainty import measure
from miatlas.running.files import write_csv
from miatlas.running.logs import logged
from miatlas.signals.answers import Signals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *, signals: list[str], bounds: str, reliability: str, settings: dict, memory_mb: int = 512
) -> None:
    """Write a row an example (see `uncertainty.bounds_table`), and the cohort's reliability."""
    table, bins = measure(
        Signals(signals), **settings["bounds"], seed=settings["seed"], memory_mb=memory_mb
    )
    if table.empty:
        raise ValueError(
            f"cohort {settings['cohort']}: no example has two models that trained on it and two"
            " that did not: there is nothing to fit"
        )
    write_csv(bounds, table)
    write_csv(reliability, bins)
    means = table[
        [f"{name}_{kind}" for name in ("cv", "tlc", "ds") for kind in ("optimum", "bound")]
    ]
    print(f"{settings['cohort']}: {len(table)} examples; means", means.mean().round(3).to_dict())
    lost = int((~table["converged"]).sum())
    print(f"{lost} of them ({lost / len(table):.2%}) with a fit that did not converge")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            signals=list(snakemake.input.signals),
            **snakemake.output,
            settings=snakemake.params.settings,
            memory_mb=snakemake.resources.mem_mb // 2,
        )
