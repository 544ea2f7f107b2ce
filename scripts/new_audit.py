"""Write a folder with an audit of a released model that runs at once: `make new AUDIT=mine`.

Not a rule's script. The example in it (data, members, weights) is made of a seed.
"""

import re
import shutil
import sys
from importlib.util import module_from_spec, spec_from_file_location
from os.path import relpath
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "config" / "audit"
EXAMPLES, MEMBERS, EPOCHS = 900, 300, 100


def main(folder: Path) -> None:
    """Write study, network, note and example into a new folder."""
    name = re.sub(r"[^\w-]", "_", folder.resolve().name)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: is there already, and not empty: choose another AUDIT=")
    folder.mkdir(parents=True, exist_ok=True)
    words = {
        "NAME": name, "AUDIT": str(folder), "RESULTS": f"results/{name}",
        "SCHEMA": relpath(REPOSITORY / "config" / "schema.json", folder),
    }  # fmt: skip
    for file in ("audit.yaml", "README.md"):
        text = (TEMPLATE / file).read_text(encoding="utf-8")
        for word, value in words.items():
            text = re.sub(rf"\b{word}\b(?!=)", value, text)
        (folder / file).write_text(text, encoding="utf-8")
    shutil.copy(TEMPLATE / "network.py", folder / "network.py")
    example(folder)
    print(f"{folder}: an audit with an example. Run it: make STUDY={folder}/audit.yaml")


def example(folder: Path) -> None:
    """Write data.npz, members.txt and model.pt: a network that remembers 300 of 900 digits."""
    from sklearn.datasets import load_digits

    stream = np.random.default_rng(1)
    x, labels = load_digits(return_X_y=True)
    rows = stream.permutation(len(x))[:EXAMPLES]
    x, labels = (x[rows] / 16).astype(np.float32), labels[rows]
    members = np.sort(stream.permutation(EXAMPLES)[:MEMBERS])
    np.savez_compressed(folder / "data.npz", x=x, labels=labels)
    lines = "\n".join(map(str, members)) + "\n"
    (folder / "members.txt").write_text(lines, encoding="utf-8")
    weights(folder, x[members], labels[members])


def weights(folder: Path, x: np.ndarray, labels: np.ndarray) -> None:
    """Train the folder's network as a user would, and save its state dict."""
    import torch
    from torch.nn.functional import cross_entropy

    spec = spec_from_file_location("network", folder / "network.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(1)
    network = module.build(x.shape[1:], int(labels.max()) + 1, width=64)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    x, labels = torch.from_numpy(x), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            cross_entropy(network(x[batch]), labels[batch]).backward()
            optimizer.step()
    torch.save(network.state_dict(), folder / "model.pt")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"miatlas: {error}")
