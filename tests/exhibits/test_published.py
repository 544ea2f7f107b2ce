"""The published values: shape of the files, values read off the papers, what they say together."""

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from miatlas.exhibits import published
from miatlas.populations.catalogue import SOURCES

FOLDER = Path(__file__).parents[2] / "config" / "published"
TABLES = {
    "carlini2022": ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "text"],
    "ye2022": ["2", "3", "4", "5", "6", "text"],
    "ali2023": ["abstract"],
    "shi2024": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "text"],
}
SIZES = {
    "carlini2022": [9 * 13 - 18, 13, 8, 9, 13, 10, 10, 10, 14],
    "ye2022": [24, 30, 18, 12, 12, 3],
    "ali2023": [8],
    "shi2024": [30, 14, 84, 56, 32, 7 * 4 - 1, 32, 20, 15, 3],
}


def read(paper):
    return pd.read_csv(FOLDER / f"{paper}.csv", dtype=str, keep_default_na=False)


VALUES = {paper: read(paper) for paper in TABLES}
EVERY = pd.concat(VALUES.values(), ignore_index=True)


def value(paper, table, row, column):
    own = VALUES[paper]
    found = own[(own["table"] == table) & (own["row"] == row) & (own["column"] == column)]
    assert len(found) == 1, (paper, table, row, column)
    return found.iloc[0]


def test_every_file_is_of_a_paper_that_is_tested():
    assert {path.stem for path in FOLDER.glob("*")} == set(TABLES)


@pytest.mark.parametrize("paper", TABLES)
def test_files_have_their_columns_and_all_tables(paper):
    values = VALUES[paper]
    assert tuple(values.columns) == published.COLUMNS
    assert set(values["paper"]) == {paper}
    assert values["table"].drop_duplicates().tolist() == TABLES[paper]
    assert not values.duplicated(list(published.PLACE)).any()
    assert not (values == "").loc[:, ["row", "column", "value", "unit", "quantity"]].any(axis=None)


@pytest.mark.parametrize("paper", TABLES)
def test_no_value_of_a_table_is_missing(paper):
    """Rows × columns of each table, less the dashes and the diagonal."""
    assert VALUES[paper].groupby("table", sort=False).size().tolist() == SIZES[paper]


def test_cells_are_of_the_known_kinds():
    assert set(EVERY["unit"]) <= set(published.UNITS)
    assert set(EVERY["quantity"]) == set(published.QUANTITIES)
    assert set(EVERY["dataset"]) - {""} <= set(SOURCES)
    for column in (
        "spread",
        "fpr",
        "precision",
        "population",
        "training_examples",
        "models",
        "targets",
    ):
        cells = EVERY.loc[EVERY[column] != "", column]
        assert all(0 <= low <= high for low, high in cells.map(published.ends))
    at_an_fpr = ["tpr", "agreement_train", "agreement_test"]
    assert ((EVERY["fpr"] != "") == EVERY["quantity"].isin(at_an_fpr)).all()
    assert ((EVERY["precision"] != "") == (EVERY["quantity"] == "recall")).all()
    assert ((EVERY["spread"] != "") == (EVERY["spread_unit"] != "")).all()
    asked = EVERY["quantity"].isin(["tpr", "recall", "auc", "balanced_accuracy", "uses"])
    assert (EVERY.loc[asked, "attack"] != "").all()


def test_values_are_possible():
    for line in EVERY.to_dict("records"):
        printed = published.printed(line)
        if line["unit"] in ("%", "mark") or line["quantity"] == "auc":
            assert 0 <= printed.value <= 1, line
        assert printed.rounding > 0
    rates = EVERY[EVERY["quantity"].isin(["tpr", "auc", "balanced_accuracy"])]
    best = rates[rates["quantity"] != "tpr"]
    assert min(published.printed(line).value for line in best.to_dict("records")) > 0.49


def test_tpr_rises_with_the_fpr():
    """In every row of shi2024 Table 3, and of carlini2022 Table I, as on any ROC curve."""
    tprs = EVERY[(EVERY["quantity"] == "tpr") & EVERY["table"].isin(["3", "I"])]
    keys = ["paper", "row", "dataset", "architecture"]
    for _, group in tprs.groupby(keys):
        ordered = group.sort_values("fpr", key=lambda fpr: fpr.astype(float))
        found = [published.printed(line) for line in ordered.to_dict("records")]
        for low, high in pairwise(found):
            assert low.value - low.rounding <= high.value + high.rounding


