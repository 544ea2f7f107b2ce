"""The studies in config/: every file reads, alone or on top of the paper's full study."""

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from miatlas.exhibits import published
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables import ledger
from miatlas.study import attack_list as registry
from miatlas.study import contents, exhibit_jobs, private_cohorts, reading, study_files
from miatlas.study.attack_modules import said

CONFIG = Path(__file__).parents[2] / "config"
STUDIES = sorted(path.stem for path in CONFIG.glob("*.yaml"))
FREE = (  # data for all
    "config", "carlini2022_small", "carlini2022_mismatch_small", "carlini2022_disjoint_small",
    "defences_small",    "defences_digits", "dpsgd", "dpsgd_small", "ye2022", "ye2022_small",
)  # fmt: skip


def merged(name):
    return study_files.merged(CONFIG, name)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_reads_and_says_whose_results_are_whose(name):
    read = reading.read(merged(name))
    assert read["study"] == {"config": "demo"}.get(name, name)
    for exhibit, entry in read["exhibits"].items():
        assert bool(entry["audits"]) == bool(contents.shown(read, exhibit))


def attacks_of(study):
    """Return the attacks that the audits of a study run."""
    read = reading.read(merged(study))
    labels = {label for audit in read["audits"].values() for label in audit["attacks"]}
    return {read["attacks"][label]["attack"] for label in labels}


def test_the_demo_runs_every_attack_but_those_on_text_which_the_study_of_text_runs():
    text = {"target_tokens", "zlib_bytes"}
    on_text = {name for name in registry.attacks() if said(name).read() & text}
    assert attacks_of("config") == set(registry.attacks()) - on_text
    for study in ("carlini2022_text", "carlini2022_text_small"):
        assert on_text < attacks_of(study)


@pytest.mark.parametrize(
    "name",
    [name for name in STUDIES if name.startswith(("ye2022", "shi2024", "defences", "dpsgd"))],
)
def test_nothing_is_trained_for_nothing(name):
    read = reading.read(merged(name))
    used = {audit for entry in read["exhibits"].values() for audit in entry["audits"]}
    assert used == set(read["audits"])
    sides = ("target", "shadow", "reference")
    audited = {read["audits"][audit][side] for audit in used for side in sides}
    assert audited - {None} == set(read["cohorts"])


@pytest.mark.parametrize("study", [name for name in STUDIES if name.startswith("defences")])
def test_studies_of_defences_have_each_as_a_row_with_shadow_models_alike(study):
    read = reading.read(merged(study))
    recipes = {name: read["recipes"][entry["recipe"]] for name, entry in read["cohorts"].items()}
    has = {
        "smoothing": "label_smoothing", "mixup": "mixup", "stopping": "early_stopping",
        "clipped": "privacy", "dp_1": "privacy", "dp_2": "privacy", "dp_8": "privacy",
    }  # fmt: skip
    for name, audit in read["audits"].items():
        withheld = audit["release"]["name"] != "everything"
        assert audit["target"] == audit["shadow"] == ("none" if withheld else name)
        assert read["cohorts"][audit["target"]]["design"]["name"] == "canaries"
    for name, recipe in recipes.items():
        kinds = {key for key in set(has.values()) if recipe[key]}
        assert kinds == ({has[name]} if name in has else set())
        assert bool(recipe["optimizer"]["weight_decay"]) == (name == "l2")
    assert recipes["dropout"]["architecture"]["dropout"] == 0.5
    assert read["cohorts"]["distillation"]["teacher"]["members_of"] == "teacher"
    assert [recipes[name]["privacy"]["epsilon"] for name in ("dp_2", "dp_8")] == [2.0, 8.0]
    assert len({audit["delta"] for audit in read["audits"].values()}) == 1
    assert not private_cohorts.warnings(read)
    for exhibit in ("price", "price_canaries", "defences", "epsilon"):
        assert set(read["exhibits"][exhibit]["audits"]) == set(read["audits"])


@pytest.mark.parametrize("name", FREE)
def test_studies_for_everybody_ask_for_no_file_that_cannot_be_downloaded(name):
    assert reading.missing(reading.read(merged(name) | {"data_root": "/nowhere"})) == []


def test_purchase100_is_missed_by_name():
    messages = reading.missing(
        reading.read(merged("ye2022_purchase100") | {"data_root": "/nowhere"})
    )
    assert len(messages) == 1
    assert "dataset_purchase" in messages[0]


def test_the_small_variant_of_ye2022_keeps_sizes_and_recipes():
    full, small = reading.read(merged("ye2022")), reading.read(merged("ye2022_small"))
    for name, cohort in small["cohorts"].items():
        if cohort["design"]["name"] == "iid":
            assert cohort["design"] == full["cohorts"][name]["design"]
        recipe = cohort["recipe"]
        assert small["recipes"][recipe] == full["recipes"][recipe]
        assert cohort["models"] <= full["cohorts"][name]["models"]


