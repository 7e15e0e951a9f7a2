"""Works out detection metrics with scikit-learn, once, for src/evaluation.rs to be held against.

    python3 evaluation.py > evaluation.json        (scikit-learn 1.9.1, numpy 2.4.6 were used)

Scores are multiples of 1/64, which f32 holds exactly; higher means more out-of-distribution.
"""

import json

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve


def fpr_at_95(positive: np.ndarray, negative: np.ndarray) -> float:
    """False positive rate at the first threshold that at least 95% of the positives reach."""
    truth = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    fpr, tpr, _ = roc_curve(truth, np.r_[positive, negative], drop_intermediate=False)
    return float(fpr[np.argmax(tpr >= 0.95)])


def case(name: str, id_scores, ood_scores) -> dict:
    id_scores, ood_scores = np.asarray(id_scores, float), np.asarray(ood_scores, float)
    is_ood = np.r_[np.zeros(len(id_scores)), np.ones(len(ood_scores))]
    scores = np.r_[id_scores, ood_scores]
    return {
        "name": name,
        "id": id_scores.tolist(),
        "ood": ood_scores.tolist(),
        "auroc": float(roc_auc_score(is_ood, scores)),
        "fpr95_id": fpr_at_95(-id_scores, -ood_scores),
        "fpr95_ood": fpr_at_95(ood_scores, id_scores),
        "aupr_ood_positive": float(average_precision_score(is_ood, scores)),
        "aupr_id_positive": float(average_precision_score(1 - is_ood, -scores)),
    }


def main() -> None:
    rng = np.random.default_rng(20261123)

    def normal(mean: float, count: int, step: float) -> np.ndarray:
        return np.round(rng.normal(mean, 1.0, count) / step) * step

    cases = [
        case("overlapping", normal(0, 120, 1 / 64), normal(1.5, 90, 1 / 64)),
        case("heavy ties", normal(0, 60, 0.5), normal(0.75, 80, 0.5)),
        case("worse than chance", normal(0.5, 50, 0.25), normal(-0.5, 50, 0.25)),
        case("few ood", normal(0, 100, 1 / 64), normal(1, 3, 1 / 64)),
        case("few id", normal(0, 3, 1 / 64), normal(1, 100, 1 / 64)),
        case("one each, separated", [0], [1]),
        case("one each, inverted", [1], [0]),
        case("one each, tied", [1], [1]),
        case("perfect", np.arange(20) - 20, np.arange(20)),
        case("inverted", np.arange(20), np.arange(20) - 20),
        case("all equal", [2.5] * 7, [2.5] * 5),
    ]
    # 95% falls on a count (20, 40), just below one (19) and just above one (21).
    cases += [case(f"{n} and {m}", normal(0, n, 0.25), normal(1, m, 0.25)) for n, m in [(20, 40), (19, 21), (21, 19)]]
    print(json.dumps(cases, indent=1).replace(",\n   ", ", ").replace("[\n   ", "[").replace("\n  ]", "]"))


if __name__ == "__main__":
    main()
