"""Estimators: fitted by their own seeds, kept without pickles, read only if nothing can run."""

import io
import os
import re
import resource
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from miatlas.training.estimators import Estimators, build, fitted, probabilities, read

X, Y = make_classification(160, 6, n_informative=4, n_classes=3, random_state=1)
MEMBERS = [np.arange(0, 100), np.arange(60, 160), np.arange(30, 130)]
KINDS = {
    "forest": ("RandomForestClassifier", {"n_estimators": 5}, []),
    "boosting": ("GradientBoostingClassifier", {"n_estimators": 3}, []),
    "histograms": ("HistGradientBoostingClassifier", {"max_iter": 3}, []),
    "regression": ("LogisticRegression", {"C": 0.5}, []),
    "perceptron": ("MLPClassifier", {"max_iter": 5}, ["StandardScaler"]),
    "vectors": ("CalibratedClassifierCV", {"estimator": {"SVC": {"C": 2.0}}}, []),
    "neighbours": ("KNeighborsClassifier", {}, []),
    "pipeline": ("LogisticRegression", {}, ["StandardScaler", {"PCA": {"n_components": 2}}]),
}


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(("name", "options", "before"), KINDS.values(), ids=KINDS)
def test_a_model_is_its_members_and_its_seed_and_is_kept_as_it_is(name, options, before):
    models = fitted(build(name, options, before), X, Y, MEMBERS, [1, 2, 3], jobs=1)
    alone = fitted(build(name, options, before), X, Y, MEMBERS[1:2], [2], jobs=1)
    answers = [probabilities(model, X, 3) for model in models]
    assert np.array_equal(answers[1], probabilities(alone[0], X, 3))
    kept = Estimators.from_weights(Estimators(models, 3).weights(), 3)
    assert np.array_equal(kept.probabilities(X), answers)


def test_it_is_scikit_learns_own_fit_with_the_seed():
    (model,) = fitted(build("RandomForestClassifier", {"n_estimators": 5}, []), X, Y,
                      MEMBERS[:1], [7], jobs=1)  # fmt: skip
    own = RandomForestClassifier(5, random_state=7).fit(X[:100], Y[:100])
    assert np.array_equal(model.predict_proba(X), own.predict_proba(X))
    (other,) = fitted(build("RandomForestClassifier", {"n_estimators": 5}, []), X, Y,
                      MEMBERS[:1], [8], jobs=1)  # fmt: skip
    assert not np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_as_many_at_once_as_wanted_are_the_same():
    estimator = build("RandomForestClassifier", {"n_estimators": 3}, [])
    one, two = (fitted(estimator, X, Y, MEMBERS, [1, 2, 3], jobs=jobs) for jobs in (1, 2))
    for a, b in zip(one, two, strict=True):
        assert np.array_equal(a.predict_proba(X), b.predict_proba(X))


def test_a_class_that_a_model_never_saw_has_no_probability():
    seen = np.flatnonzero(Y != 1)
    (model,) = fitted(build("LogisticRegression", {}, []), X, Y, [seen], [1], jobs=1)
    answer = probabilities(model, X, 3)
    assert np.array_equal(answer[:, [0, 2]], model.predict_proba(X))
    assert (answer[:, 1] == 0).all()
    with pytest.raises(ValueError, match="knows classes up to 2, the population 2"):
        probabilities(model, X, 2)


REFUSED = {
    "a misspelt name": (("RandomForrestClassifier", {}, []), "did you mean RandomForestClassifier"),
    "a regressor": (("LinearRegression", {}, []), "no classifier 'LinearRegression'"),
    "an unknown option": (("LogisticRegression", {"c": 1}, []), "unexpected keyword argument 'c'"),
    "a wrong option": (("LogisticRegression", {"C": -1.0}, []), "LogisticRegression: The 'C'"),
    "no probabilities": (("LinearSVC", {}, []), "LinearSVC gives no probabilities"),
    "an unknown step": (("LogisticRegression", {}, ["Scaler"]), "no transformer 'Scaler'"),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_an_estimator_is_refused_by_why(given, said):
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        build(*given)
    assert "\n" not in str(refused.value)


# Files of others ---------------------------------------------------------------------------------


def refusal(path):
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        read(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_one_estimator_and_a_pipeline_of_others_are_read(tmp_path):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    skops.io.dump(model, tmp_path / "one.skops")
    (found,) = read(tmp_path / "one.skops")
    assert np.array_equal(found.predict_proba(X), model.predict_proba(X))


class Command:
    """Made anew, it runs a command of the shell."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_what_could_run_is_not_read(tmp_path):
    mark = tmp_path / "ran"
    model = LogisticRegression().fit(X, Y)
    model.more = Command(f"touch {mark}")
    skops.io.dump(model, tmp_path / "bad.skops")
    assert "which is not read" in refusal(tmp_path / "bad.skops")
    assert not mark.exists()


def test_a_file_that_grows_or_is_none_is_not_read(tmp_path):
    model = LogisticRegression().fit(X, Y)
    model.more = np.zeros(10**7)
    skops.io.dump(model, tmp_path / "bomb.skops", compression=zipfile.ZIP_DEFLATED)
    assert "compressed or claims more" in refusal(tmp_path / "bomb.skops")
    skops.io.dump({"a": 1}, tmp_path / "dictionary.skops")
    assert "holds a dict, which gives no probabilities" in refusal(tmp_path / "dictionary.skops")
    (tmp_path / "text.skops").write_text("no archive")
    assert "damaged archive" in refusal(tmp_path / "text.skops")
    assert "no such file" in refusal(tmp_path / "absent.skops")


def forged(source, target, change):
    """Write a skops file anew, with other arrays in it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name.endswith(".npy") else content)
    return target


def enormous(content):
    """Make an array of NumPy's claim 10^12 rows."""
    claimed = re.sub(rb"'shape': \(\d+,", b"'shape': (1000000000000,", content[:128])
    padding = len(claimed) - 128
    return claimed.replace(b" " * padding + b"\n", b"\n", 1) + content[128:]


def test_an_array_of_10_12_takes_no_memory(tmp_path):
    skops.io.dump(LogisticRegression().fit(X, Y), tmp_path / "small.skops")
    forged(tmp_path / "small.skops", tmp_path / "same.skops", lambda content: content)
    assert len(read(tmp_path / "same.skops")) == 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = forged(tmp_path / "small.skops", tmp_path / "big.skops", enormous)
    assert "Unable to allocate" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("name", ["RandomForestClassifier", "HistGradientBoostingClassifier"])
@pytest.mark.parametrize("child", [0, 10**6])
def test_trees_that_lead_out_of_themselves_are_not_read(tmp_path, name, child):
    """They would be followed to wherever they lead, or for ever."""
    (model,) = fitted(build(name, {}, []), X, Y, MEMBERS[:1], [1], jobs=1)
    skops.io.dump(model, tmp_path / "good.skops")
    assert len(read(tmp_path / "good.skops")) == 1

    def change(content):
        array = np.load(io.BytesIO(content))
        for side in {"left", "left_child"} & set(array.dtype.names or ()):
            array[side][0] = child
            out = io.BytesIO()
            np.save(out, array)
            return out.getvalue()
        return content

    assert "a tree whose nodes lead out of it" in refusal(
        forged(tmp_path / "good.skops", tmp_path / "bad.skops", change)
    )