def test_shi2024_asks_for_the_tables_and_only_its_overlay_for_cinic10():
    for name, wanted in (
        ("shi2024", ["adult", "german_credit"]),
        ("shi2024_small", ["adult", "german_credit", "location30"]),
        ("shi2024_cinic10", ["adult", "cinic10", "german_credit"]),
    ):
        messages = reading.missing(reading.read(merged(name) | {"data_root": "/nowhere"}))
        asked = {message.split(":")[0].removeprefix("populations.") for message in messages}
        assert sorted(asked) == wanted


def test_the_small_variant_of_shi2024_keeps_adult_and_credit_as_they_are():
    full, small = reading.read(merged("shi2024")), reading.read(merged("shi2024_small"))
    assert small["populations"]["adult"] == full["populations"]["adult"]
    assert small["populations"]["german_credit"] == full["populations"]["german_credit"]
    for name in ("adult", "credit", "adult_mlp_released", "german_credit_mlp_released"):
        for side in ("", "_shadow", "_reference"):
            cohort = small["cohorts"][name + side]
            assert cohort == full["cohorts"][name + side]
            assert small["recipes"][cohort["recipe"]] == full["recipes"][cohort["recipe"]]
        assert small["audits"][name] == full["audits"][name]


@pytest.mark.parametrize(
    ("full", "small", "cohorts"),
    [
        ("shi2024", "shi2024_smallnet_small",
         ["cifar100_smallnet", "cifar100_smallnet_shadow", "cifar100_smallnet_reference"]),
        ("shi2024_ablations", "shi2024_ablations_smallnet_small",
         ["smallnet100_augmented", "smallnet100_mirrored_shadow",
          "smallnet100_mirrored_reference"]),
    ],
)  # fmt: skip
def test_smallnet_on_all_of_cifar100_is_as_at_the_papers_scale(full, small, cohorts):
    """The overlays for two cores take its images, models and recipes back to the full study's."""
    whole, read = reading.read(merged(full)), reading.read(merged(small))
    epochs = reading.read(merged("shi2024"))["recipes"]["smallnet"]["epochs"]
    for name in cohorts:
        own, paper = read["cohorts"][name], whole["cohorts"][name]
        apart = {key for key in own if own[key] != paper[key]}
        assert apart <= {"block", "population"}
        assert read["populations"][own["population"]] == whole["populations"]["cifar100"]
        recipe = read["recipes"][own["recipe"]]
        assert recipe == whole["recipes"][paper["recipe"]]
        assert recipe["epochs"] == epochs


def test_shi2024_is_trained_as_its_text_and_as_its_released_code_says():
    read = reading.read(merged("shi2024"))
    for name, recipe in read["recipes"].items():
        released = "_released" in name
        assert recipe["optimizer"] == {
            "name": "sgd", "lr": 0.01 if released else 0.1, "momentum": 0.9,
            "nesterov": not released, "weight_decay": 0.0, "decay_norms_and_biases": True,
        }  # fmt: skip
        assert recipe["schedule"]["name"] == "cosine"
        assert 20 <= recipe["epochs"] <= 200
        assert bool(recipe["early_stopping"]) == name.endswith("_reference")
    credit = read["populations"]["german_credit"]
    assert credit["options"] == {"encoding": "codes", "test_rows": 200}
    assert credit["standardise"] == "none"
    ledger = read["exhibits"]["shi2024_ledger"]
    audits = {audit for audit in read["audits"] if "_released" in audit}
    assert audits <= set(ledger["audits"])
    table = pd.read_csv(CONFIG / "published" / "shi2024.csv", dtype=str, keep_default_na=False)
    lines = published.select(table, "shi2024", [])
    places = published.by_reading(lines, ledger["options"]["rows"], ledger["audits"])
    readings = {"released code", "released code, one reference model"}
    assert {place["audit"] for _, place in places if place.get("reading") in readings} == audits


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("shi2024")])
def test_watson_et_al_stand_for_each_number_of_models_that_shi2024_names(name):
    """Each value of theirs that has a place has one beside it, with one reference model."""
    read = reading.read(merged(name))
    table = pd.read_csv(CONFIG / "published" / "shi2024.csv", dtype=str, keep_default_na=False)
    checked = 0
    for entry in read["exhibits"].values():
        if entry["table"] != "ledger":
            continue
        options, labels = entry["options"], {label for label, _ in entry["attacks"]}
        lines = published.select(table, "shi2024", options["tables"])
        places = published.by_reading(lines, options["rows"], entry["audits"])
        own = [p for line, p in places if line["attack"] == "watson" and "–" in line["models"]]
        own = [place for place in own if place.get("audit") in entry["audits"]]
        two = [(p["audit"], p.get("reading", "")) for p in own if "one" not in p.get("reading", "")]
        one = [p for p in own if "one reference model" in p.get("reading", "")]
        beside = [p["reading"].removesuffix("one reference model").rstrip(", ") for p in one]
        assert sorted(zip((p["audit"] for p in one), beside, strict=True)) == sorted(two)
        for place in one:
            assert place["label"] == "watson_1"
            assert {"watson", "watson_1"} <= set(read["audits"][place["audit"]]["attacks"])
            assert {"watson", "watson_1"} <= labels
        checked += len(one)
    assert checked
    counts = {label: read["attacks"][label]["references"] for label in ("watson", "watson_1")}
    assert counts == {"watson": 2, "watson_1": 1}


