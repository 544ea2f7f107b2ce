"""Texts of users are shown as written: in every figure, every table, every format, the report."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import docutils.core
import jinja2
import make_table
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
import test_attacks_compared as compared_tests
import test_exhibits_ablations as ablations
import test_exhibits_canaries as canary_tests
import test_exhibits_carlini2022 as carlini
import test_exhibits_defences as defence_tests
import test_exhibits_shi2024 as shi
import test_exhibits_ye2022 as ye
import test_exhibits_zhu2025 as zhu
import test_figures as figure_tests
import test_ledger as ledger_tests
import test_named_members as overlap
import test_tables as table_tests
import test_time_split as time_tests
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from miatlas.exhibits import pages, texts
from miatlas.exhibits.evidence import Evidence

ROOT = Path(__file__).parents[2]
EXHIBITS = ROOT / "scripts" / "miatlas" / "exhibits"
HOSTILE = [
    "$x_1$ and $\\alpha$", "$", "$$", "a $ b", "100 % of $5 \\$6", "_hidden", "__x__ _y_", "\\",
    "a\\b", "<b>bold</b>", "&amp; & < > \" '", "a|b||c", "*a* **b** `c` ~d~ ~~e~~",
    "[a](b) ![c](d) [e]: f", "{0} %s {{ x }}", "# head", "- item", "1. one", "1) one", "> said",
    "Büßer φ ≤ –", "|", "```", "<!-- a -->", "http://a.b/c_d_e", "x^2_3", "=====", "+ a", "a_b_c",
    "&#36; &nbsp;", "</script>",
]  # fmt: skip
EVIL = "_Ä $x_1$ <b>&amp;</b> | 5 % \\alpha $"
OTHER = "_second $ *a* `b` | $y^2$"


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.style.context(ROOT / "config" / "miatlas.mplstyle"):
        yield


def drawn(figure) -> list[str]:
    """Return the texts of a figure as its SVG holds them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    for kind in ("pdf", "png"):
        figure.savefig(io.BytesIO(), format=kind, dpi=50)
    tree = ElementTree.fromstring(buffer.getvalue())
    found = tree.iter("{http://www.w3.org/2000/svg}text")
    return ["".join(text.itertext()).replace(texts.NOTHING, "") for text in found]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_figure_draws_a_text_as_it_is(text):
    figure = Figure()
    axes = figure.add_subplot()
    shown = texts.in_figure(text)
    axes.plot([0, 1], [0, 1], label=shown)
    axes.set(xlabel=shown, ylabel=shown, title=f"of {shown}")
    axes.set_xticks([0, 1], [shown, shown])
    axes.legend()
    found = drawn(figure)
    assert found.count(text) == 5
    assert found.count(f"of {text}") == 1


@pytest.mark.parametrize("sign", [chr(c) for c in [*range(9), *range(11, 32), 127, 0x85]])
def test_signs_that_no_medium_shows_have_a_stand_in(sign):
    figure = Figure()
    figure.suptitle(texts.in_figure(f"a{sign}b"))
    said = "a\nb" if sign == "\r" else "a\ufffdb"
    assert drawn(figure) == said.split("\n")
    assert texts.in_html(f"a{sign}b") == said
    assert texts.in_markdown(f"a{sign}b") == said.replace("\n", "<br>")


# Figures -------------------------------------------------------------------------------------


def named(evidence, *shown):
    """Evidence whose attacks are called by these names."""
    return replace(evidence, names=dict(zip(evidence.names, shown, strict=False)))


def of_classes(evidence):
    """Evidence whose classes have hostile names."""
    names = [EVIL, OTHER, *"abcdefgh"]
    return replace(evidence, signals=evidence.signals | {"class_names": names})


def curves():
    runs = {(a, label): (1.0, {}) for a in ("mlp", "cnn") for label in ("loss", "lira")}
    return named(figure_tests.evidence_of(runs, (2, 60))[0], EVIL, OTHER)


def one_attack():
    return named(shi.only(shi.evidence_of(), "calibrated"), EVIL)


def both_cohorts():
    return named(shi.evidence_of(cohorts=("cifar", "adult"), examples=120), EVIL, OTHER, "c", "d")


