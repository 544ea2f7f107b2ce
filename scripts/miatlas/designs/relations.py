"""Which models belong to a target: made for it, never its references, drawn together with it."""


def made_for_each_target(cohort: dict) -> int | None:
    """Return how many models of a cohort (its entry) were made for each target; None: for all."""
    design = cohort.get("design", {"name": "external"})
    if cohort.get("teacher"):
        return cohort["teacher"]["students"]
    if design["name"] == "leave_one_out":
        return models_for_each_target(design["examples"], design["seeds"])
    return design["per_target"] if design["name"] == "six_way" else None


def cut_differently(target: dict, other: dict) -> str | None:
    """Return the option by which two designs cut one pool differently; None if they do not.

    How a side of six_way divides its own part into train and held-out examples is no matter of the
    other sides.
    """
    for key in ("target_share", "fractions"):
        if key not in target or key not in other:
            continue
        same = target["side"] == other["side"]
        shares = [d[key] if same or key != "fractions" else _sides(d[key]) for d in (target, other)]
        if shares[0] != shares[1]:
            return key
    return None


def _sides(fractions):
    """Return the shares of target, shadow and reference models."""
    return [round(sum(part), 9) for part in (fractions[:2], fractions[2:4], fractions[4:])]


def partners(design: str, model: int) -> set[int]:
    """Return the models of a target's own cohort that must not be references: itself, its pair."""
    return {model, model ^ 1} if design == "paired" else {model}


def drawn_with(design: str, group: int | list[int] | None, model: int) -> set[int]:
    """Return the models of a cohort whose members tell something of a model's own: it, its pair.

    In a group of a `half` cohort an example is IN exactly half of the models: who knows the others
    guesses the last.
    """
    if group is None:
        return partners(design, model)
    _, first, size = group_at(group, model)
    return set(range(first, first + size))


def group_at(group: int | list[int], model: int) -> tuple[int, int, int]:
    """Return the number of the group that a model is drawn in, its first model, and its size.

    group: the size of every group, or of each in turn, of which the last one is that of all others.
    """
    sizes = group if isinstance(group, list) else [group]
    first = 0
    for number, size in enumerate(sizes):
        if model < first + size:
            return number, first, size
        first += size
    more = (model - first) // sizes[-1]
    return len(sizes) + more, first + more * sizes[-1], sizes[-1]


def whole_groups(group: int | list[int], models: int) -> bool:
    """Say whether a number of models is a number of whole groups."""
    return group_at(group, models)[1] == models


def groups_until(group: int | list[int], model: int) -> int | list[int]:
    """Return the sizes of the groups up to that of a model, as the one number if all are alike."""
    if not isinstance(group, list):
        return group
    number, _, size = group_at(group, model)
    sizes = (group + [size] * number)[: number + 1]
    return sizes if len(set(sizes)) > 1 else size


def models_for_each_target(examples: int, seeds: int) -> int:
    """Return the number of models that the design leave_one_out makes for each target."""
    return (examples // 2 + 1) * seeds
