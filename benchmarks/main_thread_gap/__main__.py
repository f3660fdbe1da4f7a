"""See `tbasync/bench/gap.py`; run with `python -m benchmarks.main_thread_gap`."""

from tbasync.bench import gap
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(gap.UNIT)