FIGURES = {  # evidence, options, and what of a user they show
    "roc": (curves, {"audit_names": {"mlp": EVIL}}, [EVIL, OTHER]),
    "roc_linear_log": (curves, {"audit_names": {"mlp": EVIL}}, [EVIL, OTHER]),
    "auxiliary_sizes": (
        lambda: named(ablations.evidence_of({"small": 0.5, "middle": 1.0}), EVIL),
        {"panels": {"shadow": ["small", "middle"]}, "level": 0.1}, [EVIL],
    ),
    "roc_by_references": (lambda: sweep(), {"audit_names": {"a": EVIL, "b": OTHER}}, [EVIL, OTHER]),
    "tpr_by_references": (lambda: sweep(), {"audit_names": {"a": EVIL, "b": OTHER}}, [EVIL, OTHER]),
    "overlap": (lambda: named(overlap.evidence_of(), EVIL, OTHER, "c"), {}, [EVIL, OTHER]),
    "histograms": (lambda: of_classes(figure_tests.signals_of(8, 20)), {"share": 0.5}, []),
    "distributions": (lambda: of_classes(figure_tests.signals_of(16, 1)), {}, [EVIL]),
    "score_histogram": (one_attack, {}, [EVIL]),
    "scores_by_class": (lambda: of_classes(one_attack()), {"classes": [EVIL, "a"]}, [EVIL]),
    "score_scatter": (lambda: shi.evidence_of(), {}, []),
    "class_scatter": (lambda: of_classes(shi.evidence_of()), {"classes": [EVIL, OTHER]},
                      [EVIL, OTHER]),
    "precision_recall": (both_cohorts, {"cohort_names": {"adult": EVIL}}, [EVIL, OTHER]),
    "hardness": (lambda: shown_all(both_cohorts()), {"cohort_names": {"adult": EVIL}}, [EVIL]),
    "thresholds": (lambda: of_classes(only_class(ye.signals_of())), {"students": ye.STUDENTS},
                   [EVIL]),
    "alpha_scatter": (lambda: named(ye.alphas_of({"S": ("m", 0.1), "P": ("m", 0.1)}), EVIL, OTHER),
                      {}, [EVIL, OTHER]),
    "auc_by_count": (lambda: sweep_of_counts(), {"audit_names": {"m": EVIL}}, [EVIL, OTHER]),
    "bound_scatter": (lambda: zhu.evidence_of({"_one": 1.0, "two": 0.3}), {}, ["_one"]),
    "roc_limits": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}),
                   {"audit_names": {"one_audit": EVIL, "two_audit": OTHER}}, [EVIL, OTHER]),
    "uncertainty_cohorts": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}),
        {"families": [{"name": EVIL, "levels": {"one": OTHER, "two": "b"}, "factor": "epistemic"},
                      {"name": "x", "levels": {"one": EVIL, "two": "b"}}]}, [EVIL, OTHER]),
    "measured_factors": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}),
                         {"factors": {"aleatoric": ["one", "two"]}}, []),
    "uncertainty_theory": (lambda: None, {"points": 3, "draws": 50}, []),
    "defences": (lambda: defence_tests.evidence_of(), {"audit_names": {"dp": EVIL, "none": OTHER}},
                 [EVIL, OTHER]),
    "privacy_scores": (lambda: with_canaries(), {"kinds": {"wrong": EVIL, "far": OTHER}},
                       [EVIL, OTHER]),
    "mismatch": (lambda: carlini.evidence_of(),
                 {"level": 0.1, "cohort_names": {"a": EVIL, "b": OTHER}}, [EVIL, OTHER]),
    "mismatch_roc": (lambda: carlini.evidence_of(), {"cohort_names": {"a": EVIL, "b": OTHER}},
                     [EVIL, OTHER]),
    "cohort_scatter": (lambda: carlini.evidence_of(),
                       {"level": 0.1, "families": {EVIL: ["a"], OTHER: ["b"]}}, [EVIL, OTHER]),
    "gap_by_models": (lambda: None, {"models": [2, 4], "examples": 50, "classes": 3}, []),
}  # fmt: skip


def with_canaries():
    cohorts = {"wrong": 6.0, "far": 2.0}
    beside = {name: canary_tests.signals(gap * CANARIES) for name, gap in cohorts.items()}
    return Evidence({}, beside=beside)


CANARIES = np.arange(120) < 30


