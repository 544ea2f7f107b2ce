"""Tables as pages to read: HTML for the report, Markdown for everything else."""

import pandas as pd

from miatlas.exhibits.texts import in_html, in_markdown

STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; }
h2, h3, p, th, td { white-space: pre-wrap; }
p { max-width: 70em; }
table { border-collapse: collapse; }
th, td { padding: 0.3em 0.9em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #444; vertical-align: bottom; }
"""


def page(title: str, sections: dict[str, pd.DataFrame], note: str = "") -> str:
    """Return an HTML page: what is said of it, and a table per section; "" has no heading."""
    body = "".join(
        (f"<h3>{in_html(heading)}</h3>\n" if heading else "") + _table(table)
        for heading, table in sections.items()
    )
    said = f"<p>{in_html(note)}</p>\n" if note else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{in_html(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h2>{in_html(title)}</h2>\n{said}{body}</body></html>\n"
    )


def _table(table):
    """Return a table of strings in HTML, whole: pandas cuts long cells, and has no pre-wrap."""
    head = "".join(f"<th>{in_html(name)}</th>" for name in table.columns)
    rows = [
        "<tr>" + "".join(f"<td>{in_html(cell)}</td>" for cell in row) + "</tr>\n"
        for row in table.astype(str).to_numpy().tolist()
    ]
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table>\n"


def markdown(table: pd.DataFrame, note: str = "") -> str:
    """Return a table of strings in Markdown, and what is said of it."""
    cells = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    rows = [[in_markdown(cell) for cell in row] for row in cells]
    rows.insert(1, ["---"] * len(table.columns))
    lines = "".join("| " + " | ".join(row) + " |\n" for row in rows)
    return lines + (f"\n{in_markdown(note)}\n" if note else "")
