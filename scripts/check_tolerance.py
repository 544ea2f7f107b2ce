"""Say whether what a study found is within its tolerance. For a release pipeline: see the status.

Not a rule's script: `make check STUDY=...` starts it on the page's numbers (answer.json). It exits
with 0 where every audit is within, 1 where one is beyond, 2 where none is beyond and one cannot be
told, 3 where the study names no tolerance.
"""

import json
import sys
from pathlib import Path

STATUS = {"within": 0, "cannot tell": 2, "beyond": 1}


def main(data: str) -> int:
    """Print a line for each audit; return the exit status."""
    found = json.loads(Path(data).read_text(encoding="utf-8"))
    verdicts = {audit["audit"]: audit["verdict"] for audit in found["audits"]}
    if None in verdicts.values() or not verdicts:
        print(f"{data}: the study names no tolerance", file=sys.stderr)
        return 3
    for name, verdict in verdicts.items():
        print(f"{name}: {verdict['word']}. {verdict['reason']}.")
    words = {verdict["word"] for verdict in verdicts.values()}
    return next(STATUS[word] for word in ("beyond", "cannot tell", "within") if word in words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
