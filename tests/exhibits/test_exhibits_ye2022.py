"""Exhibits of ye2022: thresholds, pairs of attacks, sweeps, agreement; their numbers and looks."""

import io
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from miatlas.exhibits.alphas import verdicts
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import alpha_scatter, auc_by_count, thresholds
from miatlas.exhibits.tables import agreement, auc_by_cohort
from miatlas.leakage import metrics
from miatlas.options import declared
from miatlas.study.checking import checked

STUDENTS = 5
STYLE = Path(__file__).parents[2] / "config" / "miatlas.mplstyle"


@pytest.fixture(autouse=True)
def _style():
    with matplotlib.style.context(STYLE):
        yield


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={})
    return buffer.getvalue()


def signals_of(models=12, pool=300, held_out=80, test=20, share=0.4, seed=0):
    """Evidence of a cohort of iid draws from the pool; examples differ in hardness."""
    draws = np.random.default_rng(seed)
    n = pool + held_out + test
    member = np.zeros((models, n), bool)
    member[:, :pool] = draws.random((models, pool)) < share
    phi = draws.normal(2, 3, n) + 2 * member + draws.normal(size=(models, n))
    role = np.repeat([0, 1, 2], [pool, held_out, test]).astype(np.uint8)
    facts = {"labels": draws.integers(0, 4, n), "role": role, "class_names": None}
    taught = np.repeat(phi, STUDENTS, axis=0) + draws.normal(size=(models * STUDENTS, n)) - 1
    drawn = np.zeros(taught.shape, bool)
    drawn[:, :pool] = draws.random((models * STUDENTS, pool)) < share
    students = {"phi": taught.astype(np.float32), "member": drawn, **facts}
    own = {"phi": phi.astype(np.float32), "member": member, **facts}
    return Evidence({}, signals=own, beside={"distilled": students})


def loss(phi):
    return np.log1p(np.exp(-np.float64(phi)))


def slow_references(evidence, attack, model, example):
    """The losses an attack compares with, model by model and example by example."""
    if attack == "D":
        students, rows = (
            evidence.beside["distilled"],
            range(model * STUDENTS, (model + 1) * STUDENTS),
        )
        outside = [row for row in rows if not students["member"][row, example]]
        return np.array([loss(students["phi"][row, example]) for row in outside])
    signals, found = evidence.signals, []
    for m, row in enumerate(signals["phi"]):
        for i, phi in enumerate(row):
            role, label = signals["role"][i], signals["labels"][i]
            elsewhere = m != model and not signals["member"][m, i] and role == 0
            if {
                "S": elsewhere and label == signals["labels"][example],
                "P": m == model and role == 1,
                "R": elsewhere and i == example,
            }[attack]:
                found.append(loss(phi))
    return np.array(found)


def test_each_panel_holds_its_attacks_references_and_their_quantile():
    evidence = signals_of()
    _, data = thresholds.draw(evidence, students=STUDENTS, alpha=0.2, bins=12)
    phi = evidence.signals["phi"]
    assert data.groupby(["attack", "model", "example"]).ngroups == 4 * 4
    for (attack, model, example), panel in data.groupby(["attack", "model", "example"]):
        losses = slow_references(evidence, attack, model, example)
        first = panel.iloc[0]
        assert first["losses"] == len(losses)
        assert first["threshold"] == pytest.approx(np.quantile([0, *losses, 1000], 0.2))
        assert first["loss"] == pytest.approx(loss(phi[model, example]))
        assert panel["share"].sum() == pytest.approx(1)
        inside = [((losses >= b.left) & (losses < b.right)).mean() for b in panel.itertuples()]
        assert panel["share"].to_numpy() == pytest.approx(inside)


def test_the_verdict_is_whether_the_loss_is_below_the_threshold():
    figure, data = thresholds.draw(signals_of(seed=3), students=STUDENTS, alpha=0.4)
    shown = [axes.texts[0].get_text() for axes in figure.axes]
    rows = data.drop_duplicates(["attack", "model", "example"])
    assert shown == ["member" if r.loss <= r.threshold else "non-member" for r in rows.itertuples()]
    assert set(shown) == {"member", "non-member"}


