"""The loop that a user would write: frames from a child process, a verdict as a JSON line for each.

python3 loop.py SETTINGS.json; started by `cargo xtask peers`, which also says how long it takes.
"""
import json
import subprocess
import sys

import numpy as np

from peer import Peer, settings_of

CHUNK = 1 << 16
END_OF_JPEG = b"\xff\xd9"


def raw_frames(pipe, length: int):
    frame = np.empty(length, np.uint8)
    while pipe.readinto(frame) == length:
        yield frame


def jpeg_frames(pipe):
    """JPEG pictures one after the other: within one, the end marker does not occur."""
    waiting, looked = bytearray(), 0
    while chunk := pipe.read1(CHUNK):
        waiting += chunk
        while (end := waiting.find(END_OF_JPEG, looked)) >= 0:
            yield np.frombuffer(waiting[: end + 2], np.uint8)
            del waiting[: end + 2]
            looked = 0
        looked = max(len(waiting) - 1, 0)


def main() -> None:
    settings = settings_of(sys.argv[1])
    peer = Peer(settings)
    camera = subprocess.Popen(settings["camera"], stdout=subprocess.PIPE)
    frames = jpeg_frames(camera.stdout) if peer.format == "MJPG" else raw_frames(camera.stdout, int(np.prod(peer.shape)))
    for number, frame in enumerate(frames):
        logits = peer.infer(peer.prepare(frame))
        print(json.dumps(peer.verdict(number, logits)), flush=True)


if __name__ == "__main__":
    main()
