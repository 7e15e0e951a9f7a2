#!/usr/bin/env python3
"""Preprocessing of raw camera frames beside OpenCV's: cvtColor, resize, normalise, planar layout; one thread each.

Run anywhere: python3 benches/peers/preprocess.py [--ours PROGRAM] [FRAMES ...]

Makes its own virtual environment under target/peers and builds examples/preprocess_times.rs, unless --ours names it. Frames are noise
within the colours that RGB has, or the first frame of each given raw file NAME.FORMAT of 1920x1080 (ffmpeg -f rawvideo). Both programs
take turns; a ratio is the median over paired repeats of OpenCV's time by ours.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "target" / "peers"
WANTED = ["opencv-python-headless==5.0.0.93", "numpy==2.4.6"]
REPEATS, RUNS = 15, 10


def enter_environment() -> None:
    """Starts this script again in an environment that has OpenCV."""
    python = PLACE / "venv" / "bin" / "python"
    if Path(sys.prefix) == python.parents[1]:
        return
    if not (PLACE / "ready").exists():
        venv.create(PLACE / "venv", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *WANTED], check=True)
        (PLACE / "ready").touch()
    os.execv(python, [str(python), *sys.argv])


def build() -> Path:
    subprocess.run(["cargo", "build", "--release", "--example", "preprocess_times"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "preprocess_times"


def main() -> None:
    import cv2
    import numpy as np

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", type=Path, help="preprocess_times, if it is built already")
    parser.add_argument("frames", nargs="*", type=Path, help="raw frames of 1920x1080, by names ending in .YUYV or .NV12")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    program = subprocess.Popen(
        [arguments.ours or build()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    codes = {"YUYV": cv2.COLOR_YUV2RGB_YUYV, "NV12": cv2.COLOR_YUV2RGB_NV12}
    mean = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None]
    std = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None]

    def shape(form, width, height):
        return (height, width, 2) if form == "YUYV" else (height * 3 // 2, width)

    def theirs(frame, form, side, interpolation):
        started = time.perf_counter()
        for _ in range(RUNS):
            small = cv2.resize(cv2.cvtColor(frame, codes[form]), (side, side), interpolation=interpolation)
            (small.astype(np.float32) * np.float32(1 / 255)).transpose(2, 0, 1).__sub__(mean).__truediv__(std)
        return (time.perf_counter() - started) * 1e6 / RUNS

    def ours(file, form, width, height, side):
        program.stdin.write(f"{file} {form} {width} {height} {side} {RUNS}\n")
        return float(program.stdout.readline())

    def compare(name, frame, form, width, height):
        with tempfile.NamedTemporaryFile() as file:
            frame.tofile(file.name)
            for side in (32, 224):
                rows = []
                for _ in range(REPEATS):
                    own = ours(file.name, form, width, height, side)
                    area, linear = (theirs(frame, form, side, how) for how in (cv2.INTER_AREA, cv2.INTER_LINEAR))
                    rows.append((own, area / own, linear / own))
                own, area, linear = np.median(rows, axis=0)
                print(f"{name:<14} {form} {width:>4}x{height:<4} {side:>3}: {own:8.1f} us {area:8.1f} {linear:8.1f}")

    print(f"{'frame':<39} {'ours':>5}   INTER_AREA, INTER_LINEAR: so many times ours")
    noise = np.random.default_rng(0)
    for width, height in ((640, 480), (1280, 720), (1920, 1080)):
        for form in codes:
            compare("noise", noise.integers(100, 151, shape(form, width, height), np.uint8), form, width, height)
    for path in arguments.frames:
        form, size = path.suffix[1:], shape(path.suffix[1:], 1920, 1080)
        compare(path.stem, np.fromfile(path, np.uint8, int(np.prod(size))).reshape(size), form, 1920, 1080)


if __name__ == "__main__":
    enter_environment()
    main()
