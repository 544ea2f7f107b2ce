"""What a checked study consists of: its cohorts and blocks, and what is made or shown of which."""

from miatlas.designs.relations import made_for_each_target
from miatlas.study import demands, perturbations, regressors


def trained(study: dict) -> list[str]:
    """Return the cohorts that the workflow trains."""
    return [name for name in kept(study) if "weights" not in study["cohorts"][name]]


def released(study: dict) -> list[str]:
    """Return the cohorts whose weights come from outside."""
    return [name for name in kept(study) if "weights" in study["cohorts"][name]]


def kept(study: dict) -> list[str]:
    """Return the cohorts whose models the workflow keeps: trained here, or released."""
    return [name for name in queried(study) if maker(study, name) == name]


def queried(study: dict) -> list[str]:
    """Return the cohorts whose models the workflow asks: those that it keeps, also once again."""
    return [name for name, entry in study["cohorts"].items() if "signals" not in entry]


def maker(study: dict, cohort: str) -> str:
    """Return the cohort that a cohort's models were trained for: itself, or the one it asks."""
    return study["cohorts"][cohort].get("models_of") or cohort


def owner(study: dict, cohort: str) -> str:
    """Return the cohort whose members a cohort is audited for: its own maker, or its teachers."""
    teacher = study["cohorts"][cohort].get("teacher") or {"members_of": "own"}
    return teacher["cohort"] if teacher["members_of"] == "teacher" else maker(study, cohort)


def as_attacked(study: dict, cohort: str) -> dict:
    """Return a cohort's entry; with the design of its teachers, where members are theirs."""
    entry = study["cohorts"][cohort]
    if owner(study, cohort) in (cohort, entry.get("models_of")):
        return entry
    return entry | {"design": study["cohorts"][owner(study, cohort)]["design"], "teacher": None}


def is_private(study: dict, cohort: str) -> bool:
    """Say whether a cohort is trained here with differential privacy."""
    recipe = study["recipes"].get(study["cohorts"][cohort].get("recipe"), {})
    return cohort in trained(study) and bool(recipe.get("privacy"))


def private_by(study: dict, cohort: str) -> str | None:
    """Return the cohort whose training hides a cohort's members: itself, or its teachers; or None.

    Whatever is learned of private teachers' answers hides their members as well as these do.
    """
    name = owner(study, cohort)
    return name if is_private(study, name) else None


def delta(study: dict, cohort: str) -> float:
    """Return the δ at which a cohort's members are hidden; without privacy, that of most papers."""
    name = private_by(study, cohort)
    return study["recipes"][study["cohorts"][name]["recipe"]]["privacy"]["delta"] if name else 1e-5


def made_of(cohort: dict) -> str | None:
    """Return the cohort that another one is made of: its teachers, or the targets retrained."""
    if cohort.get("teacher"):
        return cohort["teacher"]["cohort"]
    return cohort.get("design", {}).get("of")


def external(study: dict) -> list[str]:
    """Return the cohorts that come as a signals file."""
    return [name for name, entry in study["cohorts"].items() if "signals" in entry]


def beside_external(study: dict, cohort: str) -> bool:
    """Say whether a cohort is audited beside one of other software.

    Such a one may count examples that are of role test here.
    """
    sides = [
        {audit[side] for side in ("target", "shadow", "reference")}
        for audit in study["audits"].values()
    ]
    return any(cohort in names and names & set(external(study)) for names in sides)


def exhibits(study: dict, kind: str) -> list[str]:
    """Return the exhibits of a kind: `figure` or `table`."""
    return [name for name, entry in study["exhibits"].items() if entry[kind]]


def shown(study: dict, exhibit: str) -> list[tuple[str, str]]:
    """Return every (audit, label) whose results an exhibit shows: those that are there."""
    entry = study["exhibits"][exhibit]
    return [
        (audit, label)
        for audit in entry["audits"]
        for label, _ in entry["attacks"]
        if label in study["audits"][audit]["attacks"]
    ]


def cohorts_shown(study: dict, exhibit: str) -> list[str]:
    """Return the cohorts that an exhibit's audits are made of, those whose models it keeps."""
    audits = [study["audits"][name] for name in study["exhibits"][exhibit]["audits"]]
    names = {audit[side] for audit in audits for side in ("target", "shadow", "reference")}
    return sorted(names & set(kept(study)))


def probed(study: dict, audit: str, label: str, side: str) -> list[tuple[str, int]]:
    """Return every probe and block of a side's cohort that an audit's attack needs answers of.

    What targets and shadow models of one cohort are asked counts as asked of the shadow models.
    """
    attack, options = (study["attacks"][label][key] for key in ("attack", "options"))
    entry = study["audits"][audit]
    sides, cohort = {side}, entry[side]
    if entry["target"] == entry["shadow"]:
        sides = {"target": set(), "shadow": {"target", "shadow"}}.get(side, sides)
    asked = set().union(*(demands.probes(attack, s, options) for s in sides if cohort))
    targets = {p: entry["targets"] for p in asked if demands.targets_answer(attack, p, options)}
    return [
        (probe, block)
        for probe in sorted(asked)
        for block in _asked_blocks(study, cohort, attack, probe, targets.get(probe))
    ]


def regressed(study: dict, audit: str, label: str, side: str) -> list[str]:
    """Return the laws that an audit's attack has regressed for targets, with the side they are of.

    What targets and shadow models of one cohort tell counts as the shadow models'.
    """
    attack, entry = study["attacks"][label], study["audits"][audit]
    told_by = "shadow" if entry["target"] == entry["shadow"] else "target"
    found = regressors.laws(attack["attack"], attack["options"])
    return sorted(found) if side == told_by else []


def perturbed(study: dict, audit: str, label: str) -> list[str]:
    """Return by how many references the points are found that an audit's attack asks about."""
    attack = study["attacks"][label]
    asked = perturbations.asked(attack["attack"], attack["options"])
    return [str(attack["references"] or "all")] if asked else []


def target_blocks(study: dict, audit: str) -> list[int]:
    """Return the blocks that hold an audit's targets."""
    entry = study["audits"][audit]
    return first_blocks(study, entry["target"], entry["targets"])


def _asked_blocks(study, cohort, attack, probe, targets):
    """Those of the first models where they are all: as many as targets, if only they are asked.

    One model's answer is that of the first that was not drawn together with the target.
    """
    if targets:
        return first_blocks(study, cohort, targets)
    shared = not made_for_each_target(study["cohorts"][cohort])
    if shared and demands.one_model_answers(attack, probe):
        return first_blocks(study, cohort, (demands.group_of(study["cohorts"][cohort]) or 2) + 1)
    return blocks(study, cohort)


def first_blocks(study: dict, cohort: str, models: int) -> list[int]:
    """Return the blocks that hold a cohort's first models, `models` of them."""
    return blocks(study, cohort)[: -(-models // study["cohorts"][cohort]["block"])]


def originals(study: dict, cohort: str, block: str) -> tuple[str, list[int]] | None:
    """Return the cohort that a block is made of, with the blocks up to the last model it needs."""
    entry = study["cohorts"][cohort]
    other = made_of(entry)
    if other is None:
        return None
    needed = -(-(int(block) + 1) * entry["block"] // made_for_each_target(entry))
    return other, first_blocks(study, other, needed)


def blocks(study: dict, cohort: str) -> list[int]:
    """Return the block numbers of a cohort; an external one is a single block."""
    entry = study["cohorts"][cohort]
    return [0] if "signals" in entry else list(range(entry["models"] // entry["block"]))
