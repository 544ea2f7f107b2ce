"""Which attacks name the same members: against one pair after the other, in figure and table."""

import matplotlib.style
import numpy as np
import pytest
from answers import result, simulated

from miatlas.exhibits import named
from miatlas.exhibits.evidence import Evidence
from miatlas.exhibits.figures import overlap as figure
from miatlas.exhibits.overlaps import by_chance, overlaps
from miatlas.exhibits.tables import overlap as table

EFFECTS = {"lira": 3.0, "rmia": 2.5, "loss": 1.0}


def evidence_of(effects=EFFECTS, targets=4, examples=600):
    runs = simulated(effects, targets, examples)
    for seed, run in enumerate(runs.values()):
        noise = np.random.default_rng(seed + 1).normal(scale=0.7, size=run["scores"].shape)
        run["scores"] = run["scores"] + noise
    metrics = [result(label, run) for label, run in runs.items()]
    scores = {("one", label): run for label, run in runs.items()}
    return Evidence({label: label.upper() for label in effects}, metrics, scores=scores)


def slowly(evidence, level):
    """Return label -> {(target, example)} of the members named, one after the other."""
    found = {}
    for (_, label), run in evidence.scores.items():
        found[label] = set()
        for row, target in enumerate(evidence.result("one", label)["targets"]):
            [rate] = [r for r in target["transferred"]["rates"] if r["level"] == level]
            for example in np.flatnonzero(run["member"][row]):
                if run["scores"][row, example] >= rate["threshold"]:
                    found[label].add((row, int(example)))
            of_row = sum(place[0] == row for place in found[label])
            assert of_row == rate["true_positives"]
    return found


@pytest.mark.parametrize("level", [0.01, 0.1])
def test_every_number_is_that_of_sets(level):
    evidence = evidence_of()
    sets, data = slowly(evidence, level), overlaps(evidence, level)
    members = 4 * 300
    value = {(row.kind, row.first, row.second): row.value for row in data.itertuples()}
    for label, own in sets.items():
        others = set.union(*(other for name, other in sets.items() if name != label))
        assert value["named", label, ""] == len(own) / members
        assert value["alone", label, ""] == len(own - others) / members
    for first, second in [("lira", "rmia"), ("lira", "loss"), ("rmia", "loss")]:
        one, other = sets[first], sets[second]
        assert value["jaccard", first, second] == len(one & other) / len(one | other)
    assert value["named", "any", ""] == len(set.union(*sets.values())) / members
    assert value["named", "all", ""] == len(set.intersection(*sets.values())) / members
    counts = [value["count", str(k), ""] for k in range(4)]
    assert sum(counts) == pytest.approx(1.0)
    assert sum(k * share for k, share in enumerate(counts)) == pytest.approx(
        sum(map(len, sets.values())) / members
    )


def test_by_chance_is_what_lots_give():
    generator = np.random.default_rng(0)
    member = np.arange(1000) < np.array([[400], [700]])
    values, expected = [], None
    for _ in range(200):
        pair = []
        for numbers in ((80, 200), (100, 300)):
            full = np.zeros((2, 1000), bool)
            for row, size in enumerate((400, 700)):
                full[row, generator.permutation(size)[: numbers[row]]] = True
            pair.append(full)
        values.append((pair[0] & pair[1]).sum() / (pair[0] | pair[1]).sum())
        expected = by_chance(*pair, member)
    assert np.mean(values) == pytest.approx(expected, abs=0.005)


def test_the_figure_shows_the_numbers():
    evidence = evidence_of()
    with matplotlib.style.context("default"):
        drawn, data = figure.draw(evidence, level=0.1)
    matrix, bars = drawn.axes
    image = np.asarray(matrix.images[0].get_array().filled(np.nan))
    labels = list(EFFECTS)
    for row in data[data["kind"] == "jaccard"].itertuples():
        assert image[labels.index(row.second), labels.index(row.first)] == row.value
    assert np.isnan(image[np.triu_indices(3)]).all()
    named_shares = data[(data["kind"] == "named") & data["first"].isin(labels)]["value"]
    widths = [patch.get_width() for patch in bars.patches[:3]]
    assert widths == pytest.approx(100 * named_shares.to_numpy(float))
    assert [text.get_text() for text in matrix.get_yticklabels()] == ["LIRA", "RMIA", "LOSS"]


def test_the_table_names_the_most_and_the_least_alike():
    evidence = evidence_of()
    data, shown = table.tabulate(evidence, level=0.1)
    pairs = data[data["kind"] == "jaccard"]
    assert shown["Attack"].tolist() == [
        "LIRA", "RMIA", "LOSS", "named by any of them", "named by all of them",
    ]  # fmt: skip
    for row, label in enumerate(EFFECTS):
        own = pairs[(pairs["first"] == label) | (pairs["second"] == label)]
        for column, value in (("Most", own["value"].max()), ("Least", own["value"].min())):
            assert f": {value:.3f} [" in shown[f"{column} alike (Jaccard)"][row]
    assert "1,200 pairs" in shown.attrs["notes"][0]


def test_an_attack_that_names_nobody_is_like_none():
    evidence = evidence_of({"lira": 3.0, "other": 2.0})
    run = evidence.scores["one", "other"]
    run["scores"] = np.where(run["member"], -1.0, 0.0)
    evidence.metrics[1].update(result("other", run))
    data, shown = table.tabulate(evidence, level=0.1)
    assert shown["Members named"][1].startswith("0.00 %")
    assert data[data["kind"] == "jaccard"]["value"].iloc[0] == 0.0
    figure.draw(evidence, level=0.1)


def test_without_transferred_thresholds_it_is_refused():
    evidence = evidence_of(targets=1)
    with pytest.raises(ValueError, match="lira: thresholds are transferred from other targets"):
        overlaps(evidence, 0.1)


def test_a_threshold_that_nothing_reaches_names_nobody():
    run = simulated({"a": 2.0}, targets=2, examples=20)["a"]
    assert not named.members(run, [None, None]).any()
    assert named.members(run, [-100.0, None])[0].sum() == run["member"][0].sum()
