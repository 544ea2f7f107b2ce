"""Estimators of another program, asked as they were fitted: by names of columns and of classes."""

import json

import numpy as np


class AsFitted:
    """An estimator that takes x (N, d) of a population and answers for its classes by number.

    model: with `predict_proba`; facts: the attributes of the population's file, of which
    `class_names` and `encoding` are read. Raises ValueError for classes that are not the
    population's, and, when it is asked, for columns that are not.
    """

    def __init__(self, model, facts: dict):
        names = json.loads(facts.get("class_names", "[]"))
        self.model, self.classes_ = model, numbers_of(model, names)
        self.columns = json.loads(facts.get("encoding", "{}")).get("columns", [])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities (N, K) of x (N, d) for the classes `classes_` (K,)."""
        names = getattr(self.model, "feature_names_in_", None)
        if names is None:
            return self.model.predict_proba(x)
        return self.model.predict_proba(by_name(x, self.columns, list(names)))


def numbers_of(model, class_names: list[str]) -> np.ndarray:
    """Return the number of each class of a model: the class itself, or else that of its name.

    Integers from 0 to C - 1 are numbers, and so are False and True.
    """
    known = [k.item() if hasattr(k, "item") else k for k in model.classes_]
    if all(isinstance(k, int) and k in range(len(class_names)) for k in known):
        return np.array(known, int)
    named = [str(k) for k in known]
    if set(named) <= set(class_names):
        return np.array([class_names.index(name) for name in named])
    raise ValueError(
        f"{type(model).__name__} knows the classes {', '.join(named[:5])}, the population has"
        f" {', '.join(class_names[:5])}: give it these labels, or fit it on 0 to"
        f" {len(class_names) - 1} in their order"
    )


def by_name(x: np.ndarray, columns: list[dict], names: list[str]):
    """Return x (N, d) as a pandas table of the columns `names`, in their order.

    columns: the encoding of `tabular.encode`. `names` are its columns, whose one-hot features
    become categories again, or its features: column_category, as `pandas.get_dummies` and
    `OneHotEncoder` name them. As many names as features, but others, are the features in order.
    """
    import pandas as pd  # not wanted by jobs of networks

    whole, single = {}, {}
    for column in columns:
        name, first = column["name"], column["first"]
        levels = column.get("categories")
        if levels is None:
            whole[name] = single[name] = x[:, first]
            continue
        part = x[:, first : first + column["width"]]
        whole[name] = np.array(levels, object)[part.argmax(1)]
        single |= {f"{name}_{level}": part[:, i] for i, level in enumerate(levels)}
    for known in (whole, single):
        if set(names) <= set(known):
            return pd.DataFrame({name: known[name] for name in names})
    if len(names) == x.shape[1]:
        return pd.DataFrame(x, columns=names)
    absent = next(name for name in names if name not in whole)
    raise ValueError(
        f"the estimator was fitted on {len(names)} columns, of which the population has no"
        f" {absent!r}; it has {', '.join(list(whole)[:5]) or f'{x.shape[1]} without names'}"
    )
