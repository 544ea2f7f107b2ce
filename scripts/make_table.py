"""Make one table of a paper: its numbers, and a page of it to read."""

from importlib import import_module
from typing import TYPE_CHECKING

from miatlas.evidence import gather
from miatlas.logs import logged
from miatlas.store import write_csv, write_text

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.3em 0.9em; text-align: right; border-bottom: 1px solid #ddd; }}
th:first-child, td:first-child {{ text-align: left; white-space: pre; }}
thead th {{ border-bottom: 2px solid #444; }}
</style></head><body><h3>{title}</h3>
{table}
<p>{caption}</p></body></html>
"""


def main(
    *,
    html: str,
    md: str,
    csv: str,
    settings: dict,
    metrics: list[str] = (),
    curves: list[str] = (),
    signals: list[str] = (),
) -> None:
    """Write the numbers as CSV, the table as shown in Markdown and HTML."""
    tables = import_module(f"miatlas.tables.{settings['table']}")
    evidence = gather(settings, metrics, curves, signals)
    numbers, shown = tables.tabulate(evidence, **settings["options"])
    write_csv(csv, numbers)
    write_text(md, markdown(shown))
    table = shown.to_html(index=False, border=0)
    write_text(html, PAGE.format(title=settings["title"], table=table, caption=settings["caption"]))


def markdown(table) -> str:
    """Return a data frame of strings as a Markdown table."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).values.tolist()]
    return "".join("| " + " | ".join(str(cell) for cell in row) + " |\n" for row in rows)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.input, **snakemake.output, settings=snakemake.params.settings)
