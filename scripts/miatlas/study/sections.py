"""The sections of a study file: every key, its type and its default, as a signature.

A section is a function without a body: its keyword-only parameters are the keys that
`miatlas.options` checks and completes. Names of designs, architectures, attacks, ... are checked
against the modules that exist, and their options against those modules' own signatures.
"""

from typing import Annotated, Any, Literal

from miatlas.options import between, nonnegative, positive


def study(
    *,
    study: str,
    seed: Annotated[int, nonnegative] = 0,
    data_root: str = "data",
    memory_mb: Annotated[int, positive] = 1024,
    populations: dict = {},
    recipes: dict = {},
    cohorts: dict = {},
    attacks: dict = {},
    audits: dict = {},
    exhibits: dict = {},
    pathvars: dict = {},
):
    """The whole file.

    `seed` enters every random stream; `data_root` is where data sets are read from (and downloaded
    to); `memory_mb` is what a scoring job may take: half of it for signals, read in slices.
    """


def population(
    *,
    source: str,
    subset: Annotated[int, positive] | None = None,
    label_noise: Annotated[float, between(0, 1)] = 0.0,
    class_overlap: Annotated[float, between(0, 1)] = 0.0,
    canaries: Any = None,
    standardise: Literal["numeric", "all", "none"] = "numeric",
):
    """A data set: a module of `miatlas/populations` with its options.

    `subset`: keep that many examples, stratified by class. `label_noise`: the share of examples
    outside the official test set whose label is replaced by another class, drawn by lot.
    `class_overlap`: the weight with which an example of another class is mixed into every input.
    `canaries`: see `canaries` below. `standardise`: on their way to the models, features are moved
    and scaled to mean 0 and deviation 1 over all but the official test set: numeric columns (those
    with other values than 0 and 1), all of them, or none. Images are, by channel, unless none.
    """


def canaries(
    *,
    count: Annotated[int, positive],
    kind: Literal["mislabelled", "noise", "other"] = "mislabelled",
    other: Any = None,
):
    """Examples inserted into the population (carlini2022 §VII-B).

    `other`: for the kind of that name, a population section whose examples are inserted.
    """


def recipe(
    *,
    architecture: dict,
    epochs: Annotated[int, positive],
    batch_size: Annotated[int, positive] = 128,
    optimizer: dict = {"name": "sgd"},
    schedule: dict = {"name": "cosine"},
    augmentation: dict = {"name": "none"},
    label_smoothing: Annotated[float, between(0, 1)] = 0.0,
    gradient_clip: Annotated[float, positive] | None = None,
    ema: Annotated[float, between(0, 1)] | None = None,
    early_stopping: Annotated[int, positive] | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    engine: Literal["auto", "stacked", "one_by_one"] = "auto",
):
    """How one model is trained.

    One epoch is as many batches as the nominal training set fills. `ema`: decay per step of the
    averaged weights that are released. `early_stopping`: epochs without a better held-out loss
    after which a model keeps its best weights. `precision`: of the forward pass in training.
    `engine`: train a block's models as one stack, or one after the other.
    """


def cohort(
    *,
    population: str,
    recipe: str,
    design: dict,
    models: Annotated[int, positive],
    block: Annotated[int, positive] | None = None,
    held_out: Annotated[float, between(0, 1)] = 0.0,
    test: Annotated[float, between(0, 1)] = 0.0,
    queries: dict = {"count": 1},
    probes: dict = {},
    teacher: Any = None,
    bounds: dict = {},
    models_of: str | None = None,
):
    """M models = population × design × recipe, trained and queried `block` models to a job.

    `held_out` and `test` are fractions of the examples outside the official test set. `probes`:
    options of `miatlas/probes`, which models answer where an attack needs it. `teacher`, `bounds`,
    `models_of`: see below.
    """


def teacher(*, cohort: str, students: Annotated[int, positive]):
    """Models trained on the soft answers of others: `students` for each model of the cohort.

    Model m learns from model m // students.
    """


def asked_again(*, models_of: str, queries: Any = None, probes: Any = None, bounds: Any = None):
    """The same models as another cohort's, asked otherwise: nothing is trained.

    What is not given is as it is there.
    """


def external_cohort(*, signals: str, paired: bool = False, bounds: dict = {}):
    """A cohort that other software trained and queried: the path of its signals file.

    `paired`: models 2k and 2k+1 hold complementary halves of the pool, as in the design of that
    name, so that a target's partner is never a reference.
    """


def bounds(
    *,
    threshold: Annotated[float, between(0, 1)] = 0.2,
    coverage: Annotated[float, between(0, 1)] | None = None,
    draws: Annotated[int, positive] = 128,
    folds: Annotated[int, positive] = 8,
):
    """How a cohort's bounds are computed, where an exhibit reads them (`bounds.uncertainty`).

    `threshold` of the decision sets, or with a `coverage` the one that held-out examples give;
    `draws` of each law for the decision sets' limit; `folds` of the cross-validated advantage.
    """


def queries(
    *,
    count: Annotated[int, positive] = 1,
    mirror: bool = True,
    shift: Annotated[int, positive] = 4,
    logits: Literal["first", "all"] = "first",
    temperature: Annotated[float, positive] = 1.0,
):
    """The deterministic queries of every example: `count` of them, mirrored ones included or not.

    `shift`: the largest shift in pixels (9 shifts use only that one, 81 all up to 4).
    `logits`: keep the logits of the untouched query, or of all of them. `temperature`: what models
    divide their logits by before they answer.
    """


def attack(*, attack: str | None = None, references: Annotated[int, positive] | None = None):
    """A label for an attack (default: the one of that name) with its options.

    `references`: use that many reference models of every example, half of them IN and half OUT, or
    all OUT where the attack reads no others (default: as many as every example has).
    """


def audit(
    *,
    target: str,
    attacks: list[str],
    shadow: str | None = None,
    reference: str | None = None,
    targets: Annotated[int, positive] | None = None,
):
    """Target cohort × shadow cohort (default: the same) × attacks, on the first `targets` models.

    `targets` defaults to 10, or to all models of a smaller cohort. `reference`: a third cohort, for
    attacks that calibrate with models of neither.
    """


def exhibit(
    *,
    paper: str,
    title: str,
    caption: str = "",
    figure: str | None = None,
    table: str | None = None,
    audits: list[str] = [],
    attacks: Any = None,
    cohort: str | None = None,
    cohorts: list[str] = [],
    options: dict = {},
):
    """One figure or table: a module of `miatlas/figures` or `miatlas/tables`, and what it shows.

    It reads results of `audits` × `attacks` (a list of labels, or a mapping from label to the name
    shown; an audit need not have them all), the signals of one `cohort`, the bounds of `cohorts`:
    whatever its module's READS names.
    """
