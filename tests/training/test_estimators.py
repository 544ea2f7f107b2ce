"""Estimators: fitted by their own seeds, and kept without pickles."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import StandardScaler

from miatlas.training.estimator_files import read
from miatlas.training.estimators import Estimators, build, fitted, probabilities

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


# XGBoost and LightGBM ----------------------------------------------------------------------------

BOOSTERS = {"XGBClassifier": "xgboost", "LGBMClassifier": "lightgbm"}


class StandIn(RandomForestClassifier):
    """What a booster shows of itself: scikit-learn's interface, and its own class."""


@pytest.mark.parametrize(("name", "package"), BOOSTERS.items())
def test_a_booster_that_is_installed_is_fitted_by_the_models_seed(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, SimpleNamespace(**{name: StandIn}))
    unfitted = build(name, {"n_estimators": 5}, ["StandardScaler"])
    (model,) = fitted(unfitted, X, Y, MEMBERS[:1], [7], jobs=1)
    scaled = StandardScaler().fit(X[:100])
    own = RandomForestClassifier(5, random_state=7).fit(scaled.transform(X[:100]), Y[:100])
    assert isinstance(model[-1], StandIn)
    assert np.array_equal(probabilities(model, X, 3), own.predict_proba(scaled.transform(X)))


@pytest.mark.parametrize(("name", "package"), BOOSTERS.items())
def test_a_booster_that_is_absent_is_named_with_what_to_do(monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    with pytest.raises(ValueError, match=f"{name} needs the package {package}.*pip install"):
        build(name, {}, [])


@pytest.mark.parametrize(("name", "package"), BOOSTERS.items())
def test_a_true_booster_is_fitted_kept_and_asked(tmp_path, name, package):
    pytest.importorskip(package)
    models = fitted(build(name, {"n_estimators": 5}, []), X, Y, MEMBERS, [1, 2, 3], jobs=1)
    kept = Estimators.from_weights(Estimators(models, 3).weights(), 3)
    answers = [probabilities(model, X, 3) for model in models]
    assert np.allclose(kept.probabilities(X), answers, atol=1e-6)
    skops.io.dump(models, tmp_path / "models.skops")
    assert np.allclose(read(tmp_path / "models.skops")[0].predict_proba(X), answers[0], atol=1e-6)