@pytest.mark.parametrize(
    ("place", "printed", "spread"),
    [
        (("carlini2022", "I", "Ours", "TPR @ 0.001% FPR, C-100"), "11.2", ""),
        (("carlini2022", "I", "Long et al.", "Balanced Accuracy, C-10"), "53.5", ""),
        (("carlini2022", "I", "Watson et al.", "TPR @ 0.001% FPR, WT103"), "0.02", ""),
        (("carlini2022", "III", "2 (mirror)", "TPR @ 0.001% FPR"), "1.8", ""),
        (("carlini2022", "VII", "IN and OUT: + Logit scaling", "TPR @ 0.1% FPR"), "8.4", ""),
        (("ye2022", "2", "IV", "Attack P"), "0.55", "0.005"),
        (("ye2022", "2", "III", "Test Acc."), "75.5", "0.004"),
        (("ye2022", "3", "GT", "D"), "0.992", ""),
        (("ye2022", "3", "D", "GT"), "0.372", ""),
        (("ye2022", "4", "II", "Attack D"), "0.889", "0.011"),
        (("ye2022", "5", "I", "Attack D"), "0.957", "0.0003"),
        (("ye2022", "6", "II", "Attack R"), "0.551", "0.011"),
        (("shi2024", "1", "Adult", "reference train"), "6513", ""),
        (("ali2023", "abstract", "LiRA", "TPR @ 1% FPR, MNIST"), "2", ""),
        (("ali2023", "abstract", "EMIA", "TPR @ 1% FPR, Fashion-MNIST"), "0", ""),
        (("ali2023", "abstract", "AMIA", "TPR @ 1% FPR, Fashion-MNIST"), "6", ""),
        (("ali2023", "abstract", "E-AMIA", "TPR @ 1% FPR, MNIST"), "4", ""),
        (("ali2023", "abstract", "E-AMIA", "TPR @ 1% FPR, Fashion-MNIST"), "8", ""),
        (("shi2024", "3", "Ours", "CIFAR-100 DenseNet-121, TPR @ 1% FPR"), "23.2", ""),
        (("shi2024", "4", "Yeom et al.", "CINIC-10 VGG-16, Accuracy"), "77.12", ""),
        (("shi2024", "5", "N=64", "TPR at 1%FPR, LiRA"), "18.33", ""),
        (("shi2024", "6", "LiRA (N=256)", "Inference cost per attack"), "4942", ""),
        (("shi2024", "7", "Ours", "CIFAR-100, w/ aug, TPR"), "12.4", ""),
        (("shi2024", "8", "sigma = 0.6", "AUC"), "0.524", ""),
        (("shi2024", "9", "9500", "Train Test Acc Gap"), "34.08", ""),
        (("shi2024", "text", "CIFAR-100 SmallNet", "Recall at 90% precision"), "49.1", ""),
        (("shi2024", "text", "CINIC-10 VGG-16", "Recall at 80% precision"), "52.72", ""),
        (("carlini2022", "text", "CIFAR-100", "Test accuracy"), "60", ""),
        (("carlini2022", "text", "Fig. 8: hinge", "AUC"), "68–72", ""),
        (("ye2022", "text", "D and L", "train points"), "0.96", ""),
    ],
)
def test_values_drawn_from_the_papers(place, printed, spread):
    line = value(*place)
    assert (line["value"], line["spread"]) == (printed, spread)


def test_tables_of_one_paper_repeat_each_other():
    """What two tables print of one experiment is the same where no note says otherwise."""
    kept = ["dataset", "quantity", "fpr", "attack"]
    shi = VALUES["shi2024"]
    for table, column in (("6", "WRN28-10"), ("7", "w/o aug")):
        main = shi[shi["table"].isin(["3", "4"])].set_index([*kept, "architecture"])["value"]
        others = shi[(shi["table"] == table) & (shi["quantity"].isin(["tpr", "auc"]))]
        others = others[others["column"].str.contains(column) | (table == "6")]
        for line in others.to_dict("records"):
            if line["attack"] == "lira_online" or "N=10" in line["row"]:
                continue
            key = (*(line[name] for name in kept), line["architecture"])
            noted = f"Table 4 prints {main[key]}." in line["note"]
            assert float(main[key]) == float(line["value"]) or noted, line


