"""Holds ONNX files against ONNX's own checker and against what the runtime relies on.

    python3 check_onnx.py FILE...

Needs the Python package `onnx`. Exit code 0 when every file passes; 3 when `onnx` is missing;
anything else with the checker's words when a file fails.
"""

import sys

IR_VERSION = 8
OPSET = 17


def fail(path: str, found, wanted) -> None:
    sys.exit(f"{path}: found {found}, wanted {wanted}")


def dims(value) -> list:
    """Extents of a graph input or output; the name where an extent is open."""
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def check(onnx, path: str) -> None:
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if model.ir_version != IR_VERSION:
        fail(path, f"IR {model.ir_version}", IR_VERSION)
    opsets = [(o.domain, o.version) for o in model.opset_import]
    if opsets != [("", OPSET)]:
        fail(path, opsets, [("", OPSET)])

    declared = {o.name: dims(o) for o in model.graph.output}
    names = ["logits", "features", "local_norms", "local_logits"]
    if sorted(declared) != sorted(names):
        fail(path, sorted(declared), sorted(names))
    if [i.name for i in model.graph.input] != ["input"]:
        fail(path, [i.name for i in model.graph.input], ["input"])
    for value in [*model.graph.input, *model.graph.output]:
        if dims(value)[0] != "N":
            fail(path, f"{value.name} {dims(value)}", "an open first extent N")

    # What shape inference finds without our word for it must be what the file declares.
    undeclared = onnx.ModelProto.FromString(model.SerializeToString())
    for output in undeclared.graph.output:
        output.type.tensor_type.ClearField("shape")
    inferred = onnx.shape_inference.infer_shapes(undeclared, check_type=True, strict_mode=True, data_prop=True)
    for output in inferred.graph.output:
        if dims(output) != declared[output.name]:
            fail(path, f"{output.name} declared {declared[output.name]}", f"inferred {dims(output)}")


def main() -> None:
    try:
        import onnx
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
    for path in sys.argv[1:]:
        check(onnx, path)
    print(f"onnx {onnx.__version__}: {len(sys.argv) - 1} files pass")


if __name__ == "__main__":
    main()
