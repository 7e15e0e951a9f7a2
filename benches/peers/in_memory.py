"""Times the same steps with frames that lie in memory; the other side is examples/peer.rs, which knows the same orders.

python3 in_memory.py SETTINGS.json; then, a line each on standard input, answered by a line of microseconds (medians over RUNS frames):
  judge RUNS    from bytes to tensor, the network, and all from bytes to verdict
  infer RUNS    the network alone, again and again on one tensor
"""
import statistics
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from peer import Peer, settings_of


def judge(peer: Peer, frames: list, runs: int) -> list:
    laps = []
    for number in range(runs):
        # A frame comes out of a driver's buffer or a pipe by a copy; its time is not counted.
        frame = frames[number % len(frames)].copy()
        started = perf_counter()
        tensor = peer.prepare(frame)
        prepared = perf_counter()
        logits = peer.infer(tensor)
        inferred = perf_counter()
        peer.verdict(number, logits)
        laps.append((prepared - started, inferred - prepared, perf_counter() - started))
    return [statistics.median(lap) for lap in zip(*laps)]


def infer(peer: Peer, runs: int) -> list:
    tensor = np.random.default_rng(0).normal(size=peer.tensor.shape).astype(np.float32)
    laps = []
    for _ in range(runs):
        started = perf_counter()
        peer.infer(tensor)
        laps.append(perf_counter() - started)
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
