"""One rank of a job with Accelerate, under torchrun."""

from __future__ import annotations

from accelerate import Accelerator

from tbasync.integrations.accelerate import AsyncTensorBoardTracker


def main() -> None:
    tracker = AsyncTensorBoardTracker("job", "runs")
    accelerator = Accelerator(cpu=True, log_with=tracker)
    accelerator.init_trackers("job", config={"ranks": accelerator.num_processes})
    rank = accelerator.process_index
    assert hasattr(tracker, "writer") == (rank == 0)
    for step in range(10):
        accelerator.log({"value": step + 100 * rank}, step=step)
    tracker.log({"direct": rank}, step=0)  # the tracker itself minds who calls it
    accelerator.end_training()


if __name__ == "__main__":
    main()