def test_thresholds_depend_on_what_the_attacks_name_says():
    _, data = thresholds.draw(signals_of(), students=STUDENTS)
    rows = data.drop_duplicates(["attack", "model", "example"])
    cuts = rows.pivot_table("threshold", ["attack", "model"], "example")
    assert (cuts.loc["P"].std(axis=1) < 1e-12).all()  # one threshold for a model
    assert cuts.loc["P"].iloc[:, 0].std() > 1e-6
    assert (cuts.loc["R"].std(axis=1) > 1e-6).all()
    assert (cuts.loc["R"].std() < cuts.loc["R"].std(axis=1).min()).all()


def test_examples_are_members_of_all_models_of_the_commonest_class_from_easy_to_hard():
    evidence = signals_of(pool=600)
    signals = evidence.signals
    easy, hard = thresholds.choose(signals, [1, 4], [0.0, 1.0])
    both = signals["member"][1] & signals["member"][4]
    label = np.bincount(signals["labels"][both]).argmax()
    candidates = np.flatnonzero(both & (signals["labels"] == label))
    means = [loss(signals["phi"][~signals["member"][:, i], i]).mean() for i in candidates]
    assert (easy, hard) == (candidates[np.argmin(means)], candidates[np.argmax(means)])


def test_thresholds_refuse_what_they_cannot_show():
    with pytest.raises(ValueError, match="12 models"):
        thresholds.draw(signals_of(), students=STUDENTS, models=[0, 12])
    with pytest.raises(ValueError, match="held-out"):
        thresholds.draw(signals_of(held_out=0), students=STUDENTS)
    with pytest.raises(ValueError, match="of 7 models each, 60 are no students"):
        thresholds.draw(signals_of(), students=7)
    with pytest.raises(ValueError, match="no example in common"):
        thresholds.draw(signals_of(share=0.0), students=STUDENTS)


def alphas_of(spec, targets=3, examples=60, seed=0, judged=None):
    """Evidence with the scores of {label: (audit, noise)}: alphas around a shared truth."""
    draws = np.random.default_rng(seed)
    member = draws.random((targets, examples)) < 0.5
    base = draws.random((targets, examples))
    scores = {}
    for label, (audit, noise) in spec.items():
        alpha = np.clip(base + noise * draws.normal(size=base.shape) - 0.2 * member, 0, 1)
        evaluated = np.ones_like(member)
        if judged and label in judged:
            evaluated[:, judged[label] :] = False
        scores[audit, label] = {
            "scores": np.where(evaluated, -alpha, np.nan), "member": member,
            "evaluated": evaluated, "targets": np.arange(targets),
        }  # fmt: skip
    return Evidence({label: f"{label}: attack" for label in spec}, scores=scores)


FOUR = {"S": ("m", 0.02), "P": ("m", 0.05), "R": ("m", 0.2), "D": ("distilled", 0.1)}


def test_verdicts_are_about_what_all_attacks_judged():
    evidence = alphas_of(FOUR, judged={"D": 20})
    runs = evidence.scores["distilled", "D"]
    runs |= {key: runs[key][[0, 2]] for key in runs}
    found = verdicts(evidence)
    assert set(found.target.tolist()) == {0, 2}
    assert found.example.max() == 19
    assert len(found.member) == 40
    for k in range(0, 40, 7):
        t, i = found.target[k], found.example[k]
        assert found.alphas["S"][k] == -evidence.scores["m", "S"]["scores"][t, i]
        row = [0, 2].index(t)
        assert found.alphas["D"][k] == -runs["scores"][row, i]
        assert found.member[k] == evidence.scores["m", "S"]["member"][t, i]


