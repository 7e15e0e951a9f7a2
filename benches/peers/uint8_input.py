"""A network that takes bytes and normalises them itself, beside the same one that takes normalised floats.

    python -m pip install onnxruntime==1.23.2 onnx numpy
    taskset -c 1 python benches/peers/uint8_input.py models/*/model.onnx

One thread inside an inference; both take turns, and what is printed are medians. docs/REALTIME.md says what came of it.
"""

import sys
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROUNDS = 7
RUNS = 150


def with_bytes(path):
    """The network behind a cast, a multiplication and an addition per channel; and its input's name and shape."""
    model = onnx.load(path)
    graph = model.graph
    (given,) = graph.input
    for node in graph.node:
        node.input[:] = ["normalised" if name == given.name else name for name in node.input]
    for name, value in [("factor", 0.017), ("summand", -2.0)]:
        graph.initializer.append(numpy_helper.from_array(numpy.full((1, 3, 1, 1), value, numpy.float32), name))
    first = [
        helper.make_node("Cast", [given.name], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "summand"], ["normalised"]),
    ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(first + rest)
    given.type.tensor_type.elem_type = TensorProto.UINT8
    shape = [1] + [axis.dim_value for axis in given.type.tensor_type.shape.dim][1:]
    return model.SerializeToString(), given.name, shape


def session(network):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def microseconds(run):
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e6 * numpy.median(times)


def main(paths):
    random = numpy.random.default_rng(1)
    for path in paths:
        network, name, shape = with_bytes(path)
        takes_floats, takes_bytes = session(path), session(network)
        floats = random.standard_normal(shape, numpy.float32)
        some_bytes = random.integers(0, 256, shape, numpy.uint8)
        pairs = [
            (
                microseconds(lambda: takes_floats.run(None, {name: floats})),
                microseconds(lambda: takes_bytes.run(None, {name: some_bytes})),
            )
            for _ in range(ROUNDS)
        ]
        of_floats, of_bytes = numpy.median(pairs, axis=0)
        ratios = [of_bytes / of_floats for of_floats, of_bytes in pairs]
        print(
            f"{path}: floats {of_floats:.0f} us, bytes {of_bytes:.0f} us, "
            f"bytes by floats {numpy.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
