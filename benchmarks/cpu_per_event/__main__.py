"""See `tbasync/bench/cpu.py`; run with `python -m benchmarks.cpu_per_event`."""

from tbasync.bench import cpu
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(cpu.UNIT)