def sweep():
    runs = {(audit, f"l{k}"): (0.5, {**figure_tests.LIRA, "references": k})
            for audit in ("a", "b") for k in (2, 4)}  # fmt: skip
    return figure_tests.evidence_of(runs, (2, 60))[0]


def sweep_of_counts():
    evidence = ye.sweep_of()
    return replace(evidence, names={label: OTHER for label in evidence.names})


def only_class(evidence):
    return replace(evidence, signals=evidence.signals | {"labels": 0 * evidence.signals["labels"]})


def shown_all(evidence):
    """Evidence whose hostile name is of an attack that the figure does not hide."""
    return replace(evidence, names={label: EVIL for label in evidence.names})


def test_every_figure_is_here():
    there = {p.stem for p in (EXHIBITS / "figures").glob("*.py") if "\ndef draw(" in p.read_text()}
    assert there == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_shows_texts_as_written(name):
    evidence, options, expected = FIGURES[name]
    module = import_module(f"miatlas.exhibits.figures.{name}")
    figure, numbers = module.draw(evidence(), **options)
    found = drawn(figure)
    for text in expected:
        assert any(text in each for each in found), f"{text!r} is not in {found}"
    # What mathematics is set from is never seen: all of it is the figures' own, and is set.
    own = [each for each in found if EVIL not in each and OTHER not in each]
    assert not [each for each in own if "$" in each or "\\" in each]
    assert texts.NOTHING not in numbers.to_csv()


@pytest.mark.parametrize("name", FIGURES)
def test_what_a_figure_itself_says_of_its_axes_is_whole(name):
    """Long names of a user's may be cut."""
    evidence, options, users = FIGURES[name]
    figure, _ = import_module(f"miatlas.exhibits.figures.{name}").draw(evidence(), **options)
    whole(figure, [texts.in_figure(text) for text in users])


@pytest.mark.parametrize("shown", ["SP", "SPRD", "abcdefghijkl"])
def test_few_attacks_leave_room_for_what_the_overlap_says_of_its_axes(shown):
    evidence = overlap.evidence_of(
        {f"a{number}": 1.0 for number in range(len(shown))}, examples=100
    )
    figure, _ = import_module("miatlas.exhibits.figures.overlap").draw(named(evidence, *shown))
    whole(figure)


def whole(figure, but=()):
    """Assert that no label of axes leaves the figure."""
    FigureCanvasAgg(figure).draw()
    for text in [text for axes in figure.axes if axes.get_visible() for text in at(axes)]:
        if any(user.strip(texts.NOTHING) in text.get_text() for user in but):
            continue
        box = text.get_window_extent()
        for low, high, end in [(box.x0, box.x1, figure.bbox.x1), (box.y0, box.y1, figure.bbox.y1)]:
            assert low >= -1, text
            assert high <= end + 1, text


def at(axes):
    """Return the labels and the title of a figure's axes, as far as they are written."""
    texts = [axes.title, axes.xaxis.label, axes.yaxis.label]
    return [text for text in texts if text.get_visible() and text.get_text()]


def test_a_legend_of_long_names_is_whole():
    evidence = named(curves(), "a" * 120, "b")
    figure, _ = import_module("miatlas.exhibits.figures.roc").draw(evidence)
    figure.draw_without_rendering()
    legend = figure.axes[0].get_legend().get_window_extent()
    assert figure.bbox.x0 <= legend.x0
    assert legend.x1 <= figure.bbox.x1
    assert figure.axes[0].get_window_extent().width > figure.dpi  # an inch


def test_a_histogram_of_examples_names_their_classes():
    evidence = of_classes(figure_tests.signals_of(8, 10))
    evidence.signals["labels"][:] = 0
    figure, _ = import_module("miatlas.exhibits.figures.histograms").draw(evidence, share=0.5)
    assert sum(f"class {EVIL}" in text for text in drawn(figure)) == 4


# Tables and pages ----------------------------------------------------------------------------


class Cells(HTMLParser):
    """The texts of a page's elements, in order."""

    def __init__(self, page):
        super().__init__()
        self.found, self.open = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, _):
        self.open.append(tag)
        if tag in ("td", "th", "h2", "h3", "p", "title"):
            self.found.append((tag, ""))

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "h2", "h3", "p", "title"):
            tag, before = self.found[-1]
            self.found[-1] = tag, before + data

    def of(self, *tags):
        return [text for tag, text in self.found if tag in tags]


