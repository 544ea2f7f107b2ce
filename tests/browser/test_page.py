"""The page that answers, in a browser: it renders, hovers, fetches nothing, and can be read."""

import numpy as np
import pytest
import write_answer
from answers import filed, simulated
from test_answer import TEMPLATE, beside, settings

from miatlas.running.store import write_h5

pytestmark = pytest.mark.browser
WIDTHS = (380, 1400)


@pytest.fixture(scope="module", params=["pictures", "rows"])
def page_file(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("page")
    files = filed(folder, simulated({"a": 1.0, "b": 0.5}))
    page = folder / "answer.html"
    given = settings(show_records=True, tolerance={"level": 0.1, "tpr": 0.2, "confidence": 0.95})
    data = folder / "answer.json"
    x = np.random.default_rng(1).integers(0, 256, (600, 3, 32, 32)).astype(np.uint8)
    write_h5(
        folder / "pictures.h5",
        {"x": x if request.param == "pictures" else x.reshape(600, -1).astype(np.float32)},
        {"scale": 255.0, "class_names": '["a", "b", "c"]'},
    )
    write_answer.main(
        page=page, data=data, template=TEMPLATE, settings=given, **beside(data), **files,
        populations={"one": str(folder / "pictures.h5")},
    )  # fmt: skip
    return page


@pytest.fixture(params=WIDTHS)
def opened(browser, page_file, request):
    """The page at a width, with what it said on its console and what it asked for."""
    tab = browser.new_page(viewport={"width": request.param, "height": 900})
    tab.said, tab.asked = [], []
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.on("request", lambda asked: tab.asked.append(asked.url))
    tab.goto(page_file.as_uri())
    tab.wait_for_selector("svg")
    yield tab
    tab.close()


def test_it_renders_without_a_word_and_asks_for_nothing(opened, page_file):
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [page_file.as_uri()]
    assert opened.locator("svg").count() == 1


def test_the_most_exposed_are_seen(opened):
    if not opened.locator("td.what img").count():
        assert "3072 values" in opened.locator("td.what").first.inner_text()
        return
    widths = opened.locator("td.what img").evaluate_all("all => all.map(e => e.naturalWidth)")
    assert len(widths) == 25
    assert set(widths) == {64}


def test_it_fits_its_width(opened):
    assert opened.evaluate("document.documentElement.scrollWidth") <= opened.viewport_size["width"]


def test_no_table_is_cut(opened):
    """The attacks' table, too, whose names and intervals are long."""
    for region in opened.locator("div.wide").all():
        assert region.evaluate("e => e.scrollWidth <= e.clientWidth"), region.inner_text()
    card = opened.locator("table.cards tbody tr").first
    for value in ("named (TPR)", "accused (FPR)", "AUC", "balanced accuracy"):
        label = card.locator(f"td[data-label='{value}']")
        before = label.evaluate("e => getComputedStyle(e, '::before').content")
        assert (before == f'"{value}"') == (opened.viewport_size["width"] < 720)


def test_curves_tell_their_rates_under_the_pointer(opened):
    opened.locator("svg").scroll_into_view_if_needed()
    points = opened.locator("svg g.mark-symbol.role-mark path")
    assert points.count() > 20
    points.nth(points.count() // 3).hover(force=True)
    tooltip = opened.locator("#vg-tooltip-element.visible")
    tooltip.wait_for(timeout=5000)
    assert "TPR" in tooltip.inner_text()
    assert "FPR" in tooltip.inner_text()


def test_wide_tables_scroll_by_keyboard(opened):
    regions = opened.locator("div.wide")
    for index in range(regions.count()):
        regions.nth(index).focus()
        assert opened.evaluate("document.activeElement.className") == "wide"


def test_axe_finds_nothing(opened):
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(opened).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in violations] == []


def test_it_prints_to_a_few_pages(opened, tmp_path):
    opened.pdf(path=tmp_path / "page.pdf", format="A4")
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
    assert (tmp_path / "page.pdf").read_bytes().count(b"/Type /Page\n") <= 8
