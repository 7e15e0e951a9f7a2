#!/usr/bin/env python3
"""One step of training beside the same step in PyTorch: forward, loss, backward, SGD; with the background term and without.

Run anywhere: python3 benches/peers/train_step.py [--ours PROGRAM] [--pairs N] [--threads N]
With a GPU:   python3 benches/peers/train_step.py --device cuda [--precision bf16] resnet18_32x32

Makes its own virtual environment under target/peers (0.6 GB to download; CUDA's libraries, 4 GB more, are replaced by empty ones, so that
PyTorch runs on the processor alone) and builds oodwatch-export, unless --ours names it. Both programs take turns on the same
networks: ResNet-20 at 32 pixels, EfficientNet-Lite0 at 224; ResNet-18 at 32 pixels if asked for. Both use NHWC strides. A ratio is our pictures per second by PyTorch's, the
median over pairs, with a 95 % lower bound by the sign test.

On CUDA the python3 that runs this has to have torch 2.11.0 for CUDA and torchvision, and oodwatch-export takes its libraries. There
`--precision bf16` is autocast to bfloat16 in PyTorch.
"""
import argparse
import ctypes
import math
import os
import re
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "target" / "peers" / "torch"
WANTED = [
    "torch==2.11.0", "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85", "efficientnet_lite_pytorch==0.1.0",
    "typing_extensions==4.16.0", "sympy==1.14.0", "mpmath==1.3.0", "networkx==3.6.1", "jinja2==3.1.6", "MarkupSafe==3.0.4",
    "filelock==4.3.1", "fsspec==2026.9.0", "numpy==2.4.6", "setuptools==65.5.0",
]
# Side of a picture in pixels, pictures per step.
NETWORKS = {"resnet20": (32, 128), "efficientnet_lite0": (224, 8), "resnet18_32x32": (32, 128)}
BY_DEFAULT = ["resnet20", "efficientnet_lite0"]
# Of fewer, the sign test says nothing with 95 % confidence.
FEWEST_PAIRS = 5
# A rate at which weights stay finite on noise.
LAMBDA, LOWEST, RATE, MOMENTUM, WEIGHT_DECAY = 0.3, 0.3, 1e-4, 0.9, 5e-4


def enter_environment() -> None:
    """Starts this script again in an environment that has PyTorch."""
    python = PLACE / "venv" / "bin" / "python"
    if Path(sys.prefix) == python.parents[1]:
        return
    if not (PLACE / "ready").exists():
        venv.create(PLACE / "venv", with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", *WANTED]
        subprocess.run(pip, check=True)
        stand_in_for_cuda(next((PLACE / "venv" / "lib").glob("python*")) / "site-packages")
        (PLACE / "ready").touch()
    stubs = str(PLACE / "stubs")
    environment = {**os.environ, "LD_LIBRARY_PATH": stubs, "LD_PRELOAD": f"{stubs}/libnocuda.so"}
    os.execve(python, [str(python), *sys.argv], environment)


def stand_in_for_cuda(packages: Path) -> None:
    """Makes empty libraries for those of CUDA that are missing, and one with every function that PyTorch wants of them."""
    stubs = PLACE / "stubs"
    stubs.mkdir(exist_ok=True)
    own = list((packages / "torch" / "lib").glob("*.so"))
    cuda = list((packages / "nvidia").rglob("*.so*"))
    there = {path.name for path in own + cuda}

    def readelf(flag: str, path: Path) -> str:
        return subprocess.run(["readelf", "-W", flag, path], check=True, capture_output=True, text=True).stdout

    def library(name: str, source: str) -> None:
        command = ["cc", "-shared", "-x", "c", "-", "-o", stubs / name, f"-Wl,-soname,{name}"]
        subprocess.run(command, input=source, text=True, check=True)

    for name in sorted({name for path in own for name in re.findall(r"NEEDED.*\[(.*)\]", readelf("-d", path))} - there):
        try:
            ctypes.CDLL(name)
        except OSError:
            library(name, "")
    defined, undefined = set(), set()
    for path in own + cuda:
        for line in readelf("--dyn-syms", path).splitlines():
            fields = line.split()
            if len(fields) >= 8:
                (undefined if fields[6] == "UND" else defined).add(fields[7].split("@")[0])
    wanted = sorted(name for name in undefined - defined if re.match(r"(cu|nccl|nv)\w*$", name))
    # Not in the library of its name: a versioned symbol there would have to carry the version.
    library("libnocuda.so", "".join(f"void {name}(void) {{}}\n" for name in wanted))


def build() -> Path:
    subprocess.run(["cargo", "build", "--release", "--package", "oodwatch-export"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "oodwatch-export"


def resnet20(torch):
    """As in the paper, with the shortcut of option A."""
    nn, functional = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, wide, width, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(wide, width, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.stride, self.missing = stride, (width - wide) // 2

        def forward(self, x):
            inner = functional.relu(self.bn1(self.conv1(x)), inplace=True)
            inner = self.bn2(self.conv2(inner))
            if self.stride > 1:
                x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.missing, self.missing))
            return functional.relu(inner + x, inplace=True)

    blocks, wide = [], 16
    for width in (16, 32, 64):
        for index in range(3):
            blocks.append(Block(wide, width, 2 if index == 0 and width > 16 else 1))
            wide = width
    trunk = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True), *blocks)
    return trunk, nn.Linear(64, 10)


