"""Write a folder with an audit of a released model that runs at once: `make new AUDIT=mine`.

`KIND=estimator` makes that of an estimator of scikit-learn on a table, in place of a network's.
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
TEMPLATES = REPOSITORY / "config" / "audit"
EXAMPLES, MEMBERS, EPOCHS = 900, 300, 100  # of the network
FITTED_ON = 200  # people, of the estimator


def main(folder: Path, kind: str) -> None:
    """Write study, note and example of a kind, "network" or "estimator", into a new folder."""
    if kind not in EXAMPLE:
        raise ValueError(f"{kind!r} is no kind of model: choose KIND={' or KIND='.join(EXAMPLE)}")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: is there already, and not empty: choose another AUDIT=")
    folder.mkdir(parents=True, exist_ok=True)
    write_study(folder, TEMPLATES if kind == "network" else TEMPLATES / kind)
    EXAMPLE[kind](folder)
    print(f"{folder}: an audit with an example. Run it: make STUDY={folder}/audit.yaml")


def write_study(folder: Path, template: Path) -> None:
    """Write the template's study and note, with the folder's name in them."""
    name = re.sub(r"[^\w-]", "_", folder.resolve().name)
    words = {
        "NAME": name, "AUDIT": str(folder), "RESULTS": f"results/{name}",
        "SCHEMA": relpath(REPOSITORY / "config" / "schema.json", folder),
    }  # fmt: skip
    for file in ("audit.yaml", "README.md"):
        text = (template / file).read_text(encoding="utf-8")
        for word, value in words.items():
            text = re.sub(rf"\b{word}\b(?!=)", value, text)
        (folder / file).write_text(text, encoding="utf-8")


def network(folder: Path) -> None:
    """Write network.py, data.npz, members.txt, model.pt: it remembers 300 of 900 digits."""
    from sklearn.datasets import load_digits

    shutil.copy(TEMPLATES / "network.py", folder / "network.py")
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


def estimator(folder: Path) -> None:
    """Write people.csv and model.skops: a forest that was fitted on 200 of 569 people."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from skops.io import dump

    data = load_breast_cancer(as_frame=True)
    member = np.zeros(len(data.data), bool)
    member[np.random.default_rng(1).permutation(len(member))[:FITTED_ON]] = True
    diagnosis = data.target_names[data.target]
    forest = RandomForestClassifier(50, random_state=1).fit(data.data[member], diagnosis[member])
    dump(forest, folder / "model.skops")
    table = data.data.assign(diagnosis=diagnosis, member=member.astype(int))
    table.to_csv(folder / "people.csv", index=False)


EXAMPLE = {"network": network, "estimator": estimator}

if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), *sys.argv[2:] or ["network"])
    except ValueError as error:
        sys.exit(f"miatlas: {error}")
