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
    assert set(after) - set(before) == {"resources", "set-resources"}
    assert after["resources"] == {"gpu": 8}
    assert "slurm_account" in after["default-resources"]
    for resources in after["set-resources"].values():
        assert resources["slurm_partition"] == "gpu"


def test_the_default_profile_leaves_the_choice_of_where_to_run_open():
    profile = yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())
    assert not {"executor", "jobs", "cores", "retries", "resources"} & set(profile)
