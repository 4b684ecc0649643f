"""Figures that say how good a reconstruction and a code are: distortion, codes, intervals and baselines."""

from isthmus.metrics.baselines import Baseline, kmeans_baseline, mean_baseline, pca_baseline
from isthmus.metrics.bootstrap import Interval, bootstrap_interval
from isthmus.metrics.codes import (
    active_units,
    code_correlation,
    effective_rank,
    mean_absolute_correlation,
    participation_ratio,
    principal_components,
)
from isthmus.metrics.distortion import peak_value, psnr, squared_error, squared_error_by_dimension, ssim

__all__ = [
    "Baseline",
    "Interval",
    "active_units",
    "bootstrap_interval",
    "code_correlation",
    "effective_rank",
    "kmeans_baseline",
    "mean_absolute_correlation",
    "mean_baseline",
    "participation_ratio",
    "pca_baseline",
    "peak_value",
    "principal_components",
    "psnr",
    "squared_error",
    "squared_error_by_dimension",
    "ssim",
]
