"""Say which page to open first, now that a study is made: `make` ends with it.

Not a rule's script.
"""

import sys
from pathlib import Path

from miatlas.study.places import exhibits_folder


def main(report: str, *studies: str) -> None:
    """Print a line for the page that answers, if the study has one, and one for the report."""
    answer = exhibits_folder(studies) / "answer.html"
    if answer.is_file():
        print(f"Open in a browser: {answer.resolve()} (the answer in a sentence, on a page)")
    print(f"Open in a browser: {Path(report).resolve()} (the report: all figures and tables)")


if __name__ == "__main__":
    main(*sys.argv[1:])
