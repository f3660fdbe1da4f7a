"""See `tbasync/bench/metrics.py`; run with `python -m benchmarks.log_metrics`."""

from tbasync.bench import metrics
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(metrics.UNIT)
