"""One measurement of one writer, from the standard library, the writer and (for steps) torch alone.

python child.py WHAT WRITER COUNT DIRECTORY; WRITER is "tbasync", "torch" or "none". Prints JSON.
"""

import json
import sys
import time
from statistics import median

NAMES = [f"train/metric_{number}" for number in range(20)]


def writer_of(name, directory):
    """A SummaryWriter, or None."""
    if name == "tbasync":
        from tbasync import SummaryWriter
    elif name == "torch":
        from torch.utils.tensorboard import SummaryWriter
    else:
        return None
    return SummaryWriter(directory)


def push(name, count, directory):
    """A burst of `count` calls in one go, and then the median of single calls, without the clock's own."""
    writer = writer_of(name, directory)
    for number in range(1_000):
        writer.add_scalar("loss", 0.25, number)
    writer.flush()
    began = time.perf_counter()
    for number in range(count):
        writer.add_scalar("loss", 0.25, number)
    burst = (time.perf_counter() - began) / count
    writer.flush()
    single, empty = [], []
    for number in range(min(count, 50_000)):
        began = time.perf_counter()
        middle = time.perf_counter()
        writer.add_scalar("loss", 0.25, number)
        single.append(time.perf_counter() - middle)
        empty.append(middle - began)
    writer.close()
    return {"burst [ns]": burst * 1e9, "single [ns]": (median(single) - median(empty)) * 1e9}


def events(name, count, directory):
    """`count` events of 20 tags; whoever started this process looks at what it has used."""
    writer = writer_of(name, directory)
    for number in range(count // 20):
        for name in NAMES:
            writer.add_scalar(name, 0.25, number)
    writer.close()
    return {}


def steps(name, count, directory):
    """Three times `count` steps without logging and three times with ten scalars each, in turns."""
    import torch

    torch.set_num_threads(1)
    net = torch.nn.Sequential(torch.nn.Linear(64, 192), torch.nn.Tanh(), torch.nn.Linear(192, 16))
    sgd = torch.optim.Adam(net.parameters())
    x, y = torch.randn(448, 64), torch.randn(448, 16)
    writer, wall, cpu = writer_of(name, directory), {False: 0.0, True: 0.0}, {False: 0.0, True: 0.0}

    def train(log):
        wall_began, cpu_began = time.perf_counter(), time.process_time()
        for number in range(count):
            sgd.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            sgd.step()
            value = loss.item()
            if log:
                for tag in NAMES[:10]:
                    writer.add_scalar(tag, value, number)
        if log:
            writer.flush()
        return time.perf_counter() - wall_began, time.process_time() - cpu_began

    train(False)
    train(True)
    for _ in range(3):
        for log in (False, True):
            took = train(log)
            wall[log] += took[0]
            cpu[log] += took[1]
    writer.close()
    return {
        "step [µs]": wall[False] / 3 / count * 1e6,
        "wall overhead [%]": 100 * (wall[True] / wall[False] - 1),
        "CPU overhead [%]": 100 * (cpu[True] / cpu[False] - 1),
    }


if __name__ == "__main__":
    what, who, how_many, where = sys.argv[1:]
    print(json.dumps({"push": push, "events": events, "steps": steps}[what](who, int(how_many), where)))