def test_verdicts_refuse_scores_that_do_not_belong_together():
    evidence = alphas_of(FOUR)
    evidence.scores["other", "S"] = evidence.scores["m", "S"]
    with pytest.raises(ValueError, match="S must be of one audit, but it is of: m, other"):
        verdicts(evidence)
    evidence = alphas_of(FOUR)
    evidence.scores["distilled", "D"]["member"] = ~evidence.scores["m", "S"]["member"]
    with pytest.raises(ValueError, match="D attacks other targets than S"):
        verdicts(evidence)
    evidence = alphas_of(FOUR)
    evidence.scores["m", "R"]["scores"] += 3.0
    with pytest.raises(ValueError, match="R: its scores are not -alpha"):
        verdicts(evidence)
    with pytest.raises(ValueError, match="no audit"):
        verdicts(Evidence({"S": "S"}))
    with pytest.raises(ValueError, match="no example was judged"):
        verdicts(alphas_of(FOUR, judged={"D": 0}))


def test_agreement_counts_equal_guesses_of_members_and_of_non_members():
    evidence = alphas_of(FOUR)
    numbers, shown = agreement.tabulate(evidence, level=0.35)
    member = evidence.scores["m", "S"]["member"].ravel()
    guess = {"ground truth": member}
    guess |= {k: -evidence.scores[a, k]["scores"].ravel() <= 0.35 for k, (a, _) in FOUR.items()}
    assert len(numbers) == 2 * 10
    for row in numbers.itertuples():
        kind = member if row.kind == "members" else ~member
        pairs = zip(guess[row.first][kind], guess[row.second][kind], strict=True)
        same = sum(bool(a == b) for a, b in pairs)
        assert (row.same, row.examples) == (same, kind.sum())
        exact = stats.binomtest(same, int(kind.sum())).proportion_ci(method="exact")
        assert (row.low, row.high) == pytest.approx((exact.low, exact.high))
    assert shown.columns.tolist() == ["Agreement", "ground truth", *evidence.names.values()]
    upper = numbers.query("kind == 'members' and first == 'S' and second == 'R'")["rate"].iloc[0]
    lower = numbers.query("kind == 'non-members' and first == 'S' and second == 'R'")["rate"]
    assert shown.iloc[1, 4] == f"{upper:.3f}"
    assert shown.iloc[3, 2] == f"{lower.iloc[0]:.3f}"
    assert [shown.iloc[i, i + 1] for i in range(5)] == ["–"] * 5
    assert (
        f"{member.sum()} members; below: {(~member).sum()} non-members" in shown.attrs["notes"][0]
    )


def test_agreement_with_the_truth_is_the_true_positive_and_the_true_negative_rate():
    numbers, _ = agreement.tabulate(alphas_of(FOUR), level=1.0)
    truth = numbers[numbers["first"] == "ground truth"]
    assert (truth[truth["kind"] == "members"]["rate"] == 1).all()
    assert (truth[truth["kind"] == "non-members"]["rate"] == 0).all()


def test_scatter_draws_the_members_and_shares_count_all_of_them():
    evidence = alphas_of(FOUR)
    figure, data = alpha_scatter.draw(evidence, level=0.4, points=50)
    found = verdicts(evidence)
    assert data.groupby(["first", "second"], sort=False).size().to_dict() == {
        ("S", "P"): 50, ("R", "D"): 50,
    }  # fmt: skip
    row = data[data["first"] == "R"].iloc[3]
    place = (found.target == row["target"]) & (found.example == row["example"])
    assert found.member[place].all()
    assert row["alpha_first"] == found.alphas["R"][place][0]
    assert row["alpha_second"] == found.alphas["D"][place][0]
    r, d = (found.alphas[k][found.member] <= 0.4 for k in "RD")
    shares = row[["both", "first_only", "second_only", "neither"]].astype(float).to_numpy()
    assert shares == pytest.approx(
        [(r & d).mean(), (r & ~d).mean(), (~r & d).mean(), (~r & ~d).mean()]
    )
    assert shares.sum() == pytest.approx(1)
    dots = [line for line in figure.axes[1].lines if line.get_linestyle() == "None"]
    assert len(dots[0].get_xdata()) == 50
    assert f"D only {100 * shares[2]:.0f} %" in figure.axes[1].get_title()


