"""What ``restoration.py`` compares with: filters of other libraries, and networks as wide as well-known ones.

Strengths of filters that need one were chosen on the validation pictures, as multiples of the noise's standard
deviation, which all of them are told.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from restoration_sets import Case

PACKAGES = ("bm3d", "scikit-image", "opencv-python-headless", "PyWavelets", "numpy", "pillow")


def bm3d(case: Case) -> np.ndarray:
    """Return BM3D of a grey picture, CBM3D of a colour one (Dabov et al. 2007; its authors' package)."""
    import bm3d

    return (bm3d.bm3d if case.clean.ndim == 2 else bm3d.bm3d_rgb)(case.damaged.astype(np.float64), case.sigma)


def non_local_means(case: Case) -> np.ndarray:
    """Return scikit-image's non-local means with patches of 5 pixels."""
    from skimage.restoration import denoise_nl_means

    sigma = case.sigma / 255
    size = {"patch_size": 5, "patch_distance": 6}
    found = denoise_nl_means(case.damaged / 255, h=0.6 * sigma, sigma=sigma, channel_axis=_channels(case), **size)
    return 255 * found


def total_variation(case: Case) -> np.ndarray:
    """Return scikit-image's total variation (Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    return 255 * denoise_tv_chambolle(case.damaged / 255, 0.75 * case.sigma / 255, channel_axis=_channels(case))


def wavelets(case: Case) -> np.ndarray:
    """Return scikit-image's BayesShrink of Daubechies' wavelets of four moments."""
    from skimage.restoration import denoise_wavelet

    axis = _channels(case)
    how = {"wavelet": "db4", "rescale_sigma": True, "channel_axis": axis, "convert2ycbcr": axis is not None}
    return 255 * denoise_wavelet(case.damaged / 255, sigma=case.sigma / 255, **how)


def opencv_non_local_means(case: Case) -> np.ndarray:
    """Return OpenCV's non-local means, which reads bytes: the noisy picture is rounded and clipped for it."""
    import cv2

    levels = np.rint(np.clip(case.damaged, 0, 255)).astype(np.uint8)
    if levels.ndim == 2:
        return cv2.fastNlMeansDenoising(levels, None, case.sigma, 5, 21)
    strength = 0.6 * case.sigma
    return cv2.fastNlMeansDenoisingColored(levels, None, strength, strength, 5, 21)


def biharmonic(case: Case) -> np.ndarray:
    """Return scikit-image's biharmonic continuation, in whole levels."""
    from skimage.restoration import inpaint_biharmonic

    found = inpaint_biharmonic(case.damaged / 255, _missing(case), split_into_regions=False)
    return np.rint(np.clip(255 * found, 0, 255))


def telea(case: Case) -> np.ndarray:
    """Return OpenCV's fast marching (Telea 2004), radius 3."""
    import cv2

    return cv2.inpaint(case.damaged, _missing(case).astype(np.uint8), 3, cv2.INPAINT_TELEA)


def navier_stokes(case: Case) -> np.ndarray:
    """Return OpenCV's Navier-Stokes continuation (Bertalmio et al. 2001), radius 3."""
    import cv2

    return cv2.inpaint(case.damaged, _missing(case).astype(np.uint8), 3, cv2.INPAINT_NS)


def _channels(case: Case) -> int | None:
    return None if case.clean.ndim == 2 else 2


def _missing(case: Case) -> np.ndarray:
    if case.known is None:
        raise SystemExit("Nothing is missing in this picture.")
    return ~case.known


PEERS: dict[str, Callable[[Case], np.ndarray]] = {
    "BM3D": bm3d,
    "non-local means": non_local_means,
    "total variation": total_variation,
    "wavelets": wavelets,
    "OpenCV non-local means": opencv_non_local_means,
    "biharmonic": biharmonic,
    "Telea": telea,
    "Navier-Stokes": navier_stokes,
}

# What the tables of the papers say, in decibels. DnCNN is one network a level, DnCNN-3 one for noise, JPEG blocks and
# enlarged pictures (Zhang et al., TIP 2017); FFDNet and DRUNet are told the level (Zhang, Zuo and Zhang, TIP 2018;
# Zhang et al., TPAMI 2022). BM3D as these cite it.
PUBLISHED: dict[str, dict[str, float]] = {
    "BSD68, sigma 15": {"BM3D": 31.08, "DnCNN-3": 31.46, "DnCNN": 31.73, "FFDNet": 31.63, "DRUNet": 31.91},
    "BSD68, sigma 25": {"BM3D": 28.57, "DnCNN-3": 29.02, "DnCNN": 29.23, "FFDNet": 29.19, "DRUNet": 29.48},
    "BSD68, sigma 50": {"BM3D": 25.62, "DnCNN-3": 26.10, "DnCNN": 26.23, "FFDNet": 26.29, "DRUNet": 26.59},
    "Set12, sigma 15": {"BM3D": 32.37, "DnCNN": 32.86, "FFDNet": 32.75, "DRUNet": 33.25},
    "Set12, sigma 25": {"BM3D": 29.97, "DnCNN": 30.44, "FFDNet": 30.43, "DRUNet": 30.94},
    "Set12, sigma 50": {"BM3D": 26.72, "DnCNN": 27.18, "FFDNet": 27.32, "DRUNet": 27.90},
    "CBSD68, sigma 15": {"BM3D": 33.52, "DnCNN": 33.90, "FFDNet": 33.87, "DRUNet": 34.30},
    "CBSD68, sigma 25": {"BM3D": 30.71, "DnCNN": 31.24, "FFDNet": 31.21, "DRUNet": 31.69},
    "CBSD68, sigma 50": {"BM3D": 27.38, "DnCNN": 27.95, "FFDNet": 27.96, "DRUNet": 28.51},
}

# The same for single pictures: house, peppers, Lena, Barbara and boat, with other pixels missing (Ulyanov, Vedaldi and
# Lempitsky, "Deep Image Prior", CVPR 2018, table 1).
PUBLISHED_PICTURES: dict[str, dict[str, dict[str, float]]] = {
    "half missing": {
        "deep image prior, published": {"02": 39.16, "03": 33.05, "08": 36.16, "09": 32.22, "10": 33.06},
    },
}


# ---------------------------------------------------------------------- networks, for their speed


def widths(channels: int) -> dict[str, Any]:
    """Return networks of DnCNN's and FFDNet's shape for grey (1) or colour (3) pictures, with random weights.

    DnCNN: 17 convolutions of 64 channels at full size; normalisation is left out, as it can be folded into them. FFDNet
    at half size, without its plane of noise levels: 15 convolutions of 64 channels for grey, 12 of 96 for colour. Each
    lies in memory in the order (channels first or last) in which it is faster on this machine.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    depth, width = (15, 64) if channels == 1 else (12, 96)
    half = [nn.PixelUnshuffle(2), *_convolutions([4 * channels] + [width] * (depth - 1) + [4 * channels])]
    networks = {
        "DnCNN's width": nn.Sequential(*_convolutions([channels] + [64] * 16 + [channels])),
        "FFDNet's width": nn.Sequential(*half, nn.PixelShuffle(2)),
    }
    return {name: _faster_order(network.eval(), channels) for name, network in networks.items()}


def _convolutions(channels: Sequence[int]) -> list[Any]:
    from torch import nn

    layers: list[Any] = []
    for before, after in itertools.pairwise(channels):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
    return layers[:-1]


def _faster_order(network: Any, channels: int) -> Callable[[Any], Any]:
    """Return a network in the order of memory in which it is faster."""
    import torch

    def run(x: Any) -> Any:
        return network(x.contiguous(memory_format=order))

    seconds = {}
    for order in (torch.contiguous_format, torch.channels_last):
        network.to(memory_format=order)
        x = torch.rand(1, channels, 256, 256)
        with torch.no_grad():
            run(x)
            start = time.perf_counter()
            run(x)
        seconds[order] = time.perf_counter() - start
    order = min(seconds, key=seconds.__getitem__)
    network.to(memory_format=order)
    return run
