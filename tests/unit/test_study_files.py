"""The studies in config/: every file reads, alone or on top of the paper's full study."""

from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from miatlas import study

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(path.stem for path in CONFIG.glob("*.yaml"))
FREE = ("config", "carlini2022_small", "ye2022", "ye2022_small")  # data that anybody can have


def merged(name):
    """Return the study as Snakemake merges it: a variant <paper>_<variant> on top of <paper>."""
    config = {}
    for part in dict.fromkeys((name.split("_")[0], name)):
        update_config(config, yaml.safe_load((CONFIG / f"{part}.yaml").read_text()))
    return config


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_reads_and_says_whose_results_are_whose(name):
    read = study.read(merged(name))
    assert read["study"] == {"config": "demo"}.get(name, name)
    for exhibit, entry in read["exhibits"].items():
        assert bool(entry["audits"]) == bool(study.shown(read, exhibit))


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("ye2022")])
def test_nothing_is_trained_for_nothing(name):
    read = study.read(merged(name))
    used = {audit for entry in read["exhibits"].values() for audit in entry["audits"]}
    assert used == set(read["audits"])
    audited = {read["audits"][audit][side] for audit in used for side in ("target", "shadow")}
    assert audited == set(read["cohorts"])


@pytest.mark.parametrize("name", FREE)
def test_studies_for_everybody_ask_for_no_file_that_cannot_be_downloaded(name):
    assert study.missing(study.read(merged(name) | {"data_root": "/nowhere"})) == []


def test_purchase100_is_missed_by_name():
    messages = study.missing(study.read(merged("ye2022_purchase100") | {"data_root": "/nowhere"}))
    assert len(messages) == 1
    assert "dataset_purchase" in messages[0]


def test_the_small_variant_of_ye2022_keeps_sizes_and_recipes():
    full, small = study.read(merged("ye2022")), study.read(merged("ye2022_small"))
    for name, cohort in small["cohorts"].items():
        if cohort["design"]["name"] == "iid":
            assert cohort["design"] == full["cohorts"][name]["design"]
        recipe = cohort["recipe"]
        assert small["recipes"][recipe] == full["recipes"][recipe]
        assert cohort["models"] <= full["cohorts"][name]["models"]
