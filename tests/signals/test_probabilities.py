"""Probabilities become the signals that logits would have given; what are none are refused."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from miatlas.signals.probabilities import SMALLEST, read, signals
from miatlas.signals.statistics import logit_scaled_confidence

STREAM = np.random.default_rng(1)
LOGITS = STREAM.normal(size=(3, 20, 4))
LABELS = STREAM.integers(4, size=20)
MEMBER = STREAM.random((3, 20)) < 0.5
P = softmax(LOGITS, axis=-1)


def test_phi_and_logits_are_those_of_the_logits():
    found = signals(P, LABELS)
    expected = logit_scaled_confidence(LOGITS, LABELS)
    assert found["phi"][..., 0] == pytest.approx(expected, abs=1e-5)
    assert found["logits"] == pytest.approx(log_softmax(LOGITS, -1), abs=1e-5)


def test_zero_and_one_are_clipped():
    found = signals(np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([0, 0]))
    edge = np.log((1 - SMALLEST) / SMALLEST)
    assert found["phi"][0, :, 0] == pytest.approx([edge, -edge], rel=1e-6)
    assert np.isfinite(found["logits"]).all()


def table(p=P, labels=LABELS, member=MEMBER):
    rows = [
        {"model": f"m{m}", "example": i, "label": labels[i], "member": int(member[m, i]),
         **{f"p{c}": p[m, i, c] for c in range(p.shape[2])}}
        for m in range(len(p)) for i in range(len(labels))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_tables_and_arrays_say_the_same(tmp_path):
    arrays = {"probabilities": P, "labels": LABELS, "member": MEMBER}
    np.savez(tmp_path / "answers.npz", **arrays, role=np.zeros(20, np.uint8))
    table().sample(frac=1, random_state=1).to_csv(tmp_path / "answers.csv", index=False)
    npz, csv = read(tmp_path / "answers.npz"), read(tmp_path / "answers.csv")
    assert set(npz) == set(csv) == {"member", "labels", "role", "phi", "logits"}
    for name in csv:
        assert npz[name] == pytest.approx(csv[name], abs=1e-6)
    assert np.array_equal(npz["member"], MEMBER)
    assert npz["phi"] == pytest.approx(signals(P, LABELS)["phi"])


def changed(**more):
    return {"probabilities": P, "labels": LABELS, "member": MEMBER} | more


UNSCALED, NEGATIVE = P.copy(), P.copy()
UNSCALED[2, 5] *= 1.1
NEGATIVE[1, 7, :2] += [-2, 2]
WRONG = {
    "sums": (changed(probabilities=UNSCALED), "model 2 about example 5 are no probabilities"),
    "logits": (changed(probabilities=NEGATIVE), "model 1 about example 7 are no probabilities"),
    "one class": (changed(probabilities=P[..., :1]), "at least two classes"),
    "labels": (changed(labels=LABELS + 1), "labels are to be 0 to 3"),
    "floats": (changed(labels=LABELS / 2), "labels are to be 0 to 3"),
    "member": (changed(member=MEMBER[:, :5]), "do not fit"),
    "member of 2": (changed(member=MEMBER * 2), "member is to be 0 or 1"),
    "absent": ({"labels": LABELS, "member": MEMBER}, "has no 'probabilities'"),
}


@pytest.mark.parametrize(("arrays", "said"), WRONG.values(), ids=WRONG)
def test_arrays_that_contradict_themselves_are_refused(tmp_path, arrays, said):
    np.savez(tmp_path / "answers.npz", **arrays)
    with pytest.raises(ValueError, match=re.escape(said)) as refused:
        read(tmp_path / "answers.npz")
    assert str(refused.value).startswith(str(tmp_path))


TABLES = {
    "a row is missing": (lambda t: t.iloc[1:], "59 rows are not one for each of 3 models"),
    "a row is there twice": (lambda t: t.iloc[[0, *range(59)]], "are not one for each"),
    "no label": (lambda t: t.drop(columns="label"), "has no column 'label'"),
    "labels differ": (lambda t: t.assign(label=range(60)), "different labels"),
    "words": (lambda t: t.assign(p9="x"), "holds no probabilities"),
}


@pytest.mark.parametrize(("change", "said"), TABLES.values(), ids=TABLES)
def test_tables_that_contradict_themselves_are_refused(tmp_path, change, said):
    change(table()).to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(ValueError, match=re.escape(said)):
        read(tmp_path / "answers.csv")