def test_scatter_of_chosen_pairs_of_non_members():
    evidence = alphas_of(FOUR)
    _, data = alpha_scatter.draw(evidence, pairs=[["D", "S"]], of="non-members")
    assert len(data) == (~evidence.scores["m", "S"]["member"]).sum()
    with pytest.raises(ValueError, match="two of the labels S, P, R, D"):
        alpha_scatter.draw(evidence, pairs=[["D", "L"]])
    with pytest.raises(ValueError, match="needs two attacks"):
        alpha_scatter.draw(alphas_of({"S": ("m", 0.1)}))


def result_of(audit, label, gap, seed, targets=4, examples=200, **extra):
    draws = np.random.default_rng(seed)
    member = draws.permuted(np.tile(np.arange(examples) % 2 == 0, (targets, 1)), axis=1)
    scores = draws.normal(size=member.shape) + gap * member
    result = metrics.evaluate(scores, member, np.ones_like(member), np.arange(targets))
    place = {"audit": audit, "label": label, "options": {}, "references": None}
    cohorts = {"target_cohort": audit.split("_")[0], "shadow_cohort": audit, "models": 50}
    raw = [stats.mannwhitneyu(s[m], s[~m]).statistic / (examples / 2) ** 2
           for s, m in zip(scores, member, strict=True)]  # fmt: skip
    return {**result, **place, **cohorts, "attack": label, **extra}, raw


def sweep_of():
    results = [result_of("m", f"r{k}", 0.1 * k, k, references=k)[0] for k in (8, 2, 4)]
    results += [result_of("m_distilled", "d4", 0.3, 1, references=4)[0]]
    results += [result_of("m", f"p{k}", 0.2, k, options={"per_class": k})[0] for k in (10, 30)]
    names = {"r8": "R", "r2": "R", "r4": "R", "d4": "D", "p10": "P", "p30": "P"}
    return Evidence(names, results)


def test_sweep_has_a_line_for_each_name_and_a_panel_for_each_quantity():
    figure, data = auc_by_count.draw(sweep_of())
    places = data[["quantity", "line", "count"]].itertuples(index=False, name=None)
    assert list(places) == [
        ("models", "R", 2), ("models", "R", 4), ("models", "R", 8), ("models", "D", 4),
        ("points", "P", 10), ("points", "P", 30),
    ]  # fmt: skip
    _, each = result_of("m", "r4", 0.4, 4, references=4)
    row = data[data["label"] == "r4"].iloc[0]
    low, high = stats.t.interval(0.95, 3, np.mean(each), stats.sem(each))
    found = (row["value"], row["examples_low"], row["examples_high"])
    assert found == pytest.approx((np.mean(each), low, high))
    titles = [axes.get_xlabel() for axes in figure.axes]
    assert titles == ["reference models", "population points per class"]
    drawn = next(line for line in figure.axes[0].lines if line.get_label() == "R")
    assert drawn.get_ydata().tolist() == data["value"].iloc[:3].tolist()


def test_sweep_refuses_attacks_without_a_number_and_two_at_one_place():
    one = result_of("m", "r", 0.1, 0)[0]
    with pytest.raises(ValueError, match="r: neither references nor per_class"):
        auc_by_count.draw(Evidence({"r": "R"}, [one]))
    two = [result_of("m", label, 0.1, 0, references=4)[0] for label in "ab"]
    with pytest.raises(ValueError, match="a and b are both R at 4"):
        auc_by_count.draw(Evidence({"a": "R", "b": "R"}, two))


