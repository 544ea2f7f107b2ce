"""Say what is wrong with a study's files that Snakemake, which reads them first, cannot say.

Not a rule's script: `make` starts it on the files of STUDY.
"""

import sys

from miatlas.study.yaml_faults import check_files


def main(*studies: str) -> str | None:
    """Return what is said of the first file that has a fault, in a line; None if there is none."""
    try:
        return check_files(studies)
    except ValueError as error:
        return f"miatlas: {error}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
