"""Models that are estimators of scikit-learn, or like them: fitted, kept, and asked.

They are kept by skops, which writes no pickle: what is read back is made of types that are known to
run nothing, and a file with any other is refused.
"""

from pathlib import Path

import numpy as np

from miatlas.running.foreign_files import check_archive, little_memory, one_line

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
        raise ValueError(f"architecture: {name} needs the package {BOOSTERS[name]}") from None


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


# Files of others ---------------------------------------------------------------------------------


def read(path) -> list:
    """Return the estimators of a skops file, which holds one or a list of them.

    Nothing in it is run: ValueError in one line, naming the file, refuses one that is damaged, that
    holds anything but estimators and the arrays they are made of, or trees that lead out of
    themselves.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    check_archive(path, "schema.json", "skops.io.dump")
    try:
        with little_memory(path):
            models = _loaded(path)
    except _Refused as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # a damaged file fails in many ways
        raise ValueError(f"{path}: not readable: {one_line(error)}") from None
    models = models if isinstance(models, list) else [models]
    for model in models:
        if not hasattr(model, "predict_proba"):
            kind = type(model).__name__
            raise ValueError(f"{path}: holds a {kind}, which gives no probabilities")
    return models


class _Refused(Exception):
    """A file holds what is not read."""


READ = {  # beside what skops knows to run nothing
    "sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.calibration._CalibratedClassifier", "sklearn.calibration._SigmoidCalibration",
    "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier",
    "lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier", "collections.defaultdict",
}  # fmt: skip


def _loaded(path):
    from skops.io import get_untrusted_types, load

    kinds = get_untrusted_types(file=path)
    strange = [kind for kind in kinds if kind not in READ]
    if strange:
        raise _Refused(f"holds {', '.join(strange[:3])}, which is not read")
    models = load(path, trusted=kinds)
    for part in _parts(models, set()):
        _check_tree(part)
    return models


def _parts(thing, seen):
    """Yield everything that estimators are made of, once."""
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type)):
        return
    seen.add(id(thing))
    yield thing
    inside = getattr(thing, "__dict__", {})
    if isinstance(thing, dict):
        inside = thing
    elif isinstance(thing, (list, tuple)) or (isinstance(thing, np.ndarray) and thing.dtype == "O"):
        inside = dict(enumerate(np.ravel(thing) if isinstance(thing, np.ndarray) else thing))
    for part in inside.values():
        yield from _parts(part, seen)


def _check_tree(part):
    """Refuse a tree whose nodes have children that are not there, or that stand above them."""
    if hasattr(part, "children_left"):
        left, right = part.children_left, part.children_right
        leaf, feature, features = left == -1, part.feature, part.n_features
    elif hasattr(part, "nodes") and getattr(part.nodes, "dtype", None) is not None:
        left, right = (part.nodes[side].astype(np.int64) for side in ("left", "right"))
        leaf, feature, features = part.nodes["is_leaf"] > 0, part.nodes["feature_idx"], np.inf
    else:
        return
    here = np.arange(len(left))
    for child in (left, right):
        if not (leaf | ((child > here) & (child < len(left)))).all():
            raise _Refused("holds a tree whose nodes lead out of it")
    if not (leaf | ((feature >= 0) & (feature < features))).all():
        raise _Refused("holds a tree that asks for features that are not there")
