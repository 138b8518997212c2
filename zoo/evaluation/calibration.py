"""Temperature scaling: one number, fitted on val, after which a probability means about what it says."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from zoo.evaluation import metrics

LOWEST, HIGHEST = 0.1, 10.0
NEAR = 1e-3  # how near the end of the range, as a share of it, is the end: the search never quite reaches it
TINY = float(np.finfo(np.float32).tiny)


def temperature(probabilities: NDArray[np.float32], hard: NDArray[np.int64]) -> float:
    """Return the temperature at which `probabilities` (n, classes) have the least log loss on the true classes (n,).

    Guo et al. 2017, arXiv 1706.04599, on log probabilities: those differ from logits by a number per row, which the
    softmax takes out again, and unlike logits there is one set of them however many views were averaged. Between 0.1
    and 10. Where no row is wrong, or there is none, nothing says how sure is too sure: 1.
    """
    if not len(hard) or bool((probabilities.argmax(1) == hard).all()):
        return 1.0
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    own = logs[np.arange(len(hard)), hard]

    def loss(sharpness: float) -> float:
        # Convex in 1 / T; log p is at most 0, so that nothing overflows.
        scaled = logs * sharpness
        top = scaled.max(1)
        return float((top + np.log(np.exp(scaled - top[:, None]).sum(1)) - own * sharpness).mean())

    found = minimize_scalar(loss, bounds=(1 / HIGHEST, 1 / LOWEST), method="bounded", options={"xatol": 1e-6})
    return float(1 / found.x)


def fit(probabilities: NDArray[np.float32], hard: NDArray[np.int64]) -> tuple[float, str]:
    """Return the temperature to use, from val, and what is to be said of it, "" for nothing.

    It has the least log loss, which need not be the least calibration error: where that rises on val, it stays 1.
    """
    found = temperature(probabilities, hard)
    said, judged = f"The temperature fitted on val is {found:.2g}", ""
    if end := next((end for end in (LOWEST, HIGHEST) if abs(found - end) < NEAR * end), None):
        how = "unsure" if end == LOWEST else "sure"
        said += f", the end of the range that is tried ({LOWEST:g} to {HIGHEST:g})"
        judged = f"{said}: the network is far too {how}, and its probabilities may still be."
    both = before_and_after(probabilities, hard, found) if found != 1 else None
    if both and both["after"]["ece"] > both["before"]["ece"]:
        errors = f"{both['before']['ece']:.1%} to {both['after']['ece']:.1%}"
        return 1.0, f"{said}. It is not used: under it the calibration error on val rises from {errors}."
    return found, judged


def apply(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return p^(1/T) with rows that sum to 1, float32 (n, classes); the most probable class stays."""
    if temperature == 1:
        return probabilities
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY)) / temperature
    scaled = np.exp(logs - logs.max(1, keepdims=True, initial=-np.inf))
    return np.asarray(scaled / scaled.sum(1, keepdims=True), np.float32)


def in_brackets(calibration: Mapping[str, Any], digits: int = 1) -> str:
    """Return the temperature that an ECE is at, and the ECE without it, in brackets; "" where there is none."""
    if calibration["temperature"] == 1:
        return ""
    return f" (T = {calibration['temperature']:.2f}; uncalibrated {calibration['before']['ece']:.{digits}%})"


def before_and_after(probabilities: NDArray[np.float32], hard: NDArray[np.int64], temperature: float) -> dict[str, Any]:
    """Return calibration error and log loss of raw `probabilities` (n, classes), and under the temperature."""
    both = {"before": probabilities, "after": apply(probabilities, temperature)}
    return {
        "bins": metrics.BINS,
        "temperature": temperature,
        **{
            when: {"ece": metrics.calibration_error(p, hard), "log_loss": metrics.log_loss(p, hard)}
            for when, p in both.items()
        },
    }
