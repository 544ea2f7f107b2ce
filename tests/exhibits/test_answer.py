"""The page that answers: its numbers, its words, its verdict, and that nothing leaves it."""

import json
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import check_tolerance
import name_pages
import numpy as np
import pandas as pd
import pytest
import write_answer
import yaml
from answers import alone, filed, result, simulated

from miatlas.exhibits.answer import charts, vega, words
from miatlas.exhibits.answer.answer import exposed, of_audit
from miatlas.exhibits.answer.findings import Rate, finding, level_for, strongest
from miatlas.exhibits.answer.tolerance import BEYOND, UNDECIDED, WITHIN, judge
from miatlas.leakage.intervals import clopper_pearson
from miatlas.leakage.thresholds import precision_limits

TEMPLATE = Path(__file__).parents[2] / "config" / "answer.html"
HOSTILE = "</script><b>&\"' $x$ {{ 1 }}"


def found(effect=1.0, level=0.01, shown="an attack", **keys):
    arrays = simulated({"a": effect}, **{"examples": 800, **keys})["a"]
    return finding(result("a", arrays), shown, level), arrays


# Numbers --------------------------------------------------------------------------------------


def test_rates_are_those_at_thresholds_of_the_other_targets():
    got, arrays = found()
    tpr, fpr = [], []
    for t in range(4):
        others = np.arange(4) != t
        pool = np.sort(arrays["scores"][others][~arrays["member"][others]])[::-1]
        at = pool[int(0.01 * len(pool))]  # so many lie above it
        own, member = arrays["scores"][t], arrays["member"][t]
        tpr.append((own[member] > at).mean())
        fpr.append((own[~member] > at).mean())
    assert got.transferred
    assert got.tpr.value == pytest.approx(np.mean(tpr))
    assert got.fpr.value == pytest.approx(np.mean(fpr))
    worth = np.mean(tpr) / (np.mean(tpr) + np.mean(fpr))
    assert got.precision["0.5"].value == pytest.approx(worth)
    assert got.precision["0.5"].low < worth < got.precision["0.5"].high
    assert got.tpr.low <= got.tpr.value <= got.tpr.high


def test_a_single_target_has_hindsight_only_and_says_so():
    got, arrays = found(targets=1)
    scores, member = arrays["scores"][0], arrays["member"][0]
    allowed = int(0.01 * (~member).sum())
    at = np.sort(scores[~member])[::-1][allowed]
    assert not got.transferred
    assert got.tpr.value == pytest.approx((scores[member] > at).mean())
    assert "hindsight" in words.how(got)
    assert "hindsight" not in words.how(found()[0])


def test_a_single_target_is_found_at_the_thresholds_of_what_stands_in_for_it():
    one, others = alone(simulated({"a": 1.0}, targets=5, examples=800)["a"])
    measured = result("a", one, others)
    got = finding(measured, "an attack", 0.01)
    pool = np.sort(others["scores"][~others["member"]])[::-1]
    at, (own,), (member,) = pool[int(0.01 * len(pool))], one["scores"], one["member"]
    hits, alarms = (own[member] > at).sum(), (own[~member] > at).sum()
    assert got.transferred
    assert got.tpr == Rate(hits / 400, *clopper_pearson(int(hits), 400))
    assert got.fpr == Rate(alarms / 400, *clopper_pearson(int(alarms), 400))
    limits = precision_limits(hits / 400, clopper_pearson(int(hits), 400), alarms / 400,
                              clopper_pearson(int(alarms), 400))  # fmt: skip
    assert got.precision["0.5"] == Rate(pytest.approx(hits / (hits + alarms)), *limits["0.5"])
    assert "hindsight" not in words.how(got)
    assert level_for(measured) == 0.01  # 1,600 non-members of four; its own 400 allow 4
    assert level_for(result("a", one)) == 0.1


def test_the_verdict_on_a_single_target_counts_the_stand_ins():
    one, others = alone(simulated({"a": 1.0}, targets=5, examples=800)["a"])
    for given, word in ((others, BEYOND), (None, UNDECIDED)):
        found = of_audit("one", [result("a", one, given)], {"a": "A"}, asked(0.001))
        assert found["verdict"]["word"] == word


