"""What an attack uses beyond one answer of the target (carlini2022 Table I), by what it says."""

from collections.abc import Mapping

from miatlas.audits.attack import Attack, of_held_out

NAMES = ("shadow models", "multiple queries", "class hardness", "example hardness")
OTHERS = ("refs_", "ref_", "reference_")  # what is read of models but the target


def uses(attack: Attack, options: Mapping) -> tuple[str, ...]:
    """Return those of NAMES that an attack, with these options, uses.

    Shadow models: it reads or learns from the answers of others. Multiple queries: more than the
    untouched example, or the shares of noisy copies. Hardness of examples, and then of classes too:
    as the attack says, where it reads about the examples that count in others' answers.
    """
    read = attack.read(options)
    others = {name for name in read if name.startswith(OTHERS)}
    hardness = attack.hardness if others - set(filter(of_held_out, others)) else "none"
    found = {
        "shadow models": bool(others),
        "multiple queries": _several(read, options),
        "class hardness": hardness != "none",
        "example hardness": hardness == "example",
    }
    return tuple(name for name in NAMES if found[name])


def _several(read, options):
    """Say whether a target is asked about more than the untouched example."""
    noisy = {"target_noise", "target_noisy_labels"} & read
    return bool(noisy) or options.get("queries", 1) != 1
