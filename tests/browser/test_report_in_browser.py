"""Snakemake's report in a browser: it opens with the page that answers, and shows every exhibit."""

import re
from base64 import b64decode

import pytest
from projects import new_project, simulated

pytestmark = pytest.mark.browser

# By paper, the title and sort of each exhibit: what the report's list could take for switches.
LISTS = {
    "One of each": [("Rates", "table"), ("Curves", "figure")],
    "One name": [("Leakage", "table"), ("Leakage", "figure")],
    "Two of each": [("A", "table"), ("B", "table"), ("C", "figure"), ("D", "figure")],
    "Two by two": [("A", "table"), ("B", "figure"), ("B", "table"), ("A", "figure")],
    "Thrice": [("A", "table"), ("A", "table"), ("A", "table")],
    "Commas": [("A,B", "table"), ("A", "table"), ("B,A", "figure")],
    "Alone": [("{braces} & <b>", "figure")],
    "Answer": [("how much is given away", "table")],
}


def study():
    """A study of one signals file, with the exhibits of all lists."""
    shown = {"audits": ["one"], "attacks": ["loss"]}
    exhibits = {
        f"{kind}_{row}_{place}": {"paper": paper, "title": title, kind: sort[kind], **shown}
        for row, (paper, entries) in enumerate(LISTS.items())
        for place, (title, kind) in enumerate(entries)
        for sort in [{"table": "summary", "figure": "roc"}]
    }
    return {
        "study": "lists",
        "cohorts": {"one": {"signals": "mine.h5"}},
        "attacks": {"loss": {}},
        "audits": {"one": {"target": "one", "targets": 2, "attacks": ["loss"]}},
        "exhibits": exhibits,
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of the study, whose exhibits are placeholders that say their names."""
    project = new_project(tmp_path_factory.mktemp("report") / "project", study())
    simulated(project.root / "mine.h5", models=6, examples=100)
    folder = project.results / "exhibits" / "lists"
    project.run(str((folder / "answer.html").relative_to(project.root)))
    project.run("results/exhibits/lists/provenance.html")
    for name, entry in project.study["exhibits"].items():
        said = f"<svg xmlns='http://www.w3.org/2000/svg'><title>{name}</title></svg>"
        if "table" in entry:
            said = f"<title>{name}</title>"
        for suffix in ("svg", "pdf", "png", "csv") if "figure" in entry else ("html", "md", "csv"):
            (folder / f"{name}.{suffix}").write_text(said)
    project.run("--touch")
    project.run("--report", "report.html")
    return project.root / "report.html"


@pytest.fixture
def tab(browser, report):
    """The report as it opens, with the errors that it makes."""
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.wrong = []
    tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
    tab.goto(report.as_uri())
    yield tab
    tab.close()


def answer(tab):
    """The page that answers, within the report."""
    return tab.frame_locator("iframe[src^='data:text/html']")


def test_it_opens_with_the_page_that_answers(tab):
    answer(tab).get_by_text("members, ").first.wait_for(timeout=10_000)
    assert "can be named with" in answer(tab).locator(".answer").inner_text()
    answer(tab).locator("svg").wait_for()  # its chart is drawn there, too
    assert tab.wrong == []


def test_the_workflow_stays_where_it_is_asked_for(tab):
    answer(tab).locator("svg").wait_for()
    tab.get_by_text("Workflow", exact=True).click()
    tab.get_by_text("membership inference").first.wait_for()
    tab.wait_for_timeout(500)
    assert tab.locator("iframe[src]").count() == 0
    assert tab.wrong == []


def test_the_answer_has_the_width_of_a_telephone(browser, report):
    tab = browser.new_page(viewport={"width": 380, "height": 900})
    tab.goto(report.as_uri())
    answer(tab).locator("svg").wait_for()
    tab.wait_for_timeout(500)  # the menu moves aside
    assert tab.locator("iframe[src]").bounding_box()["width"] >= 370
    tab.close()


@pytest.mark.parametrize("paper", LISTS)
def test_every_exhibit_of_every_list_is_there_and_opens(tab, paper):
    answer(tab).locator("svg").wait_for()
    tab.locator("nav").get_by_text(paper, exact=True).click()
    assert opened_one_by_one(tab) == names_of(paper)
    assert tab.wrong == []


def test_every_file_of_a_search_is_there_and_opens(tab):
    answer(tab).locator("svg").wait_for()
    tab.get_by_placeholder("Search").fill("results/exhibits")
    tab.keyboard.press("Enter")
    found = {"Study lists: what was run, on what"}.union(*map(names_of, LISTS))
    assert opened_one_by_one(tab) == found
    assert tab.wrong == []


def opened_one_by_one(tab):
    """The titles of the files that the report's list opens; its lines are told apart."""
    rows, shown = tab.locator("nav tbody tr"), set()
    rows.first.wait_for()
    texts = rows.all_inner_texts()
    assert len(set(texts)) == len(texts)
    for index in range(len(texts)):
        rows.nth(index).locator("a").first.click()
        source = tab.locator("div.grow.h-screen :is(iframe, img)").get_attribute("src")
        shown |= set(re.findall(r"<title>(.*?)</title>", b64decode(source.split(",")[1]).decode()))
    return shown


def names_of(paper):
    """What the titles of all files under a heading say."""
    own = {name for name, entry in study()["exhibits"].items() if entry["paper"] == paper}
    return own | {"Study lists: how much is given away"} if paper == "Answer" else own
