"""An estimator is asked as it was fitted: its own answers on its own table are the oracle."""

import accept_models
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from miatlas.populations.table import load as load_table
from miatlas.populations.tabular import encode
from miatlas.running.store import write_h5
from miatlas.signals.trained_models import load
from miatlas.training.released_estimators import by_name, numbers_of

MEMBERS = np.arange(300) < 120
LABELS = {
    "0 and 1": [0, 1], "1 and 2": [1, 2], "words": ["bad", "good"], "yes and no": [False, True],
    "halves": [0.0, 1.0], "three": [3, 7, 11],
}  # fmt: skip
SETTINGS = {
    "architecture": {"name": "sklearn", "estimator": "RandomForestClassifier", "options": {}},
    "engine": "auto",
}


def people(values):
    """Return a table with columns of words between those of numbers, and a label on which they
    bear."""
    rng = np.random.default_rng(5)
    table = pd.DataFrame({
        "job": rng.choice(["smith", "baker", "clerk"], 300),
        "age": rng.integers(18, 80, 300),
        "town": rng.choice(["Ulm", "Aachen"], 300),
        "income": rng.normal(30, 5, 300).astype(np.float32),
    })  # fmt: skip
    cut = (table["age"] + 20 * (table["job"] == "smith")).rank(pct=True) * len(values) * 0.999
    table["label"] = np.array(values)[cut.astype(int)]
    return table


def pipeline(words):
    encoder = make_column_transformer((OneHotEncoder(), words), remainder="passthrough")
    return make_pipeline(encoder, RandomForestClassifier(20, random_state=1))


def accepted(folder, table, model):
    """Return what the model answers in the workflow, (N, C), and the first line of the log."""
    table.to_csv(folder / "people.csv", index=False)
    chosen = load_table(folder, path="people.csv", label="label")
    arrays = {"x": chosen.x, "labels": chosen.labels, "mean": np.zeros(1), "deviation": np.ones(1)}
    facts = {"class_names": chosen.class_names, "encoding": chosen.encoding, "scale": 1.0}
    write_h5(folder / "population.h5", arrays, facts)
    membership = {"member": MEMBERS[None], "evaluated": np.ones((1, 300), bool)}
    write_h5(folder / "membership.h5", membership, {})
    skops.io.dump(model, folder / "model.skops")
    accept_models.main(
        population=str(folder / "population.h5"),
        membership=str(folder / "membership.h5"),
        released=[str(folder / "model.skops")],
        weights=str(folder / "weights.safetensors"),
        history=str(folder / "history.csv"),
        settings={"cohort": "mine", "models": 1, "at_chance": "stop"} | SETTINGS,
    )
    group, x, *_ = load(
        str(folder / "population.h5"), str(folder / "weights.safetensors"), SETTINGS
    )
    return group.probabilities(x.cpu().numpy())[0]


def fitted(model, x, labels):
    return model.fit(x[MEMBERS], labels[MEMBERS])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("kind", ["pipeline", "dummies", "dummies in another order", "array"])
def test_it_answers_as_it_does_on_its_own_table(tmp_path, kind, values):
    table = people(values)
    own, model = table.drop(columns="label"), RandomForestClassifier(20, random_state=1)
    if kind == "pipeline":
        model = pipeline(["job", "town"])
    elif kind == "array":
        own = encode(own, ["job", "town"])[0]
    else:
        own = pd.get_dummies(own)
        own = own if kind == "dummies" else own[sorted(own)]
    fitted(model, own, table["label"])
    assert np.array_equal(accepted(tmp_path, table, model), model.predict_proba(own))


def test_columns_that_it_does_not_use_are_no_obstacle(tmp_path):
    table = people([0, 1])
    own = table[["town", "age", "job"]]
    model = fitted(pipeline(["job", "town"]), own, table["label"])
    assert np.array_equal(accepted(tmp_path, table, model), model.predict_proba(own))


@pytest.mark.parametrize("kind", [int, bool])
def test_labels_of_its_own_from_zero_are_the_populations_in_order(tmp_path, kind):
    table = people(["bad", "good"])
    own, labels = pd.get_dummies(table.drop(columns="label")), table["label"] == "good"
    model = fitted(RandomForestClassifier(20, random_state=1), own, labels.astype(kind))
    assert np.array_equal(accepted(tmp_path, table, model), model.predict_proba(own))


def test_other_labels_are_named(tmp_path):
    table = people(["bad", "good"])
    own, labels = pd.get_dummies(table.drop(columns="label")), table["label"].str.upper()
    model = fitted(RandomForestClassifier(20, random_state=1), own, labels)
    with pytest.raises(ValueError, match="the classes BAD, GOOD, the population has bad, good"):
        accepted(tmp_path, table, model)


def test_the_log_begins_with_its_accuracy(tmp_path, capfd):
    table = people([1, 2])
    own = pd.get_dummies(table.drop(columns="label"))
    accepted(tmp_path, table, fitted(RandomForestClassifier(20), own, table["label"]))
    told = capfd.readouterr()
    assert "of its 120 members" in told.out.splitlines()[0]
    assert not told.err


def test_a_column_that_is_not_there_is_named(tmp_path):
    table = people([0, 1])
    own = table.drop(columns="label").assign(height=1.0)
    model = fitted(pipeline(["job", "town"]), own, table["label"])
    with pytest.raises(ValueError, match=r"fitted on 5 columns.*no 'height'; it has age, income"):
        accepted(tmp_path, table, model)


def test_names_of_features_without_names_are_taken_in_order():
    x = np.arange(6.0).reshape(2, 3)
    found = by_name(x, [], ["c", "a", "b"])
    assert list(found) == ["c", "a", "b"]
    assert np.array_equal(found, x)
    with pytest.raises(ValueError, match="no 'a'; it has 3 without names"):
        by_name(x, [], ["a", "b"])


def test_numbers_before_names():
    """Classes that are numbers of classes are those, also where names are other numbers."""

    class Model:
        classes_ = np.array([0, 1])

    assert numbers_of(Model(), ["1", "0"]).tolist() == [0, 1]
    Model.classes_ = np.array([1, 2])
    assert numbers_of(Model(), ["1", "2"]).tolist() == [0, 1]
    Model.classes_ = np.array(["b", "a"])
    assert numbers_of(Model(), ["a", "b"]).tolist() == [1, 0]