def test_what_is_in_hindsight_never_leads_what_is_transferred(tmp_path):
    runs = simulated({"a": 0.5, "b": 2.0}, targets=5)
    split = {label: alone(arrays) for label, arrays in runs.items()}
    results = [result("b", split["b"][0]), result("a", *split["a"])]
    got = of_audit("one", results, {"a": "A", "b": "B"}, None)
    assert got["strongest"] == "a"
    assert [row["attack"] for row in got["attacks"]] == ["A", "B (in hindsight)"]
    assert got["level"] == 0.01
    ones, others = {k: one for k, (one, _) in split.items()}, {"a": split["a"][1]}
    page, data = tmp_path / "answer.html", tmp_path / "answer.json"
    given = settings(show_records=True)
    files = filed(tmp_path, ones, others=others)
    write_answer.main(
        page=page, data=data, template=TEMPLATE, settings=given, **beside(data), **files
    )
    [written] = json.loads(data.read_text())["audits"]
    assert written["records"]
    assert all(row["of"] == 1 for row in written["records"])  # of the one attack with a threshold
    assert "on other models" in page.read_text()


@pytest.mark.parametrize(("targets", "examples", "level"), [
    (4, 600, 0.1), (4, 1000, 0.01), (11, 2000, 0.001), (1, 200, 0.1), (1, 2000, 0.01), (1, 20, 0.1),
])  # fmt: skip
def test_the_level_lets_ten_false_accusations_pass(targets, examples, level):
    got = result("a", simulated({"a": 0.0}, targets, examples)["a"])
    own = got["targets"][0]["nonmembers"]
    others = own * (targets - 1) if targets > 1 else own
    assert level_for(got) == level or own != examples // 2
    assert level_for(got) * others >= 10 or level_for(got) == 0.1


def test_a_threshold_that_does_not_transfer_is_no_strength():
    ordinary, _ = found()
    loose = replace(ordinary, label="loose", tpr=Rate(0.5, 0.1, 0.9), fpr=Rate(0.49, 0.0, 0.9))
    assert strongest([loose, ordinary]) is ordinary


def test_the_most_exposed_are_named_by_most_attacks():
    runs = simulated({"a": 2.0, "b": 1.0}, targets=3, examples=90)
    thresholds = {"a": [1.0, 1.5, None], "b": [0.5, 0.5, 0.5]}
    labels = np.arange(90) % 5
    table = exposed(runs, thresholds, labels)
    for row in table.itertuples():
        named = of = 0
        for label, run in runs.items():
            for t, at in enumerate(thresholds[label]):
                if run["member"][t, row.example]:
                    of += 1
                    named += at is not None and run["scores"][t, row.example] >= at
        assert (row.named, row.of) == (named, of)
        by = [
            any(
                at is not None
                and run["member"][t, row.example]
                and run["scores"][t, row.example] >= at
                for t, at in enumerate(thresholds[label])
            )
            for label, run in runs.items()
        ]
        assert row.attacks == sum(by)
        assert labels[row.example] == table.loc[row.Index, "class"]
    shares = (table["named"] / table["of"]).to_numpy()
    assert (np.diff(shares) <= 1e-12).all()
    assert (table["named"] > 0).all()
    assert len(table) < 90


# Words ----------------------------------------------------------------------------------------


def test_the_sentence_counts_in_thousand():
    got = replace(found()[0], tpr=Rate(0.0312, 0.024, 0.0401), level=0.001, fpr=Rate(0.001))
    assert words.sentence(got) == (
        "Of 1,000 members, 31 [24, 40] can be named with 1 false accusation in 1,000 non-members."
    )
    assert "31 times" in words.against_guessing(got)
    rare = words.against_guessing(replace(got, tpr=Rate(0.76, 0.7, 0.8), fpr=Rate(0.002)))
    assert "That is 380 times as many as" in rare
    noise = replace(got, tpr=Rate(0.001, 0.0002, 0.003))
    assert "this may be no more" in words.against_guessing(noise)
    assert "no interval" in words.against_guessing(replace(got, tpr=Rate(0.5)))


