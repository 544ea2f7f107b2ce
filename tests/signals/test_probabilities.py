"""Probabilities become the signals that logits would have given; what are none are refused."""

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from miatlas.signals.probabilities import SMALLEST, outline, read, signals
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


def as_written(text, **how):
    return lambda path: path.write_bytes(text.encode(**how))


WRITTEN = {
    "row numbers": (lambda path: table().to_csv(path), "column 1 has no name"),
    "two of a name": (as_written(table().to_csv(index=False).replace("p1", "p0")), "named 'p0'"),
    "semicolons": (lambda path: table().to_csv(path, sep=";", index=False), "separated by commas"),
    "decimal commas": (lambda path: table().to_csv(path, decimal=",", index=False), "no probabil"),
    "UTF-16": (as_written(table().to_csv(index=False), encoding="utf-16"), "save it as UTF-8"),
    "a ragged row": (as_written(table().to_csv(index=False) + "1,2,3,4,5,6,7,8,9\n"), "readable"),
}


@pytest.mark.parametrize(("written", "said"), WRITTEN.values(), ids=WRITTEN)
def test_tables_that_a_reader_would_guess_about_are_refused_in_a_line(tmp_path, written, said):
    written(tmp_path / "answers.csv")
    with pytest.raises(ValueError, match=rf"\A.*answers.csv: .*{said}.*\Z"):
        read(tmp_path / "answers.csv")


@pytest.mark.parametrize(("change", "said"), TABLES.values(), ids=TABLES)
def test_tables_that_contradict_themselves_are_refused(tmp_path, change, said):
    change(table()).to_csv(tmp_path / "answers.csv", index=False)
    with pytest.raises(ValueError, match=re.escape(said)):
        read(tmp_path / "answers.csv")


# What is told before anything is read -------------------------------------------------------------


def test_the_outline_is_that_of_what_is_read(tmp_path):
    np.savez(tmp_path / "a.npz", **changed())
    np.savez_compressed(tmp_path / "roles.npz", **changed(role=np.zeros(20, np.uint8)))
    table().to_csv(tmp_path / "a.csv", index=False, encoding="utf-8-sig")
    assert outline(tmp_path / "a.npz") == {"models": 3, "held_out": 0}
    assert outline(tmp_path / "roles.npz") == {"models": 3}
    assert outline(tmp_path / "a.csv") == {"held_out": 0}


@pytest.mark.parametrize("wrong", ["one class", "member", "absent"])
def test_arrays_that_do_not_fit_are_refused_by_their_headers(tmp_path, wrong):
    arrays, said = WRONG[wrong]
    np.savez(tmp_path / "answers.npz", **arrays)
    with pytest.raises(ValueError, match=re.escape(said)):
        outline(tmp_path / "answers.npz")


def test_a_column_that_is_missing_is_named_by_the_first_line_alone(tmp_path):
    (tmp_path / "a.csv").write_text("\nmodel,example,label,0,1\nnot,read\n")
    with pytest.raises(ValueError, match=r"a\.csv: has no column 'member'; it has model, example"):
        outline(tmp_path / "a.csv")


@pytest.mark.parametrize("look", [outline, read])
def test_an_array_that_only_its_header_claims_is_refused(tmp_path, look):
    """Before room is made for it: this machine has none for 8 TB."""
    stream = io.BytesIO()
    shape = {"shape": (10, 10**9, 100), "fortran_order": False, "descr": "<f8"}
    np.lib.format.write_array_header_1_0(stream, shape)
    np.savez(tmp_path / "a.npz", labels=LABELS, member=MEMBER)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("probabilities.npy", stream.getvalue() + bytes(100))
    with pytest.raises(ValueError, match=r"a\.npz: probabilities claims 7,450.6 GiB"):
        look(tmp_path / "a.npz")


@pytest.mark.parametrize("look", [outline, read])
def test_a_pickle_among_the_arrays_is_not_opened(tmp_path, look):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    objects = np.array([[Bomb()] * 20] * 3, object)
    np.savez(tmp_path / "a.npz", **changed(member=objects))
    with pytest.raises(ValueError, match=r"a\.npz: member .*objects"):
        look(tmp_path / "a.npz")
