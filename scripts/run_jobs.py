"""Run the jobs of `list_jobs.py` without Snakemake: `run_jobs.py jobs.json [RULE ...]`.

Not a rule's script. Jobs run one after the other in this process, by the scripts that Snakemake
runs, with what it would hand them, in the folder that it would run in. A job whose files are there
is not run again. With rules named, only theirs are run.
"""

import json
import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).parent


class Files(list):
    """Files in their order, and by name: one, or the list that has the name."""

    def __init__(self, files: list[str], names: dict):
        super().__init__(files)
        self.names = {n: files[a] if b is None else files[a:b] for n, (a, b) in names.items()}

    def keys(self):
        """Return the names."""
        return self.names.keys()

    def items(self):
        """Return names with their files."""
        return self.names.items()

    def get(self, name, default=None):
        """Return the files of a name, if it is there."""
        return self.names.get(name, default)

    def __getitem__(self, key):
        return self.names[key] if isinstance(key, str) else super().__getitem__(key)

    def __getattr__(self, name):
        try:
            return self.__dict__["names"][name]
        except KeyError:
            raise AttributeError(name) from None


def main(file: str, rules: list[str]) -> None:
    """Run the jobs of a list whose files are not there, and say how long each has taken."""
    for job in json.loads(Path(file).read_text(encoding="utf-8")):
        made = all(Path(path).exists() for path in job["output"]["files"])
        if made or (rules and job["rule"] not in rules):
            continue
        start = time.monotonic()
        run(job)
        print(f"{job['rule']}: {time.monotonic() - start:.1f} s, {job['output']['files'][0]}")


def run(job: dict) -> None:
    """Run one job's script as it is, with an object like Snakemake's in its place."""
    missing = [path for path in job["input"]["files"] if not Path(path).exists()]
    if missing:
        sys.exit(f"{job['rule']}: there is no {missing[0]}: the job that makes it was left out")
    for path in (*job["output"]["files"], *job["log"]["files"]):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    known = SimpleNamespace(
        **{kind: Files(**job[kind]) for kind in ("input", "output", "log")},
        params=SimpleNamespace(settings=job["settings"]),
        threads=job["threads"],
        resources=SimpleNamespace(**job["resources"]),
    )
    runpy.run_path(
        str(SCRIPTS / job["script"]), init_globals={"snakemake": known}, run_name="__main__"
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
