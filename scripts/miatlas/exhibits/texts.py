"""Texts of a user in figures and pages: as they are written, whatever characters they have.

Each function takes a text and returns what its medium shows as that text.
"""

import html
import re

NOTHING = "\u2060"  # takes no room, and is no underscore
# What Markdown takes for more than text: anywhere; at an edge of a word; as part of a longer sign.
SIGNS = re.compile(
    r"[\\`*|$~]|(?<![^\W_])_|_(?![^\W_])|<(?=[\w/!?])|&(?=#?\w+;)|!?\[(?=[^\]]*\][(\[:])|\](?=[(\[:])"
)
# What begins a heading, a quotation, a list.
AT_START = re.compile(r"^(\s*\d*)([#>]|[-+=](?=[-+=\s]|$)|(?<=\d)[.)](?=\s|$))")


def printable(text) -> str:
    """Return a text in which control characters, which no medium shows, have a visible stand-in."""
    lines = str(text).replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", lines)


def in_figure(text) -> str:
    """Return a text as matplotlib draws it: no mathematics between dollars, and no hidden entry.

    matplotlib leaves what begins with an underscore out of legends.
    """
    drawn = printable(text).replace("$", r"\$").replace("\t", "    ")
    return NOTHING + drawn if drawn.startswith("_") else drawn


def in_html(text) -> str:
    """Return a text as HTML shows it, where white space is kept (pre-wrap)."""
    return html.escape(printable(text))


def in_markdown(text) -> str:
    """Return a text in Markdown: no markup, and one line, also in a cell of a table."""
    marked = SIGNS.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), printable(text))
    kept = AT_START.sub(lambda found: f"{found[1]}\\{found[2]}", marked)
    return kept.replace("\n", "<br>")
