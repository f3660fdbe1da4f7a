"""How far does a process's memory rise over ten million events? Run with `python -m benchmarks.memory`.

Expected of tbasync: 64 MiB at most, and no more for ten million than for one (`--events 1000000`).
"""

from tbasync.bench import cpu
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(cpu.UNIT, description=__doc__, rounds=1, only=["tbasync"], defaults={"events": 10_000_000})
