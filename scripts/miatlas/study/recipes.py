"""The section of a recipe, and what such a recipe cannot be."""

from typing import Annotated, Literal

from pydantic import Field

from miatlas.options import functions, positive
from miatlas.study import plugins, private_recipes
from miatlas.study.checking import Section
from miatlas.study.private_recipes import Privacy
from miatlas.study.sections import Count, Share


class Recipe(Section):
    """How one model is trained. One epoch: as many batches as the nominal training set fills."""

    architecture: Annotated[dict, plugins.ARCHITECTURES] = Field(
        description="The network: the name of a module of scripts/miatlas/training/architectures,"
        " or the file of one's own (file: network.py), with its options."
    )
    epochs: Count | None = Field(
        None,
        description="How often the training set is passed through (default: the architecture is a"
        " file whose own train() does all of it, an estimator, which fits itself, or a program,"
        " which is asked alone).",
    )
    pretrained: str | None = Field(
        None,
        description="The path of weights that training begins with (safetensors, or a state dict of"
        " torch.save); a head of other classes stays as initialised (default: none).",
    )
    batch_size: Count = Field(128, description="Examples to a step.")
    optimizer: Annotated[dict, plugins.OPTIMIZERS] = Field(
        {"name": "sgd"}, description="The optimiser's name, with its options."
    )
    schedule: Annotated[dict, plugins.SCHEDULES] = Field(
        {"name": "cosine"}, description="How the learning rate goes on, with its options."
    )
    augmentation: Annotated[dict, plugins.AUGMENTATIONS] = Field(
        {"name": "none"}, description="How training images are moved, with its options."
    )
    label_smoothing: Share = Field(0.0, description="The weight of the uniform distribution.")
    mixup: Annotated[float, positive] | None = Field(
        None,
        description="Train on means of two examples and their labels, of weights from Beta(mixup,"
        " mixup) (default: on examples as they are).",
    )
    gradient_clip: Annotated[float, positive] | None = Field(
        None, description="The largest norm of a gradient (default: any)."
    )
    ema: Share | None = Field(
        None, description="Decay per step of averaged weights, which are then released."
    )
    privacy: Privacy | None = Field(
        None, description="Differential privacy of the training (default: none)."
    )
    early_stopping: Count | None = Field(
        None,
        description="Epochs without a better held-out loss, or accuracy, after which a model keeps"
        " its best weights.",
    )
    early_stopping_by: Literal["loss", "accuracy"] = Field(
        "loss", description="Which of the two `early_stopping` goes by."
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="Of the forward pass in training."
    )
    engine: Literal["auto", "stacked", "in_turn", "one_by_one"] = Field(
        "auto",
        description="Train a block's models as one stack; step by step in turn (on a GPU as one"
        " CUDA graph); or one after the other.",
    )


def complaint(recipe: dict) -> str | None:
    """Say what is wrong with a recipe whose keys are checked; None if nothing.

    What is said goes on from the recipe's key: ".epochs: ...", or ": option ...".
    """
    if wrong := _drawn_together(recipe) or _epochs(recipe):
        return wrong
    if recipe["privacy"] and (wrong := private_recipes.complaint(recipe)):
        return f".{wrong}"
    return None


def _drawn_together(recipe):
    """What is drawn in training is a model's own: in a stack, dropout's would be the stack's."""
    if recipe["architecture"].get("dropout") and recipe["engine"] in ("stacked", "in_turn"):
        return ".engine: networks with dropout are trained one by one: 'auto' or 'one_by_one'"
    if recipe["mixup"] and recipe["privacy"]:
        return ".mixup: mixed examples have no gradients of their own to clip"
    return None


def _epochs(recipe):
    """Networks are trained for epochs, unless a file of their own trains them; estimators never."""
    name, trained = recipe["architecture"]["name"], recipe["epochs"] is not None
    if plugins.is_estimator(name) and trained:
        return f".epochs: an estimator ({name}) fits itself: it takes no epochs"
    if plugins.is_program(name) and trained:
        return f".epochs: a program ({name}) is asked and not trained: it takes no epochs"
    if recipe["pretrained"] is not None and not trained:
        return ".pretrained: for networks that are trained by `epochs` only"
    own = plugins.is_file(name)
    trains_itself = own and "train" in functions(plugins.ARCHITECTURES.source(name))
    if trained or trains_itself or plugins.is_estimator(name) or plugins.is_program(name):
        return None
    instead = ", or a function train(x, labels, seed, device) in the file" if own else ""
    return f": option 'epochs' is required{instead}"
