"""See `tbasync/bench/media.py`; run with `python -m benchmarks.caller_cost`."""

from tbasync.bench import media
from tbasync.bench.alone import main

if __name__ == "__main__":
    main(media.UNIT)