def test_ye2022_is_trained_as_its_text_says_and_cifar10_in_all_ways_it_can_be_read():
    read = reading.read(merged("ye2022"))
    assert {recipe["schedule"]["name"] for recipe in read["recipes"].values()} == {"constant"}
    found = {}
    for name, cohort in read["cohorts"].items():
        optimizer = read["recipes"][cohort["recipe"]]["optimizer"]
        if cohort["population"] != "cifar10":
            assert (optimizer["name"], optimizer["momentum"]) == ("sgd", 0.0), name
            assert optimizer["weight_decay"] == 0.0
        elif not cohort["teacher"]:
            keys = ("name", "momentum", "weight_decay", "decay_norms_and_biases")
            found[name] = tuple(optimizer.get(key) for key in keys)
    table4 = {"": ("sgd", 0.9, 0.002, False), "_decay": ("sgd", 0.9, 0.001, True)}
    readings = table4 | {"_adam": ("adam", None, 0.0, True)}
    sizes = (2500, 5000, 10000)
    assert found == {f"cifar10_{n}{end}": own for n in sizes for end, own in readings.items()}
    ledger = read["exhibits"]["ye2022_ledger"]
    table = pd.read_csv(CONFIG / "published" / "ye2022.csv", dtype=str, keep_default_na=False)
    lines = published.select(table, "ye2022", [])
    places = published.by_reading(lines, ledger["options"]["rows"], ledger["audits"])
    others = [place["audit"] for _, place in places if place.get("reading")]
    assert sorted(others) == sorted(
        f"cifar10_{n}{end}" for n in sizes for end in ("_decay", "_adam") for _ in range(5)
    )


def test_carlini2022_is_trained_as_its_released_code():
    recipe = reading.read(merged("carlini2022"))["recipes"]["wide_resnet"]
    assert recipe["ema"] == 0.999
    assert recipe["schedule"] == {"name": "quarter_cosine", "share": 0.875, "warmup": 0.01}
    assert recipe["optimizer"]["decay_norms_and_biases"] is False
    assert (recipe["optimizer"]["weight_decay"], recipe["batch_size"]) == (0.0005, 256)


@pytest.mark.parametrize("name", ["dpsgd", "dpsgd_small"])
def test_dp_sgd_is_attacked_with_the_papers_settings(name):
    read = reading.read(merged(name))
    recipes, cohorts = read["recipes"], read["cohorts"]
    grid = {(r["privacy"]["clip"], r["privacy"]["noise"])
            for n, r in recipes.items() if n.startswith("clip")}  # fmt: skip
    assert grid == {(clip, noise) for clip in (10.0, 5.0, 1.0) for noise in (0.0, 0.2, 0.8)}
    of_shi = [recipes[f"sigma_{n}"] for n in ("0", "02", "03", "06", "1")]
    assert [recipe["privacy"]["noise"] for recipe in of_shi] == [0.0, 0.2, 0.3, 0.6, 1.0]
    assert {recipe["privacy"]["clip"] for recipe in of_shi} == {10.0}
    assert {recipe["architecture"]["name"] for recipe in of_shi} == {"smallnet"}
    for audit in read["audits"].values():  # adaptive: all sides train alike
        sides = {cohorts[audit[side]]["recipe"] for side in ("target", "shadow", "reference")
                 if audit[side]}  # fmt: skip
        assert sides == {audit["target"]}
    assert not private_cohorts.warnings(read)


def test_every_value_about_dp_sgd_has_a_model_with_its_settings():
    read = reading.read(merged("dpsgd"))
    columns = {
        "clipping norm 1 of 3": 10.0,
        "clipping norm 2 of 3": 5.0,
        "clipping norm 3 of 3": 1.0,
    }
    for paper, table, count in (("carlini2022", "IV", 9), ("shi2024", "8", 20)):
        values = pd.read_csv(CONFIG / f"published/{paper}.csv", dtype=str, keep_default_na=False)
        options = read["exhibits"][f"{paper}_ledger"]["options"]
        assert (options["published"], options["tables"]) == (paper, [table])
        lines = published.select(values, paper, [table])
        assert len(lines) == count
        for line, place in zip(lines, published.assign(lines, options["rows"]), strict=True):
            privacy = read["recipes"][place["audit"]]["privacy"]
            assert privacy["noise"] == float(line["row"].split()[-1])
            assert privacy["clip"] == columns.get(line["column"], 10.0)


