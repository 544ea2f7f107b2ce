"""The study, and the few functions that rules are written with."""

import gc
import inspect
import os
import sys
from pathlib import Path

REPOSITORY = Path(str(workflow.current_basedir)).parent
SCRIPTS = REPOSITORY / "scripts"
if not SCRIPTS.is_dir():
    sys.exit(
        "\nmiatlas: its library is found in a checkout only: clone the repository, and let the"
        " module's snakefile be the path of its Snakefile\n"
    )
sys.path.insert(0, str(SCRIPTS))

from miatlas.study import (
    audit_jobs,
    contents,
    exhibit_jobs,
    jobs,
    needs,
    plugins,
    private_cohorts,
    reading,
    users_files,
    yaml_faults,
)
from miatlas.running.digest import digest as digest_of
from miatlas.running.digest import READ
from miatlas.running.file_digests import KNOWN, of_files
from miatlas.running.kept import remember

# What is imported by now stays: the collector, which looks at all there is every few jobs, need
# not look at it again (a fifth of a start).
gc.freeze()

# Beside what Python compiles of the same files, where that can be.
WRITTEN = SCRIPTS / "__pycache__" if os.access(SCRIPTS, os.W_OK) else Path(".snakemake")

remember(READ, WRITTEN / "digests.json")
remember(KNOWN, Path(".snakemake/file_digests.json"))

try:
    yaml_faults.check_files(workflow.configfiles)
    # Files of the user's own may stand beside the study's.
    STUDY = reading.read(config, [Path(path).parent for path in workflow.configfiles])
    if missing := reading.missing(STUDY):
        raise ValueError("\n".join(missing))
except ValueError as error:
    sys.exit(f"\nmiatlas: {error}\n")  # as it is, without the place in this file
if workflow.is_main_process:
    for warning in private_cohorts.warnings(STUDY):
        print(f"miatlas: {warning}", file=sys.stderr)


# Jobs ask for a GPU only where the machine or the profile has any: --resources gpu=4.
GPU = min(1, workflow.global_resources.get("gpu").value or 0)

# Where jobs leave what they took, and jobs like them look it up.
BENCHMARKS = Path(
    workflow.modifier.modify_path(workflow.pathvars.apply("<benchmarks>"))
)


def declared(function):
    """Write a function's parameters down: Snakemake looks them up many times for every job."""
    function.__signature__ = inspect.signature(function)
    return function


def settings(function):
    """Give a rule the settings that `function` of miatlas.study takes from the study."""
    return declared(lambda wildcards: jobs.canonical(function(STUDY, **wildcards)))


def digest(script, *modules, of=None, more=None):
    """Give a rule the digest of its script, and of the modules that its settings name.

    `more` is a function of miatlas.study that names further ones.
    """
    if not (of or more):
        return digest_of(SCRIPTS, script, *modules)

    @declared
    def code(wildcards):
        named = of(STUDY, **wildcards) if of else {}
        others = more(STUDY, **wildcards) if more else []
        named_modules = [named_file(module, named) for module in modules]
        return digest_of(SCRIPTS, script, *named_modules, *others)

    return code


def content(files):
    """Give a rule the digest of the files of a user that `files` of miatlas.study names."""
    return declared(lambda wildcards: of_files(*files(STUDY, **wildcards)))


def named_file(module, named):
    """The file of a plug-in: below the library's folder, or the user's own, as it is named."""
    folder, name = module.partition("{")[0], module.format(**named)
    own = name.removeprefix(folder).removesuffix(".py")
    return os.path.abspath(own) if own.endswith(".py") else name


def growing(amount):
    """A resource of which a job gets more with every attempt."""
    return declared(lambda wildcards, attempt: amount * attempt)


def memory_by(records):
    """MB of a job of models: by `records`, the folder of benchmarks of jobs like it, else by rule."""

    @declared
    def asked(wildcards, attempt):
        folder = BENCHMARKS / records.format(**wildcards)
        return attempt * needs.memory_mb(STUDY, wildcards.cohort, folder, GPU)

    return asked


def minutes_by(records, stated):
    """Minutes of a job: by `records`, the folder of benchmarks of jobs like it, else as stated."""

    @declared
    def asked(wildcards, attempt):
        return attempt * needs.minutes(BENCHMARKS / records.format(**wildcards), stated)

    return asked


def asked(*kinds):
    """Give a rule files of the models that it asks, from the cohort that these were trained for."""

    @declared
    def files(wildcards):
        folder = f"<results>/cohorts/{contents.maker(STUDY, wildcards.cohort)}"
        found = {
            "population": population_of(wildcards),
            "roles": f"{folder}/roles.h5",
            "membership": f"{folder}/membership/{wildcards.block}.h5",
            "weights": f"{folder}/models/{wildcards.block}.safetensors",
        }
        return {kind: found[kind] for kind in kinds}

    return files


