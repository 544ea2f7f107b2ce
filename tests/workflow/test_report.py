"""The report holds every exhibit with its caption; the linter has nothing to say."""

import base64
import json

EXHIBITS = {
    "loss_curve.svg": "P", "curves.svg": "P", "losses.svg": "P", "loss_table.html": "P",
    "lira_table.html": "P", "provenance.html": "Provenance", "answer.html": "Answer",
}  # fmt: skip
PAGES = {"provenance.html": {"title": "provenance"},
         "answer.html": {"title": "how much is given away"}}  # fmt: skip


def embedded(report, key):
    """The JSON value that stands behind a key in the page."""
    start = report.index(f"{json.dumps(key)}: ") + len(json.dumps(key)) + 2
    return json.JSONDecoder().raw_decode(report, start)[0]


def test_the_report_holds_every_exhibit(done):
    done.run("--report", "report.html")
    report = (done.root / "report.html").read_text()
    for name, paper in EXHIBITS.items():
        shown = embedded(report, f"results/exhibits/tiny/{name}")
        content = base64.b64decode(shown["data_uri"].split(";base64,")[1])
        assert content == (done.results / "exhibits/tiny" / name).read_bytes()
        entry = done.study["exhibits"].get(name.split(".")[0], PAGES.get(name))
        alike = entry["title"] == "T"  # of two: which is told by their names
        which = f" ({name.split('.')[0]})" if alike else ""
        assert shown["labels"] == {"exhibit": entry["title"] + which}
        assert f"results/exhibits/tiny/{name}" in embedded(report, paper)["Other"]
    caption = embedded(report, "results/exhibits/tiny/losses.svg")["caption"]
    assert "What is seen" in caption
    assert "8 models of recipe plain" in caption
    assert "<strong>tiny</strong>" in report  # config/report.rst
    assert done.plan() == set()


def test_the_linter_is_content(project):
    assert "Congratulations" in project.run("--lint").text
