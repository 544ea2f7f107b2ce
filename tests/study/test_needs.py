"""What jobs of models ask for: by records of jobs like them, else by their network and block."""

import re
from pathlib import Path

import pytest

from miatlas.study import needs, plugins

DOCS = Path(__file__).parents[2] / "docs" / "clusters.md"
TSV = "s\th:m:s\tmax_rss\tmax_vms\n"


@pytest.fixture(autouse=True)
def forgotten():
    needs.largest.cache_clear()


def study(network, block=8):
    recipes = {"r": {"architecture": {"name": network}}}
    return {"recipes": recipes, "cohorts": {"c": {"recipe": "r", "block": block}}}


def record(folder, name, seconds, megabytes):
    (folder / f"{name}.tsv").write_text(f"{TSV}{seconds}\t0:00:01\t{megabytes}\t9999999\n")


@pytest.mark.parametrize(("network", "block", "asked"), [
    ("mlp", 1, 1520), ("mlp", 64, 2780), ("cnn", 16, 1820), ("gpt2", 1, 9000), ("gpt2", 4, 12000),
    ("wide_resnet", 1, 4100), ("resnet", 8, 4800), ("sklearn", 8, 4800), ("mine/net.py", 2, 4200),
])  # fmt: skip
def test_without_records_memory_follows_from_the_network_and_the_block(
    tmp_path, network, block, asked
):
    for folder in (tmp_path, tmp_path / "not there"):
        assert needs.memory_mb(study(network, block), "c", folder, 0) == asked
        assert needs.memory_mb(study(network, block), "c", folder, 1) == max(asked, 4000)


def test_released_models_have_a_network_and_no_recipe(tmp_path):
    released = {"recipes": {}, "cohorts": {"c": {"architecture": {"name": "mlp"}}}}
    assert needs.memory_mb(released, "c", tmp_path, 0) == 1520


@pytest.mark.parametrize("network", ["mlp", "gpt2"])
def test_the_largest_record_decides_whatever_the_network(tmp_path, network):
    for name, megabytes in (("0", 700.5), ("1", 2400), ("7", 1200)):
        record(tmp_path, name, 10, megabytes)
    assert needs.memory_mb(study(network), "c", tmp_path, 0) == 3600
    assert needs.memory_mb(study(network), "c", tmp_path, 1) == 4000


def test_nobody_asks_for_less_than_python_and_torch_take(tmp_path):
    record(tmp_path, "0", 1, 40)
    assert needs.memory_mb(study("mlp"), "c", tmp_path, 0) == 1000


@pytest.mark.parametrize("said", ["-", "nan", "NA", ""])
def test_what_is_no_number_is_no_record(tmp_path, said):
    record(tmp_path, "0", said, said)  # of jobs too short to be looked at
    assert needs.memory_mb(study("mlp"), "c", tmp_path, 0) == 1660
    assert needs.minutes(tmp_path, 720) == 720
    record(tmp_path, "1", 600, 2000)
    needs.largest.cache_clear()
    assert needs.memory_mb(study("mlp"), "c", tmp_path, 0) == 3000
    assert needs.minutes(tmp_path, 720) == 30


def test_minutes_are_twice_the_longest_and_ten(tmp_path):
    assert needs.minutes(tmp_path, 240) == 240
    needs.largest.cache_clear()
    record(tmp_path, "0", 90, 1)
    record(tmp_path, "1", 7200, 1)
    assert needs.minutes(tmp_path, 240) == 250


def test_of_many_records_some_are_read_and_once(tmp_path, monkeypatch):
    for name in range(200):
        record(tmp_path, name, 60, 1000)
    read = []
    monkeypatch.setattr(needs.plan, "recorded", lambda file, column: read.append(file) or 1000.0)
    for _ in range(50):
        needs.memory_mb(study("mlp"), "c", tmp_path, 0)
    assert len(read) == needs.READ


def test_networks_of_the_rule_exist_and_the_page_says_the_rule():
    assert set(needs.STATED) <= set(plugins.ARCHITECTURES.names())
    said = " ".join(DOCS.read_text(encoding="utf-8").split())
    gigabytes = {"mlp": "1.5 GB and 20 MB a model for `mlp`", "gpt2": "8 GB and 1 GB a model for"}
    assert all(words in said for words in gigabytes.values())
    assert needs.STATED["mlp"] == (1500, 20)
    assert needs.STATED["gpt2"] == (8000, 1000)
    assert needs.OTHERS == (4000, 100)
    assert "4 GB and 100 MB a model for all others" in said
    small = re.search(r"20 MB a model for (.*?), 8 GB", said)[1]
    assert set(re.findall(r"`(\w+)`", small)) == set(needs.STATED) - {"gpt2"}
