"""Figures and tables of shi2024: what they plot against slow counts, edges, sizes, refusals."""

from dataclasses import replace
from pathlib import Path

import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import (
    class_scatter,
    hardness,
    panels,
    precision_recall,
    roc,
    score_histogram,
    score_scatter,
    scores_by_class,
)
from miatlas.exhibits.scored_pairs import by_target_cohort, judged
from miatlas.exhibits.tables import accuracy, attack_costs, by_models, summary
from miatlas.exhibits.verdicts import mean
from miatlas.leakage import metrics

STYLE = Path(__file__).parents[2] / "config" / "miatlas.mplstyle"
NAMES = {"ldc": "LDC-MIA", "loss": "Yeom et al.", "calibrated": "calibrated", "watson": "Watson"}
AUDITS = {"ldc": "cifar", "loss": "cifar", "calibrated": "cifar", "watson": "cifar_reference"}


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.style.context(STYLE):
        yield


def evidence_of(targets=3, examples=400, classes=4, cohorts=("cifar",), seed=0, names=NAMES):
    """A target's losses, a reference model's, and attacks on them, for each target cohort.

    A quarter of the examples is evaluated nowhere, and each target evaluates its own.
    """
    draws, results, curves, scores = np.random.default_rng(seed), [], [], {}
    labels = draws.integers(classes, size=examples)
    for cohort in cohorts:
        shape = targets, examples
        evaluated = draws.permuted(np.arange(examples) % 4 < 3, axis=0)[None].repeat(targets, 0)
        member = draws.random(shape) < 0.5
        hard = draws.gamma(0.7, 2.5, examples) * (1 + labels)
        reference = hard * draws.uniform(0.5, 1.5, shape)
        loss = hard * draws.uniform(0.3, 1.7, shape) * np.where(member, 0.15, 1.0)
        values = {"loss": -loss, "calibrated": reference - loss}
        values["watson"] = values["calibrated"] + draws.normal(size=shape)
        values["ldc"] = values["calibrated"] - 0.8 * loss
        for label in names:
            audit = AUDITS[label].replace("cifar", cohort)
            run = np.where(evaluated, values[label], np.nan)
            game = run, member, evaluated, np.arange(targets)
            place = {"audit": audit, "label": label}
            about = {"attack": label, "options": {}, "target_cohort": cohort}
            results.append({**metrics.evaluate(*game), **place, **about})
            curves.append(metrics.roc_table(*game).assign(**place))
            keys = ("scores", "member", "evaluated", "targets")
            scores[audit, label] = dict(zip(keys, game, strict=True))
    class_names = ["airplane", "cat", "dog", "ship"][:classes] if classes <= 4 else None
    signals = {"labels": labels, "class_names": class_names}
    shown = {label: NAMES[label] for label in names}
    return Evidence(shown, results, pd.concat(curves), signals=signals, scores=scores)


def only(evidence, *labels):
    """Evidence whose exhibit names these attacks only."""
    return replace(evidence, names={label: evidence.names[label] for label in labels})


def slow_tpr(scores, member, fpr):
    false = np.array([(scores[~member] >= s).mean() for s in scores])
    true = np.array([(scores[member] >= s).mean() for s in scores])
    return true[false <= fpr + 1e-12].max(initial=0.0)


def pooled(evidence, audit, label):
    run = evidence.scores[audit, label]
    return run["scores"][run["evaluated"]], run["member"][run["evaluated"]]


# Pairs that several attacks have scored --------------------------------------------------------


def test_judged_puts_scores_of_several_audits_side_by_side():
    evidence = evidence_of()
    run = evidence.scores["cifar_reference", "watson"]
    run["evaluated"][1, :50] = False
    found = judged(evidence, ["loss", "watson"])
    expected = [
        (t, i)
        for t in range(3)
        for i in range(400)
        if run["evaluated"][t, i] and evidence.scores["cifar", "loss"]["evaluated"][t, i]
    ]
    assert list(zip(found.target.tolist(), found.example.tolist(), strict=True)) == expected
    for label, audit in (("loss", "cifar"), ("watson", "cifar_reference")):
        its = [evidence.scores[audit, label]["scores"][pair] for pair in expected]
        assert found.scores[label].tolist() == its
    assert found.member.tolist() == [run["member"][pair] for pair in expected]


