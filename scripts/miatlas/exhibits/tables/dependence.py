"""What the thresholds of attacks depend on, as the attacks declare it (ye2022 Table 1)."""

import pandas as pd

from miatlas.audits.attack import Attack, load, of_held_out
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.tables.attacks_compared import NO, YES

READS = ("metrics", "attacks")
NAMES = ("model", "label", "example")
OF_THE_TARGET = ("distilled", "leave_one_out")  # models made anew for each target
NOTE = (
    f"{YES} depends, {NO} does not. Model: the attack takes its threshold from the target's answers"
    " about other examples, or from models made of the target. Example: from other models' answers"
    " about the example itself, which has one label; label: about all examples of the label."
)


def tabulate(evidence: Evidence):
    """Return the numbers and the table shown, a row an attack, with a bool for each of NAMES."""
    seen, rows = {result["label"]: result for result in evidence.metrics}, []
    for label in filter(seen.get, evidence.names):
        found = depends_on(load(seen[label]["attack"]).ATTACK, seen[label]["options"])
        rows.append({"attack": label, **{name: name in found for name in NAMES}})
    shown = pd.DataFrame(
        {"Attack": evidence.names[row["attack"]], "Threshold": _threshold(row)}
        | {name.capitalize(): YES if row[name] else NO for name in NAMES}
        for row in rows
    )
    shown.attrs["notes"] = [NOTE]
    return pd.DataFrame(rows), shown


def depends_on(attack: Attack, options: dict) -> tuple[str, ...]:
    """Return those of NAMES that an attack's threshold depends on, by what it declares."""
    held_out = any(of_held_out(n) for n in attack.read(options) if n.startswith("target_"))
    found = {
        "model": held_out or attack.shadow in OF_THE_TARGET,
        "label": attack.hardness != "none",
        "example": attack.hardness == "example",
    }
    return tuple(name for name in NAMES if found[name])


def _threshold(row):
    arguments = {"model": "θ", "example": "x", "label": "y"}
    return f"c({', '.join(arguments[name] for name in arguments if row[name])})"
