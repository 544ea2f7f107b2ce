"""Signals of other software: contradictions are refused, what is right is taken as it is."""

import accept_signals
import h5py
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from miatlas.running import foreign_arrays, store
from miatlas.signals.answers import Signals, check_signals
from miatlas.signals.statistics import logit_scaled_confidence, loss_from_phi

MODELS, EXAMPLES, CLASSES = 4, 60, 5


def arrays(scale=2.0, seed=0, queries=1, every_query=False, examples=EXAMPLES):
    """Signals that agree with themselves: Gaussian logits, members surer of their label."""
    rng = np.random.default_rng(seed)
    member = np.arange(MODELS)[:, None] % 2 == rng.integers(0, 2, examples)
    labels = np.arange(examples) % CLASSES
    z = scale * rng.normal(size=(MODELS, examples, queries, CLASSES))
    z += scale * (np.arange(CLASSES) == labels[:, None])[:, None] * member[:, :, None, None]
    phi = logit_scaled_confidence(z, labels[:, None]).astype(np.float32)
    logits = (z if every_query else z[:, :, 0]).astype(np.float32)
    return {"member": member, "labels": labels, "phi": phi, "logits": logits}


def write(path, given, **more):
    with h5py.File(path, "w") as file:
        for name, array in (given | more).items():
            if array is not None:
                file[name] = array
    return path


def accept(path, paired=False):
    """Return what the workflow makes of a file of signals."""
    own = path.with_name("own.h5")
    settings = {"cohort": "mine", "paired": paired}
    accept_signals.main(external=path, signals=own, settings=settings)
    return store.read_h5(own)


def refused(path, message, paired=False):
    """Fail unless the file is refused in one line that begins with its name; return the line."""
    with pytest.raises(ValueError, match=rf"{path.name}: {message}") as refusal:
        accept(path, paired)
    assert not path.with_name("own.h5").exists()
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# Phi, logits and labels ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.01, 2.0, 20.0, 300.0])
@pytest.mark.parametrize("every_query", [False, True])
def test_phi_of_logits_passes_whatever_their_size_and_precision(tmp_path, kind, scale, every_query):
    given = arrays(scale, queries=2, every_query=every_query)
    given["logits"] = given["logits"].astype(kind)
    found = accept(write(tmp_path / "mine.h5", given))
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert (found[name] == array).all()


def test_what_is_said_of_texts_is_taken_over_and_nothing_is_made_up(tmp_path):
    assert "zlib_bytes" not in accept(write(tmp_path / "mine.h5", arrays()))
    lengths = np.arange(EXAMPLES) + 30
    found = accept(write(tmp_path / "mine.h5", arrays(), zlib_bytes=lengths))
    assert found["zlib_bytes"].tolist() == lengths.tolist()
    half = write(tmp_path / "half.h5", arrays(), zlib_bytes=lengths[::2])
    with pytest.raises(ValueError, match=r"half\.h5: zlib_bytes has shape"):
        accept(half)


def shifted(given):
    return {"logits": given["logits"] + np.float32(1000)}


def log_probabilities(given):
    return {"logits": log_softmax(given["logits"], axis=-1)}


def half_phi(given):
    return {"phi": given["phi"].astype(np.float16)}


def clipped_confidence(given):
    """Return phi by way of confidences in single precision, cut as libraries do."""
    p = softmax(given["logits"], axis=-1)
    own = np.take_along_axis(p, given["labels"][None, :, None], -1).astype(np.float32)
    own = np.clip(own, 1e-6, 1 - 1e-6)
    return {"phi": (np.log(own) - np.log1p(-own)).astype(np.float32)}


@pytest.mark.parametrize("change", [shifted, log_probabilities, half_phi, clipped_confidence])
def test_ways_to_say_the_same_pass(tmp_path, change):
    given = arrays(scale=8.0)
    accept(write(tmp_path / "mine.h5", given, **change(given)))


def loss(given):
    return {"phi": loss_from_phi(given["phi"]).astype(np.float32)}


def negated(given):
    return {"phi": -given["phi"]}


