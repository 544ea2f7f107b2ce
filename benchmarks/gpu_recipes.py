"""Write the recipes that GPUs are measured on, complete: gpu_recipes.json.

The machine that measures them may have neither pydantic nor YAML; a test holds the file to the
studies that it is of.
"""

import json
import sys

from measuring import HERE, REPOSITORY

FILE = HERE / "gpu_recipes.json"
STUDIES = {"fast": "carlini2022_fast", "wide_resnet": "carlini2022", "cnn": "carlini2022_small"}


def complete() -> dict:
    """Return the recipes by name, with all their defaults, as the studies' checks make them."""
    import yaml

    sys.path.insert(0, str(REPOSITORY / "scripts"))
    from miatlas.study import entries

    studies = {name: REPOSITORY / f"config/{study}.yaml" for name, study in STUDIES.items()}
    given = {n: yaml.safe_load(file.read_text())["recipes"][n] for n, file in studies.items()}
    return {name: entries.recipe(entry, f"recipes.{name}") for name, entry in given.items()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(complete(), indent=1) + "\n")
