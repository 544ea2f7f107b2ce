"""Score one attack on the targets of one audit."""

from importlib import import_module
from typing import TYPE_CHECKING

from miatlas import scoring
from miatlas.logs import logged
from miatlas.store import Signals, write_h5

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(
    *, target: list[str], shadow: list[str], scores: str, settings: dict, memory_mb: int = 1024
) -> None:
    """Write scores (T, N), higher = member, with member, evaluated (T, N) and targets (T,)."""
    of_target = Signals(target)
    of_shadow = of_target if settings["same_cohort"] else Signals(shadow)
    audit = scoring.audit(
        of_target,
        of_shadow,
        same=settings["same_cohort"],
        design=settings["design"],
        targets=settings["targets"],
        seed=settings["seed"],
        references=settings["references"],
    )
    attack = import_module(f"miatlas.attacks.{settings['attack']}")
    result = scoring.score(attack, settings["options"], audit, memory_mb)
    arrays = {
        "scores": result,
        "member": of_target.member[audit.targets],
        "evaluated": of_target.evaluated[audit.targets],
        "targets": audit.targets,
    }
    models = of_shadow.shape[0]
    write_h5(scores, arrays, {"settings": settings, "models": models})
    print(f"{settings['label']}: scores {result.shape} from {models} shadow models")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        main(
            target=list(snakemake.input.target),
            shadow=list(snakemake.input.shadow),
            **snakemake.output,
            settings=snakemake.params.settings,
            memory_mb=snakemake.resources.mem_mb // 2,  # the rest is Python, scores, copies
        )
