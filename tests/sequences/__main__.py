"""`python -m tests.sequences SEED STEPS`: walk, and print what was done.

STEPS is how many, or the numbers of some, with commas between.
"""

from __future__ import annotations

import sys

from tests.sequences.walk import Walk


def main() -> None:
    """The command line."""
    seed, steps = sys.argv[1:3]
    numbers = map(int, steps.split(",")) if "," in steps else range(1, int(steps) + 1)
    with Walk(int(seed)) as walk:
        walk.go(numbers)
        walk.compare_with_another()
    print(walk.tally.text())


if __name__ == "__main__":
    main()
