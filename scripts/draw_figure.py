"""Draw one figure of a paper, as vector and pixel graphics, with the plotted numbers."""

from textwrap import fill
from typing import TYPE_CHECKING

import matplotlib.style

# What figures and their formats import later is imported here: else each fork would do so anew.
import scipy.special  # noqa: F401
from matplotlib.backends import backend_agg, backend_pdf, backend_svg  # noqa: F401

from miatlas.exhibits.gathering import gather
from miatlas.exhibits.remarks import remarks
from miatlas.running import plugins
from miatlas.running.files import whole, write_csv
from miatlas.running.logs import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None, "ModDate": None}, "png": {}}


def main(
    *,
    svg: str,
    pdf: str,
    png: str,
    csv: str,
    style: str,
    settings: dict,
    **evidence: list[str],
) -> None:
    """Write the figure three times, without dates in it, and its numbers.

    evidence: the files of each kind that the figure reads.
    """
    matplotlib.use("Agg")
    figures = plugins.module("exhibits.figures", settings["figure"])
    with matplotlib.style.context(style):
        figure, numbers = figures.draw(gather(settings, evidence), **settings["options"])
        said = remarks(evidence)
        if said:
            figure.text(0, 0, fill(" ".join(said), 90), va="top", size="small", color="tab:red")
        for path, metadata in zip((svg, pdf, png), UNDATED.items(), strict=True):
            with whole(path) as temporary:
                figure.savefig(
                    temporary,
                    format=metadata[0],
                    metadata=metadata[1],
                    bbox_inches="tight" if said else None,
                )
            figure.set_layout_engine("none")  # one layout serves all formats: each takes a while
    write_csv(csv, numbers)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
