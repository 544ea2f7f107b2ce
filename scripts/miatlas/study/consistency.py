"""What the entries of a study must have in common, and what one of them demands of another."""

from importlib import import_module

from miatlas.study import (
    audit_cohorts,
    demands,
    example_kinds,
    parts,
    perturbations,
    plugins,
    regressors,
    releases,
)
from miatlas.study.contents import as_attacked, delta, maker, owner
from miatlas.study.plugins import one_of
from miatlas.study.related_cohorts import check_beside, check_made_of, check_size_of

DEFAULT_TARGETS = 10


def _check_population(study, population, where):
    if wrong := example_kinds.too_large(population):
        raise ValueError(f"{where}.{wrong}")


def _check_cohort(study, cohort, where):
    if "signals" in cohort:
        return
    one_of(cohort["population"], list(study["populations"]), f"{where}.population")
    one_of(cohort["recipe"], list(study["recipes"]), f"{where}.recipe")
    design, models = cohort["design"], cohort["models"]
    if "weights" not in cohort:
        drawn = import_module(f"miatlas.designs.{design['name']}")
        if wrong := drawn.complaint(models, design):
            raise ValueError(f"{where}.models: {wrong}, as the design {design['name']} demands")
    if models % cohort["block"]:
        raise ValueError(
            f"{where}.block: {models} models are not whole blocks of {cohort['block']}"
        )
    if cohort["held_out"] + cohort["test"] >= 1:
        raise ValueError(f"{where}: held_out and test leave no example to train on")
    if study["recipes"][cohort["recipe"]]["early_stopping"] and not cohort["held_out"]:
        raise ValueError(f"{where}.held_out: early stopping needs held-out examples, but it is 0")
    if cohort["bounds"]["coverage"] is not None and not cohort["held_out"]:
        raise ValueError(f"{where}.bounds.coverage: needs held-out examples, but held_out is 0")
    population = study["populations"][cohort["population"]]
    if "weights" not in cohort and (wrong := parts.complaint(cohort, population)):
        raise ValueError(f"{where}.only{wrong}")
    if design["name"] == "canaries" and population["canaries"] is None:
        raise ValueError(f"{where}.design: the population {cohort['population']} has no canaries")
    name = study["recipes"][cohort["recipe"]]["architecture"]["name"]
    if plugins.is_estimator(name):
        _check_estimators(cohort, where)
    if plugins.is_program(name) and not (cohort["models_of"] or "weights" in cohort):
        raise ValueError(
            f"{where}.recipe: programs ({name}) are asked and not trained: name a recipe with the"
            " architecture and the epochs that its models are trained by"
        )
    wrong = example_kinds.complaint(
        population, study["recipes"][cohort["recipe"]], cohort["queries"]
    )
    if wrong:
        raise ValueError(f"{where}.{wrong}")


def _check_estimators(cohort, where):
    """Estimators answer probabilities of the untouched example, and learn from labels."""
    asked = cohort["queries"]
    for key, wrong in (
        ("queries.count", asked["count"] > 1),
        ("queries.temperature", asked["temperature"] != 1),
        ("teacher", cohort["teacher"] is not None),
    ):
        if wrong:
            raise ValueError(f"{where}.{key}: is for networks, and the recipe's are estimators")


def _check_audit(study, audit, where):
    for side in ("target", "shadow", "reference"):
        if audit[side] is not None:
            one_of(audit[side], list(study["cohorts"]), f"{where}.{side}")
    if audit["regressor"] is not None:
        one_of(audit["regressor"], list(study["recipes"]), f"{where}.regressor")
    for label in audit["attacks"]:
        one_of(label, list(study["attacks"]), f"{where}.attacks")
    named = {side: audit[side] for side in ("target", "shadow", "reference") if audit[side]}
    cohorts = {side: as_attacked(study, name) for side, name in named.items()}
    target = cohorts["target"]
    if audit["delta"] is None:
        audit["delta"] = delta(study, audit["target"])
    if "models" in target:
        audit["targets"] = audit["targets"] or min(DEFAULT_TARGETS, target["models"])
        if audit["targets"] > target["models"]:
            raise ValueError(
                f"{where}.targets: {audit['targets']} targets, but the cohort {audit['target']}"
                f" has {target['models']} models"
            )
    for side in ("shadow", "reference"):
        if audit[side] not in (None, audit["target"]):
            if maker(study, audit[side]) == maker(study, audit["target"]):
                raise ValueError(f"{where}.{side}: {audit[side]} asks the targets' own models")
            if owner(study, audit[side]) == owner(study, audit["target"]):
                raise ValueError(
                    f"{where}.{side}: the members of {audit[side]} are the targets' own"
                )
            check_beside(audit, cohorts, side, f"{where}.{side}")
    known = audit_cohorts.known(cohorts, study["populations"])
    for label in audit["attacks"]:
        _check_probed(study, cohorts, study["attacks"][label], f"{where}: attacks.{label}")
        same = audit["target"] == audit["shadow"]
        attack = study["attacks"][label]
        wrong = demands.complaint(attack, known, same)
        wrong = wrong or regressors.complaint(study, audit, attack)
        wrong = wrong or perturbations.complaint(study, audit, attack)
        if wrong := wrong or releases.complaint(attack, known, audit["release"]):
            raise ValueError(f"{where}: attacks.{label}{wrong}")


def _check_probed(study, cohorts, attack, where):
    """Networks are asked what probes ask; of programs only what they answer, estimators nothing."""
    for side, cohort in cohorts.items():
        probes = demands.probes(attack["attack"], side, attack["options"])
        recipe = study["recipes"].get(cohort.get("recipe"))
        name = recipe["architecture"]["name"] if recipe else ""
        asks, inside = f"{where} asks networks for", sorted(probes - set(demands.NOISY))
        if recipe and probes and plugins.is_estimator(name):
            raise ValueError(f"{asks} {min(probes)}, and {side} models are estimators")
        if recipe and inside and plugins.is_program(name):
            raise ValueError(f"{asks} {inside[0]}, and {side} models are programs ({name})")


def _check_exhibit(study, exhibit, where):
    if exhibit["cohort"] is not None:
        one_of(exhibit["cohort"], list(study["cohorts"]), f"{where}.cohort")
    for name in exhibit["cohorts"]:
        one_of(name, list(study["cohorts"]), f"{where}.cohorts")
    for name in exhibit["audits"]:
        one_of(name, list(study["audits"]), f"{where}.audits")
    attacked = {label for name in exhibit["audits"] for label in study["audits"][name]["attacks"]}
    for label, _ in exhibit["attacks"]:
        one_of(label, list(study["attacks"]), f"{where}.attacks")
        if label not in attacked:
            raise ValueError(
                f"{where}.attacks: {label} is an attack of none of its audits, which are"
                f" {', '.join(exhibit['audits'])}"
            )


CHECKS = (
    ("populations", _check_population),
    ("cohorts", _check_cohort),
    ("cohorts", check_made_of),
    ("cohorts", check_size_of),
    ("audits", _check_audit),
    ("exhibits", _check_exhibit),
)
