"""Measure each section of the page, against a named alternative in the same run."""

import argparse
import json
from importlib import import_module
from pathlib import Path

import page
from measuring import HERE, circumstances


def main() -> None:
    """Measure the sections that are asked for; renew them in results.json and README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(page.SECTIONS), help="one section; keep the others")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--output", type=Path, help="folder to write to (default: this one)")
    options = parser.parse_args()
    folder = options.output or (None if options.quick else HERE)
    file = folder / "results.json" if folder else None
    results = json.loads(file.read_text()) if file and file.exists() else {}
    for name in [options.only] if options.only else page.SECTIONS:
        print(page.SECTIONS[name][0], flush=True)
        around = circumstances()
        results[name] = {**around, "comparisons": import_module(name).measure(options.quick)}
        if folder:
            file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            (folder / "README.md").write_text(page.render(results))
    print(page.render(results))


if __name__ == "__main__":
    main()
