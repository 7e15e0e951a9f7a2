"""Writes the golden values of every score, or checks that the committed ones come out again.

    python make.py                                       # small.safetensors
    python make.py --cifar DIR --unknown FILE...          # and real.safetensors
    python make.py --check [--cifar DIR --unknown FILE...]

`--check` works the scores out from the committed inputs, compares them with the committed scores and with
pytorch-ood, and, given pictures, compares the inputs too. README.md has the versions.
"""
import argparse
import json
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

import inputs
from against_pytorch_ood import hold_against_pytorch_ood
from on_logits import best_temperature
from table import REAL, SMALL, every_score, fit_of

HERE = Path(__file__).parent
SCORE_TOLERANCE = 1e-9  # between two machines' float64
INPUT_TOLERANCE = 1e-4  # between two machines' float32 convolutions


def scores_of(tensors, wanted):
    """Scores of the scored rows by tensor name, in float64 from the float32 inputs."""
    scores = every_score(tensors, wanted)
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise SystemExit(f"{name} has values that are not finite in rows {np.flatnonzero(~np.isfinite(values))}")
    return {f"scores/{name}": values for name, values in scores.items()}


def metadata_of(tensors, wanted):
    """The parameters, by score, and what was fitted, where that is one number."""
    fit = fit_of(tensors)
    fitted = {"temperature": {"t": best_temperature(fit.y, fit.labels)}}
    return {name: json.dumps(value, sort_keys=True) for name, value in
            {"parameters": wanted["parameters"], "fitted": fitted}.items()}


def write(name, tensors, wanted):
    scores = scores_of(tensors, wanted)
    hold_against_pytorch_ood(tensors, wanted["parameters"])
    path = HERE / name
    contents = {key: np.ascontiguousarray(value) for key, value in (tensors | scores).items()}
    path.write_bytes(save(contents, metadata_of(tensors, wanted)))
    print(f"wrote {path.name}: {len(scores)} scores, {path.stat().st_size} bytes")


def check(name, wanted, fresh):
    """Compares the committed file with what comes out now. `fresh` are inputs made now, if they could be made."""
    path = HERE / name
    kept = load_file(path)
    inputs_kept = {key: value for key, value in kept.items() if not key.startswith("scores/")}
    scores_kept = {key: value for key, value in kept.items() if key.startswith("scores/")}
    if fresh is not None:
        compare(inputs_kept, fresh, INPUT_TOLERANCE, path.name)
    compare(scores_kept, scores_of(inputs_kept, wanted), SCORE_TOLERANCE, path.name)
    with safe_open(path, "numpy") as file:
        if json.loads(file.metadata()["parameters"]) != wanted["parameters"]:
            raise SystemExit(f"{path.name}: other parameters than those in table.py")
    hold_against_pytorch_ood(inputs_kept, wanted["parameters"])
    print(f"{path.name} comes out again: {len(scores_kept)} scores")


def compare(kept, made, tolerance, where):
    """Relative differences; to a millionth of the tensor's largest value where a value is smaller than that."""
    if kept.keys() != made.keys():
        raise SystemExit(f"{where}: tensors differ: {sorted(kept.keys() ^ made.keys())}")
    for key in sorted(kept):
        size = np.abs(kept[key].astype(float))
        off = np.abs(kept[key] - made[key].astype(float)) / np.maximum(size, 1e-6 * size.max() + 1e-300)
        if not off.max() <= tolerance:
            row = np.unravel_index(off.argmax(), off.shape)[0]
            raise SystemExit(f"{where}: {key} is off by {off.max():.1e} in row {row}, wanted {tolerance:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    parser.add_argument("--cifar", type=Path, help="folder with CIFAR-10's data_batch_1.bin and test_batch.bin")
    parser.add_argument("--unknown", type=Path, nargs="+", help="files of other pictures in CIFAR-10's layout")
    parser.add_argument("--package", type=Path, default=HERE.parents[2] / "models/cifar10-resnet20")
    options = parser.parse_args()
    made_real = inputs.real(options.package, options.cifar, options.unknown) if options.cifar else None
    if options.check:
        check("small.safetensors", SMALL, inputs.small())
        check("real.safetensors", REAL, made_real)
        return
    write("small.safetensors", inputs.small(), SMALL)
    if made_real is not None:
        write("real.safetensors", made_real, REAL)


if __name__ == "__main__":
    main()
