"""When the librarian answers and when it refuses: fits `finding.scores.ENOUGH` to the questions marked "dev".

OPENSHELF_HOME=... python benchmarks/chat_floor.py

The home must hold the demo library. Of each question that names no work, author or book to be like, the record with the
most in its favour stands for whether there is an answer: logistic regression tells the questions that have one from
those that have none, the record is chosen anew with these weights, and so on until it stays. Printed are the weights,
shifted so that as much is refused wrongly as rightly missed, and what they do on questions that were left out (of six
parts each in turn).
"""

import json
from typing import Any

import numpy as np
from scipy.optimize import minimize

from dashboard.chat import judge
from dashboard.chat.answer import look_up
from dashboard.chat.finding.scores import ENOUGH
from openshelf.database import pool

PARTS = 6
KEPT_SMALL = 0.002  # of the weights
ROUNDS = 12
NAMES = list(ENOUGH)


def examples() -> tuple[list[np.ndarray], np.ndarray]:
    """Of each question the signs of its candidates, a row each; and whether it has an answer."""
    signs, has_answer = [], []
    with pool.connect() as conn:
        for question in judge.load_questions(("dev",)):
            *before, last = question.turns
            if before:
                continue
            seen: dict[str, Any] = {}
            wish, _ = look_up(conn, last, watch=seen.__setitem__)
            found = [candidate for candidate in seen.get("candidates", []) if candidate.signs]
            if found and not wish.like and not any(c.is_meant for c in found):
                signs.append(np.array([[c.signs[name] for name in NAMES] for c in found]))
                has_answer.append(not question.refuse)
    return signs, np.array(has_answer)


def fit(signs: list[np.ndarray], has_answer: np.ndarray) -> np.ndarray:
    weights = np.array([ENOUGH[name] for name in NAMES])
    for _ in range(ROUNDS):
        best = np.array([rows[np.argmax(rows @ weights)] for rows in signs])
        direction = np.where(has_answer, 1.0, -1.0)

        def loss(w: np.ndarray, best: np.ndarray = best, direction: np.ndarray = direction) -> float:
            return np.logaddexp(0, -direction * (best @ w)).mean() + KEPT_SMALL / 2 * (w[1:] ** 2).sum()

        fitted = minimize(loss, weights, method="L-BFGS-B").x
        if np.allclose(fitted, weights, atol=1e-3):
            break
        weights = fitted
    return weights


def scores(signs: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    return np.array([(rows @ weights).max() for rows in signs])


def even(values: np.ndarray, has_answer: np.ndarray) -> float:
    """The score under which to refuse, so that as many are refused wrongly as are answered wrongly."""
    return float(np.sort(values)[(~has_answer).sum() - 1 : (~has_answer).sum() + 1].mean())


def main() -> None:
    signs, has_answer = examples()
    part = np.random.default_rng(0).integers(0, PARTS, len(signs))
    out = np.zeros(len(signs))
    for n in range(PARTS):
        kept = [rows for rows, p in zip(signs, part, strict=True) if p != n]
        weights = fit(kept, has_answer[part != n])
        weights[0] -= even(scores(kept, weights), has_answer[part != n])
        out[part == n] = scores([rows for rows, p in zip(signs, part, strict=True) if p == n], weights)
    refused = out <= 0
    right = int((refused & ~has_answer).sum())
    weights = fit(signs, has_answer)
    weights[0] -= even(scores(signs, weights), has_answer)
    report = {
        "questions": len(signs),
        "precision": right / max(int(refused.sum()), 1),
        "recall": right / max(int((~has_answer).sum()), 1),
        "weights": {name: round(float(weight), 2) for name, weight in zip(NAMES, weights, strict=True)},
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