def test_the_paper_names_two_numbers_of_models_for_the_values_it_prints_twice():
    """shi2024 prints the same values of two attacks beside N = 1 (Table 6), and speaks of two."""
    shi = VALUES["shi2024"]
    twice = shi[shi["attack"].isin(["salem", "watson"])]
    one = twice[(twice["table"] == "6") & (twice["models"] == "1")].set_index(
        ["attack", "quantity"]
    )
    assert len(one) == 8
    several = twice[twice["table"].isin(["3", "4", "7"])]
    assert set(several["models"]) == {"1–2"}
    assert several["note"].str.contains("beside N = 1").all()
    main = several[(several["architecture"] == "wide_resnet") & several["fpr"].isin(["0.01", ""])]
    main = main[main["quantity"].isin(["tpr", "auc"])].set_index(["attack", "quantity"])["value"]
    assert len(main) == 4
    assert (one.loc[main.index, "value"] == main).all()
    assert (shi[shi["models"].str.contains("–")]["attack"].isin(["salem", "watson"])).all()


def test_training_sizes_are_those_of_the_first_table():
    shi = VALUES["shi2024"]
    sizes = shi[(shi["table"] == "1") & (shi["column"] == "target train")]
    sizes = dict(zip(sizes["dataset"], sizes["value"], strict=True))
    for line in shi[shi["table"].isin(["2", "3", "4", "5", "6", "7"])].to_dict("records"):
        assert line["training_examples"] == sizes[line["dataset"]]


def test_populations_hold_the_parts_of_the_first_table():
    """The six parts of shi2024 Table 1 are the whole data set; no training set is larger."""
    shi = VALUES["shi2024"]
    for _, parts in shi[(shi["table"] == "1") & (shi["population"] != "")].groupby("dataset"):
        whole = int(parts["population"].iloc[0])
        assert parts["value"].astype(int).sum() == pytest.approx(whole, rel=0.001)
    known = EVERY[(EVERY["population"] != "") & (EVERY["training_examples"] != "")]
    known = known[known["architecture"] != "resnet34"]  # trained by others on the official part
    assert (known["training_examples"].astype(int) <= known["population"].astype(int) / 2).all()
    assert (EVERY[EVERY["population"] != ""].groupby("dataset")["population"].nunique() == 1).all()


def test_printed_values_know_their_digits():
    line = {"unit": "%", "spread": "", "spread_unit": "", "targets": ""}
    coarse = published.printed({**line, "value": "0.0"})
    fine = published.printed({**line, "value": "0.00"})
    assert coarse.rounding == pytest.approx(0.0005)
    assert fine.rounding == pytest.approx(0.00005)
    accuracy = published.printed({**line, "value": "96.2", "spread": "0.031", "spread_unit": "1"})
    assert accuracy.value == pytest.approx(0.962)
    assert (accuracy.spread, accuracy.runs) == (pytest.approx(0.031), 0)
    assert published.printed({**line, "value": "7", "unit": "minutes"}).rounding == 0.5
    assert published.printed({**line, "value": "7", "targets": "10"}).runs == 10


def test_a_range_reaches_to_its_ends_and_their_rounding():
    line = {"unit": "%", "spread": "", "spread_unit": "", "targets": "10", "value": "68–72"}
    found = published.printed(line)
    assert found.value - found.rounding == pytest.approx(0.675)
    assert found.value + found.rounding == pytest.approx(0.725)


def test_runs_are_those_that_the_paper_states():
    """shi2024: five for Tables 3 and 4 alone; carlini2022: ten attacks; ye2022: ten, of D three."""
    shi, carlini, ye = (VALUES[paper] for paper in ("shi2024", "carlini2022", "ye2022"))
    assert ((shi["targets"] == "5") == shi["table"].isin(["3", "4"])).all()
    assert set(shi["targets"]) == {"", "5"}
    rates = carlini[carlini["quantity"].isin(["tpr", "auc", "balanced_accuracy"])]
    assert ((rates["targets"] == "1") == (rates["architecture"] == "resnet34")).all()
    assert set(rates["targets"]) == {"1", "10"}
    aucs = ye[ye["quantity"] == "auc"]
    assert ((aucs["targets"] == "3") == (aucs["attack"] == "attack_d")).all()
    assert set(aucs["targets"]) == {"3", "10"}
    assert set(ye[ye["quantity"] != "auc"]["targets"]) == {""}


def test_what_texts_say_otherwise_than_tables_is_noted():
    text = EVERY[EVERY["table"] == "text"]
    assert text["note"].str.contains("Section").all()
    tables = VALUES["ye2022"].set_index(["table", "row", "column"])
    for (row, column), cell in {
        ("S and P", "train points"): ("S", "P"), ("S and P", "test points"): ("P", "S"),
        ("D and L", "train points"): ("L", "D"),
    }.items():  # fmt: skip
        note = tables.loc[("text", row, column), "note"]
        assert f"Table 3 prints {tables.loc[('3', *cell), 'value']}." in note


