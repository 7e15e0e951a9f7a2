"""Holds the formulas against pytorch-ood 0.4, run in float64.

pytorch-ood works its logits out with the head, so both sides get the head's logits here, and a golden file the
network's own. Three departures make it a float64 reference: float64 is torch's default type, `.float()` (which several
detectors call) keeps float64, and OpenMax's Weibull law is fitted exactly (SciPy's search, which pytorch-ood calls,
stops early: its probabilities are up to 1e-5 off). Temperature scaling is held against it at the best temperature,
which pytorch-ood's own search does not reach.
"""
import contextlib

import numpy as np
import torch
from pytorch_ood import detector as d
from pytorch_ood.detector.openmax.libnotmr import LibNotMR

import on_features as f
import on_logits as l
from table import every_score, fit_of

TOLERANCE = 1e-8
LOOSER = {
    "vra@pytorch_ood": 1e-6,  # rounds its thresholds to float32
    "mahalanobis@pytorch_ood": 1e-6,  # its ridge leaves a condition of 1e8 where features are constant
    "relative_mahalanobis@pytorch_ood": 1e-5,
}


@contextlib.contextmanager
def float64():
    kept = torch.get_default_dtype(), torch.Tensor.float, LibNotMR.fit_high
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    LibNotMR.fit_high = fit_exactly
    try:
        yield
    finally:
        torch.set_default_dtype(kept[0])
        torch.Tensor.float, LibNotMR.fit_high = kept[1:]


def fit_exactly(self, distances):
    self.min_val, self.c, self.scale = l.weibull(np.asarray(distances), self.tailsize)


def hold_against_pytorch_ood(tensors, parameters):
    """Stops with the name of the score that differs."""
    fit = fit_of(tensors)
    z = tensors["test/features"].astype(float)
    fit.y, y = fit.logits(fit.z), fit.logits(z)
    headed = tensors | {"fit/logits": fit.y, "test/logits": y}
    ours = every_score(headed, {"parameters": parameters, "forms": True})
    ours["relative_mahalanobis@pytorch_ood"] = f.relative_mahalanobis_ridged(z, fit)
    with float64(), torch.no_grad():
        theirs = pytorch_ood_scores(fit, z, y, parameters)
    rows = comparable_rows(z, y, fit, parameters)
    for name, values in theirs.items():
        kept = rows.get(name.split("@")[0], np.ones(len(z), bool))
        differ(name, ours[name][kept], values.numpy().astype(float)[kept])
    print(f"  {len(theirs)} scores agree with pytorch-ood")


def differ(name, ours, theirs):
    off = np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1e-4 * np.abs(theirs).max())
    if not off.max() <= LOOSER.get(name, TOLERANCE):
        raise SystemExit(f"{name} is off pytorch-ood by {off.max():.1e} in row {off.argmax()}")


def comparable_rows(z, y, fit, p):
    """By score, the rows that can be compared.

    torch leaves open how ties break; all-zero features give NaN in SCALE and ASH-S; and behind pytorch-ood's ridge a
    frame that moves a constant feature is 1e6 away from everything, of which the relative distance keeps no digit.
    """
    ridged = f.mahalanobis_ridged(z, fit)
    rows = {
        "scale": z.any(axis=1),
        "openmax": (np.diff(np.sort(y, axis=1)) > 0).all(axis=1),
        "relative_mahalanobis": ridged < 1e3 * np.median(ridged),
    }
    for name in ("ash_p", "ash_b", "ash_s"):
        cut = int(np.round(z.shape[1] * p[name]["prune"]))
        ordered = np.sort(z, axis=1)
        rows[name] = z.any(axis=1) & (ordered[:, cut] > ordered[:, cut - 1])
    return rows


def pytorch_ood_scores(fit, z, y, p):
    """What pytorch-ood says, by our names."""
    t = {name: torch.tensor(value) for name, value in
         {"fit": fit.z, "fit_y": fit.y, "labels": fit.labels, "z": z, "y": y}.items()}
    linear = torch.nn.Linear(z.shape[1], y.shape[1])
    linear.weight.copy_(torch.tensor(fit.weight))
    linear.bias.copy_(torch.tensor(fit.bias))
    return of_logits(t, p) | of_features(t, linear, p) | of_rectifiers(t, linear, p)


def of_logits(t, p):
    fit_y, labels = t["fit_y"].numpy(), t["labels"].numpy()
    openmax = d.OpenMax(None, tailsize=p["openmax"]["tail"], alpha=p["openmax"]["alpha"])
    return {
        "msp": d.MaxSoftmax.score(t["y"]),
        "temperature": d.MaxSoftmax.score(t["y"], l.best_temperature(fit_y, labels)),
        "temperature@t1000": d.MaxSoftmax.score(t["y"], 1000.0),
        "max_logit": d.MaxLogit.score(t["y"]),
        "energy": d.EnergyBased.score(t["y"]),
        "gen@pytorch_ood": d.GEN.score(t["y"], gamma=p["gen"]["gamma"], M=p["gen"]["top"]),
        "kl_matching": d.KLMatching(None).fit_logits(t["fit_y"]).predict_logits(t["y"]),
        "openmax@pytorch_ood": openmax.fit_logits(t["fit_y"], t["labels"]).predict_logits(t["y"]),
    }


def of_features(t, linear, p):
    detectors = {
        "dice": d.DICE(None, linear.weight, linear.bias, p=p["dice"]["sparsity"]),
        "nnguide": d.NNGuide(None, linear, k=p["nnguide"]["k"]),
        "knn": d.KNN(None, k=p["knn"]["k"], algorithm="brute"),
        "mahalanobis@pytorch_ood": d.Mahalanobis(None),
        "relative_mahalanobis@pytorch_ood": d.RMD(None),
        "vim": d.ViM(None, p["vim"]["dimensions"], linear.weight, linear.bias),
        "she": d.SHE(None, linear),
        "fdbd": d.fDBD(None, linear),
        "nci": d.NCI(None, linear, alpha=p["nci"]["alpha"]),
        "nci@pytorch_ood": d.NCI(None, linear),
    }
    scores = {name: one.fit_features(t["fit"], t["labels"]).predict_features(t["z"]) for name, one in detectors.items()}
    gradnorm = d.GradNorm(linear, param_filter=lambda name: name == "weight")
    return scores | {"gradnorm": gradnorm.predict(t["z"])}


def of_rectifiers(t, linear, p):
    def head(maps):
        return linear(maps.flatten(1))

    maps, fit_maps = t["z"][:, :, None, None], t["fit"][:, :, None, None]
    react = d.ReAct(None, head, percentile=p["react"]["quantile"])
    vra = d.VRA(None, head, p["vra"]["low_quantile"], p["vra"]["high_quantile"])
    scores = {
        "react": react.fit_feature_maps(fit_maps, t["labels"]).predict_feature_maps(maps),
        "vra@pytorch_ood": vra.fit_feature_maps(fit_maps, t["labels"]).predict_feature_maps(maps),
        "scale": d.SCALE(None, head, percentile=p["scale"]["quantile"]).predict_feature_maps(maps),
    }
    for name in ("ash_p", "ash_b", "ash_s"):
        ash = d.ASH(None, head, variant=name.replace("_", "-"), percentile=p[name]["prune"])
        scores[name] = ash.predict_feature_maps(maps)
    return scores
