"""What a user would write instead of oodwatch: OpenCV for the frame, ONNX Runtime for the network, NumPy for the score.

One thread each, buffers that are used again, and the camera's own format given to OpenCV as it is. There is no check of the picture's
health and no state over time in it: it does less than oodwatch.
"""
import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

CONVERSIONS = {"YUYV": cv2.COLOR_YUV2RGB_YUYV, "NV12": cv2.COLOR_YUV2RGB_NV12}
REDUCED = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}
INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA, "reduced": cv2.INTER_AREA}


class Peer:
    """From a camera's bytes to a score.

    `settings` name the ONNX file, its input, the frames' format and size, and the way: `linear` resizes by INTER_LINEAR, `area` by
    INTER_AREA, and `reduced` has the JPEG decoder do most of that (2, 4 or 8 times smaller, never smaller than the input).
    """

    def __init__(self, settings: dict) -> None:
        cv2.setNumThreads(1)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(settings["onnx"], options, providers=["CPUExecutionProvider"])
        self.input, self.threshold, self.classes = settings["input"], settings["threshold"], settings["classes"]
        self.format, (width, height), side = settings["format"], settings["size_px"], settings["side_px"]
        self.shape = (height, width, 2) if self.format == "YUYV" else (height * 3 // 2, width)
        self.way, self.side, self.interpolation = settings["way"], (side, side), INTERPOLATIONS[settings["way"]]
        largest = [scale for scale in (8, 4, 2) if height // scale >= side]
        self.jpeg = REDUCED[largest[0]] if self.way == "reduced" else cv2.IMREAD_COLOR_RGB
        std = np.array(settings["std"], np.float32)
        self.scale = np.float32(settings["scale"]) / std
        self.shift = np.array(settings["mean"], np.float32) / std
        self.picture = np.empty((height, width, 3), np.uint8)
        self.small = np.empty((side, side, 3), np.uint8)
        self.values = np.empty((side, side, 3), np.float32)
        self.tensor = np.empty((1, 3, side, side), np.float32)

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """The network's input, of the bytes of one frame."""
        if self.format == "MJPG":
            picture = cv2.imdecode(frame, self.jpeg)
        else:
            picture = cv2.cvtColor(frame.reshape(self.shape), CONVERSIONS[self.format], dst=self.picture)
        cv2.resize(picture, self.side, dst=self.small, interpolation=self.interpolation)
        if self.way == "reduced":
            cv2.cvtColor(self.small, cv2.COLOR_BGR2RGB, dst=self.small)
        np.multiply(self.small, self.scale, out=self.values)
        np.subtract(self.values, self.shift, out=self.values)
        np.copyto(self.tensor[0], self.values.transpose(2, 0, 1))
        return self.tensor

    def infer(self, tensor: np.ndarray) -> np.ndarray:
        """The logits of one prepared picture."""
        return self.session.run(["logits"], {self.input: tensor})[0][0]

    def verdict(self, number: int, logits: np.ndarray) -> dict:
        """The energy score (Liu et al. 2020, arXiv 2010.03759) against its threshold; higher is stranger."""
        largest = logits.max()
        powers = np.exp(logits - largest)
        total = powers.sum()
        score = -float(largest + np.log(total))
        first = int(logits.argmax())
        return {
            "type": "verdict",
            "frame": number,
            "score": score,
            "flag": score > self.threshold,
            "class": self.classes[first],
            "confidence": float(powers[first] / total),
        }


def settings_of(path: str) -> dict:
    return json.loads(Path(path).read_text())
