"""How many models of a block are trained as one stack."""

import torch

from miatlas.training import ensemble
from miatlas.training.gradients import STREAMS, in_turn
from miatlas.training.objectives import cross_entropy

# On a CPU, bytes of a stack's weights, and of what it keeps of a batch for the way back.
WEIGHTS, KEPT = 2**22, 2**24
SHARE = 0.8  # of a GPU's free memory that a stack may take
BATCHES = 6  # how often a batch is held while its examples are fetched and moved


def stack_size(architecture, make, recipe: dict, x: torch.Tensor, models: int) -> int:
    """Return how many of a block's `models` are one stack, by the recipe and x (N, ...).

    `engine: stacked` takes all of them, `one_by_one` one. `auto` takes as many as fit into the
    memory of a GPU, or as pay on a CPU: a stack spares the overhead of calls, and loses once its
    weights leave the cache, through which they pass in every step. In stacks of 1, 8 and 32 a CPU
    takes 0.29, 0.05 and 0.03 ms for a step of an MLP on 1x8x8 (batches of 32; 64 are taken); 0.41,
    0.19 and 0.18 on 446 features (64; 17); 0.69, 0.50 and 0.47 on 1x28x28 (128; 10);
    for CNN-16 on 1x8x8 1.2, 0.77 and 0.50 (32; 45), on 1x28x28 7.4, 7.4 and 7.5 (64; 1). By its
    stack a model differs in rounding only.

    Raises ValueError where a stack is asked for of networks whose module says STACKABLE = False.
    """
    engine = recipe["engine"]
    if engine in ("stacked", "in_turn") and not architecture.STACKABLE:
        raise ValueError(f"engine: {architecture.__name__} cannot be {engine}; use one_by_one")
    draws = recipe.get("architecture", {}).get("dropout")  # a stack's, not a model's own
    if engine == "one_by_one" or not architecture.STACKABLE or recipe["epochs"] is None or draws:
        return 1
    if engine in ("stacked", "in_turn"):
        return models
    weights = 4 * sum(tensor.numel() for tensor in make().parameters())  # bytes
    beside, of_one = counted(make, recipe, x)
    kept = beside + of_one * min(recipe["batch_size"], len(x))
    if x.device.type == "cpu":
        fitting = min(WEIGHTS / weights, KEPT / kept)
    elif in_turn(engine, make(), x.device):
        batch = BATCHES * 4 * x[0].numel() * min(recipe["batch_size"], len(x))
        room = SHARE * free(x.device) - STREAMS * kept
        fitting = room / (copies(recipe) * weights + batch)
    else:
        fitting = SHARE * free(x.device) / (copies(recipe) * weights + kept)
    return max(1, min(models, int(fitting)))


def counted(make, recipe: dict, x: torch.Tensor) -> tuple[float, float]:
    """Return the bytes of a model that a step keeps for the way back: beside examples, an example.

    A stack of two networks is given the example x[0] twice and four times, on the CPU and in the
    recipe's precision. A GPU keeps no more; of convolutions in bfloat16, half of the bytes.
    """
    group, x = ensemble.build(make, [0, 0], torch.device("cpu")), x[:1].cpu()
    two, four = (_kept(group, recipe, x.expand(2, n, *x.shape[1:]).clone()) for n in (2, 4))
    return (2 * two - four) / 2, (four - two) / 4


def _kept(group, recipe, x) -> int:
    """Count what autograd saves of a step on x (K, B, ...), and is no parameter, in bytes."""
    own = {tensor.untyped_storage().data_ptr() for tensor in group.parameters.values()}
    storages = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage  # held, so that no other takes its place
        return tensor

    half = recipe["precision"] == "bfloat16"
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=half),
    ):
        logits = group(x).float()
        cross_entropy(logits, torch.zeros(logits.shape[:2], dtype=torch.long), 0.0)
    return sum(storage.nbytes() for storage in storages.values())


def copies(recipe: dict) -> int:
    """Return how often a training holds all weights: them, gradients, moments, averages, results.

    Gradients once more, where the layout of one is changed.
    """
    moments = 1 if recipe["optimizer"]["name"] == "sgd" else 2
    return 4 + moments + bool(recipe["ema"]) + bool(recipe["early_stopping"])


def free(device: torch.device) -> int:
    """Return the bytes of a GPU that nobody has taken, or that torch would give back."""
    cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + cached
