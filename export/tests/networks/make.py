"""Makes golden.json: what the original implementations compute with weights that both sides can make.

    python3 make.py        # writes golden.json beside this file

Needs torch 2.11.0, torchvision 0.26.0 and efficientnet_lite_pytorch 0.1.0. For every network the file holds names
and shapes of its weights in the order of its state dict, and features and logits of two pictures.

Every number comes from `uniform(seed, count)`, a hash of its position, which the test computes as well: no weights
are stored, and none can be downloaded.
"""

import json
import pathlib

import numpy as np
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet

SIDE = 64
CLASSES = 7
PICTURES = 2
FEATURES_KEPT = 16


def uniform(seed: int, count: int) -> np.ndarray:
    """`count` numbers in [0, 1), float32: the finaliser of MurmurHash3 over seed and position, upper 24 bits."""
    x = np.arange(count, dtype=np.uint64) + np.uint64((seed * 0x9E3779B9) % 2**32)
    x = (x & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def values(seed: int, name: str, shape: list) -> np.ndarray:
    """Weights that keep activations in range, with batch norms far from the identity."""
    field = name.rsplit(".", 1)[-1]
    u = uniform(seed, int(np.prod(shape)))
    if field == "weight" and len(shape) > 1:
        # Uniform with the variance 2 / fan_in.
        bound = np.float32(np.sqrt(6.0 / np.prod(shape[1:])))
        u = (u * np.float32(2) - np.float32(1)) * bound
    elif field in ("weight", "running_var"):
        u = u + np.float32(0.5)
    else:
        u = (u - np.float32(0.5)) * np.float32(0.4)
    return u.reshape(shape)


def golden(model: torch.nn.Module, pool: torch.nn.Module) -> dict:
    state = {name: list(t.shape) for name, t in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    made = {name: torch.from_numpy(values(seed, name, shape)) for seed, (name, shape) in enumerate(state.items())}
    model.load_state_dict(made, strict=False)
    model.eval()
    pictures = uniform(len(state), PICTURES * 3 * SIDE * SIDE).reshape(PICTURES, 3, SIDE, SIDE)
    pictures = torch.from_numpy(pictures) * 4 - 2
    pooled = []
    pool.register_forward_hook(lambda _, __, output: pooled.append(output.flatten(1)))
    with torch.no_grad():
        logits = model(pictures)
    return {
        "weights": list(state.items()),
        "features": pooled[-1][:, :FEATURES_KEPT].flatten().tolist(),
        "logits": logits.flatten().tolist(),
    }


def main() -> None:
    networks = {}
    for name in ("resnet18", "resnet34", "resnet50"):
        model = torchvision.models.get_model(name, num_classes=CLASSES)
        networks[name] = golden(model, model.avgpool)
    model = torchvision.models.mobilenet_v2(num_classes=CLASSES)
    # It pools by a function; the dropout behind that passes everything on.
    networks["mobilenet_v2"] = golden(model, model.classifier[0])
    model = EfficientNet.from_name("efficientnet-lite0", num_classes=CLASSES)
    networks["efficientnet_lite0"] = golden(model, model._avg_pooling)
    made_with = {"torch": torch.__version__, "torchvision": torchvision.__version__, "efficientnet_lite_pytorch": "0.1.0"}
    file = {"made_with": made_with, "side": SIDE, "classes": CLASSES, "pictures": PICTURES, "networks": networks}
    path = pathlib.Path(__file__).with_name("golden.json")
    path.write_text(json.dumps(file, indent=None, separators=(",", ":")).replace('"weights"', '\n"weights"') + "\n")


if __name__ == "__main__":
    main()
