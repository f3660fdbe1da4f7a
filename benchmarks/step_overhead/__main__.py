"""See `tbasync/bench/steps.py`; run with `python -m benchmarks.step_overhead`."""

from tbasync.bench.steps import main

main()