def log_confidence(given):
    return {"phi": -loss_from_phi(given["phi"]).astype(np.float32)}


def confidence(given):
    return {"phi": np.exp(-loss_from_phi(given["phi"])).astype(np.float32)}


def margin(given):
    """Return the true label's logit itself."""
    own = np.take_along_axis(given["logits"], given["labels"][None, :, None], -1)
    return {"phi": own}


def shuffled_logits(given):
    return {"logits": given["logits"][:, np.random.default_rng(1).permutation(EXAMPLES)]}


def shuffled_models(given):
    return {"logits": np.roll(given["logits"], 1, axis=0)}


def shuffled_labels(given):
    return {"labels": np.roll(given["labels"], 1)}


def classes_from_one(given):
    """Return logits whose first column is no class: labels point one beside."""
    spare = np.full((MODELS, EXAMPLES, 1), -20, np.float32)
    return {"logits": np.concatenate([spare, given["logits"]], axis=-1)}


WRONG = [loss, negated, log_confidence, confidence, margin, shuffled_logits, shuffled_models,
         shuffled_labels, classes_from_one]  # fmt: skip


@pytest.mark.parametrize("change", WRONG)
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_phi_that_is_not_of_the_logits_is_refused(tmp_path, change, kind):
    given = arrays()
    given |= change(given)
    given["logits"] = given["logits"].astype(kind)
    said = refused(
        write(tmp_path / "mine.h5", given),
        r"phi is \S+ for model \d, example \d+, query 0, but its logits and label \d give \S+:",
    )
    words = said.partition("mine.h5: ")[2].replace(",", "").split()
    model, example = int(words[5]), int(words[7])
    z, label = given["logits"][model, example], given["labels"][example]
    exact = logit_scaled_confidence(z.astype(float), label)
    assert float(words[2]) == pytest.approx(given["phi"][model, example, 0], rel=1e-3)
    assert float(words[-1 - words[::-1].index("give") + 1].rstrip(":")) == pytest.approx(
        exact, abs=0.02, rel=0.02
    )


@pytest.mark.parametrize("place", [(0, 0, 0), (3, 2047, 1), (2, 2048, 0), (1, 4999, 1)])
def test_one_answer_of_all_is_found_and_named(tmp_path, place):
    given = arrays(queries=2, every_query=True, examples=5000)
    given["phi"][place] += 0.5
    model, example, query = place
    where = f"phi is .* for model {model}, example {example}, query {query}, but"
    refused(write(tmp_path / "mine.h5", given), where)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("every_query", [False, True])
def test_logits_that_are_probabilities_are_refused(tmp_path, kind, every_query):
    given = arrays(every_query=every_query)
    given["logits"] = softmax(given["logits"], axis=-1).astype(kind)
    refused(write(tmp_path / "mine.h5", given), "logits are probabilities for model 0, examples 0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"logits": np.zeros((MODELS, EXAMPLES, 1), "f4"), "labels": np.zeros(EXAMPLES, int)},
         "logits have 1 class; phi compares at least two"),
        ({"logits": np.zeros((MODELS, EXAMPLES, 2, CLASSES), "f4")},
         "logits answer 2 queries, phi 1"),
        ({"logits": np.zeros((MODELS, EXAMPLES, 1, CLASSES, 1), "f4")},
         "logits is float32 of 5 dimensions, expected 3 or 4 dimensions of floats"),
        ({"logits": np.zeros((MODELS, EXAMPLES, CLASSES), int)}, "logits is int64 of 3 dim"),
        ({"phi": np.zeros((MODELS, EXAMPLES, 1, 1), "f4")}, "phi is float32 of 4 dimensions"),
        ({"features": np.zeros((MODELS, EXAMPLES), "f4")}, "features is float32 of 2 dimensions"),
        ({"labels": np.zeros((EXAMPLES, 1), int)}, "labels is int64 of 2 dimensions"),
        ({"role": np.zeros(EXAMPLES)}, "role is float64 of 1 dimensions"),
        ({"evaluated": np.full((MODELS, EXAMPLES), 0.5)}, "evaluated is float64 of 2 dimensions"),
        ({"member": np.zeros((0, EXAMPLES), bool)}, r"member has shape \(0, 60\): no models"),
    ],
)  # fmt: skip
def test_an_axis_too_many_or_too_few_is_named(tmp_path, change, message):
    refused(write(tmp_path / "mine.h5", arrays() | change), message)


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
@pytest.mark.parametrize("name", ["phi", "logits", "features"])
def test_what_is_not_finite_is_named_with_its_place(tmp_path, name, value, said):
    given = arrays(examples=3000)
    given["features"] = np.zeros((MODELS, 3000, 2), np.float32)
    given[name][2, 2500] = value
    message = f"{name} is not finite for model 2 of the file, example 2500: it is {said}"
    refused(write(tmp_path / "mine.h5", given), message)


