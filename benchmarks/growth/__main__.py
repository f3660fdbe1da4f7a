"""See `tbasync/bench/growth.py`; run with `python -m benchmarks.growth`."""

from tbasync.bench.growth import main

if __name__ == "__main__":
    main()
