"""The page on plug-ins: its study is accepted with its files, which do what it says of them."""

import re
from copy import deepcopy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import yaml
from projects import TINY

from miatlas.exhibits.evidence import Evidence
from miatlas.populations.base import Population
from miatlas.running.plugins import module
from miatlas.study import reading

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
ATTACK, SOURCE, FIGURE, TABLE = re.findall(r"```python\n(.*?)```", PAGE, re.S)
[STUDY] = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
NETWORK = "def build(shape, classes, *, width: int = 8):\n    pass\n"
EVIDENCE = Evidence(
    {"loss": "L", "mine": "M"},
    [{"label": name, "examples": 7, "mean": {"auc": {"mean": auc}}}
     for name, auc in (("loss", 0.5), ("mine", 0.75))],
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my").mkdir()
    for name, text in (
        ("attack", ATTACK), ("source", SOURCE), ("figure", FIGURE), ("table", TABLE),
        ("network", NETWORK),
    ):  # fmt: skip
        (tmp_path / "my" / f"{name}.py").write_text(text)
    (tmp_path / "my" / "lines.txt").write_text("0.5 1 0\n2 3 1\n4 5 1\n")
    return tmp_path


def test_the_study_of_the_page_is_accepted(folder):
    study = deepcopy(yaml.safe_load(TINY))
    for section, entries in yaml.safe_load(STUDY).items():
        study[section] |= entries
    study["audits"]["one"]["attacks"].append("mine")
    study["cohorts"]["one"]["queries"] = {"count": 2}
    found = reading.read(study, [folder])
    assert reading.missing(found) == []
    assert found["attacks"]["mine"]["options"] == {"queries": 2}
    assert found["recipes"]["net"]["architecture"]["width"] == 64


def test_its_source_reads_what_it_says(folder):
    source = module("populations", str(folder / "my/source.py"))
    found = source.load(folder, path=str(folder / "my/lines.txt"))
    assert isinstance(found, Population)
    assert (found.x == np.array([[0.5, 1], [2, 3], [4, 5]])).all()
    assert (found.labels.tolist(), found.class_names) == ([0, 1, 1], ["0", "1"])


def test_its_figure_and_table_show_the_numbers(folder):
    matplotlib.use("Agg")
    figure, numbers = module("", str(folder / "my/figure.py")).draw(EVIDENCE)
    [axes] = figure.axes
    assert [bar.get_height() for bar in axes.patches] == numbers["auc"].tolist() == [0.5, 0.75]
    numbers, shown = module("", str(folder / "my/table.py")).tabulate(EVIDENCE, heading="Seen")
    assert numbers["examples"].tolist() == shown["Seen"].tolist() == [7, 7]
    assert shown["attack"].tolist() == ["L", "M"]