def test_select_refuses_what_is_not_there():
    with pytest.raises(ValueError, match="'9'"):
        published.select(VALUES["ye2022"], "ye2022", ["9"])
    with pytest.raises(ValueError, match="no column note"):
        published.select(VALUES["ye2022"].drop(columns="note"), "ye2022", [])
    numbers = pd.read_csv(FOLDER / "ye2022.csv")
    with pytest.raises(ValueError, match="as text"):
        published.select(numbers, "ye2022", [])
    assert len(published.select(EVERY, "ye2022", ["5", "6"])) == 24


LINES = published.select(VALUES["ye2022"], "ye2022", ["5", "6"])


def test_rules_overrule_earlier_ones_and_add_reasons():
    rules = [
        {"audit": "{dataset}_{training_examples}"},
        {"dataset": "mnist", "reason": "fewer models"},
        {"attack": "attack_d", "label": "distilled_{models}", "reason": "three students"},
        {"table": 6, "row": "II", "column": "Attack *", "audit": "other"},
    ]
    places = published.assign(LINES, rules)
    of = {(x["table"], x["row"], x["column"]): p for x, p in zip(LINES, places, strict=True)}
    assert of["5", "I", "Attack S"] == {"audit": "cifar100_2500", "reason": ""}
    assert of["6", "I", "Attack S"] == {"audit": "mnist_2500", "reason": "fewer models"}
    assert of["6", "II", "Test Acc."]["audit"] == "mnist_5000"
    distilled = {"audit": "other", "label": "distilled_1000"}
    assert of["6", "II", "Attack D"] == {**distilled, "reason": "fewer models; three students"}


def test_conditions_compare_numbers_as_numbers():
    carlini = published.select(VALUES["carlini2022"], "carlini2022", ["III"])
    places = published.assign(carlini, [{"fpr": 1e-3, "models": [128, 256.0], "audit": "x"}])
    assert [bool(place) for place in places] == [True, False] * 4


def test_a_value_has_a_place_for_every_reading_that_the_study_has_models_of():
    rules = [
        {"reading": "Adam", "table": "5", "audit": "{dataset}_{training_examples}_adam"},
        {"audit": "{dataset}_{training_examples}"},
        {"reading": "tanh", "row": "I", "audit": "{dataset}_tanh", "reason": "tried"},
    ]
    audits = ["cifar100_2500_adam", "cifar100_tanh", "mnist_tanh"]
    found = published.by_reading(LINES, rules, audits)
    plain = [(line, place) for line, place in found if "reading" not in place]
    assert plain == list(zip(LINES, published.assign(LINES, rules[1:2]), strict=True))
    others = [(line, place) for line, place in found if "reading" in place]
    expected = [
        (line["table"], line["row"], reading)
        for line in LINES for reading in ("Adam", "tanh")
        if line["row"] == "I" and (reading == "tanh" or line["table"] == "5")
    ]  # fmt: skip
    assert [(x["table"], x["row"], p["reading"]) for x, p in others] == expected
    assert others[0][1]["audit"] == "cifar100_2500_adam"
    assert others[1][1] == {"audit": "cifar100_tanh", "reading": "tanh", "reason": "tried"}
    lines = [line for line, _ in found]
    assert [line for k, line in enumerate(lines) if k == 0 or line != lines[k - 1]] == LINES


def test_a_range_has_two_ends_and_is_met_as_it_is_written():
    assert published.ends("1–2") == (1.0, 2.0)
    assert published.ends("0.5") == (0.5, 0.5)
    lines = [LINES[0] | {"models": models} for models in ("1", "1–2", "2")]
    places = published.assign(
        lines, [{"models": "1", "audit": "x"}, {"models": "1–2", "audit": "y"}]
    )
    assert [place.get("audit") for place in places] == ["x", "y", None]


def test_rules_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match=r"rows\[1\]: no published value"):
        published.assign(LINES, [{"audit": "x"}, {"dataset": "cifar10", "audit": "x"}])
    with pytest.raises(ValueError, match="unknown key 'data'"):
        published.assign(LINES, [{"data": "mnist", "audit": "x"}])
    with pytest.raises(ValueError, match="cannot be filled"):
        published.assign(LINES, [{"audit": "{data}"}])
