"""The page about defences: what it says a study says is accepted, and is all that there is."""

import re
from pathlib import Path

import pytest
import yaml

from miatlas.study import plugins, reading
from miatlas.study.sections import Canaries

PAGE = (Path(__file__).parents[2] / "docs" / "defences.md").read_text(encoding="utf-8")


def entries(kind):
    """Return what stands in the table as `kind: entry`."""
    return [yaml.safe_load(said) for said in re.findall(rf"{kind}: `([^`]+)`", PAGE)]


def study(recipe=None, cohort=None, release=None):
    plain = {"architecture": {"name": "mlp"}, "epochs": 1} | (recipe or {})
    first = {"population": "digits", "recipe": "r", "design": {"name": "half", "group": 4},
             "models": 8, "held_out": 0.1}  # fmt: skip
    given = {"study": "t", "populations": {"digits": {"source": "digits"}}, "recipes": {"r": plain}}
    given |= {"cohorts": {"mlp": first, "c": first | (cohort or {})}, "attacks": {"gap": {}}}
    audit = {"target": "c", "attacks": ["gap"]} | ({"release": release} if release else {})
    return reading.read(given | {"audits": {"a": audit}})


@pytest.mark.parametrize("recipe", entries("recipe"), ids=str)
def test_a_recipe_of_the_page_is_accepted(recipe):
    study(recipe)


@pytest.mark.parametrize("cohort", entries("cohort"), ids=str)
def test_a_cohort_of_the_page_is_accepted(cohort):
    assert study(cohort=cohort)["cohorts"]["c"]["teacher"]["members_of"] == "teacher"


RELEASES = [yaml.safe_load(said) for said in re.findall(r"^\| `(\{name: .*?\})`", PAGE, re.M)]


def test_every_release_is_on_the_page_and_accepted():
    assert [each["name"] for each in RELEASES] == plugins.RELEASES.names()
    for each in RELEASES:
        assert study(release=each)["audits"]["a"]["release"] == each


def test_every_kind_of_canary_is_on_the_page():
    kinds = re.findall(r"^\| `(\w+)` \|", PAGE.partition("| `kind` |")[2], re.M)
    assert kinds == list(Canaries.model_fields["kind"].annotation.__args__)


def test_the_private_recipe_of_the_page_is_accepted_and_is_that_of_its_table():
    [shown] = [b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "recipes" in b]
    given = yaml.safe_load(shown)["recipes"]["private"]
    assert {"privacy": given["privacy"]} in entries("recipe")
    privacy = study(given)["recipes"]["r"]["privacy"]
    assert (privacy["epsilon"], privacy["accountant"]) == (2.0, "rdp")


def test_the_exhibits_of_the_page_are_accepted():
    [shown] = [b for b in re.findall(r"```yaml\n(.*?)```", PAGE, re.S) if "exhibits" in b]
    audits = {name: {"target": "c", "attacks": ["lira_online"]} for name in ("none", "mixup")}
    cohorts = {"c": {"population": "digits", "recipe": "r", "models": 8,
                     "design": {"name": "half", "group": 4}}}  # fmt: skip
    kept = {"study": "t", "cohorts": cohorts, "attacks": {"lira_online": {}}, "audits": audits}
    kept |= {"populations": {"digits": {"source": "digits"}}}
    kept |= {"recipes": {"r": {"architecture": {"name": "mlp"}, "epochs": 1}}}
    assert set(reading.read(kept | yaml.safe_load(shown))["exhibits"]) == {"price", "defences"}
