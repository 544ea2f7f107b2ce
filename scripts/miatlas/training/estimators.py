"""Models that are estimators of scikit-learn, or like them: fitted, kept by skops, and asked."""

import numpy as np

from miatlas.running.foreign_files import one_line
from miatlas.training.released_estimators import AsFitted

BOOSTERS = {"XGBClassifier": "xgboost", "LGBMClassifier": "lightgbm"}  # where they are installed


def build(estimator: str, options: dict, before: list):
    """Return an unfitted classifier by its name, behind the transformers of `before` if any.

    Names are those of scikit-learn's classes, and XGBClassifier and LGBMClassifier. An entry of
    `before` is a name, or a mapping of a name to options. Raises ValueError for an unknown name,
    options that are refused, and classifiers that give no probabilities.
    """
    steps = [_made("transformer", *_named(entry)) for entry in before]
    last = _made("classifier", estimator, options)
    if not hasattr(last, "predict_proba"):
        raise ValueError(
            f"architecture: {estimator} gives no probabilities with these options: calibrate it"
            f" (estimator: CalibratedClassifierCV, options: {{estimator: {estimator}}})"
        )
    from sklearn.pipeline import make_pipeline

    return make_pipeline(*steps, last) if steps else last


def _named(entry):
    return next(iter(entry.items())) if isinstance(entry, dict) else (entry, {})


def _made(kind, name, options):
    """Return an estimator by its name; `kind`: classifier or transformer."""
    from sklearn.utils import all_estimators

    known, options = dict(all_estimators(type_filter=kind)), dict(options or {})
    if isinstance(options.get("estimator"), (str, dict)):  # of a calibrated, bagged, ... one
        options["estimator"] = _made("classifier", *_named(options["estimator"]))
    if kind == "classifier" and name in BOOSTERS:
        known[name] = _booster(name)
    if name not in known:
        from difflib import get_close_matches

        close = get_close_matches(str(name), known, 1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise ValueError(f"architecture: scikit-learn has no {kind} {name!r}{meant}")
    try:
        made = known[name](**options)
        made._validate_params() if hasattr(made, "_validate_params") else None
    except (TypeError, ValueError) as error:
        raise ValueError(f"architecture: {name}: {one_line(error)}") from None
    return made


def _booster(name):
    from importlib import import_module

    try:
        return getattr(import_module(BOOSTERS[name]), name)
    except ImportError:
        package = BOOSTERS[name]
        raise ValueError(
            f"architecture: {name} needs the package {package}, which is not installed: pip install"
            f" {package}, or take scikit-learn's HistGradientBoostingClassifier"
        ) from None


def parameters(estimator) -> list[tuple[str, dict]]:
    """Return the steps of an estimator in their order, each by its class with all its parameters.

    Those of an inner one are named as scikit-learn does: estimator__C.
    """
    steps = [step for _, step in getattr(estimator, "steps", [("", estimator)])]
    return [(type(step).__name__, _parameters(step)) for step in steps]


def _parameters(step):
    own = {
        name: type(value).__name__ if hasattr(value, "get_params") else value
        for name, value in step.get_params().items()
    }
    seeds = [name for name in own if name.split("__")[-1] == "random_state"]
    return own | dict.fromkeys(seeds, "the model's seed")


def fitted(estimator, x: np.ndarray, labels: np.ndarray, members: list, seeds: list, jobs: int):
    """Return K estimators, each fitted to its members' x (n, d) and labels with its own seed.

    `members`: masks (N,) or indices, one a model. `jobs` are fitted at once; the result is the same
    for any number. Every `random_state` among the parameters is the model's seed.
    """
    from joblib import Parallel, delayed

    work = (
        delayed(_fit)(estimator, x[member], labels[member], seed)
        for member, seed in zip(members, seeds, strict=True)
    )
    return Parallel(n_jobs=jobs)(work)


def _fit(estimator, x, labels, seed):
    from sklearn.base import clone

    model = clone(estimator)
    names = [name for name in model.get_params() if name.split("__")[-1] == "random_state"]
    model.set_params(**dict.fromkeys(names, seed % 2**31))
    if len(np.unique(labels)) < 2:
        raise ValueError("a training set has one class only: draw larger ones")
    return model.fit(x, labels)


def probabilities(model, x: np.ndarray, classes: int) -> np.ndarray:
    """Return the probabilities (N, C) of x (N, d); a class that was never seen has none."""
    answer = np.asarray(model.predict_proba(x), np.float64)
    known = np.asarray(model.classes_)
    if known.dtype.kind not in "iu" or answer.shape != (len(x), len(known)):
        raise ValueError(
            f"{type(model).__name__} knows the classes {known[:5].tolist()} and answers"
            f" {answer.shape}: fit it on labels 0 to C - 1"
        )
    if len(known) and (known.min() < 0 or known.max() >= classes):
        raise ValueError(
            f"{type(model).__name__} knows classes up to {known.max()}, the population {classes}"
        )
    result = np.zeros((len(x), classes))
    result[:, known] = answer
    return result


class Estimators:
    """K fitted estimators of one population, asked as an ensemble of networks is."""

    def __init__(self, models: list, classes: int):
        self.estimators, self.classes, self.models = models, classes, len(models)

    @classmethod
    def released(cls, models: list, classes: int, facts: dict) -> "Estimators":
        """Return estimators of another program, asked by the names in the population's `facts`."""
        return cls([AsFitted(model, facts) for model in models], classes)

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities (K, N, C) of x (N, ...)."""
        flat = x.reshape(len(x), -1)
        return np.stack([probabilities(model, flat, self.classes) for model in self.estimators])

    def weights(self) -> dict[str, np.ndarray]:
        """Return them as one array of bytes, as skops writes them, to be kept with weights."""
        from skops.io import dumps

        return {"skops": np.frombuffer(dumps(self.estimators), np.uint8)}

    @classmethod
    def from_weights(cls, weights: dict, classes: int) -> "Estimators":
        """Return the estimators that `weights` wrote."""
        from skops.io import get_untrusted_types, loads

        content = weights["skops"].tobytes()
        return cls(loads(content, trusted=get_untrusted_types(data=content)), classes)
