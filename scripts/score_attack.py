"""Score one attack on the targets of one audit."""

from typing import TYPE_CHECKING

import numpy as np

from miatlas.audits import audit as audits
from miatlas.audits import scoring
from miatlas.audits.attack import load
from miatlas.audits.competence import at_chance
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.store import by_example, new_h5
from miatlas.signals.answers import MASKS, Signals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(*, answers: dict[str, list[str]], scores: str, settings: dict, memory_mb: int = 1024):
    """Write scores (T, N), higher = member, with member, evaluated (T, N) and targets (T,).

    answers: the files of the cohorts target, shadow and reference (which may have none), and of
    their probes: target_probes, ...
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
        **{key: settings[key] for key in keys},
    )
    attack = load(settings["attack"])
    models, shape = of_shadow.shape[0], (len(audit.targets), of_target.shape[1])
    facts = {"settings": settings, "models": models, "at_chance": at_chance(audit)}
    with new_h5(scores, facts) as file:
        found = by_example(file, "scores", shape, np.float64, np.nan)
        scoring.score(attack, settings["options"], audit, memory_mb, found)
        member, evaluated = (by_example(file, name, shape, bool) for name in MASKS)
        for where in of_target.slices():
            member[:, where] = of_target.read("member", where)[audit.targets]
            evaluated[:, where] = np.isfinite(found[:, where])
        file["targets"] = audit.targets
    print(f"{settings['label']}: scores {shape} from {models} shadow models")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            answers={name: list(files) for name, files in snakemake.input.items()},
            **snakemake.output,
            settings=snakemake.params.settings,
            memory_mb=snakemake.resources.mem_mb // 2,  # the rest is Python, scores, copies
        )
