"""The sections of a study: every key, its type with its checks, its default and its meaning.

A key of type dict that is marked with a kind of plug-in (`miatlas.study.plugins`) holds the name of
one with its options, which that one declares itself; so does a name that is marked with a kind.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from miatlas.leakage.levels import Level
from miatlas.options import between, nonnegative, positive
from miatlas.study import plugins
from miatlas.study.checking import Section

Share = Annotated[float, between(0, 1)]
Count = Annotated[int, positive]


class Tolerance(Section):
    """What may be given away: `make check` says whether it is less, or more, or cannot be told."""

    level: Level = Field(0.001, description="The share of non-members who may be accused.")
    tpr: Share = Field(description="The share of members who may be named at that.")
    confidence: Annotated[float, between(0.5, 0.9999)] = Field(
        0.95, description="Of the interval that has to lie on one side of `tpr`."
    )


class Study(Section):
    """One configuration file: the populations, cohorts, audits and exhibits of one paper."""

    study: str = Field(description="The study's name; exhibits lie in a folder of that name.")
    seed: Annotated[int, nonnegative] = Field(0, description="Enters every random stream.")
    data_root: str = Field(
        "data", description="The folder that data sets are read from, and downloaded to."
    )
    memory_mb: Count = Field(
        1024, description="What a scoring job may take; half of it for signals, read in slices."
    )
    tolerance: Tolerance | None = Field(
        None, description="What may be given away (default: nothing is judged)."
    )
    show_records: bool = Field(
        False,
        description="Whether the page that answers lists the most exposed members: it discloses"
        " them itself (and all of them in records.csv beside it).",
    )
    populations: dict = Field({}, description="Labelled data sets, by name.")
    recipes: dict = Field({}, description="How one model is trained, by name.")
    cohorts: dict = Field({}, description="Many models of one recipe and design, by name.")
    attacks: dict = Field({}, description="Attacks with their options, by label.")
    audits: dict = Field({}, description="Which attacks run on which cohorts, by name.")
    exhibits: dict | None = Field(
        None,
        description="Figures and tables, by name (default: the ROC curves of every audit, and a"
        " table of all attacks; {} is none).",
    )
    pathvars: dict = Field({}, description="Snakemake's path variables, such as results.")


class Canaries(Section):
    """Examples inserted into a population (carlini2022 §VII-B)."""

    count: Count = Field(description="How many are inserted.")
    kind: Literal["mislabelled", "noise", "other", "other_relabelled"] = Field(
        "mislabelled",
        description="Examples with another label, noise, or those of another population, with their"
        " labels or with random ones.",
    )
    other: Annotated[dict, "population"] | None = Field(
        None, description="For the kinds of that name, a population whose examples are inserted."
    )


class Population(Section):
    """A data set: a source with its options, and what is done to its examples."""

    source: Annotated[str, plugins.SOURCES] = Field(
        description="Where examples come from: a module of scripts/miatlas/populations, or a file"
        " of one's own (source: {file: mine.py})."
    )
    subset: Count | None = Field(
        None, description="Keep that many examples, stratified by class (default: all)."
    )
    label_noise: Share = Field(
        0.0,
        description="The share of examples outside the official test set whose label is replaced"
        " by another class, drawn by lot.",
    )
    class_overlap: Share = Field(
        0.0, description="The weight of an example of another class, mixed into every input."
    )
    canaries: Canaries | None = Field(None, description="Examples to insert (default: none).")
    mean: list[float] | None = Field(
        None,
        description="What is taken from examples on their way to the models, once divided by scale:"
        " a number a channel or column, or one (default: as standardise says).",
    )
    deviation: list[Annotated[float, positive]] | None = Field(
        None, description="What they are then divided by; given together with mean."
    )
    standardise: Literal["numeric", "all", "none"] = Field(
        "numeric",
        description="Features are moved and scaled, on their way to the models, to mean 0 and"
        " deviation 1 over all but the official test set: numeric columns (those with other values"
        " than 0 and 1), all, or none. Images are, by channel, unless none.",
    )


class Attack(Section):
    """A label for an attack with its options."""

    attack: Annotated[str, plugins.ATTACKS] | None = Field(
        None,
        description="A module of scripts/miatlas/attacks (default: that of the label), or a file of"
        " one's own (attack: {file: mine.py}).",
    )
    references: Count | None = Field(
        None,
        description="Use that many reference models of every example, half of them IN and half"
        " OUT, or all OUT where the attack reads no others (default: as many as there are).",
    )


class Perturbation(Section):
    """How far, and in how many steps, points are moved that attacks ask models about."""

    radius: Annotated[float, positive] = Field(
        0.1, description="The most that any input moves, in units of the standardised inputs."
    )
    steps: Count = Field(10, description="Steps along the gradient's sign.")


class Audit(Section):
    """Target cohort × shadow cohort × attacks, on the first `targets` models."""

    target: str = Field(description="The cohort whose models are attacked.")
    attacks: list[str] = Field(description="Labels of attacks.")
    shadow: str | None = Field(
        None, description="The cohort of the shadow models (default: the target's own)."
    )
    reference: str | None = Field(
        None, description="A third cohort, for attacks that calibrate with models of neither."
    )
    targets: Count | None = Field(
        None, description="How many models are attacked (default: 10, or all if there are fewer)."
    )
    regressor: str | None = Field(
        None,
        description="The name of a recipe for what an attack regresses for each target (default:"
        " the targets' own, by Adam).",
    )
    perturbation: Perturbation = Field(
        Perturbation(), description="How perturbed points are found, where an attack asks for any."
    )
    delta: Share | None = Field(
        None,
        description="The δ at which refuted ε of (ε, δ)-privacy are said (default: that of the"
        " targets' own privacy, or 1e-5).",
    )
    release: Annotated[dict, plugins.RELEASES] = Field(
        {"name": "everything"},
        description="What models give out, target and shadow models alike, with its options.",
    )


class Exhibit(Section):
    """One figure or table, and what it shows: whatever its module's READS names."""

    paper: str | None = Field(
        None,
        description="Whose figure or table it is: what it stands under in the report (default: the"
        " study's name).",
    )
    title: str = Field(description="Its title, in the report's list.")
    caption: str = Field("", description="What is seen.")
    figure: Annotated[str, plugins.FIGURES] | None = Field(
        None,
        description="A module of scripts/miatlas/exhibits/figures, or a file of one's own (figure:"
        " {file: mine.py}).",
    )
    table: Annotated[str, plugins.TABLES] | None = Field(
        None,
        description="A module of scripts/miatlas/exhibits/tables, or a file of one's own (table:"
        " {file: mine.py}); either this or a figure.",
    )
    audits: list[str] = Field([], description="The audits whose results it shows.")
    attacks: Any = Field(
        None,
        description="Labels of the attacks that it shows, or a mapping of labels to names shown;"
        " an audit need not have them all.",
    )
    cohort: str | None = Field(None, description="The cohort whose signals it shows.")
    cohorts: list[str] = Field([], description="The cohorts whose bounds or signals it shows.")
    options: dict = Field({}, description="Options of the figure or table.")
