"""The inputs of the golden files: a synthetic set with the awkward cases, and what our own network says of pictures."""
import tomllib
from pathlib import Path

import numpy as np

RECORD = 1 + 3 * 32 * 32  # CIFAR's binary layout: label, then red, green and blue plane


def small():
    """K=5, C=12, local map 3x3: features >= 0 with exact zeros, 200 labelled frames to fit, 50 to score.

    Feature 10 is constant and feature 11 repeats feature 3 (singular covariances); class 4 has four frames; of the
    scored rows, 0 is all zero (two classes share the largest bias), 1 to 3 are rounded to quarters (ties), 4 and 5
    leave the constant, 6 and 7 the repetition, 8 and 9 are frames of the fit set, 10 and 11 are long.
    """
    rng = np.random.default_rng(20261123)
    means = np.maximum(rng.normal(0.6, 1.0, (5, 12)), 0.0)
    labels = np.array([0] * 60 + [1] * 55 + [2] * 45 + [3] * 36 + [4] * 4)
    fit = features_around(rng, means[labels])
    test = features_around(rng, means[rng.integers(0, 5, 50)] * rng.uniform(0.0, 1.0, (50, 1)))
    test[0] = 0.0
    test[1:4] = np.round(test[1:4] * 4) / 4
    test[4:6, 10] = [0.0, 1.5]
    test[6:8, 11] += 0.5
    test[8:10] = fit[[3, 150]]
    test[10:12] *= 20.0
    weight = (3.0 * (means - means.mean(axis=0)) + rng.normal(0.0, 0.1, (5, 12))).astype(np.float32)
    bias = (-1.5 * ((means**2).sum(axis=1) - (means.mean(axis=0) ** 2).sum())).astype(np.float32)
    bias[np.argsort(bias)[-2:]] = bias.max()
    return {
        "fit/features": fit, "fit/logits": head(fit, weight, bias), "fit/labels": labels.astype(np.int64),
        "test/features": test, "test/logits": head(test, weight, bias),
        "test/local_norms": rng.gamma(2.0, 1.0, (50, 3, 3)).astype(np.float32),
        "head/weight": weight, "head/bias": bias,
    }


def features_around(rng, means):
    z = np.maximum(means + rng.normal(0.0, 0.8, means.shape), 0.0).astype(np.float32)
    z[:, 10] = 0.75
    z[:, 11] = z[:, 3]
    return z


def head(z, weight, bias):
    """Logits as a network has them: rounded to float32."""
    return (z.astype(float) @ weight.T.astype(float) + bias).astype(np.float32)


def real(package: Path, cifar: Path, unknown: list[Path]):
    """Vectors of the package's network: the first 2,000 training pictures to fit; to score 1,000 of the test pictures
    (odd index, from 5,001 on) and as many first pictures of the files of unknown things, in equal parts.
    The pictures themselves stay where they are."""
    fit_pixels, labels = pictures(cifar / "data_batch_1.bin", slice(0, 2000))
    known, _ = pictures(cifar / "test_batch.bin", slice(5001, 7001, 2))
    strange = [pictures(path, slice(0, 1000 // len(unknown)))[0] for path in unknown]
    run = network(package)
    fit, test = run(fit_pixels), run(np.concatenate([known, *strange]))
    weight, bias = head_of(package)
    return {
        "fit/features": fit["features"], "fit/logits": fit["logits"], "fit/labels": labels.astype(np.int64),
        "test/features": test["features"], "test/logits": test["logits"], "test/local_norms": test["local_norms"],
        "head/weight": weight, "head/bias": bias,
    }


def pictures(path: Path, rows: slice):
    """(pixels [N, 3, 32, 32] u8, labels [N] u8)."""
    records = np.fromfile(path, np.uint8).reshape(-1, RECORD)[rows]
    return records[:, 1:].reshape(-1, 3, 32, 32), records[:, 0]


def network(package: Path):
    """A function from pixels to the network's named outputs, with the manifest's preprocessing."""
    import onnxruntime

    spec = tomllib.loads((package / "manifest.toml").read_text())["input"]
    session = onnxruntime.InferenceSession(package / "model.onnx", providers=["CPUExecutionProvider"])
    names = ["features", "logits", "local_norms"]
    mean, std = (np.array(spec[key], np.float32)[:, None, None] for key in ("mean", "std"))

    def run(pixels):
        x = (pixels.astype(np.float32) * np.float32(spec["scale"]) - mean) / std
        parts = [session.run(names, {spec["name"]: part}) for part in np.array_split(x, max(1, len(x) // 250))]
        return {name: np.concatenate(column) for name, column in zip(names, zip(*parts))}

    return run


def head_of(package: Path):
    from safetensors.numpy import load_file

    tensors = load_file(package / "calibration.safetensors")
    return tensors["head.weight"], tensors["head.bias"]
