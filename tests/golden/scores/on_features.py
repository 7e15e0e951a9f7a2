"""Scores that read features, and the rectifiers, in float64. Higher means more out-of-distribution.

`z` is [N, C], `y` [N, K], `weight` [K, C], `bias` [K]. `Fit` is what a score may learn from.
"""
from dataclasses import dataclass

import numpy as np
from scipy.linalg import pinvh
from scipy.special import logsumexp

from on_logits import softmax

F32_EPSILON = float(np.finfo(np.float32).eps)


@dataclass
class Fit:
    """ID frames and the head."""
    z: np.ndarray
    y: np.ndarray
    labels: np.ndarray
    weight: np.ndarray
    bias: np.ndarray

    def logits(self, z):
        return z @ self.weight.T + self.bias


def unit(z):
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


def feature_norm(z):
    return -np.linalg.norm(z, axis=1)


def local_norm(norms, share=None):
    """Mean of the largest `share` of the local norms, at least one; of all without a share. Negated."""
    flat = np.sort(norms.reshape(len(norms), -1), axis=1)[:, ::-1]
    kept = flat.shape[1] if share is None else max(1, int(np.ceil(share * flat.shape[1])))
    return -flat[:, :kept].mean(axis=1)


def react(z, fit, quantile):
    """Sun et al., NeurIPS 2021: one threshold over all activations."""
    return np.minimum(z, np.percentile(fit.z, 100 * quantile))


def vra(z, fit, low, high):
    """VRA-P of the paper (Xu et al., NeurIPS 2023): what lies below the low threshold becomes 0."""
    low, high = np.percentile(fit.z, [100 * low, 100 * high])
    return np.where(z < low, 0.0, np.minimum(z, high))


def vra_clipped(z, fit, low, high):
    """OpenOOD's form: what lies below the low threshold becomes the threshold."""
    return np.clip(z, *np.percentile(fit.z, [100 * low, 100 * high]))


def vra_clipped_by_channel(z, fit, low, high):
    """pytorch-ood's form: the same with thresholds of each feature's own."""
    return np.clip(z, *np.percentile(fit.z, [100 * low, 100 * high], axis=0))


def largest(z, prune):
    """Which entries of each row stay, as a mask: C - round_half_to_even(C * prune); ties by the lower index."""
    kept = z.shape[1] - int(np.round(z.shape[1] * prune))
    mask = np.zeros(z.shape, bool)
    np.put_along_axis(mask, np.argsort(-z, axis=1, kind="stable")[:, :kept], True, axis=1)
    return mask


def sharpening(z, mask):
    """exp(sum of all / sum of the kept), 1 for a row that keeps nothing but zeros."""
    kept = np.where(mask, z, 0.0).sum(axis=1)
    ratio = np.divide(z.sum(axis=1), kept, out=np.zeros(len(z)), where=kept != 0)
    return np.exp(ratio)[:, None]


def ash_p(z, prune):
    """Djurisic et al., ICLR 2023, and the next two."""
    return np.where(largest(z, prune), z, 0.0)


def ash_b(z, prune):
    mask = largest(z, prune)
    return np.where(mask, (z.sum(axis=1) / mask.sum(axis=1))[:, None], 0.0)


def ash_s(z, prune):
    mask = largest(z, prune)
    return np.where(mask, z, 0.0) * sharpening(z, mask)


def scale(z, quantile):
    """Xu et al., ICLR 2024: nothing is pruned."""
    return z * sharpening(z, largest(z, quantile))


def dice_logits(z, fit, sparsity):
    """Sun & Li, ECCV 2022: only weights whose mean contribution is above the quantile."""
    contribution = fit.z.mean(axis=0) * fit.weight
    kept = contribution > np.percentile(contribution, 100 * sparsity)
    return z @ np.where(kept, fit.weight, 0.0).T + fit.bias


def gradnorm(z, y):
    """Huang et al., NeurIPS 2021: L1 norm of the last layer's weight gradient of the mean cross-entropy to uniform."""
    return -np.abs(z).sum(axis=1) * np.abs(softmax(y) - 1 / y.shape[1]).sum(axis=1)


def nnguide(z, y, fit, k):
    """Park et al., ICCV 2023."""
    similarity = unit(z) @ (unit(fit.z) * logsumexp(fit.y, axis=1)[:, None]).T
    return -np.sort(similarity, axis=1)[:, ::-1][:, :k].mean(axis=1) * logsumexp(y, axis=1)


def knn(z, fit, k):
    """Sun et al., ICML 2022: distance, not its square, to the k-th nearest."""
    bank = unit(fit.z)
    return np.array([np.sort(np.linalg.norm(bank - row, axis=1))[k - 1] for row in unit(z)])


