"""Print every attack: whose it is, what it needs, its options with their checks and defaults."""

import sys

from miatlas.study.attack_list import attacks, described, faults


def main() -> None:
    """Print a paragraph for each attack; a study may name any of them, under any label."""
    print("\n\n".join(described(attack) for attack in attacks()))
    for fault in faults():
        print(f"\nNot listed: {fault}", file=sys.stderr)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # for terminals that know fewer letters
    main()
