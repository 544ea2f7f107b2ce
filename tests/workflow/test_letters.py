"""Texts of a study may be in any letters, also where the locale knows only ASCII."""

import pytest
from projects import new_project, simulated

WORDS = "Büßer — 样本 φ ≤ 1"
STUDY = {
    "study": "size",
    "cohorts": {"summer": {"signals": "mine.h5"}},
    "attacks": {"loss": {}},
    "audits": {"summer": {"target": "summer", "targets": 2, "attacks": ["loss"]}},
    "exhibits": {
        "table": {
            "paper": "Müller", "title": WORDS, "caption": WORDS, "table": "summary",
            "audits": ["summer"], "attacks": {"loss": WORDS},
            "options": {"audit_names": {"summer": WORDS}},
        },
        "curve": {
            "paper": "Müller", "title": WORDS, "figure": "roc", "audits": ["summer"],
            "attacks": {"loss": WORDS},
        },
    },
}  # fmt: skip


@pytest.mark.slow
def test_texts_in_any_letters_are_shown_where_the_locale_is_ascii(tmp_path, monkeypatch):
    for key, value in {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}.items():
        monkeypatch.setenv(key, value)
    project = new_project(tmp_path / "project", STUDY)
    simulated(project.root / "mine.h5", models=6, examples=100)
    project.run()
    exhibits = project.results / "exhibits" / "size"
    for name in ("table.html", "table.md", "table.csv", "curve.csv", "curve.svg"):
        assert WORDS in (exhibits / name).read_text(encoding="utf-8"), name