def unmarked(line: str) -> list[str]:
    """Return the cells of a row in Markdown: signs after a backslash are no markup."""
    cells = re.split(r"(?<!\\)\|", line.replace("\\\\", "\0"))
    texts_of = [cell.replace("<br>", "\n").strip(" ") for cell in cells[1:-1]]
    return [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell).replace("\0", "\\") for cell in texts_of]


@pytest.mark.parametrize("text", [*HOSTILE, "two\nlines", "x" * 500, "two  spaces"])
def test_a_page_shows_a_text_as_it_is(text):
    shown = pd.DataFrame({text: [text, "1"], "b": ["2", text]})
    cells = Cells(pages.page(text, {text: shown}, text))
    assert cells.of("td", "th") == [text, "b", text, "2", "1", text]
    assert cells.of("h2", "h3", "p", "title") == [text] * 4
    assert "pre-wrap" in pages.STYLE
    rows = pages.markdown(shown, text).splitlines()
    assert [unmarked(row) for row in rows[:4]] == [
        [text, "b"],
        ["---", "---"],
        [text, "2"],
        ["1", text],
    ]
    assert unmarked(f"| {rows[5]} |") == [text]


@pytest.mark.parametrize("text", ["0.6 [0.5, 0.7]", "TPR @ 0.1 % FPR", "lira_online", "–", "12,250",
                                  "a-b", "98.0 % †", "-0.25", "+1"])  # fmt: skip
def test_what_means_nothing_in_markdown_stays_readable(text):
    assert texts.in_markdown(text) == text


def costs_of():
    found, _ = shi.results_with({"loss": ("loss", "a"), "lira": ("lira_online", "a")})
    return named(replace(found, costs=time_tests.evidence().costs), EVIL, OTHER)


ONE = {"cohort_names": {"one": EVIL, "two": OTHER}}
TABLES = {
    "summary": (lambda: named(table_tests.evidence_of(table_tests.RUNS)[0], EVIL, OTHER),
                {"audit_names": {"mlp": EVIL}}, [EVIL, OTHER]),
    "ablation": (lambda: named(table_tests.evidence_of(table_tests.RUNS)[0], EVIL, OTHER),
                 {"heading": EVIL, "audit_names": {"mlp": OTHER}}, [EVIL, OTHER]),
    "attacks_compared": (lambda: named(compared_tests.evidence_of(compared_tests.RUNS), EVIL,
                                       OTHER),
                         {"levels": [0.1], "audit_names": {"b": EVIL}}, [EVIL, OTHER]),
    "uncertainty": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}), ONE, [EVIL, OTHER]),
    "factor_trends": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}),
                      {"factors": {"aleatoric": ["one", "two"]}, **ONE}, []),
    "asked_again": (lambda: zhu.evidence_of({"one": 1.0, "two": 0.3}),
                    {"pair": ["one", "two"], **ONE}, [EVIL, OTHER]),
    "overlap": (lambda: named(overlap.evidence_of(), EVIL, OTHER, "c"), {}, [EVIL, OTHER]),
    "agreement": (lambda: named(ye.alphas_of(ye.FOUR), EVIL, OTHER, "c", "d"), {}, [EVIL, OTHER]),
    "auc_by_cohort": (lambda: Evidence({"S": EVIL, "R": OTHER}, [ye.result_of("m", "S", 0.2, 0)[0],
                      ye.result_of("m", "R", 0.2, 0)[0]], scale={"m": {}}),
                      {"cohort_names": {"m": EVIL}}, [EVIL, OTHER]),
    "accuracy": (lambda: replace(shi.evidence_of(), scale={"cifar": {"architecture": OTHER}}),
                 {"cohort_names": {"cifar": EVIL}}, [EVIL, OTHER]),
    "by_models": (lambda: shi.results_with({"a": ("lira_online", "a"), "b": ("ldc", "b")})[0],
                  {"models": {"a": 2, "b": 2}, "names": {"lira_online": EVIL, "ldc": OTHER}},
                  [EVIL, OTHER]),
    "attack_costs": (costs_of, {"models": {}}, [EVIL, OTHER]),
    "defences": (lambda: defence_tests.evidence_of(),
                 {"heading": EVIL, "audit_names": {"dp": OTHER}}, [EVIL, OTHER]),
    "epsilon": (lambda: defence_tests.evidence_of(),
                {"heading": EVIL, "audit_names": {"dp": OTHER}}, [EVIL, OTHER]),
    "time_split": (lambda: both(time_tests.evidence()), {"audit_names": {"b": EVIL}}, [EVIL]),
    "auc_by_guess": (ablations.of_guesses, {"trained_as": {"a_shadow": "a", "b_shadow": "b"},
                     "cohort_names": {"a": EVIL, "b": OTHER}}, [EVIL, OTHER]),
    "overfitting": (lambda: named_ldc({"small": 1.0, "large": 0.5}), {}, [EVIL]),
    "vulnerable_models": (lambda: named_ldc({"small": 1.0, "large": 0.5}),
                          {"audit_names": {"small": OTHER}}, [EVIL, OTHER]),
    "dependence": (lambda: Evidence({"p": EVIL}, [{"audit": "a", "label": "p", "attack": "attack_p",
                   "options": ablations.defaults("attack_p")}]), {}, [EVIL]),
    "ledger": (lambda: ledger_tests.evidence_of([{"row": EVIL, "value": "0.5"}],
               {("mlp", "loss"): 1.0}), {"published": "paper", "rows": [{"audit": "mlp"}]}, [EVIL]),
}  # fmt: skip


