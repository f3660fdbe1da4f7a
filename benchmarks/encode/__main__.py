"""`python -m benchmarks.encode [--rounds N] [--only TEXT]`: CPU of one call of each kind, in one run.

Two figures a row: making the serialized summary; and making its record, ready for the event file, which is
what a writer thread spends. One thread, BLAS threads held to one; medians over interleaved rounds.
"""

from __future__ import annotations

import argparse
import os
import platform

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[variable] = "1"  # before numpy reads it: idle BLAS threads spin, and count as CPU

import numpy as np  # noqa: E402

from . import histograms, pr_curves  # noqa: E402
from .frames import MESSAGE, RECORD  # noqa: E402
from .measure import header, line, measure  # noqa: E402

KINDS = (histograms.rows, pr_curves.rows)
"""Each kind of summary is a module with a function `rows`; a new kind is one more here."""


def main() -> None:
    """Measures every row whose name contains the text asked for, and prints it as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=15, help="interleaved rounds; the median of them counts"
    )
    parser.add_argument("--only", default="", help="measure only rows with this text in their name")
    options = parser.parse_args()
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    print(f"{versions}, {platform.machine()}, {os.cpu_count()} CPUs")
    for title, finish in (("the serialized summary", MESSAGE), ("the record for the event file", RECORD)):
        print("\n" + header(title))
        for rows in KINDS:
            for row in rows():
                if options.only in row.name:
                    print(line(row.name, measure(row, finish, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