def test_an_accusation_s_worth_is_said_with_what_was_seen_of_false_ones():
    """Never 100 of 100, however few were accused: what the FPR's upper limit leaves."""
    got = found()[0]
    worth = {"0.01": Rate(0.236, 0.1149, 0.451), "0.1": Rate(1.0, 0.5899, 1.0), "0.5": None}
    assert words.priors(replace(got, precision=worth)) == [
        ("1 %", "24 of 100 [11, 46]"), ("10 %", "at least 58 of 100"),
        ("50 %", "nobody is accused"),
    ]  # fmt: skip
    alone = {prior: Rate(share) for prior, share in zip(worth, (0.236, 1.0, 0.5), strict=True)}
    said = words.priors(replace(got, precision=alone))
    assert said[:2] == [("1 %", "24 of 100"), ("10 %", "cannot be told")]
    hindsight = words.priors(replace(got, precision=alone, transferred=False))
    assert hindsight[1] == ("10 %", "at most 100 of 100")


def test_without_a_false_accusation_the_worth_begins_where_the_upper_limit_puts_it():
    one, others = alone(simulated({"a": 4.0}, targets=5, examples=200)["a"])
    one["scores"][~one["member"]] = -9.0
    got = finding(result("a", one, others), "an attack", 0.1)
    assert got.false_positives == 0
    for prior, share in {"0.01": 0.01, "0.1": 0.1, "0.5": 0.5}.items():
        at_most = clopper_pearson(0, 100)[1]
        least = share * got.tpr.low / (share * got.tpr.low + (1 - share) * at_most)
        assert least < got.precision[prior].low < 1.0  # both at their ends would be too cautious
        assert words.priors(got)[list(got.precision).index(prior)][1].startswith("at least")


@pytest.mark.parametrize(("fpr", "counts", "how"), [
    ((0.00012, 0.000025, 0.00036), "0.12 [0.025, 0.36] false accusations",
     "meant for 1 in 1,000, it lets fewer pass here"),
    ((0.0, 0.0, 0.0001), "0 [0, 0.1] false accusations", "it lets fewer pass here"),
    ((0.092, 0.05, 0.12), "92 [50, 120] false accusations", "it lets more pass here"),
    ((0.0011, 0.0009, 0.0013), "1 false accusation", "were 1.1 [0.9, 1.3] in 1,000"),
])  # fmt: skip
def test_the_sentence_counts_the_false_accusations_that_are_made(fpr, counts, how):
    """Not those that were meant, where the threshold does not carry over."""
    got = replace(found()[0], tpr=Rate(0.0009, 0.0006, 0.0014), level=0.001, fpr=Rate(*fpr))
    assert words.sentence(got) == (
        f"Of 1,000 members, 0.9 [0.6, 1.4] can be named with {counts} in 1,000 non-members."
    )
    assert how in words.how(got)


@pytest.mark.parametrize(("low", "said"), [(0.0124, False), (0.0126, True), (None, False)])
def test_thresholds_that_accuse_far_more_than_they_are_meant_to_are_named(low, said):
    """Beyond the interval of their FPR; what is as meant, or in hindsight, is not."""
    good = replace(found()[0], shown="good", fpr=Rate(0.01, 0.008, 0.012))
    other = replace(good, shown="other", fpr=Rate(0.2, low, 0.3))
    told = words.note([good, other])
    assert (
        "do not carry over, and accuse more than they are meant to, beyond chance: other." in told
    ) == said
    assert "FPR of 1 % on other models" in told
    assert "carry over" not in words.note([replace(other, transferred=False, fpr=Rate(0.2))])


# The verdict ----------------------------------------------------------------------------------


def asked(tpr, level=0.01, confidence=0.95):
    return {"level": level, "tpr": tpr, "confidence": confidence}


def test_the_interval_decides():
    got = replace(found()[0], tpr=Rate(0.05, 0.03, 0.07))
    assert judge(got, asked(0.02), 1000).word == BEYOND
    assert judge(got, asked(0.07), 1000).word == WITHIN
    assert judge(got, asked(0.06), 1000).word == UNDECIDED
    assert "4 times as many" in judge(got, asked(0.06), 1000).reason  # half the reach, to be halved
    assert "400 times as many" in judge(got, asked(0.051), 1000).reason


