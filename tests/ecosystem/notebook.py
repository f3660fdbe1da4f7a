"""Runs a notebook in a real kernel: it logs, opens TensorBoard by its magics, and goes on logging.

    python -m tests.ecosystem.notebook        (leaves its files in the current directory)

Prints, as JSON, what TensorBoard's HTTP API has of the run before and after the second cell that logs, and what
the notebook shows.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from ..support.tensorboard_server import TensorBoard

LOG = """
import tbasync
writer = tbasync.SummaryWriter("runs/notebook", interval=0.05)
for step in range(5):
    writer.add_scalar("loss", 1 / (step + 1), step)
"""
OPEN = """
%load_ext tensorboard
%tensorboard --logdir runs --host 127.0.0.1 --port 0 --reload_interval 1
"""
ASK = """
from tensorboard import manager
(info,) = manager.get_all()
print(info.port, info.pid)
"""
GO_ON = """
for step in range(5, 8):
    writer.add_scalar("loss", 1 / (step + 1), step)
"""
TABLE = "writer.flush(); writer.stats()"


def main() -> None:
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (LOG, OPEN, ASK, GO_ON, TABLE)]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=90, kernel_name="python3")
    # The magic starts what is called `tensorboard` on PATH, and keeps its notes in the temporary directory.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ["TMPDIR"] = os.getcwd()
    with client.setup_kernel():
        for place in range(3):
            client.execute_cell(cells[place], place)
        port, pid = re.findall(r"\d+", cells[2].outputs[0].text)
        try:
            board = TensorBoard(f"http://127.0.0.1:{port}/")
            before = points(board, 5)
            client.execute_cell(cells[3], 3)
            after = points(board, 8)
            client.execute_cell(cells[4], 4)
        finally:
            os.kill(int(pid), signal.SIGKILL)
    frame = "".join(output.data.get("text/html", "") for output in cells[1].outputs if "data" in output)
    table = cells[4].outputs[0].data["text/html"]
    print(json.dumps({"before": before, "after": after, "frame": port in frame, "table": table}))


def points(board: TensorBoard, count: int) -> Any:
    """The points of the series, when there are so many."""
    return board.wait_for(
        lambda: len(found := board.scalars("notebook", "loss")) == count and found, seconds=60
    )


if __name__ == "__main__":
    main()
