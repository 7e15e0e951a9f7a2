"""Times the same steps with frames that lie in memory; the other side is examples/peer.rs, which knows the same orders.

python3 in_memory.py SETTINGS.json; then, a line each on standard input, answered by a line of microseconds of the
processor, which others on the same machine disturb least (medians over RUNS frames):
  judge RUNS    from bytes to tensor, the network, and all from bytes to verdict
  infer RUNS    the network alone, again and again on one tensor
"""
import statistics
import sys
from pathlib import Path
from time import thread_time

import numpy as np

from peer import Peer, settings_of


def judge(peer: Peer, frames: list, runs: int) -> list:
    laps = []
    for number in range(runs):
        # A frame comes out of a driver's buffer or a pipe by a copy; its time is not counted.
        frame = frames[number % len(frames)].copy()
        started = thread_time()
        tensor = peer.prepare(frame)
        prepared = thread_time()
        logits = peer.infer(tensor)
        inferred = thread_time()
        peer.verdict(number, logits)
        laps.append((prepared - started, inferred - prepared, thread_time() - started))
    return [statistics.median(lap) for lap in zip(*laps)]


def infer(peer: Peer, runs: int) -> list:
    tensor = np.random.default_rng(0).normal(size=peer.tensor.shape).astype(np.float32)
    laps = []
    for _ in range(runs):
        started = thread_time()
        peer.infer(tensor)
        laps.append(thread_time() - started)
    return [statistics.median(laps)]


def main() -> None:
    settings = settings_of(sys.argv[1])
    peer = Peer(settings)
    frames = [np.fromfile(path, np.uint8) for path in sorted(Path(settings["frames"]).iterdir())]
    for line in sys.stdin:
        order, runs = line.split()
        times = judge(peer, frames, int(runs)) if order == "judge" else infer(peer, int(runs))
        print(*(f"{time * 1e6:.2f}" for time in times), flush=True)


if __name__ == "__main__":
    main()
