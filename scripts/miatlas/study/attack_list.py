"""What there is to choose from: the attacks, by what their modules say."""

import re

from miatlas.options import docstring, spelled
from miatlas.study.attack_modules import said
from miatlas.study.plugins import ATTACKS, LIBRARY

OTHER_COHORTS = {
    "distilled": "students of the target",
    "leave_one_out": "models without the example",
}
NEEDS = {  # what a study has to provide, told from the start of what an attack reads
    "refs_": "shadow models",
    "ref_": "a shadow model",
    "reference_": "a third cohort",
    "target_held_out_": "held-out examples",
    "target_noise": "probe noise",
    "target_noisy_labels": "probe noisy_labels",
    "target_gradients": "probe gradients",
    "ref_distances": "probe distances",
    "refs_perturbed": "their gradients at perturbed points",
    "target_normal_regression": "held-out examples, a regressor for each target",
    "target_tokens": "probe tokens",
    "zlib_bytes": "texts",
}


def attacks() -> list[str]:
    """Return the identifiers of all attacks."""
    return [name for name in _modules() if _fault(name) is None]


def faults() -> list[str]:
    """Return what is wrong with each file among the attacks that is none."""
    return [fault for name in _modules() if (fault := _fault(name))]


def _modules():
    return sorted(path.stem for path in (LIBRARY / "attacks").glob("[!_]*.py"))


def _fault(name):
    try:
        said(name)
    except ValueError as error:
        return str(error)
    return None


def citation(attack: str) -> str:
    """Return what an attack is and whose, in a line."""
    first = docstring(_source(attack)).partition("\n")[0]
    return first or "(whose it is should be its docstring's first line)"


def needs(attack: str) -> list[str]:
    """Return what an attack needs beyond the target's own answers."""
    names = said(attack).read()
    found = [what for start, what in NEEDS.items() if any(n.startswith(start) for n in names)]
    if "shadow models" in found and "a shadow model" in found:
        found.remove("a shadow model")
    shadow = OTHER_COHORTS.get(said(attack).shadow, "shadow models")
    return [shadow if what == "shadow models" else what for what in found]


def described(attack: str) -> str:
    """Return all of that as a paragraph of text, with the options, their types and defaults."""
    lines = [attack, f"    {citation(attack)}"]
    if needed := needs(attack):
        lines.append(f"    needs: {', '.join(needed)}")
    for name, (kind, default) in spelled(_source(attack), "score").items():
        lines.append(f"    {name} = {default}    ({plain(kind)})")
    return "\n".join(lines)


def plain(kind):
    """Return a type with its checks without the words that Python needs around it."""
    kind = re.sub(r"Literal\[(.*?)\]", lambda m: m[1].replace("'", "").replace(", ", " | "), kind)
    return re.sub(r"Annotated\[(.*)\]", r"\1", kind)


def _source(attack):
    return ATTACKS.source(attack)