def test_judged_refuses_what_does_not_fit_together():
    evidence = evidence_of(cohorts=("cifar", "adult"))
    with pytest.raises(ValueError, match="loss must be of one audit, but it is of: cifar, adult"):
        judged(evidence, ["loss"])
    assert len(judged(evidence, ["loss"], {"adult"}).member) == 900
    with pytest.raises(ValueError, match="rmia must be of one audit, but it is of: -"):
        judged(evidence, ["rmia"])
    one = evidence_of()
    run = one.scores["cifar_reference", "watson"]
    one.scores["cifar_reference", "watson"] = run | {"member": ~run["member"]}
    with pytest.raises(ValueError, match="watson attacks other targets than loss"):
        judged(one, ["loss", "watson"])
    one.scores["cifar_reference", "watson"] = run | {"evaluated": run["evaluated"] & False}
    with pytest.raises(ValueError, match="no example was scored by all"):
        judged(one, ["loss", "watson"])


def test_audits_of_one_target_cohort_are_one_group_in_the_order_of_names():
    groups = by_target_cohort(evidence_of(cohorts=("cifar", "adult")))
    assert list(groups) == ["cifar", "adult"]
    assert groups["adult"] == [
        ("adult", "ldc"), ("adult", "loss"), ("adult", "calibrated"), ("adult_reference", "watson"),
    ]  # fmt: skip
    evidence = evidence_of()
    evidence.metrics.append(evidence.result("cifar", "loss") | {"audit": "again"})
    with pytest.raises(ValueError, match="loss: cifar and again have both run it"):
        by_target_cohort(evidence)


def test_curves_of_one_target_cohort_are_named_by_the_attack_alone():
    evidence = evidence_of()
    figure, _ = roc.draw(evidence, auc=False)
    shown = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert shown == [*NAMES.values(), "chance"]


# Score scatter ---------------------------------------------------------------------------------


def test_scatter_plots_the_scores_of_one_target_and_their_groups():
    evidence = evidence_of()
    figure, data = score_scatter.draw(evidence, target=1, thresholds=[-1.0, 0.5], points=10**6)
    assert len(data) == 300
    assert (data["target"] == 1).all()
    for row in data.itertuples():
        assert row.membership == evidence.scores["cifar", "loss"]["scores"][1, row.example]
        assert row.calibrated == evidence.scores["cifar", "calibrated"]["scores"][1, row.example]
        assert row.member == evidence.scores["cifar", "loss"]["member"][1, row.example]
        if row.calibrated > 0.5:
            expected = "hard-to-predict member" if row.member else "hard-to-calibrate non-member"
        else:
            how = "easy" if row.membership > -1.0 else "hard"
            expected = f"{how}-to-predict {'member' if row.member else 'non-member'}"
        assert row.group == expected
    assert set(data["group"]) == set(score_scatter.GROUPS)
    dots = {line.get_label().split(" (")[0]: line for line in figure.axes[0].lines[:5]}
    for name, line in dots.items():
        own = data[data["group"] == name]
        assert np.array_equal(line.get_xydata(), own[["membership", "calibrated"]])


def test_scatter_draws_no_more_points_than_asked_and_counts_all():
    evidence = evidence_of()
    figure, data = score_scatter.draw(evidence, points=40)
    assert len(data) == 40
    texts = [t.get_text() for t in figure.legends[0].get_texts()]
    shares = [float(text.split("(")[1].split(" %")[0]) for text in texts]
    assert sum(shares) == pytest.approx(100, abs=0.3)
    _, whole = score_scatter.draw(evidence, points=10**6)
    share = (whole["group"] == texts[0].split(" (")[0]).mean()
    assert shares[0] == pytest.approx(100 * share, abs=0.06)
    with pytest.raises(ValueError, match="target 7 was not judged"):
        score_scatter.draw(evidence, target=7)


