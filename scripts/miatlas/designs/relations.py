"""Which models belong to a target: made for it, never its references, drawn together with it."""


def made_for_each_target(cohort: dict) -> int | None:
    """Return how many models of a cohort (its entry) were made for each target; None: for all."""
    design = cohort.get("design", {"name": "external"})
    if cohort.get("teacher"):
        return cohort["teacher"]["students"]
    if design["name"] == "leave_one_out":
        return models_for_each_target(design["examples"], design["seeds"])
    return design["per_target"] if design["name"] == "six_way" else None


def partners(design: str, model: int) -> set[int]:
    """Return the models of a target's own cohort that must not be references: itself, its pair."""
    return {model, model ^ 1} if design == "paired" else {model}


def drawn_with(design: str, group: int | None, model: int) -> set[int]:
    """Return the models of a cohort whose members tell something of a model's own: it, its pair.

    In a group of a `half` cohort an example is IN exactly half of the models: who knows the others
    guesses the last.
    """
    if group is None:
        return partners(design, model)
    first = model // group * group
    return set(range(first, first + group))


def models_for_each_target(examples: int, seeds: int) -> int:
    """Return the number of models that the design leave_one_out makes for each target."""
    return (examples // 2 + 1) * seeds
