"""The README's example of a new attack does what the README says."""

import json
import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def example() -> tuple[str, str]:
    """Return the path and the code of the attack that the README adds."""
    text = README.read_text()
    found = re.search(r"`(scripts/miatlas/attacks/\w+\.py)`:\n\n```python\n(.*?)```", text, re.S)
    return found[1], found[2]


def test_an_attack_is_one_file_and_a_line_in_the_study(done):
    path, code = example()
    label = Path(path).stem
    assert len(code.strip().splitlines()) <= 12
    (done.root / path).write_text(code)
    done.study["attacks"][label] = {}
    done.study["audits"]["one"]["attacks"].append(label)
    done.study["exhibits"]["curves"]["attacks"].append(label)
    own = {f"audits/one/{label}.h5", f"audits/one/{label}.metrics.json"}
    assert done.plan() == own | {"exhibits/tiny/curves.svg"}
    done.run()
    measured = json.loads((done.results / f"audits/one/{label}.metrics.json").read_text())
    assert measured["options"] == {"queries": 1}
    assert label in (done.results / "exhibits/tiny/curves.csv").read_text()
