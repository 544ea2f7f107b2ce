"""Make one table of a paper: its numbers, and a page of it to read."""

from typing import TYPE_CHECKING

from miatlas.exhibits.gathering import gather
from miatlas.exhibits.pages import markdown, page
from miatlas.exhibits.remarks import remarks
from miatlas.running import plugins
from miatlas.running.files import write_csv, write_text
from miatlas.running.logs import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, html: str, md: str, csv: str, settings: dict, **evidence: list[str]) -> None:
    """Write the numbers as CSV, the table as shown in Markdown and HTML.

    evidence: the files of each kind that the table reads.
    """
    tables = plugins.module("exhibits.tables", settings["table"])
    numbers, shown = tables.tabulate(gather(settings, evidence), **settings["options"])
    write_csv(csv, numbers)
    notes = " ".join([*shown.attrs.get("notes", []), *remarks(evidence)])
    write_text(md, markdown(shown, notes))
    said = f"{settings['caption']} {notes}".strip()
    write_text(html, page(settings["title"], {"": shown}, said))


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
