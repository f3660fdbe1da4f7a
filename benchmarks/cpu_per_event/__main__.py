"""See `tbasync/bench/cpu.py`; run with `python -m benchmarks.cpu_per_event`."""

from tbasync.bench.cpu import main

main()
