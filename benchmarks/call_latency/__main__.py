"""See `tbasync/bench/latency.py`; run with `python -m benchmarks.call_latency`."""

from tbasync.bench import latency
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(latency.UNIT)
