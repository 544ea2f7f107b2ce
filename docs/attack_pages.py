"""A page for each attack, made from its module; and their list, by what they need."""

import io
from pathlib import Path

import matplotlib
import pandas as pd

from miatlas.study.attack_list import attacks, needs
from miatlas.study.attack_modules import said
from miatlas.study.attack_pages import described_as_markdown

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
    """Return the page of one attack, with its ROC curve if it ran in the demo."""
    text = described_as_markdown(name)
    if drawn:
        text += f"\n\n## In the demo\n\n![ROC curve of {said(name).title}]({name}.svg)\n\n{DRAWN}\n"
    return text


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
