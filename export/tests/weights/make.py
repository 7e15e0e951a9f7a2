"""Writes one small weight file per form that PyTorch users have. Run once; the files are kept.

Needs torch (2.11.0 was used):  python3 make.py
Values are small multiples of 1/8, so every precision holds them exactly; `expected` in
export/src/weights/tests.rs works out the same numbers.
"""

import collections
import json
import pathlib
import struct

import torch

HERE = pathlib.Path(__file__).parent
SHAPES = [
    ("conv1.weight", [2, 3, 3, 3]),
    ("bn1.weight", [2]),
    ("bn1.bias", [2]),
    ("bn1.running_mean", [2]),
    ("bn1.running_var", [2]),
    ("linear.weight", [3, 2]),
    ("linear.bias", [3]),
]


def value(tensor: int, element: int) -> float:
    return (element % 17 - 8 + tensor) / 8


def state_dict(dtype=torch.float32, prefix="", scale=1.0) -> collections.OrderedDict:
    state = collections.OrderedDict()
    for index, (name, shape) in enumerate(SHAPES):
        count = torch.Size(shape).numel()
        values = [value(index, i) * scale for i in range(count)]
        state[prefix + name] = torch.tensor(values, dtype=dtype).reshape(shape)
    state[prefix + "bn1.num_batches_tracked"] = torch.tensor(7)
    return state


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(2)
        self.linear = torch.nn.Linear(2, 3)


def optimiser_state(parameters) -> dict:
    return {
        "state": {i: {"momentum_buffer": torch.zeros_like(p)} for i, p in enumerate(parameters)},
        "param_groups": [{"lr": 0.1, "params": [0, 1]}],
    }


def safetensors(path: pathlib.Path, state: dict) -> None:
    header, data = {}, b""
    for name, tensor in state.items():
        if tensor.dtype != torch.float16:
            continue
        raw = b"".join(struct.pack("<e", v) for v in tensor.flatten().tolist())
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main() -> None:
    def save(name, thing, **options):
        torch.save(thing, HERE / name, **options)

    legacy = {"_use_new_zipfile_serialization": False}
    bare = state_dict()
    save("bare.pth", bare)
    save("plain_dict.pt", dict(bare))
    save("bare_legacy.pth", bare, **legacy)
    save("half.pth", state_dict(torch.float16))
    save("bfloat16.pth", state_dict(torch.bfloat16))
    save("double_legacy.pth", state_dict(torch.float64), **legacy)
    save("data_parallel.pth", state_dict(prefix="module."))
    # The form of the well-known CIFAR ResNet weights: DataParallel, nested, legacy, `.th`.
    wrapped = {"state_dict": state_dict(prefix="module."), "best_prec1": 91.25}
    save("state_dict_module_legacy.th", wrapped, **legacy)
    training = {"model": bare, "optimizer": optimiser_state(bare.values()), "epoch": 3, "args": None}
    save("model_with_optimizer.pth", training)
    save("model_with_ema.pth", {"model_ema": state_dict(scale=0.5), "model": bare})
    save("two_nets.pth", {"student": bare, "teacher": state_dict(scale=0.5)})
    strided = state_dict()
    strided["linear.weight"] = strided["linear.weight"].t().contiguous().t()
    save("strided_view.pth", strided)
    integer = state_dict()
    integer["linear.bias"] = torch.tensor([1, 2, 3])
    save("integer_bias.pth", integer)
    broken = state_dict()
    broken["linear.bias"][1] = float("nan")
    save("nan.pth", broken)
    module = Tiny()
    module.load_state_dict(bare)
    save("whole_module.pth", module)
    safetensors(HERE / "half.safetensors", state_dict(torch.float16))


if __name__ == "__main__":
    main()
