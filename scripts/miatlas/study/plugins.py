"""Where plug-ins are found: the modules of each kind, by reading files and importing none.

The one place that turns a name into the file it stands for.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import get_args

from miatlas.options import Option, constant, declared
from miatlas.running.plugins import is_file
from miatlas.study.complaints import meant

LIBRARY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Modules:
    """A kind of plug-in that has a module each, in a folder of the library."""

    folder: str
    function: str  # which each of them defines, with the options as its keyword-only parameters
    own: bool = field(default=False, kw_only=True)  # whether one may be a file of the user's own

    def names(self) -> list[str]:
        """Return the names of all there are."""
        return implementing(self.folder, self.function)

    def source(self, name: str) -> Path:
        """Return the file that a name stands for, which may be the path of one's own."""
        return Path(name) if is_file(name) else LIBRARY / self.folder / f"{name}.py"

    def called(self, name: str) -> str:
        """Return the name of the function that declares the options."""
        return self.function

    def options(self, name: str) -> dict[str, Option]:
        """Return the options of one; raise ValueError if its file is faulty."""
        return declared(self.source(name), self.called(name))

    def takes(self, option) -> bool:
        """Say whether any of them has an option of that name."""
        return any(option in self.options(name) for name in self.names())

    def known(self, name, where: str) -> str:
        """Return the name if it is one's; otherwise say what there is, or what its file lacks."""
        if is_file(name) and self.own and not self.source(name).is_file():
            raise ValueError(f"{where}: there is no file {name}")
        if not (is_file(name) and self.own) and not (
            str(name).isidentifier() and self.source(name).is_file()
        ):
            return one_of(name, self.names(), where)
        try:
            self.options(name)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        return name


@dataclass(frozen=True)
class Functions(Modules):
    """A kind of plug-in whose members are functions in one module, or ways to call one of them.

    `function` is that one's name; "" if every member is a function of its own name.
    """

    members: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Return the names of all there are."""
        return list(self.members)

    def source(self, name: str) -> Path:
        """Return the file that all of them stand in."""
        return LIBRARY / f"{self.folder}.py"

    def called(self, name: str) -> str:
        """Return the name of the function that declares the options."""
        return self.function or name

    def known(self, name, where: str) -> str:
        """Return the name if it is one's; otherwise say what there is."""
        return one_of(name, self.names(), where)


SOURCES = Modules("populations", "load", own=True)
DESIGNS = Modules("designs", "draw")
ARCHITECTURES = Modules("training/architectures", "build", own=True)
OPTIMIZERS = Functions("training/optimization", "", ("sgd", "adam", "adamw"))
SCHEDULES = Functions("training/optimization", "", ("constant", "cosine", "quarter_cosine", "step"))
AUGMENTATIONS = Functions(
    "training/augmentation", "draw",
    ("none", "mirror", "shift", "mirror_shift", "mirror_shift_cutout", "crop_rotation",
     "alternating_mirror_shift"),
)  # fmt: skip
RELEASES = Functions(
    "audits/release", "", ("everything", "confidences", "top", "rounded", "label", "groups")
)
PROBES = Modules("signals/probes", "measure")
ATTACKS = Modules("attacks", "score", own=True)
FIGURES = Modules("exhibits/figures", "draw", own=True)
TABLES = Modules("exhibits/tables", "tabulate", own=True)


def marked(field) -> Modules | None:
    """Return the kind of plug-in that a section's field is marked with, if any."""
    marks = [*field.metadata, *(mark for part in get_args(field.annotation)
                                for mark in getattr(part, "__metadata__", ()))]  # fmt: skip
    return next((mark for mark in marks if isinstance(mark, Modules)), None)


def is_estimator(name: str) -> bool:
    """Say whether an architecture is of estimators, which fit themselves and are no networks."""
    return constant(ARCHITECTURES.source(name), "KIND", "network") == "estimator"


def is_program(name: str) -> bool:
    """Say whether an architecture is of programs, which are asked and nothing else."""
    return constant(ARCHITECTURES.source(name), "KIND", "network") == "program"


@cache
def implementing(folder: str, function: str) -> list[str]:
    """Return the modules of a folder of the library that define `function`."""
    paths = sorted((LIBRARY / folder).glob("[!_]*.py"))
    return [
        path.stem
        for path in paths
        if f"\ndef {function}(" in f"\n{path.read_text(encoding='utf-8')}"
    ]


def one_of(name, allowed: list[str], where: str) -> str:
    """Return `name` if it is allowed; otherwise refuse it and list what is."""
    if name in allowed:
        return name
    listed = ", ".join(sorted(allowed)) or "-"
    raise ValueError(f"{where}: {name!r} does not exist{meant(name, allowed)}; there is: {listed}")
