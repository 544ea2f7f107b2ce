"""Estimators of scikit-learn: forests, boosting, logistic regression, SVC, MLP, pipelines.

They fit themselves, so that their recipe has no epochs; they are asked for probabilities, which are
clipped to [1e-6, 1 - 1e-6] before the logit. XGBClassifier and LGBMClassifier where installed.
"""

from miatlas.training import estimators

KIND = "estimator"
STACKABLE = False


def build(
    shape: tuple[int, ...], classes: int, *, estimator: str, options: dict = {}, before: list = []
):
    """Return the unfitted classifier; inputs of any shape are flattened for it.

    `estimator` is the name of its class; `options` are its own, where one called estimator names
    the inner one of a calibrated or bagged one. `before`: names of transformers that come first, or
    mappings of a name to options.
    """
    return estimators.build(estimator, options, before)