def signals(cohort):
    """The signals files of all blocks of a cohort."""
    return collect(
        "<results>/cohorts/{cohort}/signals/{block}.h5",
        cohort=cohort,
        block=contents.blocks(STUDY, cohort),
    )


def made_of(kind, suffix, distilled):
    """Give a rule the files of the models that a block's own are made of, if there are any.

    They are teachers where it is distilled, else targets retrained; of the other sort it has none.
    """

    @declared
    def files(wildcards):
        found = contents.originals(STUDY, wildcards.cohort, wildcards.block)
        teacher = STUDY["cohorts"][wildcards.cohort]["teacher"]
        if found is None or bool(teacher) != distilled:
            return []
        return collect(
            f"<results>/cohorts/{{cohort}}/{kind}/{{block}}.{suffix}",
            cohort=found[0],
            block=found[1],
        )

    return files


@declared
def members_of_teachers(wildcards):
    """The membership of a block's teachers, where students are audited for their members."""
    if contents.owner(STUDY, wildcards.cohort) == wildcards.cohort:
        return []
    return made_of("membership", "h5", distilled=True)(wildcards)


@declared
def at_once(wildcards):
    """The cores that a block is trained on: estimators are fitted several at once."""
    cohort = STUDY["cohorts"][wildcards.cohort]
    recipe = STUDY["recipes"][cohort["recipe"]]
    return 8 if plugins.is_estimator(recipe["architecture"]["name"]) else 1


@declared
def parted(wildcards):
    """The population file of a cohort whose models draw from a part of it alone."""
    only = STUDY["cohorts"][wildcards.cohort]["only"]
    return [population_of(wildcards)] if only else []


@declared
def sized_like(wildcards):
    """The membership of the models whose number of examples a cohort's own take, if it does so."""
    other = STUDY["cohorts"][wildcards.cohort]["design"].get("size_of")
    blocks = contents.blocks(STUDY, other) if other else []
    return [f"<results>/cohorts/{other}/membership/{block}.h5" for block in blocks]


def answers(wildcards):
    """What an attack reads: the signals of the audit's cohorts, and their answers to its probes."""
    audit, files = STUDY["audits"][wildcards.audit], {}
    for side in ("target", "shadow", "reference"):
        files[side] = signals(audit[side]) if audit[side] else []
        files[f"{side}_probes"] = [
            f"<results>/cohorts/{audit[side]}/probes/{probe}/{block}.h5"
            for probe, block in contents.probed(STUDY, *wildcards, side)
        ] + [
            f"<results>/audits/{wildcards.audit}/regressions/{law}.h5"
            for law in contents.regressed(STUDY, *wildcards, side)
        ]
    files["perturbed"] = [
        f"<results>/audits/{wildcards.audit}/perturbed/{references}.h5"
        for references in contents.perturbed(STUDY, *wildcards)
    ]
    return files


@declared
def moved(wildcards):
    """What perturbed points are found with: all examples, and all models with their members."""
    audit = STUDY["audits"][wildcards.audit]
    files = {"target": [], "target_weights": []}
    for side in {"target", "shadow"} - (
        {"target"} if audit["target"] == audit["shadow"] else set()
    ):
        cohort = audit[side]
        files[side] = signals(cohort)
        files[f"{side}_weights"] = collect(
            "<results>/cohorts/{cohort}/models/{block}.safetensors",
            cohort=contents.maker(STUDY, cohort),
            block=contents.blocks(STUDY, cohort),
        )
    population = STUDY["cohorts"][audit["target"]]["population"]
    return {"population": f"<results>/populations/{population}.h5", **files}


@declared
def regressed(wildcards):
    """What regressors are trained with: all examples, their roles, and what the targets answer."""
    cohort = STUDY["audits"][wildcards.audit]["target"]
    population = STUDY["cohorts"][cohort]["population"]
    folder = f"<results>/cohorts/{cohort}/signals"
    blocks = contents.target_blocks(STUDY, wildcards.audit)
    return {
        "population": f"<results>/populations/{population}.h5",
        "roles": f"<results>/cohorts/{contents.maker(STUDY, cohort)}/roles.h5",
        "signals": [f"{folder}/{block}.h5" for block in blocks],
    }


def histories(cohort):
    """The training histories of all blocks of a cohort."""
    return collect(
        "<results>/cohorts/{cohort}/models/{block}.history.csv",
        cohort=cohort,
        block=contents.blocks(STUDY, cohort),
    )


@declared
def claims(wildcards):
    """The histories of those who hide the targets' members, which say by what ε they do."""
    cohort = contents.private_by(STUDY, STUDY["audits"][wildcards.audit]["target"])
    return histories(cohort) if cohort else []


def source(path):
    """A file of this repository, named from the working directory: moving both changes nothing."""
    return brought(os.path.relpath(REPOSITORY / path))


