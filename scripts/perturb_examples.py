"""Find perturbed points for each target of an audit, by its shadow models; ask all models there."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from miatlas.audits import audit as audits
from miatlas.audits import perturbed as points
from miatlas.audits.comparisons import Comparisons
from miatlas.running import devices
from miatlas.running.allocator import keep_freed_memory
from miatlas.running.logs import logged
from miatlas.running.progress import Progress
from miatlas.running.store import SLICE, attributes, new_h5, read_weights
from miatlas.signals.answers import Signals
from miatlas.signals.perturbation import answered, perturb, weighed
from miatlas.signals.trained_models import examples
from miatlas.training.ensemble import Ensemble, stacks
from miatlas.training.inputs import class_count
from miatlas.training.networks import architecture, builder

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

AUDIT = ("design", "targets", "seed", "references", "per_target", "leave_one_out", "group")


def main(
    *, population: str, answers: dict[str, list[str]], weights: dict[str, list[str]],
    perturbed: str, settings: dict, threads: int = 1,
) -> None:  # fmt: skip
    """Write phi at each target's points: target (T, N, 1), and refs (T, M, N, 1), of all models.

    answers, weights: files of the cohorts target and shadow, which are one where they are the same.
    The points of a target are found by the references that an attack compares it with.
    """
    keep_freed_memory()
    torch.set_num_threads(threads)
    of_shadow = Signals(answers["shadow"])
    of_target = Signals(answers["target"]) if answers["target"] else of_shadow
    audit = audits.audit(of_target, of_shadow, **{key: settings[key] for key in AUDIT})
    x, labels = examples(population, devices.take())
    classes = class_count(attributes(population), labels)
    cohorts = {
        side: Models(files, settings[side], x, classes) for side, files in weights.items() if files
    }
    cohorts.setdefault("target", cohorts["shadow"])
    shape, compared = audit.target.shape, Comparisons(audit, needs_in=True)
    facts = {"settings": settings}
    with (
        new_h5(perturbed, facts) as file,
        Progress(settings["audit"], len(audit.targets) * shape[1]) as progress,
    ):
        points.new(file, len(audit.targets), of_shadow.shape[0], shape[1])
        for where in audit.target.slices(SLICE):
            for target in audit.targets:
                asked = audit.evaluated(target, where)
                if len(asked):
                    known = compared.rows(target), compared.balanced(target, asked, where)
                    own, every = found_by(
                        cohorts, target, *known, x[asked], labels[asked], settings
                    )
                    file["target"][target, asked] = own
                    file["refs"][target, :, asked] = every
                progress.advance(where.stop - where.start)


def found_by(cohorts, target, rows, masks, x, labels, settings):
    """Return phi of the target (n, 1), and of all shadow models (M, n, 1), at the points found."""
    y = torch.as_tensor(labels, device=x.device)
    weights = weighed(*(torch.from_numpy(mask).to(x) for mask in masks))
    near = perturb(cohorts["shadow"].some(rows), x, y, weights, **settings["perturbation"])
    every = answered(cohorts["shadow"].some(slice(None)), near, y)
    own = answered(cohorts["target"].some(slice(target, target + 1)), near, y)[0]
    return [phi[..., None].cpu().numpy() for phi in (own, every)]


class Models:
    """All models of some blocks, whose files are joined; asked as one stack or one by one."""

    def __init__(self, files: list[str], settings: dict, x: torch.Tensor, classes: int):
        shape, blocks = tuple(x.shape[1:]), list(map(read_weights, files))
        joined = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        network = builder(settings["architecture"], shape, classes)()
        self.group = Ensemble.from_weights(network, joined, x.device)
        found = architecture(settings["architecture"])
        self.stacked = stacks(settings["engine"], found, shape, x.device)

    def some(self, models) -> list[Ensemble]:
        """Return some of the models, by their numbers, as one ensemble or as many."""
        chosen = self.group.part(models)
        if self.stacked:
            return [chosen]
        return [chosen.part(slice(k, k + 1)) for k in range(chosen.models)]


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files, sides = dict(snakemake.input), ("target", "shadow")
        main(
            population=files["population"],
            answers={side: list(files[side]) for side in sides},
            weights={side: list(files[f"{side}_weights"]) for side in sides},
            **snakemake.output,
            settings=snakemake.params.settings,
            threads=snakemake.threads,
        )
