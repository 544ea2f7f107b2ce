"""Estimators of other programs are read only if nothing in their file can run or grow."""

import io
import os
import re
import resource
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from miatlas.training.estimator_files import read
from miatlas.training.estimators import build, fitted

X, Y = make_classification(160, 6, n_informative=4, n_classes=3, random_state=1)


def refusal(path):
    with pytest.raises(ValueError, match=re.escape(str(path))) as refused:
        read(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_one_estimator_and_a_pipeline_of_others_are_read(tmp_path):
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    skops.io.dump(model, tmp_path / "one.skops")
    (found,) = read(tmp_path / "one.skops")
    assert np.array_equal(found.predict_proba(X), model.predict_proba(X))


class Command:
    """Made anew, it runs a command of the shell."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_what_could_run_is_not_read(tmp_path):
    mark = tmp_path / "ran"
    model = LogisticRegression().fit(X, Y)
    model.more = Command(f"touch {mark}")
    skops.io.dump(model, tmp_path / "bad.skops")
    assert "which is not read" in refusal(tmp_path / "bad.skops")
    assert not mark.exists()


def test_a_file_that_grows_or_is_none_is_not_read(tmp_path):
    model = LogisticRegression().fit(X, Y)
    model.more = np.zeros(10**7)
    skops.io.dump(model, tmp_path / "bomb.skops", compression=zipfile.ZIP_DEFLATED)
    assert "compressed or claims more" in refusal(tmp_path / "bomb.skops")
    skops.io.dump({"a": 1}, tmp_path / "dictionary.skops")
    assert "holds a dict, which gives no probabilities" in refusal(tmp_path / "dictionary.skops")
    (tmp_path / "text.skops").write_text("no archive")
    assert "damaged archive" in refusal(tmp_path / "text.skops")
    assert "no such file" in refusal(tmp_path / "absent.skops")


def forged(source, target, change):
    """Write a skops file anew, with other arrays in it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name.endswith(".npy") else content)
    return target


def enormous(content):
    """Make an array of NumPy's claim 10^12 rows."""
    claimed = re.sub(rb"'shape': \(\d+,", b"'shape': (1000000000000,", content[:128])
    padding = len(claimed) - 128
    return claimed.replace(b" " * padding + b"\n", b"\n", 1) + content[128:]


def test_an_array_of_10_12_takes_no_memory(tmp_path):
    skops.io.dump(LogisticRegression().fit(X, Y), tmp_path / "small.skops")
    forged(tmp_path / "small.skops", tmp_path / "same.skops", lambda content: content)
    assert len(read(tmp_path / "same.skops")) == 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = forged(tmp_path / "small.skops", tmp_path / "big.skops", enormous)
    assert "Unable to allocate" in refusal(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


@pytest.mark.parametrize("name", ["RandomForestClassifier", "HistGradientBoostingClassifier"])
@pytest.mark.parametrize("child", [0, 10**6])
def test_trees_that_lead_out_of_themselves_are_not_read(tmp_path, name, child):
    """They would be followed to wherever they lead, or for ever."""
    (model,) = fitted(build(name, {}, []), X, Y, [np.arange(100)], [1], jobs=1)
    skops.io.dump(model, tmp_path / "good.skops")
    assert len(read(tmp_path / "good.skops")) == 1

    def change(content):
        array = np.load(io.BytesIO(content))
        for side in {"left", "left_child"} & set(array.dtype.names or ()):
            array[side][0] = child
            out = io.BytesIO()
            np.save(out, array)
            return out.getvalue()
        return content

    assert "a tree whose nodes lead out of it" in refusal(
        forged(tmp_path / "good.skops", tmp_path / "bad.skops", change)
    )
