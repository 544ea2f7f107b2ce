"""A target that has learned nothing is remarked on in every table and figure of its audit."""

import re
from pathlib import Path

import draw_figure
import make_table
import pytest
from matplotlib.layout_engine import ConstrainedLayoutEngine
from test_tables import evidence_of

from miatlas.exhibits.remarks import remarks
from miatlas.running.files import write_json
from miatlas.running.store import write_h5

STYLE = Path(__file__).parents[2] / "config" / "miatlas.mplstyle"
SAID = "Audit one: targets 0, 3 label their own training examples no better than chance"


def metrics(folder, audit, targets):
    path = folder / audit / "loss.metrics.json"
    write_json(path, {"audit": audit, "at_chance": targets})
    return path


def test_every_audit_is_remarked_on_once_by_metrics_or_scores(tmp_path):
    files = [metrics(tmp_path, "one", [0, 3]), metrics(tmp_path, "two", [])]
    write_h5(tmp_path / "three" / "loss.h5", {}, {"at_chance": [1]})
    write_h5(tmp_path / "one" / "loss.h5", {}, {"at_chance": [0, 3]})
    scores = [tmp_path / name / "loss.h5" for name in ("one", "three")]
    found = remarks({"metrics": files, "scores": scores})
    assert len(found) == 2
    assert found[0].startswith(SAID)
    assert found[1].startswith("Audit three: target 1 labels its own training examples")
    assert remarks({"metrics": files[1:], "curves": []}) == []


def test_a_table_and_a_page_carry_the_remark(tmp_path, monkeypatch):
    evidence, _ = evidence_of({("one", "loss"): 0.2})
    monkeypatch.setattr(make_table, "gather", lambda *_: evidence)
    paths = {kind: tmp_path / f"t.{kind}" for kind in ("html", "md", "csv")}
    settings = {"table": "summary", "title": "T", "caption": "", "options": {}}
    make_table.main(**paths, settings=settings, metrics=[metrics(tmp_path, "one", [0, 3])])
    assert SAID in paths["html"].read_text()
    assert SAID in paths["md"].read_text()


def test_a_figure_is_laid_out_once_for_all_its_formats(tmp_path, monkeypatch):
    done, execute = [], ConstrainedLayoutEngine.execute
    count = lambda engine, figure: done.append(figure) or execute(engine, figure)  # noqa: E731
    monkeypatch.setattr(ConstrainedLayoutEngine, "execute", count)
    paths = {kind: tmp_path / f"f.{kind}" for kind in ("svg", "pdf", "png", "csv")}
    settings = {"figure": "uncertainty_theory", "attacks": [], "options": {}}
    draw_figure.main(**paths, style=str(STYLE), settings=settings, metrics=[])
    assert len(done) == 1


@pytest.mark.parametrize("targets", [[], [0, 3]])
def test_a_figure_carries_the_remark(tmp_path, targets):
    paths = {kind: tmp_path / f"f.{kind}" for kind in ("svg", "pdf", "png", "csv")}
    settings = {"figure": "uncertainty_theory", "attacks": [], "options": {}}
    files = [metrics(tmp_path, "one", targets)]
    draw_figure.main(**paths, style=str(STYLE), settings=settings, metrics=files)
    assert ("no better than chance" in paths["svg"].read_text()) == bool(targets)
    height = float(re.search(r'height="([\d.]+)pt"', paths["svg"].read_text())[1])
    for place in re.findall(r'translate\(\S+ (\S+)\)">Audit', paths["svg"].read_text()):
        assert float(place) < height  # not cut off