def lite0(torch):
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0", num_classes=10, drop_connect_rate=0.0)

    class Trunk(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model.extract_features(x)

    return Trunk(), model._fc


def resnet18_32x32(torch):
    """torchvision's, with the stem for small pictures."""
    from torchvision.models import resnet18

    model = resnet18(num_classes=10)
    model.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    stages = [model.layer1, model.layer2, model.layer3, model.layer4]
    return torch.nn.Sequential(model.conv1, model.bn1, model.relu, *stages), model.fc


class Theirs:
    """The step as one writes it in PyTorch."""

    def __init__(self, torch, name, device, precision):
        side, count = NETWORKS[name]
        self.torch, self.device, self.precision = torch, device, precision
        self.trunk, self.head = {"resnet20": resnet20, "efficientnet_lite0": lite0, "resnet18_32x32": resnet18_32x32}[name](torch)
        self.trunk.to(device, memory_format=torch.channels_last)
        self.head.to(device)
        self.images = torch.randn(count, 3, side, side).to(device, memory_format=torch.channels_last)
        self.targets = torch.randint(10, (count,)).to(device)
        parameters = {*self.trunk.parameters(), *self.head.parameters()}
        settings = {"momentum": MOMENTUM, "weight_decay": WEIGHT_DECAY, "nesterov": True}
        self.sgd = torch.optim.SGD(parameters, RATE, **settings)

    def seconds(self, terms: bool) -> float:
        self.finish_work()
        started = time.perf_counter()
        with self.torch.autocast(self.device, dtype=self.torch.bfloat16, enabled=self.precision == "bf16"):
            map_ = self.trunk(self.images)
        map_ = map_.float()
        logits = self.head(map_.mean((2, 3)))
        loss = self.torch.nn.functional.cross_entropy(logits, self.targets)
        if terms:
            loss = loss + LAMBDA * self.background(map_)
        loss.item()
        self.sgd.zero_grad()
        loss.backward()
        self.sgd.step()
        self.finish_work()
        return time.perf_counter() - started

    def finish_work(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def background(self, map_):
        torch = self.torch
        places = map_.flatten(2).transpose(1, 2)
        with torch.no_grad():
            own = torch.einsum("nlc,nc->nl", places, self.head.weight[self.targets])
            chosen = own.topk(round(LOWEST * own.shape[1]), dim=1, largest=False).indices
            mask = torch.zeros_like(own).scatter_(1, chosen, 1.0)
        norms = torch.linalg.vector_norm(places, dim=2)
        return (norms * mask).sum() / mask.sum()


class Ours:
    def __init__(self, program, name, arguments, folder, libraries):
        side, count = NETWORKS[name]
        config = Path(folder) / f"{name}.toml"
        config.write_text(
            f'out = "none"\nseed = 1\nthreads = {arguments.threads}\ndevice = "{arguments.device}"\n'
            f'model = {{ arch = "{name}", precision = "{arguments.precision}" }}\n'
            f"schedule = {{ epochs = 1, batch_size = {count}, learning_rate = {RATE}, momentum = {MOMENTUM}, "
            f"weight_decay = {WEIGHT_DECAY} }}\n"
            f"loss = {{ background = {{ lambda = {LAMBDA}, rule = {{ lowest = {LOWEST} }} }} }}\n[data]\n"
            f'train = {{ folder = "none" }}\ntest = {{ folder = "none" }}\nheight = {side}\nwidth = {side}\n'
            "normalise = { mean = [0, 0, 0], std = [1, 1, 1] }\n"
        )
        # Ours names libtorch by itself; PyTorch's own libraries are for CUDA.
        environment = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
        if arguments.device == "cuda":
            environment["LD_LIBRARY_PATH"] = str(libraries)
        command = [program, "bench", "--config", config, "--serve"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1, env=environment)

    def seconds(self, terms: bool) -> float:
        self.process.stdin.write("with 1\n" if terms else "without 1\n")
        return float(self.process.stdout.readline())


def lower_bound(ratios: list) -> float:
    """What the median is at least, with 95 % confidence (sign test)."""
    count, below, rank = len(ratios), 0.0, 0
    for heads in range(count):
        below += math.comb(count, heads) / 2**count
        if below > 0.05:
            break
        rank = heads + 1
    return sorted(ratios)[rank - 1] if rank else 0.0


def compare(name: str, ours: Ours, theirs: Theirs, pairs: int) -> None:
    import numpy as np

    count = NETWORKS[name][1]
    for terms in (True, False):
        for _ in range(3):
            theirs.seconds(terms), ours.seconds(terms)
    seconds = {terms: [] for terms in (True, False)}
    for pair in range(pairs):
        for terms in (True, False):
            if pair % 2 == 0:
                own, other = ours.seconds(terms), theirs.seconds(terms)
            else:
                other, own = theirs.seconds(terms), ours.seconds(terms)
            seconds[terms].append((own, other))
    for terms, label in ((False, "cross-entropy alone"), (True, "with the background term")):
        own, other = np.median(seconds[terms], axis=0)
        ratios = [theirs / ours for ours, theirs in seconds[terms]]
        print(
            f"{name:<19} {label:<25} {count / own:8.1f} {count / other:8.1f}   {np.median(ratios):5.3f}, "
            f"at least {lower_bound(ratios):5.3f}"
        )
    for who, label in ((0, "ours"), (1, "PyTorch")):
        costs = [with_terms[who] / without[who] for with_terms, without in zip(seconds[True], seconds[False])]
        at_most = 1 / lower_bound([1 / cost for cost in costs])
        print(f"{name:<19} cost of the term, {label:<8} {100 * (np.median(costs) - 1):7.1f} %, at most {100 * (at_most - 1):.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, help="oodwatch-export, if it is built already")
    parser.add_argument("--pairs", type=int, default=25, help="steps of each kind and program")
    parser.add_argument("--threads", type=int, default=1, help="threads of each program")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="on what both compute")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of the convolutions")
    parser.add_argument("networks", nargs="*", default=BY_DEFAULT, help=", ".join(NETWORKS))
    arguments = parser.parse_args()
    if arguments.pairs < FEWEST_PAIRS:
        parser.error(f"--pairs {arguments.pairs}: a 95 % bound by the sign test takes at least {FEWEST_PAIRS}")
    if arguments.device == "cpu":
        enter_environment()
    import torch

    torch.set_num_threads(arguments.threads)
    program = arguments.ours or build()
    print(f"{'network':<19} {'step':<25} {'ours':>8} {'PyTorch':>8}   ratio (pictures per second; {arguments.pairs} pairs)")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.networks:
            ours = Ours(program, name, arguments, folder, Path(torch.__file__).parent / "lib")
            compare(name, ours, Theirs(torch, name, arguments.device, arguments.precision), arguments.pairs)


if __name__ == "__main__":
    main()
