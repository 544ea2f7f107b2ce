"""Examples of role test are asked the untouched query only; its answer stands for the others."""

import numpy as np
import pytest
import query_models
import torch

from miatlas.designs.roles import HELD_OUT, POOL, TEST
from miatlas.running.store import read_h5, write_h5
from miatlas.signals import queries as signals
from miatlas.signals.answers import Signals, check_signals
from miatlas.signals.consistency import check

NINE = {"count": 9, "mirror": False, "shift": 1, "logits": "all", "temperature": 2.0}
CLASSES = 3


class Counted:
    """K models that answer each image by itself, exactly, and count the images they are asked."""

    def __init__(self, models=2, at_once=8):
        self.models, self.at_once, self.batches = models, at_once, []
        weights = np.random.default_rng(0).integers(-9, 9, (models, CLASSES, 16))
        self.weights = torch.from_numpy(weights).float()  # of whole numbers: sums have one result

    def answer(self, x):
        self.batches.append(len(x))
        return torch.einsum("kcd,nd->knc", self.weights, x.flatten(1)) / 16

    def slices(self, n, x):
        return [slice(start, start + self.at_once) for start in range(0, n, self.at_once)]

    def compiled(self, x, n, queries):
        return self

    def apart(self, device):
        return False

    def part(self, models):
        return self


def examples(n=40):
    x = np.random.default_rng(1).integers(0, 9, (n, 1, 4, 4)).astype(np.float32)
    return torch.from_numpy(x), np.arange(n) % CLASSES


def asked(group, once, queries=NINE, progress=lambda _: None):
    x, labels = examples(len(once))
    parts = signals.extract(group, x, labels, queries, True, progress, once)
    parts = [arrays() for _, arrays in parts]
    return {name: np.concatenate([part[name] for part in parts], 1) for name in parts[0]}


SCATTERED = np.random.default_rng(2).random(40) < 0.4
AT_THE_END = np.arange(40) >= 21
MASKS = {"none": np.zeros(40, bool), "scattered": SCATTERED, "at the end": AT_THE_END,
         "all": np.ones(40, bool)}  # fmt: skip


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("logits", ["all", "first"])
def test_the_untouched_answer_stands_for_all_of_them(name, logits):
    once, queries = MASKS[name], NINE | {"logits": logits}
    every, found = (asked(Counted(), mask, queries) for mask in (MASKS["none"], once))
    assert found["phi"].shape == (2, 40, 9)
    assert found["logits"].shape == ((2, 40, 9, 3) if logits == "all" else (2, 40, 3))
    for array, whole in zip(found.values(), every.values(), strict=True):
        assert array.dtype == np.float32
        expected = whole.copy()
        if expected.ndim == 4 or expected.shape[2] == 9:
            expected[:, once] = whole[:, once, :1]
        np.testing.assert_array_equal(array, expected)
    assert (np.ptp(every["phi"], axis=2) > 0).any(axis=0).all()  # queries differ


@pytest.mark.parametrize("name", MASKS)
def test_a_file_says_the_same_however_it_is_cut(name, monkeypatch):
    whole = asked(Counted(at_once=40), MASKS[name])
    for at_once in (1, 2, 3, 7, 8, 21, 39):
        for of_file in (5, 16, 21, 2048):
            monkeypatch.setattr(signals, "SLICE", of_file)
            found = asked(Counted(at_once=at_once), MASKS[name])
            for key, array in whole.items():
                np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize(
    ("name", "images"),
    [("none", 40 * 9), ("all", 40), ("at the end", 24 * 9 + 16), ("scattered", 40 * 9)],
)
def test_a_slice_of_them_alone_is_asked_once(name, images):
    group, done = Counted(), []
    asked(group, MASKS[name], progress=done.append)
    first, *batches = group.batches  # the first asks one image how many classes there are
    assert first == 1
    assert sum(batches) == images
    assert set(batches) == {8}  # as networks are compiled for
    assert done == [8] * 5


def test_all_are_asked_everything_where_nobody_says_otherwise():
    group, (x, labels) = Counted(), examples()
    (part,) = [arrays() for _, arrays in signals.extract(group, x, labels, NINE, True)]
    assert sum(group.batches) == 1 + 40 * 9
    np.testing.assert_array_equal(part["phi"], asked(Counted(), MASKS["none"])["phi"])


def query(folder, monkeypatch, **settings):
    """Write the signals of two models about 40 examples, 19 of role test; return these and them."""
    role = np.where(AT_THE_END, TEST, np.where(np.arange(40) < 8, HELD_OUT, POOL)).astype(np.uint8)
    pool = np.tile(role == POOL, (2, 1))
    given = {"member": pool & (np.arange(40) % 2 == 0), "evaluated": pool, "role": role}
    facts = {"population": "p", "digest": "", "class_names": []}
    write_h5(folder / "given.h5", given | {"canary": np.zeros(40, bool)}, facts)
    group = Counted()
    monkeypatch.setattr(query_models, "load", lambda *_: (group, *examples(), True))
    files = dict.fromkeys(("population", "roles", "membership", "weights"), folder / "given.h5")
    settings = {"cohort": "c", "models": [0, 2], "engine": "stacked", "queries": NINE} | settings
    query_models.main(**files, signals=folder / "s.h5", settings=settings)
    return group, read_h5(folder / "s.h5")


def test_the_script_asks_examples_of_role_test_once(tmp_path, monkeypatch):
    group, found = query(tmp_path, monkeypatch)
    assert sum(group.batches) == 1 + 24 * 9 + 16
    for answers in (found["phi"], found["logits"]):
        here, others = answers[:, AT_THE_END], answers[:, ~AT_THE_END]
        np.testing.assert_array_equal(here, np.broadcast_to(here[:, :, :1], here.shape))
        assert (others != others[:, :, :1]).reshape(2, 21, -1).any(axis=(0, 2)).all()


def test_the_signals_have_the_same_form_and_agree_with_themselves(tmp_path, monkeypatch):
    _, found = query(tmp_path, monkeypatch)
    assert check_signals(tmp_path / "s.h5") == ((2, 40), {"phi": (9,), "logits": (9, CLASSES)})
    path = tmp_path / "s.h5"
    whole = slice(0, 40)
    read = {name: Signals([path]).read(name, whole) for name in found}
    check(path, 0, read, paired=False)


def test_the_script_asks_all_everything_if_it_is_told_to(tmp_path, monkeypatch):
    group, found = query(tmp_path, monkeypatch, every_query=True)
    assert sum(group.batches) == 1 + 40 * 9
    np.testing.assert_array_equal(found["phi"], asked(Counted(), MASKS["none"])["phi"])