@pytest.mark.parametrize(("tpr", "fpr", "word"), [
    ((0.05, 0.03, 0.07), (0.002, 0.001, 0.004), UNDECIDED),  # at the level it may be far more
    ((0.05, 0.03, 0.07), (0.002, 0.001, 0.012), WITHIN),
    ((0.05, 0.03, 0.07), (0.09, 0.05, 0.12), WITHIN),  # at the level it would be less still
    ((0.25, 0.2, 0.3), (0.09, 0.05, 0.12), UNDECIDED),
    ((0.25, 0.2, 0.3), (0.002, 0.001, 0.004), BEYOND),  # and would be more still
    ((0.25, 0.2, 0.3), (0.02,), BEYOND),
])  # fmt: skip
def test_a_threshold_that_misses_its_level_decides_on_its_own_side_only(tpr, fpr, word):
    got = replace(found()[0], level=0.01, tpr=Rate(*tpr), fpr=Rate(*fpr))
    verdict = judge(got, asked(0.1), 1000)
    assert verdict.word == word
    assert ("of the non-members pass here" in verdict.reason) == (word == UNDECIDED)


def test_too_few_non_members_cannot_tell():
    got = replace(found()[0], tpr=Rate(0.05, 0.03, 0.07))
    verdict = judge(got, asked(0.9, level=0.001), 9999)
    assert verdict.word == UNDECIDED
    assert "9,999 non-members" in verdict.reason
    assert "10,000 would do" in verdict.reason
    assert judge(got, asked(0.9, level=0.001), 10_000).word == WITHIN
    without = replace(got, tpr=Rate(0.05))
    assert judge(without, asked(0.9, level=0.001), 10_000).word == UNDECIDED


def test_more_confidence_is_never_surer():
    got = found()[0]
    for tpr in np.linspace(0.0, 1.0, 41):
        sure, surer = (judge(got, asked(tpr, confidence=c), 1000).word for c in (0.95, 0.9999))
        assert surer in (sure, UNDECIDED)


# The page -------------------------------------------------------------------------------------


def beside(data):
    """The other files that the script writes."""
    return {"thresholds_file": data.with_name("thresholds.json"),
            "records_file": data.with_name("records.csv")}  # fmt: skip


def settings(**keys):
    return {
        "study": "mine", "seed": 3, "tolerance": None, "show_records": False, "order": ["one"],
        "audits": {"one": {"about": "models", "attacks": {"a": "Attack A", "b": HOSTILE}}}, **keys,
    }  # fmt: skip


def write(folder, targets=4, **keys):
    files = filed(folder, simulated({"a": 1.0, "b": 0.5}, targets))
    page, data = folder / "answer.html", folder / "answer.json"
    given, others = settings(**keys), beside(data)
    if not given["show_records"]:
        del others["records_file"]
    write_answer.main(page=page, data=data, template=TEMPLATE, settings=given, **others, **files)
    return page.read_text(encoding="utf-8"), json.loads(data.read_text(encoding="utf-8"))


def test_the_page_fetches_nothing_and_shows_texts_as_written(tmp_path):
    page, data = write(tmp_path)
    outside = page[: page.index("<script>")]
    assert not re.search(r"(src|href)\s*=|@import|url\(", outside)
    assert page.count("<script>") == page.count("</script>") == 2
    assert "&lt;/script&gt;&lt;b&gt;&amp;" in page
    assert HOSTILE in [row["attack"] for row in data["audits"][0]["attacks"]]
    assert data["audits"][0]["sentence"] in page


def test_the_page_says_how_to_have_a_verdict_where_it_has_none(tmp_path):
    for tolerance in (None, {"level": 0.1, "tpr": 0.2, "confidence": 0.95}):
        page, data = write(tmp_path / str(bool(tolerance)), tolerance=tolerance)
        assert ("Is that too much?" in page) == (tolerance is None)
        assert (data["audits"][0]["verdict"] is None) == (tolerance is None)


def test_a_page_without_attacks_is_written_with_its_records(tmp_path):
    page, data = tmp_path / "answer.html", tmp_path / "answer.json"
    given = settings(show_records=True, order=[], audits={})
    files = {"metrics": [], "curves": [], "scores": [], "signals": {}}
    write_answer.main(
        page=page, data=data, template=TEMPLATE, settings=given, **beside(data), **files
    )
    assert json.loads(data.read_text())["audits"] == []
    assert "<h1>Study mine</h1>" in page.read_text()
    assert (tmp_path / "records.csv").exists()


