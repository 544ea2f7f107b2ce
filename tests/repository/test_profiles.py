"""The profiles name rules and resources that there are, also where a user takes the # away."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = {
    name
    for path in (ROOT / "rules").glob("*.smk")
    for name in re.findall(r"^rule (\w+):", path.read_text(), flags=re.M)
}


def slurm() -> str:
    return (ROOT / "profiles" / "slurm" / "config.yaml").read_text()


def edited(text: str) -> str:
    """The profile after its commented settings have been taken in."""
    return re.sub(r"^( *)# ((?: *)[a-z_-]+:(?: |$))", r"\1\2", text, flags=re.M)


@pytest.mark.parametrize("text", [slurm(), edited(slurm())], ids=["as it is", "edited"])
def test_the_slurm_profile_names_rules_that_there_are(text):
    profile = yaml.safe_load(text)
    grouped = dict(entry.split("=") for entry in profile["groups"])
    named = set(grouped) | set(profile.get("set-resources", {}))
    assert named <= RULES
    components = {entry.split("=")[0] for entry in profile["group-components"]}
    assert components == set(grouped.values())


def test_its_commented_settings_are_settings():
    before, after = yaml.safe_load(slurm()), yaml.safe_load(edited(slurm()))
    assert set(after) - set(before) == {"resources"}
    assert after["resources"] == {"gpu": 8}
    assert "slurm_account" in after["default-resources"]
    own = set(after["set-resources"]) - set(before["set-resources"])
    assert own == {"train_models", "query_models", "probe_models"}
    for rule in own:
        assert after["set-resources"][rule]["slurm_partition"] == "gpu"


def test_what_a_group_has_many_of_asks_for_minutes():
    """A group asks for the sum over its jobs that take turns: 20 minutes each would be hours."""
    profile = yaml.safe_load(slurm())
    grouped = dict(entry.split("=") for entry in profile["groups"])
    many = {name for name, n in (e.split("=") for e in profile["group-components"]) if int(n) > 1}
    rules = {rule for rule, group in grouped.items() if group in many}
    assert rules == {"assign_roles", "draw_membership"}
    for rule in rules:
        minutes, growth = profile["set-resources"][rule]["runtime"].split(" * ")
        assert int(minutes) <= 5
        assert growth == "attempt"


def test_the_default_profile_leaves_the_choice_of_where_to_run_open():
    profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
    assert not {"executor", "jobs", "cores", "retries", "resources"} & set(profile)
