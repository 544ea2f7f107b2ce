"""The printed list of attacks says what the modules themselves say."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from miatlas.study import attack_list as registry
from miatlas.study import attack_modules
from miatlas.study import attack_pages as pages

SCRIPT = Path(registry.__file__).parents[2] / "list_attacks.py"


@pytest.mark.parametrize("name", registry.attacks())
def test_every_option_is_listed_with_its_default(name):
    module = importlib.import_module(f"miatlas.attacks.{name}")
    text = registry.described(name)
    assert text.startswith(f"{name}\n    {module.__doc__.splitlines()[0]}")
    for parameter in inspect.signature(module.score).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert f"    {parameter.name} = {parameter.default!r}    (" in text


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("loss", []),
        ("lira_online", ["shadow models"]),
        ("attack_p", ["held-out examples"]),
        ("attack_d", ["students of the target"]),
        ("attack_l", ["models without the example"]),
        ("merlin", ["shadow models", "probe noise"]),
        ("long", ["shadow models", "probe distances"]),
        ("ldc", ["shadow models", "a third cohort"]),
    ],
)
def test_what_an_attack_needs_of_a_study(name, needs):
    assert registry.needs(name) == needs


def test_types_are_told_in_plain_words():
    text = registry.described("rmia")
    assert "gamma = 2.0    (float, positive)" in text
    assert "mode = 'online'    (online | offline)" in text


def test_the_script_prints_all_of_them_and_imports_nothing_slow():
    code = f"import runpy, sys; runpy.run_path({str(SCRIPT)!r}, run_name='__main__');"
    code += "assert not {'torch', 'scipy.special', 'sklearn'} & set(sys.modules)"
    folder = {"cwd": SCRIPT.parent, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
                          **folder, check=True)  # fmt: skip
    paragraphs = done.stdout.strip().split("\n\n")
    assert [paragraph.splitlines()[0] for paragraph in paragraphs] == registry.attacks()


@pytest.mark.parametrize("name", registry.attacks())
def test_a_page_has_whose_it_is_all_that_is_read_and_all_options_with_their_meaning(name):
    page, said = pages.described_as_markdown(name), attack_modules.said(name)
    assert page.startswith(f"# {said.title}\n\n")
    assert f"{said.authors} {said.year}. Defined in: {said.source}." in page
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert {len(row) for row in rows} <= {3, 4}  # of the two tables: no cell breaks its row
    read = {what for row in rows if len(row) == 3 for what in re.findall(r"`(\w+)`", row[0])}
    assert read == said.read()
    module = importlib.import_module(f"miatlas.attacks.{name}")
    options = inspect.signature(module.score).parameters.values()
    options = [option for option in options if option.kind is option.KEYWORD_ONLY]
    told = {row[0].strip("| `"): row for row in rows if len(row) == 4}
    assert list(told) == [option.name for option in options]
    for option in options:
        _, kind, default, meaning = told[option.name]
        assert default == f"`{option.default!r}`"
        assert kind
        assert len(meaning) > 15, option.name
    assert page.count("higher = member") + page.count("Higher = member") == 1


def test_a_page_says_whether_labels_are_enough():
    said = "The likeliest label is all that models must answer"
    assert f"{said}." in pages.described_as_markdown("gap")
    assert f"{said} where `statistic` is `label`." in pages.described_as_markdown("attack_r")
    assert said not in pages.described_as_markdown("lira_online")


def test_a_page_says_for_which_options_something_is_read():
    page = pages.described_as_markdown("lira_online")
    assert "| `target_logits`, `refs_logits`, `labels` | `score` | `statistic` is `hinge` |" in page
    assert "| `target_phi`, `refs_phi` | `score` | `statistic` is not `hinge` |" in page
    assert "A fit is made where `variance` is `global` or `preset` is not null." in page
    page = pages.described_as_markdown("rmia")
    assert "| `refs_in` | `score` | `population` is `held_out` and `mode` is `online` |" in page
    both = "`population` is `all` and `statistic` is not `softmax` or `population` is `all` and"
    assert (
        f"| `target_logits`, `refs_logits`, `labels` | `fit` | {both} `temperature` is not" in page
    )
    assert "A fit is made" not in page
    page = pages.described_as_markdown("loss")
    assert "nothing but the target's own answers" in page
    assert "Return -loss, averaged over queries; higher = member." in page
    assert "| `queries` | int, positive | `1` | how many queries, from the first on, are" in page
