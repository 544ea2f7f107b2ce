"""Estimators that others have kept, in files of skops, read without running anything.

skops writes no pickle: what is read back is made of types that are known to run nothing, and a file
with any other is refused.
"""

from pathlib import Path

import numpy as np

from miatlas.running.foreign_files import check_archive, little_memory, one_line


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
