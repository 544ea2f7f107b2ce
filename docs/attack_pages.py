"""A page for each attack, made from its module; and their list, by what they need."""

import io
import re
from pathlib import Path

import matplotlib
import pandas as pd

from miatlas.audits.attack import Not
from miatlas.options import docstring, spelled
from miatlas.study.attack_list import attacks, needs
from miatlas.study.attack_modules import said
from miatlas.study.plugins import ATTACKS

matplotlib.use("Agg")
from matplotlib import pyplot as plt

DRAWN = """The attack on the demo's MLPs: ten targets under one threshold, on log axes; grey are
guessing, and the other attacks."""


def pages(curves: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Return the content of every page and picture, by its path below docs/.

    curves: by attack, its ROC curve in the demo (columns fpr, tpr).
    """
    names = attacks()
    found: dict[str, str] = {"attacks/index.md": index(names)}
    for name in names:
        found[f"attacks/{name}.md"] = page(name, drawn=name in curves)
        if name in curves:
            found[f"attacks/{name}.svg"] = picture(name, curves)
    return found


def index(names: list[str]) -> str:
    """Return the list of attacks."""
    rows = "".join(
        f"| [`{name}`]({name}.md) | {said(name).title} | {said(name).authors} {said(name).year} |"
        f" {', '.join(needs(name)) or 'the target alone'} |\n"
        for name in names
    )
    return (
        "# Attacks\n\nA score per example, higher = more likely a member. Names are those that a"
        " study uses; each may stand in it several times, under labels of your choice, with other"
        " options.\n\n| name | attack | whose | needs |\n|---|---|---|---|\n" + rows
    )


def page(name: str, drawn: bool) -> str:
    """Return the page of one attack: whose, formula, what it needs and reads, options, ROC."""
    attack, source = said(name), ATTACKS.source(name)
    parts = [
        f"# {attack.title}\n",
        f"`{name}` — {attack.authors} {attack.year}; {attack.source}.\n",
        f"{sentences(docstring(source))}\n",
        "## Score\n",
        f"{sentences(docstring(source, 'score'))}\n",
        "## What it needs\n",
        f"{', '.join(needs(name)) or 'the target alone'}. It reads "
        + ", ".join(f"`{read}`" for read in sorted(attack.read()))
        + (" (not all of them for all options)" if conditions(attack) else "")
        + ".\n",
        *conditions(attack),
        "## Options\n",
        options(source),
    ]
    if drawn:
        parts += ["\n## In the demo\n", f"![ROC curve of {attack.title}]({name}.svg)\n", DRAWN]
    return "\n".join(parts) + "\n"


def conditions(attack) -> list[str]:
    """Return a line for all that is read under some options only."""
    names: dict[str, dict[str, None]] = {}
    for one in (*attack.score, *attack.fit):
        if one.when:
            words = (
                f"`{key}` is not `{value.value}`"
                if isinstance(value, Not)
                else f"`{key}` is `{value}`"
                for key, value in one.when.items()
            )
            names.setdefault(", ".join(words), {}).update(dict.fromkeys(one.names))
    lines = [f"- where {when}: {', '.join(f'`{n}`' for n in read)}" for when, read in names.items()]
    return [*lines, ""] if lines else []


def options(source: Path) -> str:
    """Return the options with their types and defaults as a table."""
    declared = spelled(source, "score")
    if not declared:
        return "None."
    rows = "".join(
        f"| `{name}` | `{plain(kind)}` | `{default}` |\n"
        for name, (kind, default) in declared.items()
    )
    return "| option | type | default |\n|---|---|---|\n" + rows


def plain(kind: str) -> str:
    """Return a type as a reader writes it, its bars escaped for a table."""
    kind = re.sub(r"Literal\[(.*?)\]", lambda m: m[1].replace("'", "").replace(", ", " or "), kind)
    return re.sub(r"Annotated\[(.*)\]", r"\1", kind).replace(" | ", " or ").replace("|", "\\|")


def sentences(text: str) -> str:
    """Return a docstring as Markdown: what looks like markup there is none."""
    return re.sub(r"([*_<])", r"\\\1", text)


def picture(name: str, curves: dict[str, pd.DataFrame]) -> str:
    """Return the attack's ROC curve among the others', as SVG."""
    figure, axes = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
    for other, curve in curves.items():
        if other != name:
            axes.step(curve["fpr"], curve["tpr"], where="post", color="0.85", linewidth=0.8)
    axes.plot([1e-4, 1], [1e-4, 1], color="0.5", linewidth=1, linestyle="--")
    own = curves[name]
    axes.step(own["fpr"], own["tpr"], where="post", color="#1f4e9c", linewidth=1.8)
    axes.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1),
             xlabel="False positive rate", ylabel="True positive rate")  # fmt: skip
    content = io.StringIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    plt.close(figure)
    return content.getvalue()


def demo_curves(path: Path) -> dict[str, pd.DataFrame]:
    """Return the curves kept from the demo: columns attack, fpr, tpr."""
    table = pd.read_csv(path)
    return {name: curve for name, curve in table.groupby("attack", sort=True)}
