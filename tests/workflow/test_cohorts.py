"""Every design, signals of other software, shadow models of another recipe: through to metrics."""

import json

import h5py
import numpy as np
import pytest
from projects import simulated


def metrics(project, audit, label):
    """The metrics of an audit's attack, which are made first."""
    file = f"audits/{audit}/{label}.metrics.json"
    if not (project.results / file).exists():
        project.run(f"results/{file}")
    return json.loads((project.results / file).read_text())


def attack(study, target, attacks, shadow=None, **more):
    """Add the audit `x` of a target cohort."""
    study["audits"]["x"] = {"target": target, "attacks": attacks, **more}
    if shadow:
        study["audits"]["x"]["shadow"] = shadow
    study["exhibits"] = {}


def cohort(design, models, **more):
    """A cohort of the digits, in one block."""
    return {"population": "digits", "recipe": "plain", "design": design, "models": models, **more}


def test_signals_of_other_software_are_audited(project):
    """With means of its own for every example, LiRA knows what LOSS cannot."""
    simulated(project.root / "mine.h5", models=32, examples=1000)
    project.study["cohorts"] = {"mine": {"signals": "mine.h5"}}
    project.study["audits"] = {}
    attack(project.study, "mine", ["loss", "lira_online"], targets=4)
    project.run("results/audits/x/loss.metrics.json", "results/audits/x/lira_online.metrics.json")
    lira, loss = (metrics(project, "x", label) for label in ("lira_online", "loss"))
    assert lira["examples"] == 1000
    assert lira["models"] == 32
    # Two Gaussians one deviation apart have an AUC of Phi(1 / sqrt(2)) = 0.760; behind means that
    # vary by 3, of Phi(1 / sqrt(2 + 18)) = 0.588.
    assert lira["pooled"]["auc"]["value"] == pytest.approx(0.760, abs=0.02)
    assert loss["pooled"]["auc"]["value"] == pytest.approx(0.588, abs=0.02)


def test_a_cohort_is_attacked_through_another(done):
    attack(done.study, "two", ["loss", "lira_online"], shadow="one", targets=2)
    result = metrics(done, "x", "lira_online")
    assert (result["target_cohort"], result["shadow_cohort"]) == ("two", "one")
    assert result["models"] == 8
    assert len(result["targets"]) == 2