def test_class_scatter_has_a_panel_and_a_threshold_for_each_class():
    evidence = evidence_of(examples=800)
    figure, data = class_scatter.draw(evidence, classes=["cat", "ship"], points=10**6)
    assert [axes.get_title().split(" (")[0] for axes in figure.axes] == ["cat", "ship"]
    for axes, (name, own) in zip(figure.axes, data.groupby("class", sort=False), strict=True):
        label = ["airplane", "cat", "dog", "ship"].index(name)
        assert (evidence.signals["labels"][own["example"]] == label).all()
        run = evidence.scores["cifar", "calibrated"]
        assert np.array_equal(own["calibrated"], run["scores"][0, own["example"]])
        assert np.array_equal(own["member"], run["member"][0, own["example"]])
        member, scores = own["member"].to_numpy(), own["calibrated"].to_numpy()
        gains = [((scores >= s) & member).sum() / member.sum() - ((scores >= s) & ~member).sum()
                 / (~member).sum() for s in scores]  # fmt: skip
        called = scores >= own["threshold"].iloc[0]
        gain = called[member].mean() - called[~member].mean()
        assert gain == pytest.approx(max(gains))
        assert axes.lines[2].get_ydata()[0] == own["threshold"].iloc[0]
    with pytest.raises(ValueError, match="there is no 'horse'"):
        class_scatter.draw(evidence, classes=["horse"])


def test_class_scatter_takes_the_first_classes_and_at_most_so_many_points():
    evidence = evidence_of(classes=7)
    _, data = class_scatter.draw(evidence, points=9)
    assert data["class"].value_counts().to_dict() == {"0": 9, "1": 9}
    assert np.isnan(class_scatter.best(np.arange(3.0), np.ones(3, bool)))


# Histogram, classes ----------------------------------------------------------------------------


def test_histogram_counts_all_pairs_of_either_kind():
    evidence = only(evidence_of(), "calibrated")
    _, data = score_histogram.draw(evidence, bins=20, share=0.9)
    scores, member = pooled(evidence, "cifar", "calibrated")
    for kind, mask in (("members", member), ("non-members", ~member)):
        own = data[data["kind"] == kind].reset_index(drop=True)
        assert own["examples"].sum() == mask.sum()
        for place, row in own.iterrows():
            low = -np.inf if place == 0 else row["left"]
            high = np.inf if place == 19 else row["right"]
            assert row["examples"] == ((scores[mask] >= low) & (scores[mask] < high)).sum()
    with pytest.raises(ValueError, match="one attack, not 4"):
        score_histogram.draw(evidence_of())


def test_scores_by_class_are_quantiles_of_that_class():
    evidence = only(evidence_of(examples=2000), "calibrated")
    figure, data = scores_by_class.draw(evidence, level=0.1)
    run = evidence.scores["cifar", "calibrated"]
    labels = np.broadcast_to(evidence.signals["labels"], run["scores"].shape)
    assert data["class"].unique().tolist() == ["airplane", "cat", "dog", "ship"]
    for row in data.itertuples():
        number = ["airplane", "cat", "dog", "ship"].index(row[1])
        own = run["evaluated"] & (labels == number)
        kind = own & (run["member"] == (row.kind == "members"))
        assert row.examples == kind.sum()
        for name, share in (("low", 5), ("lower", 25), ("median", 50), ("upper", 75), ("high", 95)):
            assert getattr(row, name) == pytest.approx(np.percentile(run["scores"][kind], share))
        others = run["scores"][own & ~run["member"]]
        assert (others > row.threshold).mean() == pytest.approx(0.1, abs=1 / len(others))
    medians = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    assert np.array_equal(medians["members"], data[data["kind"] == "members"]["median"])


def test_scores_by_class_leave_out_the_hundredth_class_and_survive_empty_ones():
    _, data = scores_by_class.draw(only(evidence_of(classes=100, examples=300), "calibrated"))
    assert len(data) == 2 * scores_by_class.MOST
    _, few = scores_by_class.draw(only(evidence_of(targets=1, examples=8), "calibrated"))
    assert (few["examples"] >= 0).all()


# Precision and recall, hardness -----------------------------------------------------------------


