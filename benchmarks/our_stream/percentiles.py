"""Percentiles of measured times. Pure."""

import math
from collections.abc import Sequence


def at_percent(ascending: Sequence[float], percent: float) -> float:
    """The least of the values that this share of them does not exceed."""
    return ascending[max(math.ceil(len(ascending) * percent / 100) - 1, 0)]


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """By least squares: what the value gains in one unit of time."""
    mean_time, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((time - mean_time) ** 2 for time in times)
    return sum((time - mean_time) * (value - mean) for time, value in zip(times, values, strict=True)) / spread
