"""Say whether what a study found is within its tolerance; the exit status says it to a pipeline.

Not a rule's script: `make check STUDY=...` makes the study and starts this on its files. It exits
with 0 where every audit is within, 1 where one is beyond, 2 where none is beyond and one cannot be
told, 3 where there is nothing to judge.
"""

import json
import sys

from miatlas.study.places import exhibits_folder

STATUS = {"beyond": 1, "cannot tell": 2, "within": 0}  # the worst comes first
NOTHING = 3


def main(*studies: str) -> int:
    """Print a line for each audit of the study in these files; return the exit status."""
    data = exhibits_folder(studies) / "answer.json"
    if not data.is_file():
        print(f"{data} is not there: make the study first", file=sys.stderr)
        return NOTHING
    audits = json.loads(data.read_text(encoding="utf-8"))["audits"]
    verdicts = {audit["audit"]: audit["verdict"] for audit in audits if audit["verdict"]}
    for name, verdict in verdicts.items():
        print(f"{name}: {verdict['word']}. {verdict['reason']}.")
    if not verdicts:
        print(f"{' '.join(studies)}: the study names no tolerance", file=sys.stderr)
        return NOTHING
    words = {verdict["word"] for verdict in verdicts.values()}
    return next(status for word, status in STATUS.items() if word in words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
