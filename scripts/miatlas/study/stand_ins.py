"""Shadow models in the place of an audit's single target, whose thresholds they give."""

from miatlas.designs.relations import made_for_each_target
from miatlas.study import audit_cohorts, demands, perturbations, regressors
from miatlas.study.contents import as_attacked


def stand_ins(study: dict, audit: str, label: str) -> dict | None:
    """Return {design, group} of the shadow cohort, if its models can be attacked as the target is.

    {"not": why} if they cannot; None where nobody needs them: with several targets, or with one
    that is a shadow model itself. A cohort of other software may turn out to have one model.
    """
    entry = study["audits"][audit]
    if entry["target"] == entry["shadow"] or (entry["targets"] or 1) > 1:
        return None
    named = {side: entry[side] for side in ("shadow", "reference") if entry[side]}
    sides = {side: as_attacked(study, name) for side, name in named.items()}
    attack, design = study["attacks"][label], sides["shadow"].get("design", {"name": ""})
    known = audit_cohorts.known({**sides, "target": sides["shadow"]}, study["populations"])
    why = _made_for_it(sides) or _unasked(attack) or demands.complaint(attack, known, same=True)
    if why:
        return {"not": f"{label}{_said(why)}"}
    return {"design": design["name"], "group": design.get("group")}


def _made_for_it(sides):
    """Say which models were made for the target: retrained, distilled, or of data of its split."""
    for side, cohort in sides.items():
        if made_for_each_target(cohort):
            return f" asks {side} models that were made for the target"
    return None


def _unasked(attack):
    """Of what is made for targets alone, or asked of them, shadow models have no answers."""
    name, options = attack["attack"], attack["options"]
    if regressors.laws(name, options):
        return " trains regressors for the target alone"
    if perturbations.asked(name, options):
        return " finds perturbed points for the target alone"
    target, shadow = (demands.probes(name, side, options) for side in ("target", "shadow"))
    missing = sorted(target - shadow)
    return f" asks the target alone for {missing[0]}" if missing else None


def _said(complaint):
    """Return what a complaint adds to an attack's name: some begin with the key they speak of."""
    return f" ({complaint})" if complaint.startswith(".") else complaint
