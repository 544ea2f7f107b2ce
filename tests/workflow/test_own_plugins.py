"""Plug-ins of a user's own, in a folder anywhere: used like the library's, and rerun like them."""

import h5py
import numpy as np
import pytest
import yaml
from projects import Project, new_project

pytestmark = pytest.mark.slow

FILES = {
    "source.py": '''
"""Two clouds of points."""
import numpy as np
from miatlas.populations.base import Population

def load(data_root, *, examples: int = 80):
    stream = np.random.default_rng(1)
    labels = np.arange(examples) % 2
    x = (stream.normal(size=(examples, 4)) + labels[:, None]).astype(np.float32)
    return Population(x, labels, np.zeros(examples, bool), ["a", "b"], "two clouds")
''',
    "network.py": '''
"""One layer."""
from torch import nn
from layers import layer

def build(shape, classes):
    return layer(shape[0], classes)
''',
    "layers.py": '''
"""What the network is made of."""
from torch import nn

def layer(inputs, outputs):
    return nn.Linear(inputs, outputs)
''',
    "attack.py": '''
"""Confidence, turned up (an example, 2026)."""
from miatlas.audits.attack import Attack, reads

ATTACK = Attack(title="Turned up", authors="Nobody", year=2026, source="-",
                score=[reads("target_phi")])

def score(target_phi, *, by: float = 2.0):
    """Return phi times `by`."""
    return by * target_phi[:, 0].astype(float)
''',
    "figure.py": '''
"""One line."""
import matplotlib.pyplot as plt
import pandas as pd

READS = ("metrics",)

def draw(evidence):
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    return figure, pd.DataFrame({"auc": [m["pooled"]["auc"]["value"] for m in evidence.metrics]})
''',
    "table.py": '''
"""One number."""
import pandas as pd

READS = ("metrics",)

def tabulate(evidence):
    numbers = pd.DataFrame({"auc": [m["pooled"]["auc"]["value"] for m in evidence.metrics]})
    return numbers, numbers
''',
}
STUDY = """
study: own
populations: {clouds: {source: {file: source.py}, examples: 60}}
recipes: {mine: {architecture: {file: network.py}, epochs: 2, batch_size: 10}}
cohorts:
  one: {population: clouds, recipe: mine, design: {name: half, group: 4}, models: 4}
attacks: {mine: {attack: {file: attack.py}, by: 3.0}, logit: {}}
audits: {own: {target: one, attacks: [mine, logit], targets: 2}}
exhibits:
  figure: {paper: P, title: F, figure: {file: figure.py}, audits: [own], attacks: [mine, logit]}
  table: {paper: P, title: T, table: {file: table.py}, audits: [own], attacks: [mine]}
"""


class Apart(Project):
    """A project whose study lies in a folder of its own, with its plug-ins beside it."""

    @property
    def folder(self):
        return self.root.parent / "mine"

    def write(self):
        self.folder.mkdir(exist_ok=True)
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.study), encoding="utf-8")

    def command(self, *arguments, cores=2):
        here, there = (str(folder / "study.yaml") for folder in (self.root, self.folder))
        return [
            there if part == here else part for part in super().command(*arguments, cores=cores)
        ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("own") / "miatlas"
    project = Apart(new_project(root, {}).root, yaml.safe_load(STUDY))
    for name, text in FILES.items():
        (project.folder / name).write_text(text.lstrip(), encoding="utf-8")
    project.run()
    return project


def test_everything_of_ones_own_is_used(finished):
    own, known = (h5py.File(finished.results / f"audits/own/{n}.h5") for n in ("mine", "logit"))
    with own, known:
        assert own["scores"][()] == pytest.approx(3 * known["scores"][()])
    with h5py.File(finished.results / "populations/clouds.h5") as file:
        assert file["x"].shape == (60, 4)
    lines = (finished.results / "exhibits/own/figure.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert np.isclose(float(lines[1]), float(lines[2]))
    assert (finished.results / "exhibits/own/table.html").exists()


EXHIBITS = {f"exhibits/own/{name}" for name in ("figure.svg", "table.html", "answer.html")}
SCORED = {f"audits/own/mine{end}" for end in (".h5", ".metrics.json")} | EXHIBITS
EDITS = {
    "attack.py": ("by * target_phi", "by + target_phi", SCORED),
    "figure.py": ("[0, 1]", "[0, 2]", {"exhibits/own/figure.svg"}),
    "table.py": ('"auc"', '"AUC"', {"exhibits/own/table.html"}),
    "layers.py": ("nn.Linear(inputs, outputs)", "nn.Linear(inputs, outputs, bias=False)", None),
    "source.py": ("default_rng(1)", "default_rng(2)", None),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_file_reruns_what_depends_on_it_and_words_rerun_nothing(finished, name):
    """So does a neighbour that it imports."""
    path = finished.folder / name
    text = path.read_text(encoding="utf-8")
    old, new, expected = EDITS[name]
    try:
        path.write_text(
            text.replace('"""\n', ' Other words."""\n', 1) + "# and a comment\n", encoding="utf-8"
        )
        assert finished.plan() == set()
        assert text.count(old) >= 1
        path.write_text(text.replace(old, new), encoding="utf-8")
        plan = finished.plan()
    finally:
        path.write_text(text, encoding="utf-8")
    if expected is not None:
        assert plan == expected
    else:
        models = {
            "layers.py": "cohorts/one/models/0.safetensors",
            "source.py": "populations/clouds.h5",
        }
        assert models[name] in plan
        assert plan >= SCORED
        assert ("populations/clouds.h5" in plan) == (name == "source.py")


def test_what_is_wrong_with_a_file_is_said_before_anything_runs(finished):
    path = finished.folder / "attack.py"
    text = path.read_text(encoding="utf-8")
    try:
        path.write_text(text + "\nx = undefined\n", encoding="utf-8")
        assert "attack.py, line 11: NameError" in finished.fail("--dry-run").text
        path.unlink()
        assert "attacks.mine: there is no file " in finished.fail("--dry-run").text
    finally:
        path.write_text(text, encoding="utf-8")
