"""What a population's examples are, and whether a recipe's models can be made to read them.

Told by the names of sources and architectures, before any file is opened. Of a user's own file
(npz, hdf5) nothing is known then, and nothing refused but a number of queries that no image has.
"""

from miatlas.options import constant
from miatlas.populations.catalogue import about
from miatlas.study.plugins import ARCHITECTURES

TEXT, FEATURES, IMAGES = "text", "features", "images"
KINDS = {1: TEXT, 2: FEATURES, 4: IMAGES}  # by the axes of what the files of a source hold


def kind_of(population: dict) -> str | None:
    """Return the kind of a population's examples; None if only its file tells."""
    return KINDS.get(len(about(population["source"]).shape))


def too_large(population: dict) -> str | None:
    """Say that a subset is larger than its population, where that is known; None if it is not."""
    size, subset = about(population["source"]).shape[:1], population["subset"]
    if kind_of(population) in (None, TEXT) or not subset or not size[0] or subset <= size[0]:
        return None  # of a text, the shape tells its words
    return f"subset: {subset}, but {population['source']} has {size[0]} examples"


def complaint(population: dict, recipe: dict, queries: dict) -> str | None:
    """Say, by the key of the cohort at fault, what these examples cannot be; None if nothing."""
    return _misread(population, recipe, queries) or _uncountable(queries)


def _misread(population, recipe, queries):
    given, name = kind_of(population), recipe["architecture"]["name"]
    reads = constant(ARCHITECTURES.source(name), "INPUTS")
    if given is None:
        ids = reads == TEXT and population["standardise"] != "none"
        return f"recipe: {name} reads ids of words: set standardise: none" if ids else None
    if given != reads if reads else given == TEXT:
        what = f"reads nothing but {reads}" if reads else "reads no text"
        return f"recipe: {name} {what}, and examples of {population['source']} are {given}"
    if given == TEXT and recipe["mixup"]:
        return f"recipe: mixup mixes numbers, and examples of {population['source']} are words"
    if given == TEXT and recipe["architecture"]["vocabulary"] < population["options"]["vocabulary"]:
        return (
            f"recipe: architecture.vocabulary is {recipe['architecture']['vocabulary']}, but the"
            f" population's vocabulary {population['options']['vocabulary']}"
        )
    return _unmovable(population["source"], given, recipe["augmentation"], queries)


def _unmovable(source, given, augmentation, queries):
    """Only images are moved, and none by more pixels than its other side can reflect."""
    shifts = augmentation["shift"] if augmentation["name"] != "mirror" else 0
    for where, key, moves, shift in (
        ("recipe: augmentation", "", augmentation["name"] != "none", shifts),
        ("queries", ": count", queries["count"] > 1, queries["shift"]),
    ):
        if moves and given != IMAGES:
            return f"{where}{key} moves images, and examples of {source} are {given}"
        sides = [side for side in about(source).shape[2:] if side]
        if moves and sides and shift >= min(sides):
            return f"{where}.shift: {shift}, but images of {source} have {min(sides)} pixels a side"
    return None


def _uncountable(queries):
    mirror, shift = queries["mirror"], queries["shift"]
    allowed = counts(mirror, shift)
    if queries["count"] in allowed:
        return None
    return (
        f"queries.count: {queries['count']} is not one of {', '.join(map(str, allowed))}"
        f" (mirror: {str(mirror).lower()}, shift: {shift})"
    )


def counts(mirror: bool, shift: int) -> list[int]:
    """Return how many queries of an image there may be: those that `augmentation.queries` makes."""
    flips = 1 + mirror
    return sorted({1, flips, 9 * flips, (2 * shift + 1) ** 2 * flips})