def test_shi2024_has_the_parts_of_table_1():
    """Sizes of the paper, less the held-out examples, which all parts give up alike."""
    read = reading.read(merged("shi2024_cinic10"))
    examples = {"cifar10": 50_000, "cifar100": 50_000, "adult": 32_561, "german_credit": 800}
    examples["cinic10"] = 180_000
    parts = {
        "cifar10": [12500, 12500, 7500, 7500, 10000], "adult": [8140, 8140, 4884, 4884, 6513],
        "cifar100": [12500, 12500, 7500, 7500, 10000], "german_credit": [200, 200, 120, 120, 160],
        "cinic10": [22500, 22500, 13500, 13500, 18000],
    }  # fmt: skip
    for cohort in read["cohorts"].values():
        if cohort["design"]["name"] == "six_way":
            name = cohort["population"]
            found = [share * examples[name] for share in cohort["design"]["fractions"]]
            assert found == pytest.approx(parts[name], abs=1)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("carlini2022_mismatch", (6, 3, 4)), ("carlini2022_mismatch_small", (4, 3, 4))],
)
def test_every_guess_of_the_training_is_judged(name, sizes):
    read = reading.read(merged(name))
    for figure, roc, size in zip(("11a", "11b", "11c"), ("22", "23", "24"), sizes, strict=True):
        exhibit = read["exhibits"][f"carlini2022_fig{figure}"]
        audits = [read["audits"][audit] for audit in exhibit["audits"]]
        pairs = [(audit["target"], audit["shadow"]) for audit in audits]
        cohorts = {target for target, _ in pairs}
        assert len(cohorts) == size
        assert sorted(pairs) == sorted(product(cohorts, cohorts))
        assert set(exhibit["options"]["cohort_names"]) == cohorts
        assert read["exhibits"][f"carlini2022_fig{roc}"]["audits"] == exhibit["audits"]
    alike = [read["audits"][audit] for audit in read["exhibits"]["carlini2022_fig7"]["audits"]]
    assert {audit["target"] for audit in alike} == set(read["cohorts"])
    assert all(audit["target"] == audit["shadow"] for audit in alike)


@pytest.mark.parametrize("name", ["carlini2022_mismatch", "carlini2022_mismatch_small"])
def test_a_guess_of_the_augmentation_is_one_of_the_queries(name):
    read = reading.read(merged(name))
    wanted = {"none": 1, "mirror": 2}
    for audit in read["exhibits"]["carlini2022_fig11c"]["audits"]:
        shadow = read["cohorts"][read["audits"][audit]["shadow"]]
        moved = read["recipes"][shadow["recipe"]]["augmentation"]["name"]
        [label] = read["audits"][audit]["attacks"]
        asked = read["attacks"][label]["options"]["queries"] or shadow["queries"]["count"]
        assert asked == wanted.get(moved, 18), audit


def test_shadow_models_of_other_training_differ_in_what_the_figure_says():
    read = reading.read(merged("carlini2022_mismatch"))
    recipes = {name: read["recipes"][cohort["recipe"]] for name, cohort in read["cohorts"].items()}
    for figure, key in (("a", "architecture"), ("b", "optimizer"), ("c", "augmentation")):
        shown = read["exhibits"][f"carlini2022_fig11{figure}"]["options"]["cohort_names"]
        for name in shown:
            others = [k for k, value in recipes[name].items() if value != recipes["usual"][k]]
            assert others == ([] if name == "usual" else [key])


def test_resnets_go_by_the_depth_that_papers_name():
    read = reading.read(merged("carlini2022_canonical"))
    for name, entry in read["cohorts"].items():
        architecture = exhibit_jobs.scale(read, name)["architecture"]
        assert architecture == {"convnet": "cnn"}.get(entry["recipe"], entry["recipe"])


@pytest.mark.parametrize("name", STUDIES)
def test_ledgers_name_audits_and_attacks_that_they_show(name):
    read = reading.read(merged(name))
    for exhibit, entry in read["exhibits"].items():
        if entry.get("table") == "ledger":
            pairs = contents.shown(read, exhibit)
            names = {label: shown for label, shown in entry["attacks"]}
            evidence = Evidence(names, [{"audit": a, "label": label} for a, label in pairs])
            ledger.checked(entry["options"]["rows"], evidence)
