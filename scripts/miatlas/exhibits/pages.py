"""Tables as pages to read: HTML for the report, Markdown for everything else."""

from html import escape

import pandas as pd

STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; }
p { max-width: 70em; }
table { border-collapse: collapse; }
th, td { padding: 0.3em 0.9em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; white-space: pre-wrap; }
thead th { border-bottom: 2px solid #444; vertical-align: bottom; }
"""


def page(title: str, sections: dict[str, pd.DataFrame], note: str = "") -> str:
    """Return an HTML page: what is said of it, and a table per section; "" has no heading."""
    body = "".join(
        (f"<h3>{escape(heading)}</h3>\n" if heading else "") + table.to_html(index=False, border=0)
        for heading, table in sections.items()
    )
    said = f"<p>{escape(note)}</p>\n" if note else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n<h2>{escape(title)}</h2>\n"
        f"{said}{body}</body></html>\n"
    )


def markdown(table: pd.DataFrame) -> str:
    """Return a table of strings in Markdown."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).values.tolist()]
    return "".join("| " + " | ".join(str(cell) for cell in row) + " |\n" for row in rows)