def test_precision_and_recall_are_counted_out():
    evidence = evidence_of(cohorts=("cifar", "adult"), examples=120)
    figure, data = precision_recall.draw(evidence, cohort_names={"adult": "Adult"})
    assert [axes.get_title() for axes in figure.axes] == ["cifar", "Adult"]
    for (audit, label), own in data.groupby(["audit", "label"]):
        scores, member = pooled(evidence, audit, label)
        assert own["chance"].iloc[0] == pytest.approx(member.mean())
        attained = {
            (round((member & (scores >= s)).sum() / member.sum(), 9),
             round(member[scores >= s].mean(), 9))
            for s in scores
        }  # fmt: skip
        points = zip(own["recall"].round(9), own["precision"].round(9), strict=True)
        assert set(points) <= attained
    assert data[data["cohort"] == "adult"]["audit"].unique().tolist() == [
        "adult",
        "adult_reference",
    ]


def test_all_cohorts_may_share_a_panel_of_precision_and_recall():
    evidence = evidence_of(cohorts=("cifar", "adult"), examples=120)
    _, apart = precision_recall.draw(evidence)
    figure, data = precision_recall.draw(evidence, cohort_names={"adult": "Adult"}, together=True)
    [axes] = figure.axes
    names = data["name"].unique().tolist()
    assert [line.get_label() for line in axes.lines] == [*names, "chance"]
    assert {name.split(", ")[-1] for name in names} == {"cifar", "Adult"}
    assert len({(line.get_color(), str(line.get_linestyle())) for line in axes.lines}) == len(
        axes.lines
    )
    pd.testing.assert_frame_equal(data.drop(columns="name"), apart.drop(columns="name"))
    _, one = precision_recall.draw(only(evidence, apart["label"].iloc[0]), together=True)
    assert set(one["name"]) <= {"cifar", "adult"}


@pytest.mark.parametrize("cut", ["own", "common"])
def test_hardness_is_the_reference_models_membership_score(cut):
    evidence = evidence_of(cohorts=("cifar", "adult"))
    _, data = hardness.draw(
        evidence, level=0.05, cut=cut, threshold=-2.0, thresholds={"adult": -5.0}
    )
    assert set(data["label"]) == {"ldc", "loss", "watson"}
    for row in data.itertuples():
        reference = evidence.scores[row.cohort, "loss"]["scores"]
        reference = reference - evidence.scores[row.cohort, "calibrated"]["scores"]
        easy = reference > (-5.0 if row.cohort == "adult" else -2.0)
        run = evidence.scores[row.audit, row.label]
        group = run["evaluated"] & (easy == (row.group == "easy"))
        assert row.members == (group & run["member"]).sum()
        assert row.nonmembers == (group & ~run["member"]).sum()
        if cut == "own":
            expected = slow_tpr(run["scores"][group], run["member"][group], 0.05)
        else:
            scores, member = pooled(evidence, row.audit, row.label)
            least = min(s for s in scores if (scores[~member] >= s).mean() <= 0.05)
            expected = (run["scores"][group & run["member"]] >= least).mean()
        assert row.tpr == pytest.approx(expected)
        if cut == "own":
            assert row.low < row.tpr < row.high
            continue
        hits = round(row.tpr * row.members)
        exact = stats.binomtest(hits, row.members).proportion_ci(method="exact")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high), abs=1e-6)


def test_hardness_without_hard_examples_and_with_wrong_names():
    evidence = evidence_of()
    _, data = hardness.draw(evidence, threshold=-1e6)
    assert data[data["group"] == "hard"]["tpr"].isna().all()
    assert (data[data["group"] == "hard"]["members"] == 0).all()
    assert data["below_resolution"].tolist() == (data["group"] == "hard").tolist()
    figure, few = hardness.draw(evidence, level=1e-4)
    assert few["below_resolution"].all()
    assert {bar.get_facecolor()[3] for bar in figure.axes[0].patches} == {0.0}
    with pytest.raises(ValueError, match="no target cohort 'mnist'"):
        hardness.draw(evidence, thresholds={"mnist": -5.0})


