"""What is known of an audit's cohorts before anything runs: from the study, and signals files."""

from pathlib import Path

from miatlas.study.example_kinds import kind_of


def known(cohorts: dict, populations: dict) -> dict:
    """Return the cohorts of an audit, by side, with what populations and signals files tell.

    `kind` of its examples; `examples`: the most that can be there, where the study limits it. Of an
    external cohort whose file is there: `models`, `queries`, the names of its `answers`, and
    `held_out`, 0 if the file has no roles. Raises ValueError, naming it, for a damaged file.
    """
    return {side: _known(cohort, populations) for side, cohort in cohorts.items()}


def _known(cohort, populations):
    if "signals" not in cohort:
        population = populations[cohort["population"]]
        canaries = (population["canaries"] or {"count": 0})["count"]
        subset = population["subset"]
        examples = {"examples": subset + canaries} if subset else {}
        return cohort | {"kind": kind_of(population)} | examples
    if not Path(cohort["signals"]).is_file():
        return cohort  # said elsewhere
    if Path(cohort["signals"]).suffix in (".csv", ".npz"):
        from miatlas.signals.probabilities import outline

        told = outline(cohort["signals"])
        return cohort | {"queries": {"count": 1}, "answers": ["phi", "logits"]} | told
    from miatlas.running.store import opened
    from miatlas.signals.answers import check_signals  # not wanted where there is no file to open

    (models, _), answers = check_signals(cohort["signals"])
    with opened(cohort["signals"]) as file:
        held_out = {} if "role" in file else {"held_out": 0}
    queries = {"count": answers["phi"][0]}
    return cohort | {"models": models, "queries": queries, "answers": list(answers)} | held_out