def precision(centred):
    """Pseudo-inverse of the biased covariance with the cut-off that OpenOOD's has, by way of scikit-learn and SciPy,
    on float32 features: eigenvalues up to C * eps(f32) of the largest count as zero."""
    return pinvh(centred.T @ centred / len(centred), rtol=centred.shape[1] * F32_EPSILON)


def class_means(z, labels):
    return np.stack([z[labels == k].mean(axis=0) for k in np.unique(labels)])


def within(z, labels):
    means = class_means(z, labels)
    return means, z - means[np.searchsorted(np.unique(labels), labels)]


def squared_distances(z, means, inverse):
    return np.stack([np.einsum("nc,cd,nd->n", z - m, inverse, z - m) for m in means], axis=1)


def mahalanobis(z, fit):
    """Lee et al., NeurIPS 2018: squared distance to the nearest class mean, tied covariance."""
    means, centred = within(fit.z, fit.labels)
    return squared_distances(z, means, precision(centred)).min(axis=1)


def relative_mahalanobis(z, fit):
    """Ren et al., 2021: less the squared distance under one Gaussian for all frames."""
    mean = fit.z.mean(axis=0)
    return mahalanobis(z, fit) - squared_distances(z, [mean], precision(fit.z - mean))[:, 0]


def normalised(fit):
    """The same frames with features of length 1 (Mahalanobis++, Mueller & Hein, ICML 2025)."""
    return Fit(unit(fit.z), fit.y, fit.labels, fit.weight, fit.bias)


def ridged(centred):
    """pytorch-ood's precision: of the scatter, not divided by N, with 1e-6 on its diagonal."""
    return np.linalg.inv(centred.T @ centred + 1e-6 * np.eye(centred.shape[1]))


def mahalanobis_ridged(z, fit):
    """pytorch-ood's form: half the squared distance."""
    means, centred = within(fit.z, fit.labels)
    return 0.5 * squared_distances(z, means, ridged(centred)).min(axis=1)


def relative_mahalanobis_ridged(z, fit):
    """pytorch-ood's form; not halved."""
    mean = fit.z.mean(axis=0)
    return 2 * mahalanobis_ridged(z, fit) - squared_distances(z, [mean], ridged(fit.z - mean))[:, 0]


def residual_space(fit, dimensions):
    """(origin, basis [C, C - D] of what the D principal directions leave). Wang et al., CVPR 2022."""
    origin = -np.linalg.pinv(fit.weight) @ fit.bias
    centred = fit.z - origin
    _, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    return origin, vectors[:, : centred.shape[1] - dimensions]


def residual(z, fit, dimensions):
    origin, basis = residual_space(fit, dimensions)
    return np.linalg.norm((z - origin) @ basis, axis=1)


def vim(z, y, fit, dimensions):
    """The residual as a virtual logit, less the energy."""
    alpha = fit.y.max(axis=1).mean() / residual(fit.z, fit, dimensions).mean()
    return alpha * residual(z, fit, dimensions) - logsumexp(y, axis=1)


def she(z, y, fit):
    """Zhang et al., ICLR 2023: inner product with the mean of the class's rightly predicted frames."""
    right = fit.y.argmax(axis=1) == fit.labels
    patterns = np.stack([fit.z[right & (fit.labels == k)].mean(axis=0) for k in range(y.shape[1])])
    return -(z * patterns[y.argmax(axis=1)]).sum(axis=1)


def fdbd(z, y, fit, from_mean=True):
    """Liu & Qin, ICML 2024: mean distance to the other classes' boundaries over the distance to the mean feature
    (OpenOOD also: over the feature's length)."""
    predicted = y.argmax(axis=1)
    gaps = y.max(axis=1, keepdims=True) - y
    apart = np.linalg.norm(fit.weight[predicted][:, None] - fit.weight[None], axis=2)
    total = np.divide(gaps, apart, out=np.zeros_like(gaps), where=apart > 0).sum(axis=1)
    away = np.linalg.norm(z - fit.z.mean(axis=0) if from_mean else z, axis=1)
    return -total / (y.shape[1] - 1) / np.maximum(away, 1e-8)


def nci(z, y, fit, alpha):
    """Liu & Qin, CVPR 2025: projection of the centred feature on the predicted class's weights, and its L1 norm."""
    centred = z - fit.z.mean(axis=0)
    along = (fit.weight[y.argmax(axis=1)] * centred).sum(axis=1)
    return -along / np.maximum(np.linalg.norm(centred, axis=1), 1e-12) - alpha * np.abs(z).sum(axis=1)
