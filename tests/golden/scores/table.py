"""Which scores a golden file has, with which parameters: names as in configs, `name@form` for another form of a score.
"""
import on_features as f
import on_logits as l

DEFAULTS = {
    "gen": {"gamma": 0.1, "top": 100},
    "local_norm_top": {"share": 0.1},
    "react": {"quantile": 0.9},
    "dice": {"sparsity": 0.9},
    "ash_p": {"prune": 0.9},
    "ash_b": {"prune": 0.9},
    "ash_s": {"prune": 0.9},
    "scale": {"quantile": 0.85},
    "vra": {"low_quantile": 0.6, "high_quantile": 0.95},
    "nnguide": {"k": 10},
    "knn": {"k": 50},
    "nci": {"alpha": 1e-4},
    "openmax": {"tail": 20, "alpha": 10},
}
REAL = {"parameters": DEFAULTS | {"vim": {"dimensions": 32}}, "forms": False}
SMALL = {
    "parameters": {
        "gen": {"gamma": 0.1, "top": 3},
        "local_norm_top": {"share": 0.3},
        "react": {"quantile": 0.8},
        "dice": {"sparsity": 0.7},
        "ash_p": {"prune": 0.65},
        "ash_b": {"prune": 0.65},
        "ash_s": {"prune": 0.65},
        "scale": {"quantile": 0.65},
        "vra": {"low_quantile": 0.3, "high_quantile": 0.9},
        "nnguide": {"k": 5},
        "knn": {"k": 7},
        "nci": {"alpha": 1e-3},
        "openmax": {"tail": 10, "alpha": 3},
        "vim": {"dimensions": 6},
    },
    "forms": True,
}


def fit_of(tensors):
    """The fit part of a file, in float64."""
    names = ["fit/features", "fit/logits", "fit/labels", "head/weight", "head/bias"]
    z, y, labels, weight, bias = (tensors[name] for name in names)
    return f.Fit(z.astype(float), y.astype(float), labels, weight.astype(float), bias.astype(float))


def every_score(tensors, wanted):
    """{name: float64 [N]} of the scored rows. `wanted` is REAL or SMALL."""
    fit, p = fit_of(tensors), wanted["parameters"]
    z, y = tensors["test/features"].astype(float), tensors["test/logits"].astype(float)
    scores = plain_on_logits(y, fit, p) | plain_on_features(z, y, fit, p)
    scores |= local(tensors["test/local_norms"].astype(float), p) | rectified(z, fit, p)
    return scores | other_forms(z, y, fit, p) if wanted["forms"] else scores


def plain_on_logits(y, fit, p):
    return {
        "msp": l.msp(y),
        "max_logit": l.max_logit(y),
        "energy": l.energy(y),
        "gen": l.gen(y, **p["gen"]),
        "kl_matching": l.kl_matching(y, fit.y),
        "temperature": l.msp(y / l.best_temperature(fit.y, fit.labels)),
        "openmax": l.openmax(y, fit.y, fit.labels, **p["openmax"]),
    }


def plain_on_features(z, y, fit, p):
    normalised = f.normalised(fit)
    return {
        "feature_norm": f.feature_norm(z),
        "dice": l.energy(f.dice_logits(z, fit, **p["dice"])),
        "gradnorm": f.gradnorm(z, y),
        "nnguide": f.nnguide(z, y, fit, **p["nnguide"]),
        "knn": f.knn(z, fit, **p["knn"]),
        "mahalanobis": f.mahalanobis(z, fit),
        "mahalanobis_pp": f.mahalanobis(f.unit(z), normalised),
        "relative_mahalanobis": f.relative_mahalanobis(z, fit),
        "vim": f.vim(z, y, fit, **p["vim"]),
        "residual": f.residual(z, fit, **p["vim"]),
        "she": f.she(z, y, fit),
        "fdbd": f.fdbd(z, y, fit),
        "nci": f.nci(z, y, fit, **p["nci"]),
    }


def local(norms, p):
    return {
        "local_norm_mean": f.local_norm(norms),
        "local_norm_max": -norms.reshape(len(norms), -1).max(axis=1),
        "local_norm_top": f.local_norm(norms, **p["local_norm_top"]),
    }


def rectified(z, fit, p):
    """Every rectifier with energy (its plain name) and with each score that it composes with."""
    features = {
        "react": f.react(z, fit, **p["react"]),
        "ash_p": f.ash_p(z, **p["ash_p"]),
        "ash_b": f.ash_b(z, **p["ash_b"]),
        "ash_s": f.ash_s(z, **p["ash_s"]),
        "scale": f.scale(z, **p["scale"]),
        "vra": f.vra(z, fit, p["vra"]["low_quantile"], p["vra"]["high_quantile"]),
    }
    on = {"msp": l.msp, "max_logit": l.max_logit, "gen": lambda y: l.gen(y, **p["gen"])}
    scores = {}
    for name, rows in features.items():
        y = fit.logits(rows)
        scores[name] = l.energy(y)
        scores |= {f"{name}+{score}": on[score](y) for score in on}
    return scores


def other_forms(z, y, fit, p):
    """Forms in which a reference departs from the paper, or the references from each other; README.md says how."""
    low_high = p["vra"]["low_quantile"], p["vra"]["high_quantile"]
    classes = y.shape[1]
    return {
        "gen@pytorch_ood": l.gen_mean_of_clamped(y, **p["gen"]),
        "temperature@t1000": l.msp(y / 1000.0),
        "openmax@pytorch_ood": l.openmax(y, fit.y, fit.labels, **p["openmax"], only_right=False),
        "vra@openood": l.energy(fit.logits(f.vra_clipped(z, fit, *low_high))),
        "vra@pytorch_ood": l.energy(fit.logits(f.vra_clipped_by_channel(z, fit, *low_high))),
        "gradnorm@openood": f.gradnorm(z, y) * classes,
        "knn@openood": f.knn(z, fit, **p["knn"]) ** 2,
        "mahalanobis@pytorch_ood": f.mahalanobis_ridged(z, fit),
        "relative_mahalanobis@normalised": f.relative_mahalanobis(f.unit(z), f.normalised(fit)),
        "fdbd@openood": f.fdbd(z, y, fit) * (classes - 1),
        "fdbd@feature_norm": f.fdbd(z, y, fit, from_mean=False),
        "nci@pytorch_ood": f.nci(z, y, fit, alpha=0.0),
    }
