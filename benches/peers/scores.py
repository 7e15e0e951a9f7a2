"""Times pytorch-ood's scores of one frame, on one thread; the other side is examples/peer_scores.rs, which knows the same orders.

python3 scores.py CLASSES FEATURES; then a line `NAME RUNS` for each order on standard input, answered by the microseconds of a frame, over
RUNS of them. Before the first answer it fits the score. Features and logits are drawn: what a score costs depends on their number.
"""
import sys
from time import thread_time

import numpy as np
import torch
from pytorch_ood import detector as d

# As oodwatch fits by default: frames in all, and those of them that NNGuide keeps.
FRAMES, NNGUIDE_FRAMES = 10_000, 1_000
DIFFERENT = 64


class Network:
    def __init__(self, classes: int, features: int) -> None:
        random = np.random.default_rng(0)
        draw = lambda rows: torch.tensor(np.maximum(random.normal(size=(rows, features)), 0), dtype=torch.float32)
        self.linear = torch.nn.Linear(features, classes)
        self.fit, self.frames = draw(FRAMES), draw(DIFFERENT)
        self.logits = self.linear(self.frames)
        # Every class has frames.
        self.labels = torch.arange(FRAMES) % classes


def detectors(n: Network) -> dict:
    """By oodwatch's names: fits, and gives what is called for one frame."""
    weight, bias, classes = n.linear.weight, n.linear.bias, len(n.linear.bias)
    of_logits = lambda score: lambda: lambda at: score(n.logits[at : at + 1])

    def of_features(detector, frames=FRAMES):
        detector.fit_features(n.fit[:frames], n.labels[:frames])
        return lambda at: detector.predict_features(n.frames[at : at + 1])

    def of_maps(detector, fits=False):
        maps = n.frames[:, :, None, None]
        if fits:
            detector.fit_feature_maps(n.fit[:, :, None, None], n.labels)
        return lambda at: detector.predict_feature_maps(maps[at : at + 1])

    head = lambda maps: n.linear(maps.flatten(1))
    return {
        "msp": of_logits(d.MaxSoftmax.score),
        "max_logit": of_logits(d.MaxLogit.score),
        "energy": of_logits(d.EnergyBased.score),
        "gen": of_logits(lambda logits: d.GEN.score(logits, gamma=0.1, M=min(100, classes))),
        "react": lambda: of_maps(d.ReAct(None, head, percentile=0.9), fits=True),
        "vra": lambda: of_maps(d.VRA(None, head, 0.6, 0.95), fits=True),
        "ash_p": lambda: of_maps(d.ASH(None, head, variant="ash-p", percentile=0.9)),
        "ash_b": lambda: of_maps(d.ASH(None, head, variant="ash-b", percentile=0.9)),
        "ash_s": lambda: of_maps(d.ASH(None, head, variant="ash-s", percentile=0.9)),
        "scale": lambda: of_maps(d.SCALE(None, head, percentile=0.85)),
        "dice": lambda: of_features(d.DICE(None, weight, bias, p=0.9)),
        "nnguide": lambda: of_features(d.NNGuide(None, n.linear, k=10), NNGUIDE_FRAMES),
        "knn": lambda: of_features(d.KNN(None, k=50, algorithm="brute")),
        "mahalanobis": lambda: of_features(d.Mahalanobis(None)),
        "relative_mahalanobis": lambda: of_features(d.RMD(None)),
        "vim": lambda: of_features(d.ViM(None, len(weight[0]) // 2, weight, bias)),
        "she": lambda: of_features(d.SHE(None, n.linear)),
        "fdbd": lambda: of_features(d.fDBD(None, n.linear)),
        "nci": lambda: of_features(d.NCI(None, n.linear, alpha=1e-4)),
    }


def main() -> None:
    torch.set_num_threads(1)
    with torch.no_grad():
        known, fitted = detectors(Network(*map(int, sys.argv[1:]))), {}
        for line in sys.stdin:
            name, runs = line.split()
            if name not in fitted:
                fitted[name] = known[name]()
            started = thread_time()
            for number in range(int(runs)):
                fitted[name](number % DIFFERENT)
            print(f"{(thread_time() - started) * 1e6 / int(runs):.3f}", flush=True)


if __name__ == "__main__":
    main()
