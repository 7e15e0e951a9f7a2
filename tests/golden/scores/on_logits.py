"""Scores that read logits alone, in float64. Higher means more out-of-distribution.

Written from the papers and the reference implementations named at each function; `against_pytorch_ood.py` holds
them against pytorch-ood where that has the score. `y` is [N, K] throughout.
"""
import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

LIBMR_SHIFT = 10_000.0  # libMR adds this before it fits a Weibull law


def log_softmax(y):
    return y - logsumexp(y, axis=1, keepdims=True)


def softmax(y):
    return np.exp(log_softmax(y))


def msp(y):
    """Hendrycks & Gimpel, ICLR 2017."""
    return -np.exp(log_softmax(y).max(axis=1))


def max_logit(y):
    """Hendrycks et al., ICML 2022."""
    return -y.max(axis=1)


def energy(y):
    """Liu et al., NeurIPS 2020, temperature 1."""
    return -logsumexp(y, axis=1)


def gen(y, gamma, top):
    """Generalised entropy, Liu et al., CVPR 2023: a sum over the `top` largest probabilities, as OpenOOD has it.

    1 - p of the largest probability is the sum of the others: the difference would lose every digit of a sure answer.
    """
    log_p = np.sort(log_softmax(y), axis=1)[:, ::-1]
    log_rest = np.log1p(-np.exp(log_p[:, 1:]))
    log_rest = np.concatenate([logsumexp(log_p[:, 1:], axis=1, keepdims=True), log_rest], axis=1)
    return np.exp(gamma * (log_p + log_rest))[:, :top].sum(axis=1)


def gen_mean_of_clamped(y, gamma, top):
    """pytorch-ood's form: probabilities clamped to [1e-7, 1 - 1e-7], a mean in place of the sum."""
    p = np.sort(np.clip(softmax(y), 1e-7, 1 - 1e-7), axis=1)[:, ::-1][:, :top]
    return (p * (1 - p)) ** gamma @ np.full(p.shape[1], 1 / p.shape[1])


def kl_matching(y, fit_y):
    """Hendrycks et al., ICML 2022: smallest KL(p || mean softmax of the frames predicted as a class)."""
    predicted = fit_y.argmax(axis=1)
    p_fit = softmax(fit_y)
    with np.errstate(divide="ignore"):
        log_d = np.log(np.stack([p_fit[predicted == k].mean(axis=0) for k in np.unique(predicted)]))
    log_d = np.maximum(log_d, np.finfo(float).min)
    log_p = log_softmax(y)
    p = np.exp(log_p)
    return np.stack([(p * (log_p - row)).sum(axis=1) for row in log_d], axis=1).min(axis=1)


def best_temperature(y, labels):
    """The temperature with the smallest mean negative log-likelihood, within [0.01, 100]. Guo et al., ICML 2017."""
    def slope(log_s):
        s = np.exp(log_s)
        return ((softmax(s * y) * y).sum(axis=1) - y[np.arange(len(y)), labels]).mean()

    low, high = np.log(0.01), np.log(100.0)
    if slope(low) >= 0:
        return 100.0
    if slope(high) <= 0:
        return 0.01
    return float(np.exp(-brentq(slope, low, high, xtol=1e-15, rtol=1e-14)))


def weibull(distances, tail):
    """(smallest tail distance, shape, scale) by exact maximum likelihood on libMR's shifted tail, or None.

    None for fewer than three distances, or if they are the same to a millionth: there the law has no finite shape.
    """
    kept = np.sort(distances)[-tail:]
    if len(kept) < 3 or kept[-1] - kept[0] <= 1e-6 * kept[-1]:
        return None
    x = kept - kept[0] + LIBMR_SHIFT
    t = np.log1p((x - x[-1]) / x[-1])

    def slope(log_shape):
        shape = np.exp(log_shape)
        weight = np.exp(shape * t)
        return (weight * t).sum() / weight.sum() - 1 / shape - t.mean()

    shape = np.exp(brentq(slope, np.log(1e-3), np.log(1e15), xtol=1e-15, rtol=1e-14))
    return kept[0], shape, x[-1] * np.mean(np.exp(shape * t)) ** (1 / shape)


def tail_probability(distances, fit, largest):
    """Weibull probability that a distance is beyond the class; a step at the largest one where there is no law."""
    if fit is None:
        return (distances > largest).astype(float)
    smallest, shape, scale = fit
    x = distances - smallest + LIBMR_SHIFT
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(x > 0, np.log1p((x - scale) / scale), -np.inf)
    return -np.expm1(-np.exp(shape * log_ratio))


def openmax(y, fit_y, labels, tail, alpha, only_right=True):
    """Probability of the unknown, Bendale & Boult, CVPR 2016. Euclidean distances to the mean logits of the frames
    that are labelled and (paper, OpenOOD; pytorch-ood: or not) also predicted as the class."""
    classes = y.shape[1]
    used = fit_y.argmax(axis=1) == labels if only_right else np.ones(len(labels), bool)
    beyond = np.ones_like(y)
    for k in range(classes):
        rows = fit_y[used & (labels == k)]
        if len(rows):
            centre = rows.mean(axis=0)
            of_fit = np.linalg.norm(rows - centre, axis=1)
            fitted = weibull(of_fit, tail)
            beyond[:, k] = tail_probability(np.linalg.norm(y - centre, axis=1), fitted, of_fit.max())
    return unknown_probability(y, beyond, min(alpha, classes))


def unknown_probability(y, beyond, alpha):
    """OpenMax's last step: the `alpha` largest logits give part of themselves to the unknown."""
    ranked = np.argsort(-y, axis=1, kind="stable")[:, :alpha]
    omega = np.zeros_like(y)
    np.put_along_axis(omega, ranked, (alpha - np.arange(alpha))[None] / alpha, axis=1)
    given = y * beyond * omega
    unknown = given.sum(axis=1, keepdims=True)
    return np.exp(log_softmax(np.concatenate([unknown, y - given], axis=1))[:, 0])
