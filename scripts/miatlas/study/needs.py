"""What a job of models asks of its machine: by the records of jobs like it, else by a stated rule.

Jobs like it are those of the same rule on the same cohort, whose benchmarks lie in one folder: they
have its network, its block and its data.
"""

from functools import cache
from itertools import islice
from pathlib import Path

from miatlas.study import plan

READ = 20  # records of a folder, of which the largest counts: a cohort may have thousands
SPARE = 1.5  # of a record, for a job that takes more than those before it
LEAST, LEAST_ON_GPU = 1000, 4000  # MB: of Python and torch, and with CUDA
STATED = {  # MB of any block, and for each of its models, by architecture
    **dict.fromkeys(("mlp", "cnn", "smallnet", "two_layer_cnn", "vgg3"), (1500, 20)),
    "gpt2": (8000, 1000),
}
OTHERS = (4000, 100)


def memory_mb(study: dict, cohort: str, records: Path, gpu: int) -> int:
    """Return the MB that a block of a cohort asks for: half more than the largest record there is.

    `records`: the folder of the benchmarks of jobs like it. Without any, what STATED has for the
    network and the number of models in the block. A job with a GPU has at least LEAST_ON_GPU.
    """
    entry = study["cohorts"][cohort]
    recipe = study["recipes"][entry["recipe"]] if entry.get("recipe") else entry
    base, each = STATED.get(recipe["architecture"]["name"], OTHERS)
    recorded = largest(records, "max_rss")
    asked = SPARE * recorded if recorded else base + each * entry.get("block", 1)
    return max(round(asked), LEAST_ON_GPU if gpu else LEAST)


def minutes(records: Path, stated: int) -> int:
    """Return the minutes that a job asks for: ten, and twice the longest record; else as stated."""
    recorded = largest(records, "s")
    return 10 + round(2 * recorded / 60) if recorded else stated


@cache
def largest(records: Path, column: str) -> float | None:
    """Return the largest number of a column in some of a folder's records; None without any."""
    files = islice(Path(records).glob("*.tsv"), READ)
    return max(filter(None, (plan.recorded(file, column) for file in files)), default=None)
