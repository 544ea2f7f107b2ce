"""Files are whole or absent, read back as written, and what is wrong with them is said by name."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import accept_signals
import h5py
import numpy as np
import pandas as pd
import pytest

from miatlas.running import files, store
from miatlas.signals.answers import Signals
from miatlas.signals.statistics import logit_scaled_confidence

SCRIPTS = Path(store.__file__).parents[2]


def signals(path, models=3, examples=50, queries=2, classes=4, seed=0, change=(), **extra):
    """Write a signals file and return its arrays; `change` replaces some before writing."""
    rng = np.random.default_rng(seed)
    arrays = {
        "member": rng.random((models, examples)) < 0.5,
        "labels": np.arange(examples) % classes,
        "phi": rng.normal(size=(models, examples, queries)).astype(np.float32),
        "logits": rng.normal(size=(models, examples, classes)).astype(np.float32),
    } | extra  # fmt: skip
    if arrays["logits"] is not None:
        arrays["phi"][..., 0] = logit_scaled_confidence(arrays["logits"], arrays["labels"])
    arrays |= dict(change)
    store.write_h5(path, {n: a for n, a in arrays.items() if a is not None}, {"cohort": "c"})
    return arrays


# Writing -------------------------------------------------------------------------------------


def interrupted(path):
    with files.whole(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


@pytest.mark.parametrize("old", [None, "old"])
def test_a_failed_writer_leaves_what_was_there(tmp_path, old):
    path = tmp_path / "a" / "file.txt"
    if old:
        files.write_text(path, old)
    with pytest.raises(KeyboardInterrupt):
        interrupted(path)
    assert (path.read_text() if path.exists() else None) == old
    assert [p.name for p in path.parent.iterdir()] == (["file.txt"] if old else [])


@pytest.mark.parametrize("old", [False, True])
def test_a_killed_writer_leaves_what_was_there(tmp_path, old):
    path = tmp_path / "file.h5"
    if old:
        store.write_h5(path, {"x": np.arange(3)}, {})
    code = f"""
import sys, time; sys.path.insert(0, {str(SCRIPTS)!r})
import h5py, numpy as np
from miatlas.running.files import whole
with whole({str(path)!r}) as temporary, h5py.File(temporary, "w") as file:
    file["x"] = np.zeros(10000)
    file.flush(); print("written", flush=True); time.sleep(60)