# Members, roles, labels ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["member", "evaluated"])
@pytest.mark.parametrize("value", [-1, 2, 127])
@pytest.mark.parametrize("kind", ["i1", "i8", "u1"])
def test_masks_hold_zero_and_one_only(tmp_path, name, value, kind):
    if value < 0 and kind == "u1":
        value = 255
    given = arrays(examples=3000)
    mask = np.array(given["member"], kind)
    accept(write(tmp_path / "right.h5", given, **{name: mask}))
    (tmp_path / "own.h5").unlink()
    mask[3, 2100] = value
    message = f"{name} is {value} for model 3 of the file, example 2100, expected 0 or 1"
    refused(write(tmp_path / "mine.h5", given, **{name: mask}), message)


def test_nobody_has_trained_on_what_is_held_out(tmp_path):
    given = arrays(examples=3000)
    role = np.zeros(3000, np.uint8)
    role[2900:] = 1
    given["member"][:, 2900:] = False
    accept(write(tmp_path / "right.h5", given, role=role))
    (tmp_path / "own.h5").unlink()
    given["member"][2, 2950] = True
    message = "by member, model 2 was trained on example 2950, by role it is held out"
    refused(write(tmp_path / "mine.h5", given, role=role), message)


@pytest.mark.parametrize("kind", [int, np.uint8, np.uint16])
def test_labels_of_which_most_are_nobodys_are_refused(tmp_path, kind):
    given = arrays() | {"logits": None}
    labels = np.arange(EXAMPLES) % 3
    for wrong, absent in (((labels + 1) * 10, 28), (labels + 200, 200), (labels * 3, 4)):
        labelled = given | {"labels": wrong.astype(kind)}
        total = int(wrong.max()) + 1
        first = min(set(range(total)) - set(wrong.tolist()))
        said = refused(
            write(tmp_path / "mine.h5", labelled),
            f"no example has {absent} of {total} classes, e.g. {first}: number those",
        )
        assert "0 to 2 (np.unique(labels, return_inverse=True)[1])" in said
        assert "logits" not in said


def test_labels_that_are_dates_are_refused_without_room_for_their_classes(tmp_path):
    labels = 20230101 + np.arange(EXAMPLES) % 3
    path = write(tmp_path / "mine.h5", arrays(), labels=labels, logits=None)
    refused(path, "no example has 20,230,101 of 20,230,104 classes, e.g. 0")


@pytest.mark.parametrize("more", [6, 200])
def test_classes_of_logits_that_nobody_has_are_refused(tmp_path, more):
    given = arrays()
    nobodys = np.full((MODELS, EXAMPLES, more), -30, np.float32)
    given["logits"] = np.concatenate([given["logits"], nobodys], axis=-1)
    message = rf"no example has {more} of {CLASSES + more} classes, e.g. 5: .*, take the others out"
    refused(write(tmp_path / "mine.h5", given), message)


def test_a_class_that_lot_left_out_is_no_contradiction(tmp_path):
    given = arrays()
    kept = given["labels"] != 2
    given = {n: a[kept] if n == "labels" else a[:, kept] for n, a in given.items()}
    accept(write(tmp_path / "mine.h5", given))


# Whatever else lies in a file ----------------------------------------------------------------


def group(file, name):
    file.create_group(name)["epochs"] = 3


