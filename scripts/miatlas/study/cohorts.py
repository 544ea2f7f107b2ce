"""The sections of a cohort: models trained here, asked again, or of other software."""

from typing import Annotated, Literal

from pydantic import Field

from miatlas.options import positive
from miatlas.study import plugins
from miatlas.study.checking import Section
from miatlas.study.sections import Count, Share

ASKED = "What models are asked of every example; of one of role test, the first query alone."


class Queries(Section):
    """The deterministic queries of every example."""

    count: Count = Field(
        1, description="How many: 1, all shifts by `shift`, or all up to it; twice that mirrored."
    )
    mirror: bool = Field(True, description="Whether mirrored images are among them.")
    shift: Count = Field(4, description="The largest shift in pixels.")
    logits: Literal["first", "all"] = Field(
        "first", description="Keep the logits of the untouched query, or of all of them."
    )
    temperature: Annotated[float, positive] = Field(
        1.0, description="What models divide their logits by before they answer."
    )


class Bounds(Section):
    """How a cohort's bounds are computed, where an exhibit reads them (`bounds.uncertainty`)."""

    threshold: Share = Field(0.2, description="Of the decision sets.")
    coverage: Share | None = Field(
        None, description="Instead: that of the threshold that held-out examples give."
    )
    draws: Count = Field(128, description="Draws of each law for the decision sets' limit.")
    folds: Count = Field(8, description="Of the cross-validated advantage.")


class Teacher(Section):
    """Models trained on the soft answers of others: model m learns from model m // students."""

    cohort: str = Field(description="The cohort of the teachers.")
    students: Count = Field(description="How many learn from each of its models.")
    members_of: Literal["own", "teacher"] = Field(
        "own",
        description="Whose members they are audited for: of what the design drew, their own; or the"
        " teacher's, of whom they then see none.",
    )


class Cohort(Section):
    """M models = population × design × recipe, trained and queried `block` models to a job."""

    population: str = Field(description="The name of a population.")
    recipe: str = Field(description="The name of a recipe.")
    design: Annotated[dict, plugins.DESIGNS] = Field(
        description="Which model trains on which example: the name of a module of"
        " scripts/miatlas/designs, with its options."
    )
    models: Count = Field(description="How many models there are.")
    only: list[str] | str | None = Field(
        None,
        description="The part of the population, or several, that models draw their training sets"
        " from, and are audited on, where its source has parts (default: all of it).",
    )
    block: Count | None = Field(None, description="Models to a job (default: all).")
    held_out: Share = Field(
        0.0, description="The share of examples outside the official test set that is held out."
    )
    test: Share = Field(
        0.0, description="The share of examples outside the official test set that joins it."
    )
    queries: Queries = Field(Queries(), description=ASKED)
    probes: dict = Field(
        {}, description="Options of scripts/miatlas/signals/probes, by name; asked if needed."
    )
    teacher: Teacher | None = Field(None, description="Whose answers are learned (default: none).")
    bounds: Bounds = Field(Bounds(), description="How bounds are computed.")
    models_of: str | None = Field(
        None, description="The cohort whose models these are, asked otherwise: nothing is trained."
    )


class AskedAgain(Section):
    """The models of another cohort, asked otherwise; what is not given is as it is there."""

    models_of: str = Field(description="The cohort whose models these are.")
    queries: Queries | None = Field(None, description=ASKED)
    probes: dict | None = Field(None, description="Options of probes, by name.")
    bounds: Bounds | None = Field(None, description="How bounds are computed.")


class ReleasedCohort(Section):
    """Models that exist: their weights, and who their members are. They are asked, not trained."""

    population: str = Field(description="The name of a population: members and non-members.")
    recipe: str = Field(description="The name of a recipe, of which the architecture is theirs.")
    weights: list[str] | str = Field(
        description="The path of their weights, or a list with one for each model: safetensors, a"
        " state dict of torch.save, estimators of skops, programs of TorchScript."
    )
    members: list[str] | str | None = Field(
        None,
        description="The path of a list of members, or a list with one for each model: a text with"
        " an index a line, or .npy (default: what the population says).",
    )
    nonmembers: str | None = Field(
        None, description="The path of a list of non-members (default: all that are no members)."
    )
    models: Count | None = Field(
        None, description="How many models there are (default: one in each file of weights)."
    )
    at_chance: Literal["stop", "go_on"] = Field(
        "stop", description="What to do where a model knows no more of its members than chance."
    )
    held_out: Share = Field(
        0.0, description="The share of examples outside the official test set that is held out."
    )
    test: Share = Field(
        0.0, description="The share of examples outside the official test set that joins it."
    )
    queries: Queries = Field(Queries(), description=ASKED)
    probes: dict = Field(
        {}, description="Options of scripts/miatlas/signals/probes, by name; asked if needed."
    )
    bounds: Bounds = Field(Bounds(), description="How bounds are computed.")
    models_of: str | None = Field(
        None, description="The cohort whose models these are, asked otherwise."
    )


class ExternalCohort(Section):
    """A cohort that other software trained and queried."""

    signals: str = Field(
        description="The path of its signals file (HDF5), or of a table of the probabilities that"
        " its models answer (.csv, .npz; see scripts/miatlas/signals/probabilities.py)."
    )
    paired: bool = Field(
        False,
        description="Models 2k and 2k + 1 hold complementary halves of the pool, as in the design"
        " of that name, so that a target's partner is never a reference.",
    )
    bounds: Bounds = Field(Bounds(), description="How bounds are computed.")
