"""What a study shows that names no exhibits: the curves of every audit, and a table of all."""

from miatlas.study import entries
from miatlas.study.attack_modules import called


def usual_exhibits(study: dict) -> dict:
    """Return the exhibits, by name, of a study whose audits are complete; none without audits."""
    audits = {name: audit for name, audit in study["audits"].items() if audit["attacks"]}
    given = {f"{name}_curves": _curves(study, name, len(audits) > 1) for name in audits}
    if audits:
        labels = dict.fromkeys(label for audit in audits.values() for label in audit["attacks"])
        given["attacks"] = {
            "title": "What it gives away",
            "caption": "All attacks: at the best threshold in hindsight, and at one transferred.",
            "table": "summary",
            "audits": list(audits),
            "attacks": _named(study, labels),
        }
    return {name: entries.exhibit(given[name], f"exhibits.{name}") for name in sorted(given)}


def _curves(study, audit, several):
    return {
        "title": "Members named against false accusations" + f": {audit}" * several,
        "caption": "ROC curves on logarithmic axes.",
        "figure": "roc",
        "audits": [audit],
        "attacks": _named(study, study["audits"][audit]["attacks"]),
    }


def _named(study, labels):
    return {label: called(label, study["attacks"][label]["attack"]) for label in labels}
