"""What the networks of a cohort begin with: seeds alone, a sample of the population, or a file."""

from functools import partial

import numpy as np
import torch

from miatlas.running.seeds import rng
from miatlas.training import outputs, state_dicts
from miatlas.training.batches import Data


def maker(architecture, data: Data, shape, classes: int, settings: dict):
    """Return what builds one network of the recipe.

    An architecture may have weights that are the population's and no model's: its `from_sample(x)`
    makes them, by name, from SAMPLE examples of the pool, x (n, ...) float32 on the CPU. The sample
    is the cohort's, so that all its models start from the same ones, in whatever block.
    """
    options = {k: v for k, v in settings["recipe"]["architecture"].items() if k != "name"}
    build = partial(architecture.build, shape, classes, **options)
    if path := settings["recipe"].get("pretrained"):
        return begun(build, path, classes)
    if not hasattr(architecture, "from_sample"):
        return build
    elsewhere = torch.cat([data.held_out, data.test]).cpu().numpy()
    pool = np.setdiff1d(np.arange(len(data.x)), elsewhere)
    draws = rng(settings["seed"], "sample", settings["cohort"])
    sample = draws.choice(pool, min(architecture.SAMPLE, len(pool)), replace=False)
    common = architecture.from_sample(data.x[torch.from_numpy(np.sort(sample))].cpu())

    def make():
        network = build()
        wrong = network.load_state_dict(common, strict=False).unexpected_keys
        if wrong:
            raise ValueError(f"{architecture.__name__} has no weights {', '.join(wrong)}")
        return network

    return make


def begun(build, path: str, classes: int):
    """Return what builds networks whose weights are those of a file, as far as they fit."""
    common = None

    def make():
        nonlocal common
        network = build()
        inner = network.network if isinstance(network, outputs.AsLogits) else network
        common = common or state_dicts.pretrained(path, inner, classes)
        inner.load_state_dict(common, strict=False)
        return network

    return make
