"""Print every attack: whose it is, what it needs, its options with their checks and defaults."""

from miatlas.registry import attacks, described


def main() -> None:
    """Print a paragraph for each attack; a study may name any of them, under any label."""
    print("\n\n".join(described(attack) for attack in attacks()))


if __name__ == "__main__":
    main()
