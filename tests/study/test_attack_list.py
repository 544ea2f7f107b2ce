"""The printed list of attacks says what the modules themselves say."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from miatlas.study import attack_list as registry

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