def test_a_threshold_no_example_reaches_catches_nobody():
    scores = np.array([3.0, 2.0, 1.0])
    assert hardness.threshold_of(scores, np.array([False, True, True]), 0.1) == np.inf
    assert hardness.threshold_of(scores, np.array([True, True, False]), 0.1) == 2.0


# Sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [1, 10])
@pytest.mark.parametrize("examples", [6, 3000])
def test_every_figure_renders_from_any_size(targets, examples, tmp_path):
    evidence = evidence_of(targets, examples, classes=2, seed=3)
    one = only(evidence, "calibrated")
    drawn = [
        score_scatter.draw(evidence), score_histogram.draw(one), scores_by_class.draw(one),
        precision_recall.draw(evidence), hardness.draw(evidence, threshold=-2.0),
        class_scatter.draw(evidence, classes=["airplane"]),
    ]  # fmt: skip
    for number, (figure, data) in enumerate(drawn):
        path = tmp_path / f"{number}.png"
        figure.savefig(path, dpi=60)
        assert path.stat().st_size > 2000
        assert len(data)


def test_panels_stand_beside_and_below_each_other():
    for count, rows in ((1, 1), (3, 1), (7, 3)):
        figure, grid = panels.panels(count, 3)
        assert len(grid) == len(figure.axes) == count
        assert len({round(axes.get_position().y0, 3) for axes in grid}) == rows


# Tables ----------------------------------------------------------------------------------------


def test_summary_by_target_cohort_has_one_heading_for_all_its_audits():
    evidence = evidence_of(cohorts=("cifar", "adult"))
    numbers, shown = summary.tabulate(
        evidence, by="target_cohort", audit_names={"cifar": "CIFAR-10"}, levels=[0.1]
    )
    names = list(NAMES.values())
    assert shown["Attack"].tolist() == ["CIFAR-10", *names, "adult", *names]
    assert numbers["audit"].tolist() == ["cifar"] * 3 + ["cifar_reference"] + ["adult"] * 3 + [
        "adult_reference"
    ]
    _, rates = summary.tabulate(evidence, by="target_cohort", overall=False, levels=[0.01])
    assert rates.columns.tolist() == ["Attack", "TPR @ 1 % FPR", "TPR @ 1 % FPR, transferred"]
    _, overall = summary.tabulate(evidence, by="target_cohort", levels=[])
    accuracies = ["Balanced accuracy", "Balanced accuracy, transferred"]
    assert overall.columns.tolist() == ["Attack", *accuracies, "AUC"]


def test_accuracy_is_the_mean_over_models_with_its_interval():
    evidence = evidence_of(cohorts=("cifar", "adult"))
    train, test = np.array([0.9, 0.95, 0.97]), np.array([0.7, 0.72, 0.68])
    about = {"architecture": "vgg16", "models": 3, "training_examples": 12250}
    scale = {"cifar": about | {"train_accuracy": train, "test_accuracy": test}}
    scale["adult"] = {"architecture": "unknown"}
    shown_as = {"cifar": "CIFAR-10"}
    evidence = Evidence(evidence.names, evidence.metrics, scale=scale)
    numbers, shown = accuracy.tabulate(evidence, cohort_names=shown_as)
    row = numbers.iloc[0]
    for key, each in (("train_accuracy", train), ("test_accuracy", test)):
        found = tuple(row[f"{key}{side}"] for side in ("", "_low", "_high"))
        own = mean(each)
        assert found == (own.value, own.low, own.high)
    _, beyond = stats.t.interval(0.95, 2, train.mean(), stats.sem(train))
    assert row["train_accuracy_high"] <= 1 < beyond
    assert row["test_accuracy"] == pytest.approx(0.7)
    assert shown.iloc[0, :3].tolist() == ["CIFAR-10", "vgg16", "12,250"]
    assert shown["Test accuracy"][0].startswith("70.0 % [")
    assert shown.iloc[1].tolist() == ["adult", "unknown", "–", "–", "–"]
    assert "Architecture" not in accuracy.tabulate(evidence, architectures=False)[1]