def test_audits_are_shown_in_the_studys_order(tmp_path):
    files = filed(tmp_path, simulated({"a": 1.0, "b": 0.5}))
    folder = tmp_path / "audits"
    shutil.copytree(folder / "one", folder / "ahead")  # by its name, but not in the study
    for kind in ("metrics", "curves", "scores"):
        files[kind] += [path.replace("/one/", "/ahead/") for path in files[kind]]
    files["signals"]["ahead"] = files["signals"]["one"]
    given = settings(order=["one", "ahead"])
    given["audits"] = {name: given["audits"]["one"] for name in ("ahead", "one")}
    page, data = tmp_path / "answer.html", tmp_path / "answer.json"
    others = {"thresholds_file": tmp_path / "thresholds.json"}
    write_answer.main(page=page, data=data, template=TEMPLATE, settings=given, **others, **files)
    assert re.findall(r"<h2 .*>Audit (\w+)<", page.read_text()) == ["one", "ahead"]


def test_one_target_is_no_all_targets(tmp_path):
    for targets in (1, 4):
        page, _ = write(tmp_path / str(targets), targets)
        assert ("all targets under one threshold" in page) == (targets > 1)


def test_accuracy_is_that_of_the_targets_on_members_and_others(tmp_path):
    page, _ = write(tmp_path)
    member = simulated({"a": 1.0})["a"]["member"]
    right = np.broadcast_to(np.arange(600) % 2 == 0, member.shape)[~member].mean()
    said = f"right about 100.0 % of their members and about {100 * right:.1f} % of the non-members"
    assert said in page


def test_records_are_shown_only_if_they_may(tmp_path):
    for shows in (False, True):
        page, data = write(tmp_path / str(shows), show_records=shows)
        assert ("most exposed" in page) == shows
        assert bool(data["audits"][0]["records"]) == shows
        assert (tmp_path / str(shows) / "records.csv").exists() == shows


def test_the_thresholds_that_are_saved_do_what_is_said_of_them(tmp_path):
    write(tmp_path)
    runs = simulated({"a": 1.0, "b": 0.5})
    saved = json.loads((tmp_path / "thresholds.json").read_text())
    assert len(saved) == 2 * 4
    for entry in saved:
        run, t = runs[entry["attack"]], entry["target"]
        assert entry["from"] == {"models": "other targets", "count": 3, "nonmembers": 900}
        assert [row["level"] for row in entry["thresholds"]][-1] == 0.1
        for row in entry["thresholds"]:
            called, member = run["scores"][t] >= row["threshold"], run["member"][t]
            assert row["true_positives"] == (called & member).sum()
            assert row["false_positives"] == (called & ~member).sum()
            assert row["tpr"] == pytest.approx(called[member].mean())
            assert row["realised_fpr"] == pytest.approx(called[~member].mean())


def test_the_records_are_ranked_with_their_scores(tmp_path):
    _, data = write(tmp_path, show_records=True)
    table = pd.read_csv(tmp_path / "records.csv")
    assert list(table) == [
        "audit",
        "example",
        "class",
        "named",
        "of",
        "attacks",
        "score_a",
        "score_b",
    ]
    most = table[["example", "class", "named", "of", "attacks"]].head(25).to_dict("records")
    assert most == data["audits"][0]["records"]
    run = simulated({"a": 1.0, "b": 0.5})["a"]
    for row in table.head(50).itertuples():
        own = run["member"][:, row.example]
        assert row.score_a == pytest.approx(run["scores"][own, row.example].mean())


def test_a_single_target_is_answered_too(tmp_path):
    page, data = write(tmp_path, targets=1, show_records=True)
    assert "best threshold in hindsight" in page
    assert data["audits"][0]["records"] == []
    assert "thresholds are transferred from other targets: at least two" in page
    [entry, _] = json.loads((tmp_path / "thresholds.json").read_text())
    assert entry["thresholds"] == []
    assert "at least two" in entry["not_transferred"]
    assert len(pd.read_csv(tmp_path / "records.csv")) == 0


