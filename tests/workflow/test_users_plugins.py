"""Attacks, sources, figures and tables in a folder of a user's own, outside of the checkout."""

import json
import re

import h5py
import numpy as np
import pytest
from test_reruns import PROVENANCE, exhibits, scores

FILES = {
    "attacks/twice.py": '''"""Twice phi (nobody 2026): it is high for members."""
from typing import Annotated

from common import twice

from miatlas.audits.attack import Attack, reads
from miatlas.options import positive

ATTACK = Attack(title="Twice the scaled logit", authors="nobody", year=2026, source="here",
                score=[reads("target_phi")])


def score(target_phi, *, more: Annotated[float, positive] = 1.0):
    return more * twice(target_phi[:, 0].astype(float))
''',
    "attacks/common.py": "def twice(x):\n    return 2 * x\n",
    "sources/lines.py": '''"""lines: numbers in a text file, a row an example, the label last."""
from pathlib import Path

import numpy as np
from common import table

from miatlas.populations.base import Population


def load(data_root: Path, *, path: str):
    rows = table(path)
    labels = rows[:, -1].astype(np.int64)
    return Population(x=rows[:, :-1].astype(np.float32), labels=labels,
                      test=np.zeros(len(rows), bool), class_names=["a", "b"], source="lines")
''',
    "sources/common.py": "import numpy\n\ndef table(path):\n    return numpy.loadtxt(path)\n",
    "shown/bars.py": '''"""Bars of AUCs."""
import pandas as pd
from matplotlib.figure import Figure

READS = ("metrics",)


def draw(evidence, *, colour: str = "grey"):
    rows = [{"label": r["label"], "auc": r["mean"]["auc"]["mean"]} for r in evidence.metrics]
    numbers, figure = pd.DataFrame(rows), Figure()
    figure.add_subplot().bar(numbers["label"], numbers["auc"], color=colour)
    return figure, numbers
''',
    "shown/sizes.py": '''"""How many examples count."""
import pandas as pd

READS = ("metrics", "attacks")


def tabulate(evidence, *, heading: str = "Examples that count"):
    numbers = pd.DataFrame({"label": [r["label"] for r in evidence.metrics],
                            heading: [r["examples"] for r in evidence.metrics]})
    return numbers, numbers
''',
}  # fmt: skip


@pytest.fixture
def own(done):
    """The tiny study, with a plug-in of every kind in a folder beside the checkout."""
    mine = done.root.parent / "mine"
    for name, text in FILES.items():
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text(text)
    stream = np.random.default_rng(3)
    x = stream.normal(size=(120, 4))
    np.savetxt(mine / "lines.txt", np.column_stack([x, x[:, 0] + x[:, 1] > 0]))
    study = done.study
    study["attacks"]["mine"] = {"attack": {"file": "../mine/attacks/twice.py"}, "more": 3.0}
    study["audits"]["one"]["attacks"].append("mine")
    shown = {"paper": "P", "title": "T", "audits": ["one"], "attacks": ["loss", "mine"]}
    study["exhibits"]["bars"] = shown | {"figure": {"file": "../mine/shown/bars.py"}}
    study["exhibits"]["sizes"] = shown | {
        "table": {"file": "../mine/shown/sizes.py"}, "options": {"heading": "Counted"},
    }  # fmt: skip
    study["populations"]["lines"] = {
        "source": {"file": "../mine/sources/lines.py"}, "path": "../mine/lines.txt"
    }  # fmt: skip
    study["cohorts"]["three"] = study["cohorts"]["two"] | {"population": "lines"}
    study["audits"]["three"] = {"target": "three", "targets": 2, "attacks": ["loss"]}
    return done, mine


NEW_EXHIBITS = exhibits("bars.svg", "sizes.html")
THREE = {
    "populations/lines.h5", "cohorts/three/roles.h5", "cohorts/three/membership/0.h5",
    "cohorts/three/models/0.safetensors", "cohorts/three/signals/0.h5",
}  # fmt: skip
EDITS = {
    "attacks/twice.py": scores("one/mine") | NEW_EXHIBITS,
    "attacks/common.py": scores("one/mine") | NEW_EXHIBITS,
    "sources/lines.py": THREE | scores("three/loss") | PROVENANCE,
    "sources/common.py": THREE | scores("three/loss") | PROVENANCE,
    "shown/bars.py": exhibits("bars.svg"),
    "shown/sizes.py": exhibits("sizes.html"),
}


@pytest.mark.slow
def test_a_users_own_plug_ins_are_run_shown_and_rerun(own):
    project, mine = own
    added = THREE | scores("one/mine", "three/loss") | NEW_EXHIBITS | PROVENANCE
    assert project.plan() == added
    project.run()
    with h5py.File(project.results / "audits/one/mine.h5") as file:
        found, targets = file["scores"][()], file["targets"][()]
    blocks = [project.results / f"cohorts/one/signals/{block}.h5" for block in (0, 1)]
    phi = np.concatenate([h5py.File(path)["phi"][..., 0] for path in blocks])[targets]
    there = np.isfinite(found)
    assert there.sum() > 300
    assert found[there] == pytest.approx(6 * phi.astype(float)[there])
    measured = json.loads((project.results / "audits/one/mine.metrics.json").read_text())
    assert measured["options"] == {"more": 3.0}
    shown = project.results / "exhibits/tiny"
    assert "Twice the scaled logit (mine)" in (shown / "answer.html").read_text()
    auc = measured["mean"]["auc"]["mean"]
    assert f"mine,{auc:.6f}"[:12] in (shown / "bars.csv").read_text()
    assert re.search(r"mine +\| +200", (shown / "sizes.md").read_text())
    assert "Counted" in (shown / "sizes.html").read_text()
    with h5py.File(project.results / "populations/lines.h5") as file:
        assert np.allclose(file["x"][()], np.loadtxt(mine / "lines.txt")[:, :-1])
    assert project.plan() == set()
    for name, expected in EDITS.items():
        text = FILES[name]
        (mine / name).write_text(f"# words alone\n{text}")
        assert project.plan() == set(), name
        (mine / name).write_text(f"{text}\nADDED = 1\n")
        assert project.plan() == expected, name
        (mine / name).write_text(text)
    (mine / "lines.txt").write_text((mine / "lines.txt").read_text().replace("e-01", "e+00"))
    assert project.plan() == THREE | scores("three/loss") | PROVENANCE


def test_what_a_users_module_gets_wrong_is_said_before_anything_runs(own):
    project, mine = own
    (mine / "attacks/twice.py").write_text(FILES["attacks/twice.py"].replace("twice(", "1 / 0 * ("))
    (mine / "attacks/common.py").write_text("")
    said = project.fail("--dry-run").text
    assert re.search(
        r"^miatlas: attacks.mine: \S+/mine/attacks/twice.py, line 4: ImportError: .*'twice'.*$",
        said, re.M,
    )  # fmt: skip
    assert "Traceback" not in said
