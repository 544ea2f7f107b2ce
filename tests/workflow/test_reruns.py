"""What runs again after a change: what depends on it, and nothing else."""

import os
from copy import deepcopy
from pathlib import Path

import pytest
from projects import change, simulated
from test_digest import SCRIPTS, modules, reached

SCORED = {
    f"audits/{audit}/{label}"
    for audit, label in [
        ("one", "loss"), ("one", "lira_online"), ("one", "lira_offline"), ("two", "loss")
    ]
}  # fmt: skip
METRICS = {f"{name}.metrics.json" for name in SCORED}
EXHIBITS = {
    f"exhibits/tiny/{name}"
    for name in (
        "loss_curve.svg", "curves.svg", "losses.svg", "loss_table.html", "lira_table.html"
    )
}  # fmt: skip
PROVENANCE = {"exhibits/tiny/provenance.html"}
ANSWER = {"exhibits/tiny/answer.html"}
BLOCKS = {"one/{}/0", "one/{}/1", "two/{}/0"}
MODELS = {f"cohorts/{block.format('models')}.safetensors" for block in BLOCKS}
SIGNALS = {f"cohorts/{block.format('signals')}.h5" for block in BLOCKS}
DRAWN = {f"cohorts/{block.format('membership')}.h5" for block in BLOCKS}
DRAWN |= {"cohorts/one/roles.h5", "cohorts/two/roles.h5"}
AFTER_SIGNALS = {f"{name}.h5" for name in SCORED} | METRICS | EXHIBITS | ANSWER
AFTER_MODELS = SIGNALS | AFTER_SIGNALS | PROVENANCE
ALL = {"populations/digits.h5"} | DRAWN | MODELS | AFTER_MODELS


def scores(*names):
    """The scores and metrics of an audit's attacks, and the page that tells of them."""
    files = {f"audits/{name}{end}" for name in names for end in (".h5", ".metrics.json")}
    return files | ANSWER if names else files


def exhibits(*names):
    return {f"exhibits/tiny/{name}" for name in names}


def test_a_fresh_checkout_has_every_job_to_do_and_a_finished_one_none(project, done):
    assert project.plan() == ALL
    assert done.plan() == set()


def test_touching_every_file_reruns_nothing(done):
    for path in done.root.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            os.utime(path)
    assert done.plan() == set()


def test_touching_files_of_any_size_reruns_nothing(project):
    """Snakemake compares the content of small files only, unless it is told otherwise."""
    simulated(project.root / "mine.h5", models=32, examples=20_000)
    project.study["cohorts"] = {"mine": {"signals": "mine.h5"}}
    project.study["audits"] = {"mine": {"target": "mine", "attacks": ["loss"]}}
    project.study["exhibits"] = {}
    target = "results/audits/mine/loss.h5"
    project.run(target)
    for name in ("mine.h5", "results/cohorts/mine/signals/0.h5"):
        assert (project.root / name).stat().st_size > 2e6
        os.utime(project.root / name)
    assert project.plan(target) == set()


def test_words_in_the_code_rerun_nothing(done):
    for path in (done.root / "scripts").rglob("*.py"):
        text = path.read_text()
        assert text.startswith('"""')
        path.write_text('"""Other words. ' + text[3:] + "\n# and a comment\n")
    assert done.plan() == set()


def reverse(entry):
    """The same mapping with its keys, at every level, in reverse order."""
    if not isinstance(entry, dict):
        return entry
    return {key: reverse(entry[key]) for key in reversed(entry)}


def test_the_order_of_keys_reruns_nothing_but_the_page_that_has_the_audits_in_theirs(done):
    audits, done.study = done.study["audits"], reverse(done.study)
    assert done.plan() == exhibits("answer.html")
    done.study["audits"] = {name: done.study["audits"][name] for name in audits}
    assert done.plan() == set()


def test_writing_out_defaults_and_adding_what_nothing_uses_reruns_nothing(done):
    done.study["cohorts"]["one"]["queries"] = {"count": 1}
    done.study["recipes"]["plain"]["batch_size"] = 20
    done.study["recipes"]["unused"] = done.study["recipes"]["plain"]
    done.study["attacks"]["hinge"] = {}
    assert done.plan() == set()