def results_with(models):
    """Evidence of attacks that were given some numbers of models: label -> (attack, audit)."""
    base = evidence_of(names={"loss": ""}, targets=5)
    place = base.metrics[0]
    found = [place | {"label": k, "attack": a, "audit": u} for k, (a, u) in models.items()]
    return Evidence({label: label for label in models}, found), place


def test_by_models_sets_attacks_with_as_many_models_side_by_side():
    runs = {"l2": ("lira_online", "a"), "l8": ("lira_online", "a"), "d2": ("ldc", "b")}
    evidence, place = results_with(runs)
    models = {"l2": 2, "l8": 8, "d2": 2}
    numbers, shown = by_models.tabulate(
        evidence, models=models, names={"lira_online": "LiRA", "ldc": "LDC-MIA"}
    )
    assert shown["Auxiliary models"].tolist() == ["2", "8"]
    measures = ("TPR @ 1 % FPR", "TPR @ 1 % FPR, transferred", "AUC")
    headings = [f"{measure}, {name}" for measure in measures for name in ("LiRA", "LDC-MIA")]
    assert shown.columns.tolist() == ["Auxiliary models", *headings]
    assert shown["AUC, LDC-MIA"].tolist()[1] == "–"
    assert shown["AUC, LDC-MIA"][0] == shown["AUC, LiRA"][0]
    each = [target["auc"]["value"] for target in place["targets"]]
    assert numbers["auc"].tolist() == pytest.approx([np.mean(each)] * 3)
    assert numbers["models"].tolist() == [2, 2, 8]
    [rates] = [e for e in place["mean"]["transferred"]["rates"] if e["level"] == 0.01]
    assert numbers["tpr_transferred"].tolist() == [rates["tpr"]["mean"]] * 3
    with pytest.raises(ValueError, match="how many models was 'd2' given"):
        by_models.tabulate(evidence, models={"l2": 2, "l8": 8})
    with pytest.raises(ValueError, match="lira_online was given 2 models twice"):
        by_models.tabulate(evidence, models={"l2": 2, "l8": 2, "d2": 2})


def test_costs_are_those_of_the_models_that_one_target_takes():
    evidence, _ = results_with({"ldc": ("ldc", "a"), "loss": ("loss", "a")})
    stages = {
        "target training": (5, 50.0), "shadow training": (10, 200.0),
        "reference training": (20, 600.0), "queries": (35, 70.0),
    }  # fmt: skip
    rows = [
        {"audit": "a", "label": label, "stage": stage, "models": m, "seconds": s, "max_rss_mb": 9.0}
        for label, scoring in (("ldc", 15.0), ("loss", 5.0))
        for stage, (m, s) in {**stages, "scoring": (0, scoring)}.items()
    ]
    costs = pd.DataFrame(rows)
    evidence = Evidence(evidence.names, evidence.metrics, costs=costs)
    models = {"ldc": {"shadow": 1, "reference": 2}}
    numbers, shown = attack_costs.tabulate(evidence, models=models)
    assert numbers["models"].tolist() == [3, 0]
    assert numbers["training_seconds"].tolist() == [20.0 + 2 * 30.0, 0]
    assert numbers["inference_seconds"].tolist() == [4 * 2.0 + 3.0, 2.0 + 1.0]
    assert shown["Auxiliary models"].tolist() == ["3", "–"]
    assert shown["Training"].tolist() == ["80.0 s", "–"]
    assert shown["Inference"].tolist() == ["11.0 s", "3.0 s"]
    assert shown["TPR @ 1 % FPR, transferred"].str.contains(" at ").all()
    longer = attack_costs.tabulate(evidence, models={"ldc": {"reference": 10}})[1]
    assert longer["Training"][0] == "5.0 min"
    for wrong in ({"target": 1}, {"shadow": "one"}):
        with pytest.raises(ValueError, match="sides are shadow, reference"):
            attack_costs.tabulate(evidence, models={"ldc": wrong})
    fewer = Evidence(
        evidence.names, evidence.metrics, costs=costs[costs["stage"] != "shadow training"]
    )
    with pytest.raises(ValueError, match="no models for 'shadow training'"):
        attack_costs.tabulate(fewer, models=models)
