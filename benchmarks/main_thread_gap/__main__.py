"""See `tbasync/bench/gap.py`; run with `python -m benchmarks.main_thread_gap`."""

from tbasync.bench.gap import main

main()
