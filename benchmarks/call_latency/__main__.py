"""See `tbasync/bench/latency.py`; run with `python -m benchmarks.call_latency`."""

from tbasync.bench.latency import main

main()