def empty(file, name):
    file[name] = h5py.Empty("f")


def dangling(file, name):
    file[name] = h5py.SoftLink("/nowhere")


def soft(file, name):
    file.create_group("inside")["array"] = np.zeros((MODELS, EXAMPLES, 1), "f4")
    file[name] = h5py.SoftLink("/inside/array")


def gone(file, name):
    file[name] = h5py.ExternalLink("gone.h5", "phi")


def external(file, name):
    other = file.filename.replace("mine", "other")
    write(other, {"phi": np.zeros((4, 60, 1), "f4")})
    file[name] = h5py.ExternalLink("other.h5", "phi")


def virtual(file, name):
    layout = h5py.VirtualLayout((MODELS, EXAMPLES, 1), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "phi", shape=(MODELS, EXAMPLES, 1))
    file.create_virtual_dataset(name, layout)


def raw(file, name):
    place = [(file.filename + ".raw", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(name, (MODELS, EXAMPLES, 1), "f4", external=place)[:] = 1


def kind(file, name):
    file[name] = np.dtype("f4")


STRANGE = {
    group: "a group", empty: "empty", dangling: "a link", soft: "a link",
    gone: "a link to another file", external: "a link to another file",
    virtual: "kept in other files", raw: "kept in other files", kind: "no array",
}  # fmt: skip


@pytest.mark.parametrize("strange", STRANGE)
def test_what_else_lies_in_a_file_is_not_read(tmp_path, strange, capsys):
    given = arrays()
    path = write(tmp_path / "mine.h5", given)
    with h5py.File(path, "a") as file:
        strange(file, "note")
    found = accept(path)
    assert set(found) == {"member", "labels", "phi", "logits", "role", "canary", "evaluated"}
    assert (found["phi"] == given["phi"]).all()
    assert "mine.h5: not read: " in (said := capsys.readouterr().out)
    assert "note" in said


@pytest.mark.parametrize("name", ["phi", "role", "evaluated", "member"])
@pytest.mark.parametrize(("strange", "what"), STRANGE.items())
def test_what_is_no_array_of_the_file_is_refused_by_name(tmp_path, strange, what, name):
    path = write(tmp_path / "mine.h5", arrays() | {name: None})
    with h5py.File(path, "a") as file:
        strange(file, name)
    refused(path, f"{name} is {what}, expected an array that lies in the file")
    for read in (check_signals, lambda path: Signals([path])):
        with pytest.raises(ValueError, match=rf"mine\.h5: {name} is {what}"):
            read(path)


def test_attributes_of_other_software_say_nothing(tmp_path):
    path = write(tmp_path / "mine.h5", arrays())
    odd = ("torch", h5py.Empty("f"), np.arange(3), np.array([b"a", b"b"]), 2.5)
    for format_of_others in odd:
        with h5py.File(path, "a") as file:
            file.attrs["format"] = format_of_others
            file.attrs["class_names"] = "{"
            file["phi"].attrs["format"] = 7
        accept(path)


@pytest.mark.parametrize("name", ["member", "phi"])
def test_an_array_that_only_its_header_claims_is_refused(tmp_path, name):
    path = write(tmp_path / "mine.h5", arrays() | {name: None})
    shape = (10**6, 10**6) if name == "member" else (10**4, 10**6, 100)
    with h5py.File(path, "a") as file:
        file.create_dataset(name, shape, "f4" if name == "phi" else bool, chunks=True)
    refused(path, rf"{name} claims [\d,.]+ GiB, of which the file holds 0 bytes")


def test_a_constant_array_that_packs_well_is_no_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign_arrays, "LARGE", 2**20)
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2**12, 2**12), "u1", compression="gzip", chunks=(2**12, 2**12))
        file["x"][:] = 0
        assert foreign_arrays.dataset(path, file, "x").nbytes == 2**24
        file.create_dataset("y", (2**12, 2**12), "u1", chunks=True)
        with pytest.raises(ValueError, match=r"y claims 0\.0 GiB, of which the file holds 0 bytes"):
            foreign_arrays.dataset(path, file, "y")
