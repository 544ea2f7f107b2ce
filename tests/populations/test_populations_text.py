"""Text: windows and ids against a slow reader, and that models see ids as they are."""

import zlib
from collections import Counter
from dataclasses import replace

import h5py
import numpy as np
import prepare_population
import pytest
import torch

from miatlas.populations import catalogue, source_files, wikitext2, wikitext103
from miatlas.populations.base import take
from miatlas.training.inputs import standardised

TEXTS = {
    "train": " \n = Title = \n \n the cat saw the dog . the <unk> <unk> saw a bird \n a b c d \n",
    "valid": " a dog sat and sat and sat \n",
    "test": " = Other = \n the end of the cat and the dog \n",
}
WORDS = sum(len(text.split()) + text.count("\n") for text in TEXTS.values())


def write(monkeypatch, folder, name="wiki.{}.tokens", texts=TEXTS, source="wikitext2"):
    """Write the files of a source, and let the catalogue expect as many words as TEXTS has."""
    entry = catalogue.SOURCES[source]
    monkeypatch.setitem(catalogue.SOURCES, source, replace(entry, shape=(WORDS,)))
    place = folder / entry.files[0].path.split("/")[0]
    place.mkdir(exist_ok=True)
    for part, text in texts.items():
        (place / name.format(part)).write_bytes(text.encode())


def words_of(text):
    """Return the words of a text, and one for the end of every line."""
    return [word for line in text.splitlines() for word in (*line.split(" "), "<eos>") if word]


def slowly(length, vocabulary):
    """Return the windows of TEXTS, and which of them are of the test part, word by word."""
    own = words_of(TEXTS["train"])
    ranked = sorted(set(own) - {"<unk>"}, key=lambda word: (-own.count(word), own.index(word)))
    ids = {word: 2 + rank for rank, word in enumerate(ranked) if 2 + rank < vocabulary}
    windows, test = [], []
    for part, text in TEXTS.items():
        found = [ids.get(word, 1) for word in words_of(text)]
        for start in range(0, len(found) - length + 1, length):
            windows.append(found[start : start + length])
            test.append(part == "test")
    return windows, test


@pytest.mark.parametrize(("length", "vocabulary"), [(1, 2), (3, 6), (4, 9), (8, 1000)])
def test_windows_are_those_of_a_slow_reader(tmp_path, monkeypatch, length, vocabulary):
    write(monkeypatch, tmp_path)
    population = wikitext2.load(tmp_path, length=length, vocabulary=vocabulary)
    windows, test = slowly(length, vocabulary)
    np.testing.assert_array_equal(population.x, windows)
    np.testing.assert_array_equal(population.test, test)
    assert 0 < sum(test) < len(test)
    assert population.x.dtype == np.float32
    assert population.x.min() >= 1
    assert population.x.max() < vocabulary
    assert not population.labels.any()
    assert population.class_names == ["text"]


def test_the_text_of_each_window_is_compressed_with_the_words_that_ids_leave_out(
    tmp_path, monkeypatch
):
    write(monkeypatch, tmp_path)
    few, all_of_them = (
        wikitext2.load(tmp_path, length=4, vocabulary=vocabulary) for vocabulary in (3, 1000)
    )
    found = []
    for text in TEXTS.values():
        words = words_of(text)
        for start in range(0, len(words) - 3, 4):
            spelled = " ".join(words[start : start + 4]).replace("<eos>", "\n")
            found.append(len(zlib.compress(spelled.encode())))
    assert few.zlib_bytes.tolist() == all_of_them.zlib_bytes.tolist() == found
    assert len(set(found)) > 1
    assert take(few, np.array([5, 2])).zlib_bytes.tolist() == [found[5], found[2]]


def test_frequent_words_have_small_ids(tmp_path, monkeypatch):
    write(monkeypatch, tmp_path)
    x = wikitext2.load(tmp_path, length=1, vocabulary=100).x[:, 0]
    own = words_of(TEXTS["train"])
    counts = Counter(own)
    by_id = sorted(zip(x[: len(own)], own, strict=True))
    known = [counts[word] for _, word in by_id if word != "<unk>"]
    assert known == sorted(known, reverse=True)
    unknown = [word for number, word in zip(x, words_of("".join(TEXTS.values())), strict=True)
               if number == 1]  # fmt: skip
    assert set(unknown) == {"<unk>", "sat", "and", "Other", "end", "of"}  # never in training


@pytest.mark.parametrize(
    ("source", "module"), [("wikitext2", wikitext2), ("wikitext103", wikitext103)]
)
def test_files_may_have_either_name(tmp_path, monkeypatch, source, module):
    assert [m.split(":")[1] for m in source_files.missing_files(source, {}, tmp_path)] == [
        f" missing file wiki.{part}.tokens" for part in ("train", "valid", "test")
    ]
    write(monkeypatch, tmp_path, "{}.txt", source=source)
    other = module.load(tmp_path, length=4)
    damaged = {part: "no words" for part in TEXTS}
    write(monkeypatch, tmp_path, "{}.txt", damaged, source)  # not read where the others are
    write(monkeypatch, tmp_path, source=source)
    np.testing.assert_array_equal(module.load(tmp_path, length=4).x, other.x)


def test_damaged_texts_are_refused_by_name(tmp_path, monkeypatch):
    write(monkeypatch, tmp_path, texts={**TEXTS, "valid": "cut short"})
    with pytest.raises(ValueError, match=rf"wikitext-2: wrong shape: wikitext2 has {WORDS}, this"):
        wikitext2.load(tmp_path, length=4)
    (tmp_path / "wikitext-2" / "wiki.valid.tokens").write_bytes(b"caf\xe9 \n")
    with pytest.raises(ValueError, match=r"wiki\.valid\.tokens: damaged: not UTF-8"):
        wikitext2.load(tmp_path, length=4)


def test_models_see_ids_as_they_are(tmp_path, monkeypatch):
    write(monkeypatch, tmp_path)
    options = {"length": 4, "vocabulary": 9}
    settings = {
        "name": "text", "source": "wikitext2", "options": options, "data_root": str(tmp_path),
        "seed": 1, "subset": 7, "label_noise": 0.0, "class_overlap": 0.0, "canaries": None,
        "standardise": "numeric",
    }  # fmt: skip
    prepare_population.main(population=str(tmp_path / "text.h5"), settings=settings)
    with h5py.File(tmp_path / "text.h5") as file:
        x, mean, deviation = (file[name][()] for name in ("x", "mean", "deviation"))
        scale = file.attrs["scale"]
    assert x.shape == (7, 4)
    assert {tuple(row) for row in x} <= {tuple(row) for row in slowly(4, 9)[0]}
    largest = np.float32([[2**24 - 1, 2**24 - 2, 1, 0]])  # what float32 and the options hold
    for ids in (x, largest):
        seen = standardised(ids, float(scale), mean, deviation, "cpu")
        assert torch.equal(seen.long(), torch.from_numpy(ids.astype(np.int64)))