"""
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert writer.stdout.readline() == b"written\n"
    os.kill(writer.pid, signal.SIGKILL)
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    assert path.exists() == old
    if old:
        assert (store.read_h5(path)["x"] == np.arange(3)).all()


def test_a_second_writing_replaces_the_first(tmp_path):
    for words in ("long words at first", "short", "and long ones again"):
        files.write_text(tmp_path / "a.txt", words)
        assert (tmp_path / "a.txt").read_text() == words
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_arrays_and_attributes_come_back(tmp_path):
    arrays = {
        "big": np.random.default_rng(0).normal(size=(7, 300)).astype(np.float32),
        "flags": np.array([True, False]), "numbers": np.arange(5), "one": np.float64(2.5),
    }  # fmt: skip
    facts = {"settings": {"b": [1, None], "a": "x"}, "cohort": "c", "scale": 0.5, "size": 3}
    store.write_h5(tmp_path / "a.h5", arrays, facts, chunks={"big": (7, 64)})
    back = store.read_h5(tmp_path / "a.h5")
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert (back[name] == array).all()
    read = store.attributes(tmp_path / "a.h5")
    assert json.loads(read["settings"]) == facts["settings"]
    assert (read["cohort"], read["scale"], read["size"]) == ("c", 0.5, 3)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["big"].chunks == (7, 64)


def by_slices_of(arrays, n, told=lambda what, start: None, broken=None):
    """Yield slices of arrays as `fill_by_slices` takes them; `told` hears what happens when."""
    for start in range(0, n, store.SLICE):
        where = slice(start, min(start + store.SLICE, n))

        def part(where=where):
            told("written", where.start)
            if where.start == broken:
                raise OSError("no space left")
            return {name: array[:, where] for name, array in arrays.items()}

        told("made", start)
        yield where, part


@pytest.mark.parametrize("n", [300, store.SLICE, 2 * store.SLICE + 77])
def test_a_file_filled_by_slices_is_that_of_whole_arrays(tmp_path, n):
    rng = np.random.default_rng(0)
    arrays = {
        "phi": rng.normal(size=(3, n, 2)).astype(np.float32),
        "few": rng.normal(size=(1, n)), "logits": rng.normal(size=(3, n, 5)).astype(np.float32),
    }  # fmt: skip
    store.write_h5(tmp_path / "whole.h5", arrays, {}, store.by_slices(arrays))
    with store.new_h5(tmp_path / "slices.h5", {}) as file:
        store.fill_by_slices(file, n, by_slices_of(arrays, n))
    with h5py.File(tmp_path / "whole.h5") as whole, h5py.File(tmp_path / "slices.h5") as slices:
        assert list(slices) == list(whole) == list(arrays)
        for name, expected in arrays.items():
            assert (slices[name][()] == expected).all()
            for fact in ("shape", "dtype", "chunks", "compression", "shuffle", "maxshape"):
                assert getattr(slices[name], fact) == getattr(whole[name], fact)
            sizes = [
                [data.id.get_chunk_info(i).size for i in range(data.id.get_num_chunks())]
                if data.chunks
                else data.id.get_storage_size()
                for data in (whole[name], slices[name])
            ]
            assert sizes[0] == sizes[1]


def test_answers_are_stored_as_they_are_and_everything_else_compressed(tmp_path):
    arrays = {"member": np.ones((3, 3000), bool), "phi": np.ones((3, 3000, 2), np.float32)}
    path = tmp_path / "s.h5"
    store.write_h5(path, arrays | {"x": np.ones((3000, 4))}, {}, store.by_slices(arrays))
    with h5py.File(path) as file:
        found = {name: array.compression for name, array in file.items()}
    assert found == {"member": "lzf", "phi": None, "x": "lzf"}


def test_a_slice_is_written_while_the_next_is_made_and_only_one_waits(tmp_path):
    heard, n = [], 5 * store.SLICE
    second = threading.Event()

    def told(what, start):
        heard.append((what, start))
        if (what, start) == ("made", store.SLICE):
            second.set()
        if what == "written":
            assert threading.current_thread() is not threading.main_thread()
            assert second.wait(10)  # the first slice's writing hears of the second's making

    arrays = {"phi": np.zeros((2, n, 1), np.float32)}
    with store.new_h5(tmp_path / "a.h5", {}) as file:
        store.fill_by_slices(file, n, by_slices_of(arrays, n, told))
    for i in range(3):  # the slice after the next is made when this one is written
        start = i * store.SLICE
        assert heard.index(("written", start)) < heard.index(("made", start + 2 * store.SLICE))


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_slice_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path, broken):
    n = 3 * store.SLICE
    arrays = {"phi": np.zeros((2, n, 1), np.float32)}
    parts = by_slices_of(arrays, n, broken=broken * store.SLICE)
    with (
        pytest.raises(OSError, match="no space left"),
        store.new_h5(tmp_path / "a.h5", {}) as file,
    ):
        store.fill_by_slices(file, n, parts)
    assert list(tmp_path.iterdir()) == []


def test_a_slice_that_cannot_be_made_is_said_and_nothing_is_left(tmp_path):
    def parts():
        yield from by_slices_of({"phi": np.zeros((2, store.SLICE, 1))}, store.SLICE)
        raise ValueError("model 3 is ill")

    with (
        pytest.raises(ValueError, match="model 3 is ill"),
        store.new_h5(tmp_path / "a.h5", {}) as file,
    ):
        store.fill_by_slices(file, 2 * store.SLICE, parts())
    assert list(tmp_path.iterdir()) == []


def test_the_same_content_gives_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {f"layer{i}.weight": rng.normal(size=(2, 40)).astype(np.float32) for i in range(9)}
    metadata = {"seed": 1, "cohort": "c", "models": [0, 2], "recipe": {"b": 1, "a": None}}
    for i in range(4):
        store.write_weights(tmp_path / f"{i}.safetensors", arrays, metadata)
        store.write_h5(tmp_path / f"{i}.h5", arrays, metadata)
    for suffix in ("safetensors", "h5"):
        assert len({(tmp_path / f"{i}.{suffix}").read_bytes() for i in range(4)}) == 1


def test_weights_come_back_and_can_be_read_by_others(tmp_path):
    path = tmp_path / "w.safetensors"
    stacked = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {"turned": stacked.transpose(0, 2, 1), "count": np.array([3, 4])}
    store.write_weights(path, arrays, {"b": 2, "a": [1]})
    back = store.read_weights(path)
    assert back.keys() == arrays.keys()
    assert all((back[name] == arrays[name]).all() for name in arrays)
    files.write_text(tmp_path / "plain", "")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode  # as the umask says


def test_tables_come_back_exactly(tmp_path):
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(size=50) * 1e-9, "n": range(50)})
    files.write_csv(tmp_path / "t.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table, check_exact=True)


def test_rows_are_written_cell_by_cell_and_read_by_pandas(tmp_path):
    rows = [
        {"model": 3, "loss": 0.1 + 0.2, "name": 'a "b", c', "right": True},
        {"model": 4, "loss": float("nan"), "later": np.float32(0.1)},
        {"model": 5, "loss": float("inf"), "name": None, "later": -1e-300},
    ]
    files.write_rows(tmp_path / "rows.csv", rows)
    files.write_csv(tmp_path / "table.csv", pd.DataFrame(rows, dtype=object))
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path):
    files.write_json(tmp_path / "m.json", {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "m.json", {"a": float("nan")})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": 1}


# Reading what is not right -------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_truncated_hdf5_is_named(tmp_path, kept):
    path = tmp_path / "s.h5"
    signals(path, examples=3000)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content)) if kept == 0.5 else kept])
    with pytest.raises(ValueError, match=r"s\.h5: not a readable HDF5 file"):
        store.read_h5(path)
    with pytest.raises(ValueError, match=r"s\.h5: not a readable HDF5 file"):
        Signals([path])


def test_a_damaged_chunk_is_named(tmp_path):
    path = tmp_path / "s.h5"
    store.write_h5(path, {"x": np.zeros((64, 64))}, {})
    with h5py.File(path) as file:
        chunk = file["x"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = b"\xff" * chunk.size
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"s\.h5: not a readable HDF5 file"):
        store.read_h5(path)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_truncated_weights_are_named(tmp_path, kept):
    path = tmp_path / "w.safetensors"
    store.write_weights(path, {"w": np.zeros((4, 100), np.float32)}, {})
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"w\.safetensors: not a readable safetensors file"):
        store.read_weights(path)


def test_missing_files_and_arrays_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.h5.*No such file"):
        store.read_h5(tmp_path / "nowhere.h5")
    with pytest.raises(ValueError, match=r"nowhere\.safetensors"):
        store.read_weights(tmp_path / "nowhere.safetensors")
    store.write_h5(tmp_path / "a.h5", {"x": np.zeros(2), "y": np.zeros(2)}, {})
    with pytest.raises(ValueError, match=r"a\.h5: has no 'z'; it holds x, y"):
        store.read_h5(tmp_path / "a.h5", ["x", "z"])


def test_a_foreign_format_is_named(tmp_path):
    store.write_h5(tmp_path / "a.h5", {"x": np.zeros(2)}, {"format": 7})
    with pytest.raises(ValueError, match=r"a\.h5: format 7, this version reads 1"):
        store.read_h5(tmp_path / "a.h5")


NAN = np.zeros((3, 50, 2), np.float32)
NAN[1, 23, 1] = np.nan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phi": None}, "has no 'phi'; it holds member, labels, logits"),
        ({"member": None}, "has no 'member'"),
        ({"phi": np.zeros((3, 50), np.float32)}, "phi is float32 of 2 dimensions, expected 3"),
        ({"phi": np.zeros((3, 49, 2))}, r"phi has shape \(3, 49, 2\), but member has \(3, 50\)"),
        ({"logits": np.zeros((2, 50, 4))}, r"logits has shape \(2, 50, 4\), but member"),
        ({"labels": np.zeros(49, int)}, r"labels has shape \(49,\), but member has \(3, 50\)"),
        ({"labels": np.zeros(50)}, "labels is float64 of 1 dimensions, expected 1 dimensions of"),
        ({"labels": np.arange(50)}, "labels are 0 to 49, but logits have 4 classes"),
        ({"labels": np.arange(50) % 4 - 1}, "labels are -1 to 2"),
        ({"member": np.full((3, 50), np.nan)}, "member is float64 of 2 dimensions"),
        ({"role": np.zeros(51, np.uint8)}, r"role has shape \(51,\)"),
        ({"evaluated": np.ones((3, 2), bool)}, r"evaluated has shape \(3, 2\)"),
        ({"features": np.ones((1, 50, 2))}, r"features has shape \(1, 50, 2\)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, change, message):
    signals(tmp_path / "ext.h5", change=change)
    with pytest.raises(ValueError, match=r"ext\.h5: " + message):
        Signals([tmp_path / "ext.h5"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(tmp_path, value):
    signals(tmp_path / "a.h5")
    signals(tmp_path / "b.h5", change={"phi": np.where(np.isnan(NAN), value, 0).astype("f4")})
    cohort = Signals([tmp_path / "a.h5", tmp_path / "b.h5"])
    assert np.isfinite(cohort.read("phi", slice(0, 23))).all()
    assert np.isfinite(cohort.read("phi", slice(20, 30), last=1)).all()
    with pytest.raises(ValueError, match=r"b\.h5: phi is not finite for model 1.*example 23"):
        cohort.read("phi", slice(20, 30))


def test_blocks_that_do_not_belong_together_are_named(tmp_path):
    signals(tmp_path / "a.h5")
    for name, options in {
        "labels": {"change": {"labels": np.zeros(50, int)}},
        "queries": {"queries": 3},
        "classes": {"classes": 5, "labels": np.arange(50) % 4},
        "logits": {"change": {"logits": None}},
    }.items():
        signals(tmp_path / f"{name}.h5", **options)
        with pytest.raises(ValueError, match=rf"{name}\.h5: its .* those of .*a\.h5"):
            Signals([tmp_path / "a.h5", tmp_path / f"{name}.h5"])


def accepted(folder, paired=False, models=3, **change):
    """Return the file that is made of other software's signals."""
    signals(folder / "ext.h5", change=change, models=models)
    settings = {"cohort": "mine", "paired": paired}
    accept_signals.main(external=folder / "ext.h5", signals=folder / "own.h5", settings=settings)
    return folder / "own.h5"