DESIGNS = {
    "paired": ({"x": cohort({"name": "paired"}, 6)}, None, "lira_online"),
    "iid": ({"x": cohort({"name": "iid", "size": 100}, 24)}, None, "lira_online"),
    "disjoint": (
        {
            "x": cohort({"name": "disjoint", "side": "target"}, 2),
            "shadow": cohort({"name": "disjoint", "side": "shadow"}, 4),
        },
        "shadow",
        "lira_offline",
    ),
    "six_way": (
        {
            "x": cohort({"name": "six_way", "side": "target"}, 2),
            "shadow": cohort({"name": "six_way", "side": "shadow"}, 2),
        },
        "shadow",
        "loss",
    ),
    "canaries": (
        {"x": cohort({"name": "canaries", "group": 8}, 8, held_out=0.1, test=0.1)},
        None,
        "lira_online",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cohorts", "shadow", "label"),
    [pytest.param(*case, id=name) for name, case in DESIGNS.items()],
)
def test_a_design_runs_through_to_metrics(done, cohorts, shadow, label):
    if "canaries" in (entry["design"]["name"] for entry in cohorts.values()):
        done.study["populations"]["digits"]["canaries"] = {"count": 10}
    done.study["cohorts"] |= cohorts
    attack(done.study, "x", [label], shadow=shadow, targets=2)
    result = metrics(done, "x", label)
    assert [target["target"] for target in result["targets"]] == [0, 1]
    for target in result["targets"]:
        assert target["members"] > 0
        assert target["nonmembers"] > 0
        assert 0 < target["auc"]["value"] < 1


# Cohorts made for targets, third cohorts, probes -----------------------------------------------

HALVES = {"name": "half", "group": 4}
MADE = {
    "distilled": (
        {"made": cohort(HALVES, 8, teacher={"cohort": "one", "students": 4}, block=4)},
        "attack_d",
    ),
    "leave_one_out": (
        {
            "made": cohort(
                {"name": "leave_one_out", "of": "one", "examples": 6, "seeds": 3}, 24, block=12
            )
        },
        "attack_l",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cohorts", "label"), [pytest.param(*case, id=name) for name, case in MADE.items()]
)
def test_a_target_is_attacked_with_models_made_for_it(done, cohorts, label):
    done.study["cohorts"] |= cohorts
    done.study["attacks"][label] = {}
    attack(done.study, "one", [label], shadow="made", targets=2)
    result = metrics(done, "x", label)
    assert (result["target_cohort"], result["shadow_cohort"]) == ("one", "made")
    expected = 3 if label == "attack_l" else 100
    for target in result["targets"]:
        assert target["nonmembers"] == pytest.approx(expected, abs=15 if expected > 3 else 0)
        assert target["members"] == pytest.approx(expected, abs=15 if expected > 3 else 0)


@pytest.mark.slow
def test_shadow_and_reference_models_of_a_six_way_split_serve_ldc(done):
    six = {"name": "six_way", "per_target": 1}
    done.study["cohorts"] |= {
        "t": cohort(six | {"side": "target"}, 2),
        "s": cohort(six | {"side": "shadow", "per_target": 2}, 4),
        "r": cohort(six | {"side": "reference", "per_target": 2}, 4),
    }
    done.study["attacks"] |= {"ldc": {}, "shokri": {"classifier": "linear"}}
    attack(done.study, "t", ["ldc", "shokri"], shadow="s", reference="r", targets=2)
    for label in ("ldc", "shokri"):
        result = metrics(done, "x", label)
        assert result["reference_cohort"] == "r"
        for target in result["targets"]:
            assert (target["members"], target["nonmembers"]) == (50, 50)


@pytest.mark.slow
def test_probes_are_asked_only_where_an_attack_needs_them(done):
    """And an attack that is added asks them, without anything else of the cohort being redone."""
    before = {f: f.stat().st_mtime for f in done.results.glob("cohorts/one/signals/*.h5")}
    assert not (done.results / "cohorts/one/probes").exists()
    done.study["cohorts"]["one"]["probes"] = {"noise": {"copies": 5}}
    done.study["attacks"] |= {"merlin": {}, "long": {}, "gradient_norm": {"form": "lira"}}
    attack(done.study, "one", ["merlin", "long", "gradient_norm"], targets=2)
    done.study["attacks"]["gradient_norm"]["variance"] = "global"
    for label in ("merlin", "long", "gradient_norm"):
        assert 0 < metrics(done, "x", label)["pooled"]["auc"]["value"] < 1
    there = {
        f.relative_to(done.results).as_posix() for f in done.results.glob("cohorts/*/probes/*/*")
    }
    names = {f"cohorts/one/probes/{probe}/{block}.h5" for probe in ("noise", "gradients")
             for block in (0, 1)}  # fmt: skip
    distances = {f"cohorts/one/probes/distances/{block}.h5" for block in (0, 1)}
    assert there == names | distances  # up to the first model of another group
    assert {f: f.stat().st_mtime for f in before} == before


@pytest.mark.slow
def test_regressors_are_trained_for_the_targets_of_an_audit_alone(done):
    """From held-out examples, by the workflow's own rule; more targets need more of them."""
    for cohort in done.study["cohorts"].values():
        cohort["held_out"] = 0.2
    done.study["attacks"] |= {"qmia": {}, "quantile": {"attack": "qmia", "law": "quantile"}}
    attack(done.study, "one", ["qmia", "quantile"], targets=2)
    for label in ("qmia", "quantile"):
        assert 0 < metrics(done, "x", label)["pooled"]["auc"]["value"] < 1
    made = {path.name for path in (done.results / "audits/x/regressions").iterdir()}
    assert made == {"normal.h5", "quantile.h5"}
    with h5py.File(done.results / "audits/x/regressions/normal.h5") as file:
        first = file["normal_regression"][:]
    assert first.shape == (2, 200, 2)
    done.study["audits"]["x"]["targets"] = 3
    done.run("results/audits/x/qmia.h5")
    with h5py.File(done.results / "audits/x/regressions/normal.h5") as file:
        np.testing.assert_allclose(file["normal_regression"][:2], first, rtol=1e-3, atol=1e-3)
        assert len(file["normal_regression"]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("shadow", [None, "one"])
def test_perturbed_points_are_found_once_for_attacks_by_the_same_models(done, shadow):
    """And where the points are the examples themselves, the attacks are LiRA and attack R."""
    done.study["attacks"] |= {"amia": {"variance": "global"}, "e_amia": {}, "attack_r": {}}
    labels, target = ["amia", "e_amia", "lira_online", "attack_r"], "two" if shadow else "one"
    attack(done.study, target, labels, shadow=shadow, targets=2)
    done.study["audits"]["x"]["perturbation"] = {"radius": 1e-7, "steps": 1}
    done.run(*[f"results/audits/x/{label}.h5" for label in labels])
    assert [path.name for path in (done.results / "audits/x/perturbed").iterdir()] == ["all.h5"]

    def scores(label):
        with h5py.File(done.results / f"audits/x/{label}.h5") as file:
            return file["scores"][:]

    for moved, plain in (("amia", "lira_online"), ("e_amia", "attack_r")):
        np.testing.assert_allclose(scores(moved), scores(plain), rtol=2e-2, atol=2e-2)
    before = scores("amia")
    done.study["audits"]["x"]["perturbation"] = {"radius": 0.5}
    done.run("results/audits/x/amia.h5")
    assert abs(scores("amia") - before).mean() > 0.05


@pytest.mark.slow
def test_the_same_models_are_asked_again_and_nothing_is_trained(done):
    """At another temperature: the same members, and logits divided by it."""
    done.study["cohorts"]["warm"] = {"models_of": "one", "queries": {"temperature": 4.0}}
    attack(done.study, "warm", ["loss"], targets=2)
    wanted = "results/audits/x/loss.metrics.json"
    assert not any("/models/" in file for file in done.plan(wanted))
    metrics(done, "x", "loss")
    for block in (0, 1):
        files = [done.results / f"cohorts/{name}/signals/{block}.h5" for name in ("one", "warm")]
        with h5py.File(files[0]) as one, h5py.File(files[1]) as warm:
            assert np.array_equal(one["member"][:], warm["member"][:])
            assert warm["logits"][:] == pytest.approx(one["logits"][:] / 4.0, abs=2e-3)


@pytest.mark.parametrize("kind", ["npz", pytest.param("csv", marks=pytest.mark.slow)])
def test_probabilities_of_other_software_are_audited_as_their_signals_are(project, kind):
    """A table of probabilities says the same as the signals file that is made of its logits."""
    stream = np.random.default_rng(3)
    member = stream.random((8, 60)).argsort(axis=0) < 4
    labels = stream.integers(3, size=60)
    logits = stream.normal(size=(8, 60, 3)) + 2 * member[..., None] * np.eye(3)[labels]
    p = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    with h5py.File(project.root / "signals.h5", "w") as file:
        file["member"], file["labels"] = member, labels
        file["phi"] = np.log(p / (1 - p))[:, np.arange(60), labels][..., None].astype(np.float32)
    if kind == "npz":
        np.savez(project.root / "table.npz", probabilities=p, labels=labels, member=member)
    else:
        rows = [(m, i, labels[i], int(member[m, i]), *p[m, i]) for m in range(8) for i in range(60)]
        lines = [",".join(map(str, row)) for row in rows]
        head = "model,example,label,member,a,b,c"
        (project.root / "table.csv").write_text("\n".join([head, *lines]))
    project.study["cohorts"] = {
        "made": {"signals": "signals.h5"}, "table": {"signals": f"table.{kind}"}
    }  # fmt: skip
    audit = {"target": "made", "attacks": ["loss", "lira_online"], "targets": 4}
    project.study["audits"] = {"made": audit, "table": audit | {"target": "table"}}
    project.study["exhibits"] = {}
    files = [
        f"results/audits/{a}/{label}.h5" for a in ("made", "table") for label in audit["attacks"]
    ]
    project.run(*files)
    for label in audit["attacks"]:
        found = []
        for name in ("made", "table"):
            with h5py.File(project.results / f"audits/{name}/{label}.h5") as file:
                found.append(file["scores"][()])
        assert found[0] == pytest.approx(found[1], abs=1e-4)
