"""What contradicts itself in the signals of other software, said with the model and the example.

Slice by slice of the examples: `first` is the index of a slice's first example, n their number.
"""

import numpy as np

from miatlas.designs.roles import HELD_OUT, ROLES

SURE = 10.0  # |phi| from which on it says no more than that a model is sure: phi is cut there
CLOSE = 0.1  # how far phi may be from what logits give, beside what their own precision loses
TINY = np.float32(1e-30)
EXPONENT = 60  # up to which powers of e, and sums of a thousand, are single-precision numbers


def check(path, first: int, part: dict, paired: bool = False) -> None:
    """Refuse a slice of signals (`role` (n,), `member` (M, n), ...) that contradicts itself.

    `paired`: models 2k and 2k+1 are said to have trained on complementary halves.
    """
    _check_roles(path, first, part["role"], part["member"])
    if paired:
        _check_pairs(path, first, part["member"])
    if "logits" in part:
        answers = part["logits"] if part["logits"].ndim == 4 else part["logits"][:, :, None]
        for model, given in enumerate(part["phi"]):  # one model's answers stay in a core's cache
            logits = answers[model].astype(np.float32, copy=False)
            _check_logits(path, first, model, logits)
            for query in range(logits.shape[1]):
                asked = model, query
                _check_phi(path, first, asked, given[:, query], logits[:, query], part)


def check_classes(path, labels: np.ndarray, classes: int | None) -> None:
    """Refuse labels (N,) of which most classes are nobody's: of `classes` in logits, if there are.

    A few classes without an example are chance; a model of a thousand, asked about ten, is not.
    """
    known = np.unique(labels)
    total = classes or int(known.max(initial=0)) + 1
    if 2 * len(known) < total:
        absent = int(np.setdiff1d(np.arange(len(known) + 1), known)[0])
        less = ", take the others out of logits, and phi of what is left" if classes else ""
        raise ValueError(
            f"{path}: no example has {total - len(known):,} of {total:,} classes, e.g. {absent}:"
            f" number those that there are 0 to {len(known) - 1}"
            f" (np.unique(labels, return_inverse=True)[1]){less}"
        )


def _check_roles(path, first, role, member):
    """Refuse unknown roles, and models trained on examples that are held out from all."""
    unknown = np.flatnonzero((role < 0) | (role > max(ROLES.values())))
    if len(unknown):
        known = ", ".join(f"{number} {name}" for name, number in ROLES.items())
        raise ValueError(
            f"{path}: role is {role[unknown[0]]} for example {first + unknown[0]}, expected one"
            f" of: {known}"
        )
    held_out = np.flatnonzero(role == HELD_OUT)
    trained = np.argwhere(member[:, held_out])
    if len(trained):
        model, example = trained[0]
        raise ValueError(
            f"{path}: by member, model {model} was trained on example"
            f" {first + held_out[example]}, by role it is held out, which means from all models"
        )


def _check_pairs(path, first, member):
    """Refuse models that are no pairs: of 2k and 2k+1, no example is a member of both."""
    if len(member) % 2:
        raise ValueError(f"{path}: {len(member)} models are not pairs, but paired is true")
    both = np.argwhere(member[::2] & member[1::2])
    if len(both):
        pair, example = both[0]
        raise ValueError(
            f"{path}: example {first + example} is a member of models {2 * pair} and"
            f" {2 * pair + 1}, but paired is true: models 2k and 2k+1 hold complementary halves"
        )


def _check_logits(path, first, model, logits):  # (n, Q, C)
    sums = logits.sum(-1, dtype=np.float32) if logits.min() >= 0 else np.zeros(1)
    if (np.abs(sums - 1) < 0.01).all():
        raise ValueError(
            f"{path}: logits are probabilities for model {model}, examples {first} to"
            f" {first + len(logits) - 1}: none is negative, and they sum to 1; save their"
            " logarithms, or better the logits"
        )


def _check_phi(path, first, asked, given, logits, part):  # (n,), (n, C)
    """Refuse phi that is not what logits and labels give, but for what rounded ones lose."""
    labels, loss = part["labels"], np.finfo(part["logits"].dtype).eps
    computed, largest = _roughly_phi(logits, labels)
    gap = np.abs(np.clip(given, -SURE, SURE) - np.clip(computed, -SURE, SURE))
    apart = gap > CLOSE + 2 * loss * largest
    if apart.any():
        example, (model, query) = int(apart.argmax()), asked
        raise ValueError(
            f"{path}: phi is {given[example]:.4g} for model {model}, example {first + example},"
            f" query {query}, but its logits and label {labels[example]} give"
            f" {computed[example]:.4g}: phi is log p_y - log Σ p_c of all other classes c"
        )


def _roughly_phi(logits, labels):  # (n, C) float32, (n,) -> (n,), (n,)
    """Return phi, good to a hundredth within SURE of 0, and about the largest size of a logit.

    Single precision and one pass: `statistics.logit_scaled_confidence` is exact, and slower.
    """
    own, classes = logits[np.arange(len(labels)), labels], logits.shape[1]
    if max(logits.max(), -logits.min()) > EXPONENT:
        logits = logits - logits.max(axis=-1, keepdims=True)
    powers = np.exp(logits)
    total, true = powers @ np.ones(classes, np.float32), powers[np.arange(len(labels)), labels]
    log_true = np.log(np.maximum(true, TINY))
    phi = log_true - np.log(np.maximum(total - true, TINY))
    return phi, np.maximum(np.abs(own), np.abs(own - log_true + np.log(total)))
