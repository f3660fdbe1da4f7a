"""The process in which one writer is measured: `python -m tbasync.bench.child PEER DIRECTORY WORK`.

WORK is JSON, {question: {amount: …}}. For each question a line of JSON is printed when it is answered, so that
what is known already outlives a crash:

    {"unit": "cpu", "figures": {…}}    or    {"unit": "cpu", "error": "OSError: …"}
"""

from __future__ import annotations

import json
import os
import sys

from .units import UNITS


def main(peer: str, directory: str, work: str) -> None:
    """Answers all questions about one peer, each in a directory of its own."""
    for name, amounts in json.loads(work).items():
        try:
            figures = UNITS[name].measure(peer, os.path.join(directory, name), **amounts)
            answer = {"unit": name, "figures": figures}
        except (
            Exception
        ) as error:  # whatever a writer does must not keep the other questions from being asked
            answer = {"unit": name, "error": f"{type(error).__name__}: {error}"}
        print("\n" + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
