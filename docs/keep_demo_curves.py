"""Keep the demo's ROC curves for the pages of the attacks: `python docs/keep_demo_curves.py`.

Of the audit `mlp`, all targets under one threshold, thinned evenly on a log axis.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from miatlas.study.attack_list import attacks  # noqa: E402

POINTS, FLOOR = 60, 1e-4


def main() -> None:
    """Write docs/demo_roc.csv from results/audits/mlp, a curve for each attack that ran there."""
    parts = []
    for name in attacks():
        path = ROOT / "results" / "audits" / "mlp" / f"{name}.roc.csv"
        if path.is_file():
            table = pd.read_csv(path, dtype={"target": str})
            curve = table[(table["target"] == "pooled") & (table["fpr"] > 0)]
            at = np.searchsorted(curve["fpr"], np.geomspace(FLOOR, 1.0, POINTS))
            rows = np.unique(at.clip(max=len(curve) - 1))
            parts.append(curve.iloc[rows][["fpr", "tpr"]].round(5).assign(attack=name))
    pd.concat(parts)[["attack", "fpr", "tpr"]].to_csv(ROOT / "docs" / "demo_roc.csv", index=False)


if __name__ == "__main__":
    main()
