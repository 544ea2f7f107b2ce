"""What a population's examples are, and whether a recipe's models can be made to read them.

Told by the names of sources and architectures, before any file is opened. Of a user's own file
(npz, hdf5) nothing is known then, and nothing refused.
"""

from miatlas.options import constant
from miatlas.populations.catalogue import SOURCES
from miatlas.reading import LIBRARY

TEXT, FEATURES, IMAGES = "text", "features", "images"
KINDS = {1: TEXT, 2: FEATURES, 4: IMAGES}  # by the axes of what the files of a source hold


def kind_of(population: dict) -> str | None:
    """Return the kind of a population's examples; None if only its file tells."""
    return KINDS.get(len(SOURCES[population["source"]].shape))


def complaint(population: dict, recipe: dict, queries: dict) -> str | None:
    """Say, by the key of the cohort at fault, what these examples cannot be; None if nothing."""
    given, name = kind_of(population), recipe["architecture"]["name"]
    if given is None:
        return None
    reads = constant(LIBRARY / "architectures" / f"{name}.py", "INPUTS")
    if (reads == TEXT) != (given == TEXT):
        what = "reads nothing but text" if reads == TEXT else "reads no text"
        return f"recipe: {name} {what}, and examples of {population['source']} are {given}"
    if given == TEXT and recipe["architecture"]["vocabulary"] < population["options"]["vocabulary"]:
        return (
            f"recipe: architecture.vocabulary is {recipe['architecture']['vocabulary']}, but the"
            f" population's vocabulary {population['options']['vocabulary']}"
        )
    for key, moves in (
        ("recipe: augmentation", recipe["augmentation"]["name"] != "none"),
        ("queries: count", queries["count"] > 1),
    ):
        if moves and given != IMAGES:
            return f"{key} moves images, and examples of {population['source']} are {given}"
    return None
