"""What there is to choose from: the attacks, by reading their modules and importing none."""

import re

from miatlas.audits.attack_reads import reads
from miatlas.options import constant, declared, docstring, spelled
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
    "target_gradients": "probe gradients",
    "ref_distances": "probe distances",
}


def attacks() -> list[str]:
    """Return the identifiers of all attacks."""
    return [name for name in ATTACKS.names() if _fault(name) is None]


def faults() -> list[str]:
    """Return what is wrong with each file among the attacks that is none, nor imported by one."""
    paths = sorted((LIBRARY / "attacks").glob("[!_]*.py"))
    imports = re.findall(
        r"^from miatlas\.attacks.*", "\n".join(p.read_text(encoding="utf-8") for p in paths), re.M
    )
    shared = set(re.findall(r"\w+", " ".join(imports)))
    return [fault for p in paths if (fault := _fault(p.stem)) and p.stem not in shared]


def _fault(name):
    try:
        declared(_source(name), "score")
    except ValueError as error:
        return str(error)
    return None


def citation(attack: str) -> str:
    """Return what an attack is and whose, in a line."""
    first = docstring(_source(attack)).partition("\n")[0]
    return first or "(whose it is should be its docstring's first line)"


def needs(attack: str) -> list[str]:
    """Return what an attack needs beyond the target's own answers."""
    names = reads(attack)
    found = [what for start, what in NEEDS.items() if any(n.startswith(start) for n in names)]
    if "shadow models" in found and "a shadow model" in found:
        found.remove("a shadow model")
    cohort = constant(_source(attack), "COHORT")
    return [OTHER_COHORTS[cohort] if what == "shadow models" and cohort else what for what in found]


def described(attack: str) -> str:
    """Return all of that as a paragraph of text, with the options, their types and defaults."""
    lines = [attack, f"    {citation(attack)}"]
    if needed := needs(attack):
        lines.append(f"    needs: {', '.join(needed)}")
    for name, (kind, default) in spelled(_source(attack), "score").items():
        lines.append(f"    {name} = {default}    ({_plain(kind)})")
    return "\n".join(lines)


def _plain(kind):
    """Return a type with its checks without the words that Python needs around it."""
    kind = re.sub(r"Literal\[(.*?)\]", lambda m: m[1].replace("'", "").replace(", ", " | "), kind)
    return re.sub(r"Annotated\[(.*)\]", r"\1", kind)


def _source(attack):
    return ATTACKS.source(attack)
