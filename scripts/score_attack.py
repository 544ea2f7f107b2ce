"""Score one attack on the targets of one audit."""

from typing import TYPE_CHECKING

import numpy as np

from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.audits.attack import load
from miatlas.audits.competence import at_chance
from miatlas.audits.perturbed import Perturbed
from miatlas.audits.release import released
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.store import by_example, new_h5
from miatlas.signals.answers import MASKS, Signals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

STAND_IN = "stand_in_"  # arrays of shadow models in the target's place


def main(*, answers: dict[str, list[str]], scores: str, settings: dict, memory_mb: int = 1024):
    """Write scores (T, N), higher = member, with member, evaluated (T, N), targets (T,).

    Where there are canaries, canary (N,) says which examples they are.

    Where a single target is none of the shadow models, up to ten of these are attacked in its
    place: stand_in_scores, ... are theirs. The attribute no_stand_ins says why there are none.
    answers: the files of the cohorts target, shadow and reference (which may have none), and of
    their probes: target_probes, ...; the file of what is answered at perturbed points.
    """
    keep_freed_memory()
    of_target, of_shadow, of_reference = (
        Signals(answers[side], answers[f"{side}_probes"]) if answers[side] else None
        for side in ("target", "shadow", "reference")
    )
    if settings["target_cohort"] == settings["shadow_cohort"]:
        of_target = of_shadow
    keys = ("design", "targets", "seed", "references", "per_target", "leave_one_out", "group")
    audit = audits.audit(
        of_target,
        of_shadow,
        reference=of_reference,
        perturbed=next(map(Perturbed, answers.get("perturbed", ())), None),
        **{key: settings[key] for key in keys},
    )
    attack = load(settings["attack"])
    models = of_shadow.shape[0]
    facts = {"settings": settings, "models": models, "at_chance": at_chance(audit)}
    audit = released(audit, settings.get("release", {"name": "everything"}))
    with new_h5(scores, facts) as file:
        shape = write(file, attack, settings["options"], audit, memory_mb)
        print(f"{settings['label']}: scores {shape} from {models} shadow models")
        if len(audit.targets) == 1 and settings.get("stand_ins"):
            write_stand_ins(file, attack, settings, audit, memory_mb)


def write(file, attack, options: dict, audit: audits.Audit, memory_mb: int, prefix: str = ""):
    """Write the scores of an audit's targets, their masks and numbers; return the shape (T, N)."""
    target, shape = audit.target, (len(audit.targets), audit.target.shape[1])
    found = by_example(file, f"{prefix}scores", shape, np.float64, np.nan)
    scoring.score(attack, options, audit, memory_mb, found)
    member, evaluated = (by_example(file, f"{prefix}{name}", shape, bool) for name in MASKS)
    for where in target.slices():
        member[:, where] = target.read("member", where)[audit.targets]
        evaluated[:, where] = np.isfinite(found[:, where])
    file[f"{prefix}targets"] = audit.targets
    if not prefix and (canary := target.canary.astype(bool)).any():
        file["canary"] = canary
    return shape


def write_stand_ins(file, attack, settings: dict, audit: audits.Audit, memory_mb: int) -> None:
    """Write the same of shadow models, each attacked with the others, or why it cannot be."""
    said = settings["stand_ins"]
    why = said.get("not")
    if not why:
        try:
            others = audits.of_stand_ins(audit, **said)
            shape = write(file, attack, settings["options"], others, memory_mb, STAND_IN)
        except ValueError as error:  # too few models of a kind, of which only the draw tells
            why = f"{error}; more shadow models may do"
            for name in [name for name in file if name.startswith(STAND_IN)]:
                del file[name]
    if why:
        file.attrs["no_stand_ins"] = why
    print(f"no shadow models in the target's place: {why}" if why else f"in its place: {shape}")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            answers={name: list(files) for name, files in snakemake.input.items()},
            **snakemake.output,
            settings=snakemake.params.settings,
            memory_mb=snakemake.resources.mem_mb // 2,  # the rest is Python, scores, copies
        )