MEMBERSHIP = {name for name in DRAWN if "roles" not in name}
TABLES = exhibits("loss_table.html", "lira_table.html")
LIRA_FORMULA = ("log_ratio.sum(axis=1)", "2 * log_ratio.sum(axis=1)")
EDITS = {  # at least one of every room, and one of each that does not concern the study
    "miatlas/options.py": MEMBERSHIP | MODELS | AFTER_MODELS,
    "miatlas/running/store.py": ALL,
    "miatlas/running/seeds.py": ALL,
    "miatlas/running/progress.py": MODELS | AFTER_MODELS,
    "miatlas/running/file_digests.py": set(),  # what files hold counts, not who reads them
    "miatlas/designs/half.py": MEMBERSHIP | MODELS | AFTER_MODELS,
    "miatlas/designs/role_assignment.py": DRAWN | MODELS | AFTER_MODELS,
    "miatlas/signals/queries.py": AFTER_MODELS - PROVENANCE,
    "miatlas/audits/scoring.py": AFTER_SIGNALS - exhibits("losses.svg"),
    "miatlas/bounds/uncertainty.py": set(),  # which no exhibit of the study shows
    "miatlas/exhibits/gathering.py": EXHIBITS,
    "miatlas/exhibits/pages.py": TABLES | PROVENANCE,
    "miatlas/study/reading.py": set(),  # what jobs are given of the study counts, not the reading
    "miatlas/attacks/lira_online.py": scores("one/lira_online") | exhibits("curves.svg"),
    "miatlas/attacks/shared/gaussian.py": (  # of LiRA, online and offline
        scores("one/lira_online", "one/lira_offline") | exhibits("curves.svg", "lira_table.html")
    ),
    "miatlas/attacks/loss.py": (
        scores("one/loss", "two/loss") | exhibits("curves.svg", "loss_curve.svg", "loss_table.html")
    ),
    "miatlas/attacks/hinge.py": set(),  # not in the study
    "miatlas/exhibits/figures/roc.py": exhibits("curves.svg"),
    "miatlas/exhibits/figures/common.py": exhibits("curves.svg", "loss_curve.svg", "losses.svg"),
    "miatlas/exhibits/tables/ablation.py": exhibits("lira_table.html"),
    "make_table.py": exhibits("lira_table.html", "loss_table.html"),
    "miatlas/leakage/metrics.py": METRICS | ANSWER | EXHIBITS - exhibits("losses.svg"),
    "miatlas/training/trainer.py": MODELS | AFTER_MODELS,
    "miatlas/training/architectures/mlp.py": MODELS | AFTER_MODELS,
    "miatlas/training/architectures/cnn.py": set(),  # not in the study
    "miatlas/populations/digits.py": ALL,
    "miatlas/populations/adult.py": set(),  # not in the study
}


FIRST = {  # one of a room, and one that does not concern the study
    "miatlas/options.py", "miatlas/running/store.py", "miatlas/designs/half.py",
    "miatlas/signals/queries.py", "miatlas/audits/scoring.py", "miatlas/bounds/uncertainty.py",
    "miatlas/exhibits/gathering.py", "miatlas/study/reading.py", "miatlas/attacks/lira_online.py",
    "miatlas/exhibits/figures/roc.py", "miatlas/leakage/metrics.py", "miatlas/training/trainer.py",
    "miatlas/training/architectures/cnn.py", "miatlas/populations/digits.py",
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(*edit, marks=[] if edit[0] in FIRST else pytest.mark.slow)
        for edit in EDITS.items()
    ],
    ids=EDITS,
)
def test_edited_code_reruns_what_depends_on_it(done, file, expected):
    edited(done, file)
    assert done.plan() == expected


def edited(project, file):
    with open(project.root / "scripts" / file, "a", encoding="utf-8") as module:
        module.write("\n\nADDED = 1\n")


def test_of_every_room_a_file_is_edited():
    rooms = {path.parent.name for path in (SCRIPTS / "miatlas").glob("*/__init__.py")}
    assert {Path(file).parts[1] for file in EDITS if Path(file).parts[0] == "miatlas"} >= rooms


def test_what_no_job_runs_reruns_nothing(done):
    """Every other design, attack, architecture, source, figure and table: edited all at once."""
    kinds = ["designs", "attacks", "training/architectures", "populations", "signals/probes",
             "exhibits/figures", "exhibits/tables"]  # fmt: skip
    plugins = [
        "designs/half", "attacks/loss", "attacks/lira_online", "attacks/lira_offline",
        "training/architectures/mlp", "populations/digits", "exhibits/tables/summary",
        "exhibits/tables/ablation", "exhibits/figures/roc", "exhibits/figures/roc_linear_log",
        "exhibits/figures/histograms",
    ]  # fmt: skip
    scripts = [path.name for path in SCRIPTS.glob("*.py")]
    run = reached(*scripts, *(f"miatlas/{name}.py" for name in plugins))
    others = {file for kind in kinds for file in modules(kind)} - run
    assert {f"miatlas/designs/{name}.py" for name in ("paired", "leave_one_out")} <= others
    for file in others:
        edited(done, file)
    assert done.plan() == set()