def test_table_has_a_row_for_each_target_cohort():
    runs = {
        ("m", "S"): 0.2, ("m", "R"): 0.5, ("m_distilled", "D"): 0.6, ("c", "S"): 0.4,
    }  # fmt: skip
    made = {key: result_of(*key, gap, i) for i, (key, gap) in enumerate(runs.items())}
    train, test = np.array([0.98, 0.99, 1.0]), np.array([0.5, 0.52, 0.48])
    scale = {"m": {"models": 3, "train_accuracy": train, "test_accuracy": test}, "c": {}}
    results = [result for result, _ in made.values()]
    evidence = Evidence({"S": "S", "R": "R", "D": "D"}, results, scale=scale)
    numbers, shown = auc_by_cohort.tabulate(evidence, cohort_names={"m": "MNIST"})
    assert shown["Target models"].tolist() == ["MNIST", "c"]
    assert shown.iloc[0, 1:3].tolist() == ["99.0 ± 1.0 %", "50.0 ± 2.0 %"]
    assert shown.iloc[1, [1, 2, 4, 5]].tolist() == ["–"] * 4
    for row in numbers.itertuples():
        each = made[row.audit, row.label][1]
        low, high = stats.t.interval(0.95, 3, np.mean(each), stats.sem(each))
        found = (row.auc, row.auc_examples_low, row.auc_examples_high)
        assert found == pytest.approx((np.mean(each), low, high))
        interval = evidence.result(row.audit, row.label)["mean"]["auc"]["this_population"]
        assert {"low": row.auc_low, "high": row.auc_high} == interval
        assert row.auc_deviation == pytest.approx(np.std(each, ddof=1))
    assert numbers["train_accuracy"].tolist()[:3] == pytest.approx([0.99] * 3)
    assert np.isnan(numbers["test_accuracy"].iloc[3])
    value = numbers[numbers["label"] == "D"].iloc[0]
    assert shown.iloc[0, 5] == f"{value.auc:.3f} [{value.auc_low:.3f}, {value.auc_high:.3f}]"


def test_one_attack_twice_on_one_cohort_is_refused():
    twice = [result_of(audit, "S", 0.2, 0)[0] for audit in ("m", "m_again")]
    with pytest.raises(ValueError, match="two audits of m"):
        auc_by_cohort.tabulate(Evidence({"S": "S"}, twice))


TINY = {
    "thresholds": lambda: thresholds.draw(
        signals_of(2, 12, 1, 0, share=0.5), students=STUDENTS, models=[0]
    ),
    "scatter": lambda: alpha_scatter.draw(alphas_of({"S": ("m", 0.1), "P": ("m", 0.1)}, 1, 5)),
    "one": lambda: auc_by_count.draw(
        Evidence({"r": "R"}, [result_of("m", "r", 1, 0, targets=1, examples=6, references=2)[0]])
    ),
}


@pytest.mark.parametrize("case", TINY)
def test_tiny_inputs_render_and_two_drawings_are_the_same_bytes(case):
    (first, data), (second, again) = TINY[case](), TINY[case]()
    assert not data.empty
    pd.testing.assert_frame_equal(data, again)
    assert png(first) == png(second)


def test_tiny_tables():
    numbers, shown = agreement.tabulate(alphas_of({"S": ("m", 0.1)}, 1, 5))
    assert len(numbers) == 2
    assert len(shown) == 2
    one = result_of("m", "r", 1, 0, targets=1, examples=6)[0]
    assert len(auc_by_cohort.tabulate(Evidence({"r": "R"}, [one]))[1]) == 1


def test_options_are_declared():
    modules = {"draw": (thresholds, alpha_scatter, auc_by_count)}
    modules["tabulate"] = (agreement, auc_by_cohort)
    for function, listed in modules.items():
        for module in listed:
            options = declared(Path(module.__file__), function)
            given = {"students": 5} if module is thresholds else {}
            assert checked(given, options, "here").keys() == options.keys()
    with pytest.raises(ValueError, match="level"):
        checked({"level": 1.5}, declared(Path(agreement.__file__), "tabulate"), "here")