def test_signals_of_other_software_are_accepted_as_they_are(tmp_path):
    given = {"role": np.arange(50) % 3, "member": np.zeros((3, 50), bool)}  # of OUT models only
    own = store.read_h5(accepted(tmp_path, **given))
    for name, array in (store.read_h5(tmp_path / "ext.h5") | given).items():
        assert (own[name] == array).all()
    assert (own["evaluated"] == (given["role"] == 0)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"role": np.arange(50) // 17 + 1}, "role is 3 for example 34, expected one of: 0 pool, 1"),
        ({"role": np.arange(50) - 1}, "role is -1 for example 0, expected one of"),
        ({"member": np.ones((3, 50), bool)}, "member is all true: models 0 to 2 have no non-m"),
    ],
)
def test_signals_that_no_attack_can_be_measured_on_are_not_accepted(tmp_path, change, message):
    with pytest.raises(ValueError, match=r"ext\.h5: " + message):
        accepted(tmp_path, **change)
    assert not (tmp_path / "own.h5").exists()


def in_pairs(pairs, both=()):
    """Return the membership of pairs of models; of each (pair, example) of `both`, both hold it."""
    first = np.random.default_rng(0).random((pairs, 50)) < 0.5
    member = np.stack([first, ~first], axis=1)
    for pair, example in both:
        member[pair, :, example] = True
    return member.reshape(-1, 50)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (in_pairs(2, both=[(1, 7), (1, 3)]), "example 3 is a member of models 2 and 3, but paired"),
        (in_pairs(1, both=[(0, 49)]), "example 49 is a member of models 0 and 1, but paired"),
        (np.roll(in_pairs(2), 1, axis=0), r"example \d+ is a member of models 0 and 1"),
        (in_pairs(2)[:3], "3 models are not pairs"),
    ],
)
def test_models_that_are_no_pairs_are_not_accepted_as_such(tmp_path, member, message):
    accepted(tmp_path, member=member, models=len(member))
    with pytest.raises(ValueError, match=r"ext\.h5: " + message):
        accepted(tmp_path, member=member, models=len(member), paired=True)
    accepted(tmp_path, member=in_pairs(2), models=4, paired=True)