def named_ldc(gaps):
    """Evidence of one attack by a hostile name; the other name keeps the column of attacks."""
    return replace(ablations.evidence_of(gaps), names={"ldc": EVIL, "loss": OTHER})


def both(evidence):
    metrics = evidence.metrics + [m | {"audit": "b"} for m in evidence.metrics]
    return replace(
        evidence,
        metrics=metrics,
        costs=pd.concat([evidence.costs, evidence.costs.assign(audit="b")]),
    )


def test_every_table_is_here():
    there = {
        p.stem for p in (EXHIBITS / "tables").glob("*.py") if "\ndef tabulate(" in p.read_text()
    }
    assert there == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_shows_texts_as_written(name, tmp_path, monkeypatch):
    evidence, options, expected = TABLES[name]
    monkeypatch.setattr(make_table, "gather", lambda settings, files: evidence())
    settings = {"table": name, "options": options, "title": EVIL, "caption": OTHER}
    written = {kind: tmp_path / f"a.{kind}" for kind in ("html", "md", "csv")}
    make_table.main(**written, settings=settings)
    page = Cells(written["html"].read_text(encoding="utf-8"))
    assert page.of("h2", "title") == [EVIL] * 2
    assert page.of("p")[0].startswith(OTHER)
    cells = page.of("td", "th")
    for text in expected:
        assert any(text in cell for cell in cells), cells
    rows = [
        line for line in written["md"].read_text(encoding="utf-8").splitlines() if line[:1] == "|"
    ]
    read = [cell for row in rows if set(row) - set("|- ") for cell in unmarked(row)]
    assert read == [cell.strip(" ") for cell in cells]
    pd.read_csv(written["csv"])


def test_numbers_of_a_table_are_read_back_as_written(tmp_path):
    from miatlas.running.files import write_csv

    table = pd.DataFrame({"name": [*HOSTILE, "two\nlines", 'say "x", y']})
    write_csv(tmp_path / "a.csv", table)
    assert (
        pd.read_csv(tmp_path / "a.csv", keep_default_na=False)["name"].tolist()
        == table["name"].tolist()
    )


REPORTED = [
    *HOSTILE, EVIL, ".. raw:: html\n\n   <b>x</b>", "word_ a__ |s| [1]_", "a\n===\n\n* b",
    ":math:`x` ``c``", ".. image:: x", "A. b",
]  # fmt: skip


@pytest.mark.parametrize("text", REPORTED)
def test_the_report_shows_captions_as_written(text):
    template = jinja2.Template((ROOT / "config" / "caption.rst").read_text(encoding="utf-8"))
    params = SimpleNamespace(settings={"caption": text, "evidence": text})
    source = template.render(snakemake=SimpleNamespace(params=params))
    page = docutils.core.publish_parts(
        source, writer="html5", settings_overrides={"report_level": 1}
    )
    assert Cells(page["body"]).found == [("p", " ".join(text.split()))] * 2
    assert "system-message" not in page["body"]
