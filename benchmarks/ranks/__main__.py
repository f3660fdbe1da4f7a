"""Runs with `python -m benchmarks.ranks [steps|many|scale]...`; without arguments all three, in about three minutes.

steps   step time of a job of 4 processes: no logging, reduced logging, `all_reduce` and torch's writer (80 s)
many    256 ranks with real clients of a real store, 20 metrics a step, 10 steps a second: do they keep up? (60 s)
scale   what an interval costs at 8, 256, 4,096 and 16,384 ranks, from the real code on made-up blocks (40 s)
"""

import sys

from . import many, scale, steps

PARTS = {"steps": steps.main, "many": many.main, "scale": scale.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        print(f"-- {name}")
        PARTS[name]()
