"""The plain settings that each job of an audit is given of a study; see `miatlas.study.jobs`."""

from miatlas.designs.relations import made_for_each_target
from miatlas.study import regressors, releases
from miatlas.study.contents import as_attacked, maker, owner
from miatlas.study.jobs import installed
from miatlas.study.stand_ins import stand_ins


def regression_settings(study: dict, audit: str, law: str) -> dict:
    """What the regressors of an audit's targets depend on, beside the targets' answers."""
    entry = study["audits"][audit]
    return {
        "seed": study["seed"],
        "audit": audit,
        "cohort": entry["target"],
        "targets": entry["targets"],
        "law": law,
        "recipe": regressors.recipe(study, audit),
        "torch": installed("torch"),
    }


def perturbation_settings(study: dict, audit: str, references: str) -> dict:
    """What an audit's perturbed points depend on, beside its cohorts' models and members."""
    entry, named = study["audits"][audit], {}
    for side in ("target", "shadow"):
        recipe = study["recipes"][study["cohorts"][entry[side]]["recipe"]]
        named[side] = {key: recipe[key] for key in ("architecture", "engine")}
    return {
        "audit": audit,
        "references": None if references == "all" else int(references),
        "perturbation": entry["perturbation"],
        **named,
        **compared_settings(study, audit),
    }


def compared_settings(study: dict, audit: str) -> dict:
    """What says which models an audit compares a target with."""
    entry = study["audits"][audit]
    sides = [as_attacked(study, entry[side]) for side in ("target", "shadow")]
    target, shadow = (side.get("design", {"name": ""}) for side in sides)
    taught = owner(study, entry["shadow"]) != maker(study, entry["shadow"])
    return {
        "seed": study["seed"],
        "targets": entry["targets"],
        "design": target["name"],
        "group": target.get("group"),
        "per_target": per_target(study, audit),
        "leave_one_out": shadow["name"] == "leave_one_out" or taught,
    }


def score_settings(study: dict, audit: str, label: str) -> dict:
    """What the scores of an audit's attack depend on."""
    entry, others = study["audits"][audit], stand_ins(study, audit, label)
    return {
        "audit": audit,
        "label": label,
        "target_cohort": entry["target"],
        "shadow_cohort": entry["shadow"],
        "reference_cohort": entry["reference"],
        **compared_settings(study, audit),
        **({"stand_ins": others} if others else {}),
        **releases.said(entry["release"]),
        **study["attacks"][label],
    }


def per_target(study: dict, audit: str) -> dict[str, int]:
    """How many models of an audit's cohorts were made for each target, where they were."""
    entry = study["audits"][audit]
    named = {side: entry[side] for side in ("shadow", "reference") if entry[side]}
    sides = {side: as_attacked(study, name) for side, name in named.items()}
    made = {side: made_for_each_target(cohort) for side, cohort in sides.items()}
    return {side: k for side, k in made.items() if k and entry[side] != entry["target"]}


def metric_settings(study: dict, audit: str, label: str) -> dict:
    """What the metrics of an audit's attack depend on, beside its scores."""
    return {"audit": audit, "label": label, "delta": study["audits"][audit]["delta"]}