def test_an_edited_style_redraws_the_figures_only(done):
    with open(done.root / "config" / "miatlas.mplstyle", "a") as style:
        style.write("lines.linewidth: 3\n")
    assert done.plan() == exhibits("curves.svg", "loss_curve.svg", "losses.svg")


@pytest.mark.slow
def test_after_rerunning_what_lira_made_nothing_else_was_written(done):
    before = done.times()
    done.edit("miatlas/attacks/lira_online.py", *LIRA_FORMULA)
    done.run()
    after = done.times()
    written = {name for name in after if after[name] != before.get(name)}
    assert written == {
        "audits/one/lira_online.h5",
        "audits/one/lira_online.metrics.json",
        "audits/one/lira_online.roc.csv",
        *(f"exhibits/tiny/curves.{kind}" for kind in ("svg", "pdf", "png", "csv")),
        *(f"exhibits/tiny/answer.{kind}" for kind in ("html", "json")),
        "exhibits/tiny/thresholds.json",
    }
    assert done.plan() == set()


ONE = scores("one/loss", "one/lira_online", "one/lira_offline")


@pytest.mark.slow
def test_more_models_train_only_the_new_ones(done):
    before = done.times()
    done.study["cohorts"]["one"]["models"] = 12
    new = {"membership/2.h5", "models/2.safetensors", "signals/2.h5"}
    expected = {f"cohorts/one/{name}" for name in new} | ONE | EXHIBITS | PROVENANCE
    assert done.plan() == expected
    done.run()
    assert done.plan() == set()
    after = done.times()
    trained = {name for name in after if name.startswith("cohorts") and name not in before}
    assert trained == {f"cohorts/one/{name}" for name in new | {"models/2.history.csv"}}
    kept = {name for name in before if name.startswith(("cohorts", "populations"))}
    assert {name for name in kept if after[name] != before[name]} == set()


def test_a_changed_recipe_reruns_its_cohort_only(done):
    done.study["recipes"]["faster"]["optimizer"]["lr"] = 0.3
    cohort = {"cohorts/two/models/0.safetensors", "cohorts/two/signals/0.h5"}
    assert done.plan() == cohort | scores("two/loss") | exhibits("loss_curve.svg") | PROVENANCE


TABLE = {"paper": "P", "title": "N", "table": "summary", "audits": ["two"], "attacks": ["loss"]}
ATTACKS = ["loss", "lira_online", "lira_offline"]
AUDIT = {"target": "two", "targets": 2, "attacks": ["loss"]}
CHANGES = {
    "an attack's option": (
        {"attacks.lira_online.variance": "per_example"},
        scores("one/lira_online") | exhibits("curves.svg") | PROVENANCE,
    ),
    "another attack": (
        {"attacks.hinge": {}, "audits.one.attacks": [*ATTACKS, "hinge"],
         "exhibits.curves.attacks": ["loss", "hinge", "lira_online"]},
        scores("one/hinge") | exhibits("curves.svg") | PROVENANCE,
    ),
    "another audit": (
        {"audits.three": AUDIT,
         "exhibits.new": TABLE | {"audits": ["three"], "attacks": ["loss"]}},
        scores("three/loss") | exhibits("new.html") | PROVENANCE,
    ),
    "another exhibit": ({"exhibits.new": TABLE}, exhibits("new.html") | PROVENANCE),
    "a caption": ({"exhibits.curves.caption": "Other words"}, exhibits("curves.svg")),
    "a title": ({"exhibits.loss_table.title": "Other words"}, exhibits("loss_table.html")),
    "a name shown": (
        {"exhibits.curves.attacks": {"loss": "A", "lira_online": "B"}}, exhibits("curves.svg")
    ),
    "an option of a figure": (
        {"exhibits.curves.options": {"auc": False}}, exhibits("curves.svg") | PROVENANCE
    ),
    "queries": (
        {"cohorts.two.queries": {"count": 2}},
        {"cohorts/two/signals/0.h5"} | scores("two/loss") | exhibits("loss_curve.svg") | PROVENANCE,
    ),
    "targets": (
        {"audits.two.targets": 3}, scores("two/loss") | exhibits("loss_curve.svg") | PROVENANCE
    ),
    "the seed": ({"seed": 8}, ALL),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_changed_study_reruns_what_depends_on_the_change(done, changes, expected):
    for path, value in changes.items():
        change(done.study, path, deepcopy(value))
    assert done.plan() == expected