@declared
def style(wildcards):
    """The look of all figures."""
    return source("config/miatlas.mplstyle")


@declared
def answer_template(wildcards):
    """What the page that answers looks like."""
    return source("config/answer.html")


def answered():
    """What the page that answers reads: the results of every audit, and its targets' answers."""
    pairs = [
        (name, label)
        for name, audit in STUDY["audits"].items()
        for label in audit["attacks"]
    ]
    kinds = {"metrics": ".metrics.json", "curves": ".roc.csv", "scores": ".h5"}
    files = {
        kind: [f"<results>/audits/{audit}/{label}{suffix}" for audit, label in pairs]
        for kind, suffix in kinds.items()
    }
    asked = {
        f"signals_{name}": signals(audit["target"])
        for name, audit in STUDY["audits"].items()
    }
    records = examples_of_records() if STUDY["show_records"] else {}
    return {**files, **asked, **records}


def examples_of_records():
    """The populations of the audits' targets, where they are known: who is exposed is shown."""
    return {
        f"population_{name}": f"<results>/populations/{cohort['population']}.h5"
        for name, audit in STUDY["audits"].items()
        for cohort in [STUDY["cohorts"][audit["target"]]]
        if "population" in cohort
    }


@declared
def external(wildcards):
    """The signals file of an external cohort; its content is among the settings, its time is none."""
    return ancient(brought(STUDY["cohorts"][wildcards.cohort]["signals"]))


def either(names):
    """A wildcard constraint: one of the names, or nothing at all."""
    return "|".join(map(re.escape, names)) or "(?!)"


@declared
def population_of(wildcards):
    """The population file of a cohort."""
    name = STUDY["cohorts"][wildcards.cohort]["population"]
    return f"<results>/populations/{name}.h5"


# What the report holds beside exhibits, in the same words.
PAGES = {
    "answer": {"paper": "Answer", "title": "how much is given away"},
    "provenance": {"paper": "Provenance", "title": "provenance"},
}


def titled(wildcards):
    """What the report's list says of an exhibit, and of no other one.

    A single label: a second one with two values becomes a switch, which fails where it leads nowhere.
    """
    entry = STUDY["exhibits"][wildcards.exhibit]
    alike = [
        name
        for name, other in [*PAGES.items(), *STUDY["exhibits"].items()]
        if other["title"] == entry["title"]
    ]
    which = f" ({wildcards.exhibit})" if len(alike) > 1 else ""
    return {"exhibit": as_text(entry["title"] + which)}


def headed(wildcards):
    """The heading that an exhibit stands under in the report."""
    return as_text(STUDY["exhibits"][wildcards.exhibit]["paper"])


def as_text(text):
    """A text whose braces are no place for a wildcard: a word joiner follows them, which is unseen."""
    return text.replace("{", "{\u2060")


def results_of(exhibit, suffix):
    """One file of each audit and attack that an exhibit shows."""
    return [
        f"<results>/audits/{audit}/{label}{suffix}"
        for audit, label in contents.shown(STUDY, exhibit)
    ]


def accuracies(cohort):
    """What tells the accuracy of a cohort's models, and the size of their training sets."""
    first = f"<results>/cohorts/{cohort}/membership/0.h5"
    return [first, *histories(cohort)]


def benchmarks(exhibit):
    """What the jobs behind an exhibit's results have cost."""
    released = contents.released(STUDY)
    jobs_of_blocks = [
        f"<benchmarks>/{rule}/{cohort}/{block}.tsv"
        for cohort in contents.cohorts_shown(STUDY, exhibit)
        for block in contents.blocks(STUDY, cohort)
        for rule in (
            "accept_models" if cohort in released else "train_models",
            "query_models",
        )
    ]
    shown = contents.shown(STUDY, exhibit)
    return jobs_of_blocks + [f"<benchmarks>/score_attack/{a}/{l}.tsv" for a, l in shown]


def evidence(wildcards):
    """What an exhibit is drawn from: the files of every kind of evidence that it reads."""
    name, entry = wildcards.exhibit, STUDY["exhibits"][wildcards.exhibit]
    cohorts = contents.cohorts_shown(STUDY, name)
    find = {
        "metrics": lambda: results_of(name, ".metrics.json"),
        "curves": lambda: results_of(name, ".roc.csv"),
        "scores": lambda: results_of(name, ".h5"),
        "signals": lambda: signals(entry["cohort"]),
        "beside": lambda: [file for name in entry["cohorts"] for file in signals(name)],
        "bounds": lambda: collect(
            "<results>/bounds/{cohort}.csv", cohort=entry["cohorts"]
        ),
        "published": lambda: [
            source(f"config/published/{entry['options']['published']}.csv")
        ],
        "scale": lambda: [file for cohort in cohorts for file in accuracies(cohort)],
        "costs": lambda: benchmarks(name),
    }
    return {kind: find[kind]() for kind in entry["reads"] if kind in find}
