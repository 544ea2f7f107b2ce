"""The same numbers again: in another run, on another number of cores, in other blocks."""

import hashlib

import h5py
import numpy as np
import pytest


def content(project, folder=""):
    """A digest of each result: of the arrays in HDF5 files, of the bytes of all others."""
    return {name: digest(project.results / name) for name in project.made(folder)}


def digest(path):
    if path.suffix != ".h5":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    summed = hashlib.sha256()
    with h5py.File(path) as file:
        for name in sorted(file):
            array = file[name][()]
            summed.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return summed.hexdigest()


@pytest.mark.slow
def test_another_run_on_another_number_of_cores_gives_the_same_bytes(finished, project):
    project.run(cores=1)
    again, first = content(project), content(finished)
    assert len(first) > 40
    assert {name for name in first if again.get(name) != first[name]} == set()
    assert set(again) == set(first)


def arrays(path, *names):
    with h5py.File(path) as file:
        return [file[name][()] for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 2, 8])
def test_models_are_the_same_in_other_blocks(finished, project, block):
    """Models in the first two blocks of another size, against the first block of four models."""
    project.study["cohorts"]["one"]["block"] = block
    files = [f"results/cohorts/one/signals/{b}.h5" for b in range(min(2, 8 // block))]
    project.run(*files)
    names = ("member", "phi", "logits")
    parts = zip(*(arrays(project.root / file, *names) for file in files), strict=True)
    found = [np.concatenate(part)[:4] for part in parts]
    file = finished.results / "cohorts/one/signals/0.h5"
    member, phi, logits = (array[: 2 * block] for array in arrays(file, *names))
    np.testing.assert_array_equal(found[0], member)
    np.testing.assert_allclose(found[1], phi, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[2], logits, rtol=0, atol=1e-5)
    assert np.ptp(phi, axis=0).mean() > 0.01  # models differ, or the comparison says nothing
