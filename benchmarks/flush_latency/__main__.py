"""See `tbasync/bench/flush.py`; run with `python -m benchmarks.flush_latency`."""

from tbasync.bench import flush
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(flush.UNIT)