def test_thinned_curves_keep_their_ends_and_lie_on_the_curve():
    fpr = np.linspace(0, 1, 5001)
    curve = pd.DataFrame({"fpr": fpr, "tpr": np.sqrt(fpr)})
    thin = charts.thinned(curve, 1e-3)
    assert len(thin) <= charts.POINTS
    assert thin["fpr"].min() == pytest.approx(1e-3, rel=0.3)
    assert thin["fpr"].max() == 1.0
    assert np.allclose(thin["tpr"], np.sqrt(thin["fpr"]))


def test_an_audit_without_results_is_refused():
    with pytest.raises(ValueError, match="audit x has no results"):
        of_audit("x", [], {}, None)


@pytest.mark.parametrize(
    ("tpr", "status", "word"), [(0.0001, 1, "beyond"), (0.9, 0, "within"), (None, 3, "")]
)
def test_the_check_tells_a_pipeline(tmp_path, monkeypatch, capsys, tpr, status, word):
    monkeypatch.chdir(tmp_path)
    tolerance = None if tpr is None else asked(tpr, level=0.1)
    _, data = write(tmp_path / "made", tolerance=tolerance)
    folder = tmp_path / "elsewhere/exhibits/mine"
    folder.mkdir(parents=True)
    (folder / "answer.json").write_text(json.dumps(data))
    study, on_top = tmp_path / "study.yaml", tmp_path / "top.yaml"
    study.write_text(yaml.safe_dump({"study": "mine"}))
    on_top.write_text(yaml.safe_dump({"pathvars": {"results": "elsewhere"}}))
    assert check_tolerance.main(str(study), str(on_top)) == status
    assert word in capsys.readouterr().out
    assert check_tolerance.main(str(study)) == 3  # nothing was made there


@pytest.mark.parametrize("made", [True, False])
def test_the_page_that_answers_is_named_first(tmp_path, monkeypatch, capsys, made):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text("study: mine\npathvars: {results: elsewhere}\n")
    (tmp_path / "top.yaml").write_text("study: other\n")
    folder = tmp_path / "elsewhere/exhibits/other"
    folder.mkdir(parents=True)
    if made:
        (folder / "answer.html").touch()
    name_pages.main("report.html", "study.yaml", "top.yaml")
    told = [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()]
    pages = [folder / "answer.html"] * made + [tmp_path / "report.html"]
    assert told == [f"Open in a browser: {page}" for page in pages]


@pytest.mark.parametrize("gib", [2, 64])
def test_few_addresses_are_told_in_a_line_before_the_engine_aborts(gib):
    """A cluster may limit them (ulimit -v), whatever memory a job has."""
    code = (
        "import sys; sys.path.insert(0, 'scripts')\n"
        "from miatlas.exhibits.answer import vega; vega.made('')"
    )
    command = f'ulimit -v {gib * 2**20}; exec "$0" -c "$1"'
    run = subprocess.run(
        ["bash", "-c", command, sys.executable, code],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    last = run.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"ValueError: the page needs 66 GiB of addresses .* is {gib} GiB: .*", last
    )


@pytest.mark.parametrize("limit", [resource.RLIM_INFINITY, 2**40])
def test_enough_addresses_are_enough(limit, monkeypatch):
    monkeypatch.setattr(vega.resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(vega.vl_convert, "javascript_bundle", lambda **_: "code")
    assert vega.made("") == "code"


def test_the_code_of_charts_is_made_once_and_anew_where_its_file_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = []
    make = lambda vl_version: asked.append(vl_version) or f"code\nof {vl_version}"  # noqa: E731
    monkeypatch.setattr(vega.vl_convert, "javascript_bundle", make)
    assert [vega.bundle(v) for v in ("6", "6", "7")] == ["code\nof 6", "code\nof 6", "code\nof 7"]
    assert asked == ["6", "7"]
    file = next((tmp_path / "miatlas").glob("vega-lite-6-*.js"))
    for damage in (file.read_text()[:-1], "", "code\nof 6"):
        file.write_text(damage)
        assert vega.bundle("6") == "code\nof 6"
    assert len(asked) == 5


def test_a_page_is_made_where_no_cache_can_be(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(vega.vl_convert, "javascript_bundle", lambda **_: "code")
    assert vega.bundle("6") == "code"
