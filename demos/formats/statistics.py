"""The statistics that LeRobot needs of each feature of a dataset, for normalisation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Statistics = dict[str, NDArray[Any]]
_QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


def of_numbers(values: NDArray[Any]) -> Statistics:
    """Statistics of values [N, D], each [D], and their number, [1]."""
    real = values.astype(np.float64)
    return {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": real.mean(axis=0),
        "std": real.std(axis=0),
        "count": np.array([len(values)]),
        **{name: np.quantile(real, level, axis=0) for name, level in _QUANTILES.items()},
    }


def histogram(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 256 levels occurs in the red, green and blue of images [N, H, W, 3]: int64 [3, 256]."""
    channels = np.moveaxis(pictures, -1, 0).reshape(3, -1)
    return np.stack([np.bincount(channel, minlength=256) for channel in channels])


def of_pictures(levels: NDArray[np.int64], count: int) -> Statistics:
    """Statistics of `count` images from their histogram, for each colour channel, [3, 1, 1], with white at 1."""
    shade = np.arange(256) / 255
    share = levels / levels.sum(axis=1, keepdims=True)
    mean = share @ shade
    reached = levels.cumsum(axis=1) / levels.sum(axis=1, keepdims=True)
    statistics = {
        "min": shade[(levels > 0).argmax(axis=1)],
        "max": shade[255 - (levels[:, ::-1] > 0).argmax(axis=1)],
        "mean": mean,
        "std": np.sqrt((share * (shade - mean[:, None]) ** 2).sum(axis=1)),
        **{name: shade[(reached >= level).argmax(axis=1)] for name, level in _QUANTILES.items()},
    }
    return {**{name: values.reshape(3, 1, 1) for name, values in statistics.items()}, "count": np.array([count])}