# A cohort of several blocks ------------------------------------------------------------------


def test_blocks_read_as_their_concatenation(tmp_path):
    paths = [tmp_path / f"{i}.h5" for i in range(3)]
    parts = [signals(path, models=m, seed=m) for path, m in zip(paths, (1, 4, 2), strict=True)]
    cohort = Signals(paths)
    assert cohort.shape == (7, 50)
    assert (cohort.member == np.concatenate([p["member"] for p in parts])).all()
    assert (cohort.labels == parts[0]["labels"]).all()
    for name in ("phi", "logits"):
        whole = np.concatenate([p[name] for p in parts])
        assert cohort.dimensions(name) == whole.shape
        assert (cohort.read(name, slice(0, 50)) == whole).all()
        assert (cohort.read(name, slice(13, 29)) == whole[:, 13:29]).all()
    assert (
        cohort.read("phi", slice(5, 9), last=1) == cohort.read("phi", slice(5, 9))[..., :1]
    ).all()
    with pytest.raises(ValueError, match=r"0\.h5: has no 'features'"):
        cohort.dimensions("features")


def test_roles_decide_who_is_evaluated_unless_the_file_does(tmp_path):
    role = np.zeros(50, np.uint8)
    role[:10], role[10:15] = 1, 2
    signals(tmp_path / "roles.h5", role=role)
    assert (Signals([tmp_path / "roles.h5"]).evaluated == (role == 0)).all()
    signals(tmp_path / "none.h5")
    assert Signals([tmp_path / "none.h5"]).evaluated.all()
    evaluated = np.random.default_rng(0).random((3, 50)) < 0.3
    signals(tmp_path / "own.h5", role=role, evaluated=evaluated)
    assert (Signals([tmp_path / "own.h5"]).evaluated == evaluated).all()
