"""EfficientNet-Lite0 (Tan & Le 2019, arXiv 1905.11946; the Lite form of TensorFlow's model repository) with drawn weights, as ONNX.

python3 lite0.py FILE.onnx

How long a network takes does not depend on what its weights are, so none are fetched: convolutions with their batch normalisation
folded in, ReLU6, no squeeze-and-excitation, 1000 classes.
"""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Repeats, kernel, stride of the first, expansion, channels.
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
STEM, HEAD, CLASSES, SIDE = 32, 1280, 1000, 224


class Graph:
    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes, self.weights = [], [numpy_helper.from_array(np.float32(limit), name) for name, limit in (("zero", 0), ("six", 6))]

    def node(self, operator: str, inputs: list, output: str = "", **attributes) -> str:
        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def draw(self, shape: tuple, deviation: float) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(self.random.normal(0, deviation, shape).astype(np.float32), name))
        return name

    def convolution(self, x: str, channels: int, to: int, kernel: int = 1, stride: int = 1, groups: int = 1, clip: bool = True) -> str:
        taps = channels // groups * kernel**2
        weights = [self.draw((to, channels // groups, kernel, kernel), (2 / taps) ** 0.5), self.draw((to,), 0.1)]
        x = self.node(
            "Conv", [x, *weights], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4, group=groups
        )
        return self.node("Clip", [x, "zero", "six"]) if clip else x

    def block(self, x: str, channels: int, to: int, kernel: int, stride: int, expansion: int) -> str:
        wide = channels * expansion
        y = self.convolution(x, channels, wide) if expansion > 1 else x
        y = self.convolution(y, wide, wide, kernel, stride, groups=wide)
        y = self.convolution(y, wide, to, clip=False)
        return self.node("Add", [x, y]) if stride == 1 and channels == to else y


def lite0() -> onnx.ModelProto:
    graph = Graph()
    x, channels = graph.convolution("input", 3, STEM, kernel=3, stride=2), STEM
    for repeats, kernel, stride, expansion, to in STAGES:
        for number in range(repeats):
            x = graph.block(x, channels, to, kernel, stride if number == 0 else 1, expansion)
            channels = to
    x = graph.convolution(x, channels, HEAD)
    x = graph.node("Flatten", [graph.node("GlobalAveragePool", [x])])
    graph.node("Gemm", [x, graph.draw((CLASSES, HEAD), 0.05), graph.draw((CLASSES,), 0.1)], "scores", transB=1)
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", CLASSES])]
    whole = helper.make_graph(graph.nodes, "efficientnet-lite0", inputs, outputs, graph.weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


if __name__ == "__main__":
    model = lite0()
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[1])
