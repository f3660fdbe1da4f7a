"""How many events a second does one writer sustain with nothing lost? Run with `python -m benchmarks.sustained`.

Logged is flat out, and the clock stops when all of them have been handed to the operating system; then they are
counted in the file. Expected of tbasync: a million.
"""

from tbasync.bench import cpu
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(
        cpu.UNIT,
        description=__doc__,
        only=["tbasync", "torch", "tensorboardX"],
        defaults={"events": 5_000_000, "limit": 10.0},
    )
