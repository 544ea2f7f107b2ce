"""Read a data set and write it as one population file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from miatlas.populations import altered, base, canaries, pairs
from miatlas.populations.moments import moments
from miatlas.running import plugins
from miatlas.running.logs import logged
from miatlas.running.seeds import rng
from miatlas.running.store import write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, population: str, settings: dict) -> None:
    """Write x, labels, the official test set, canaries, the mean and deviation of inputs."""
    chosen = load(settings, settings["data_root"])
    if settings["subset"]:
        if settings["subset"] > len(chosen):
            where = f"populations.{settings['name']}.subset"
            raise ValueError(f"{where}: {settings['subset']}, but {len(chosen)} examples are there")
        stream = rng(settings["seed"], "subset", settings["name"])
        chosen = base.subset(chosen, settings["subset"], stream)
    if settings["label_noise"]:
        stream = rng(settings["seed"], "label noise", settings["name"])
        chosen = altered.with_label_noise(chosen, settings["label_noise"], stream)
    if settings["class_overlap"]:
        stream = rng(settings["seed"], "class overlap", settings["name"])
        chosen = altered.with_class_overlap(chosen, settings["class_overlap"], stream)
    if settings["canaries"]:
        chosen = with_canaries(chosen, settings)
    mean, deviation = said(chosen, settings) or moments(chosen, settings["standardise"])
    arrays = {
        "x": chosen.x, "labels": chosen.labels, "test": chosen.test, "canary": chosen.canary,
        "mean": mean, "deviation": deviation,
    }  # fmt: skip
    arrays |= {n: getattr(chosen, n) for n in base.OPTIONAL if getattr(chosen, n) is not None}
    facts = {
        "population": settings["name"], "source": chosen.source, "digest": base.digest(chosen),
        "class_names": list(chosen.class_names), "encoding": chosen.encoding,
        "scale": float(chosen.scale), "parts": chosen.parts, "settings": settings,
    }  # fmt: skip
    write_h5(population, arrays, facts)
    print(
        f"{settings['name']}: {chosen.x.shape} {chosen.x.dtype}, {len(chosen.class_names)} classes"
    )


def said(chosen, settings: dict):
    """Return the mean and deviation that the study gives, if it does."""
    if settings.get("mean") is None:
        return None
    numbers = [np.array(settings[key], np.float64) for key in ("mean", "deviation")]
    for key, given in zip(("mean", "deviation"), numbers, strict=True):
        if given.shape not in ((1,), chosen.x.shape[1:2]):
            raise ValueError(
                f"populations.{settings['name']}.{key}: {len(given)} numbers, but examples have"
                f" {chosen.x.shape[1]} channels or columns"
            )
    return numbers


def load(entry: dict, data_root: str):
    """Return the population that an entry describes, as its source gives it."""
    source = plugins.module("populations", entry["source"])
    options = dict(entry["options"])
    if plugins.is_file(entry["source"]) and "path" in options:  # one of several places: see reading
        options["path"] = os.path.abspath(Path(data_root, options["path"]))
    found = source.load(Path(data_root), **options)
    if isinstance(found, base.Population):
        return found
    if not (hasattr(found, "__len__") and hasattr(found, "__getitem__")):
        kind = type(found).__name__
        raise ValueError(
            f"{entry['source']}: load returns no Population, and no sequence of (image, label), but"
            f" what is a {kind}"
        )
    return pairs.population(found, str(entry["source"]))


def with_canaries(chosen, settings):
    """Return the population with the canaries of its settings inserted."""
    entry = settings["canaries"]
    other = load(entry["other"], settings["data_root"]) if entry["other"] else None
    stream = rng(settings["seed"], "canaries", settings["name"])
    return canaries.insert_canaries(chosen, entry["count"], entry["kind"], stream, other=other)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(**snakemake.output, settings=snakemake.params.settings)
