"""What the entries of a study must have in common, and what one of them demands of another."""

from importlib import import_module

from miatlas.designs.relations import cut_differently, made_for_each_target
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
from miatlas.study.contents import as_attacked, delta, kept, made_of, maker, owner
from miatlas.study.plugins import one_of

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
    if plugins.is_estimator(study["recipes"][cohort["recipe"]]["architecture"]["name"]):
        _check_estimators(cohort, where)
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


def _check_made_of(study, cohort, where):
    """A cohort made of another one knows the same examples, and enough models to be made of."""
    other = made_of(cohort)
    if other is None:
        return
    if cohort["models_of"]:
        raise ValueError(f"{where}.models_of: {cohort['models_of']} is itself made of another")
    key = f"{where}.teacher.cohort" if cohort["teacher"] else f"{where}.design.of"
    one_of(other, kept(study), key)
    if cohort["teacher"] and cohort["design"].get("of"):
        raise ValueError(f"{where}: a cohort is either distilled or retrained, not both")
    original, k = study["cohorts"][other], made_for_each_target(cohort)
    if k > 1 and cohort["teacher"] and cohort["teacher"]["members_of"] == "teacher":
        raise ValueError(
            f"{where}.teacher.students: {k}, but of students that are audited for their teacher's"
            " members there is one each: another would know them"
        )
    if made_of(original):
        raise ValueError(f"{key}: {other} is itself made of another cohort")
    if cohort["models"] % k or cohort["models"] // k > original["models"]:
        raise ValueError(
            f"{where}.models: {cohort['models']} models are not {k} for each of up to"
            f" {original['models']} models of {other}"
        )
    _check_same_examples(original, cohort, where, "only")


def _check_size_of(study, cohort, where):
    """A cohort that draws as many examples as another's models have knows the same examples."""
    other = cohort.get("design", {}).get("size_of")
    if other is not None:
        one_of(other, [n for n in kept(study) if not _sized(study, n)], f"{where}.design.size_of")
        _check_same_examples(study["cohorts"][other], cohort, where, "only")


def _sized(study, name):
    return study["cohorts"][name]["design"].get("size_of") or made_of(study["cohorts"][name])


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
            _check_beside(audit, cohorts, side, f"{where}.{side}")
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
    """Networks are asked what probes ask; estimators are not."""
    for side, cohort in cohorts.items():
        probes = demands.probes(attack["attack"], side, attack["options"])
        recipe = study["recipes"].get(cohort.get("recipe"))
        if probes and recipe and plugins.is_estimator(recipe["architecture"]["name"]):
            raise ValueError(
                f"{where} asks networks for {min(probes)}, and {side} models are estimators"
            )


def _check_beside(audit, cohorts, side, where):
    """A cohort beside the target's knows its examples, and has models for every target."""
    target, other = cohorts["target"], cohorts[side]
    if "models" not in target or "models" not in other:
        return
    if made_of(other) not in (None, audit["target"]):
        raise ValueError(f"{where}: {audit[side]} was made of {made_of(other)}, not of the targets")
    _check_same_examples(target, other, where)
    if wrong := parts.apart(target, other):
        raise ValueError(f"{where}: {wrong}")
    key = cut_differently(target["design"], other["design"])
    if key and not made_of(other):
        raise ValueError(f"{where}: target and {side} cohort cut the pool differently ({key})")
    if target["design"].get("per_target", 1) > 1:
        raise ValueError(
            f"{where}: models of six_way have one target for each partition, but per_target of"
            f" {audit['target']} is {target['design']['per_target']}"
        )
    k = made_for_each_target(other)
    if k and audit["targets"] * k > other["models"]:
        raise ValueError(
            f"{where}: {audit['targets']} targets need {k} models each, but {audit[side]} has"
            f" {other['models']}"
        )


def _check_same_examples(cohort, other, where, *more):
    """Both cohorts know the same examples, in the same roles."""
    for key in ("population", "held_out", "test", *more):
        if cohort.get(key) != other.get(key):
            raise ValueError(
                f"{where}: its {key} is {other[key]!r}, the target cohort's {cohort[key]!r}"
            )


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
    ("cohorts", _check_made_of),
    ("cohorts", _check_size_of),
    ("audits", _check_audit),
    ("exhibits", _check_exhibit),
)
