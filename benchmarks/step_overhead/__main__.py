"""See `tbasync/bench/steps.py`; run with `python -m benchmarks.step_overhead`."""

from tbasync.bench import steps
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(steps.UNIT)
