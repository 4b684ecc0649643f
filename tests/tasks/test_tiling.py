"""Tiles leave no seams: what is put together from them is what the network makes of the whole picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from isthmus.networks.restoring import LEVELS, MULTIPLE, RestoringNetwork, fill, planes
from isthmus.tasks.tiling import CORE, STEP, Enlarged, Filled, Source, Whole, mirrored, tiles

RNG = np.random.default_rng(0)


def picture(height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(RNG.random((channels, height, width), np.float32))


@pytest.fixture(scope="module")
def network() -> RestoringNetwork:
    """Give a small network of the shipped one's reach, that changes pictures a lot."""
    torch.manual_seed(0)
    made = RestoringNetwork(channels=(8, 8, 8)).eval()
    torch.nn.init.normal_(made.last.weight, std=0.05)
    return made


@torch.no_grad()
def tiled(network: RestoringNetwork, source: Source, core: int, scale: int = 1) -> torch.Tensor:
    """Return what a network makes of a picture, tile by tile."""
    height, width, _ = source.shape
    found = torch.full((3, height, width), torch.nan)
    for tile in tiles(height, width, network.reach, core):
        made = network(planes(tile.read(source)[None], scale=scale), tile.periodic)[0]
        found[:, tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] = tile.core(made)
    return found


@torch.no_grad()
def whole(network: RestoringNetwork, large: torch.Tensor, scale: int = 1) -> torch.Tensor:
    """Return what a network makes of a picture that goes on as in a mirror, in one run without tiles."""
    _, height, width = large.shape
    around = -(-network.reach // 24) * 24
    sides = [(around, around + -side % 8) for side in (height, width)]
    extended = torch.from_numpy(np.pad(large.numpy(), [(0, 0), *sides], mode="symmetric"))
    found = network(planes(extended[None], scale=scale))[0]
    return found[:, around : around + height, around : around + width]


# ------------------------------------------------------------------ tiles


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(0, 200), st.sampled_from([48, 96, 144, 576]))
def test_tiles_cover_each_pixel_once_and_read_windows_of_one_shape(
    height: int, width: int, reach: int, core: int
) -> None:
    covered = np.zeros((height, width), np.uint8)
    shapes, before = set(), (-1, -1)
    for tile in tiles(height, width, reach, core):
        covered[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width] += 1
        shapes.add((tile.read_height, tile.read_width))
        if tile.periodic:
            assert (tile.height, tile.width, tile.margin) == (height, width, 0)
            assert tile.read_height % (2 * height) == tile.read_width % (2 * width) == 0
            assert tile.read_height % MULTIPLE == tile.read_width % MULTIPLE == 0
            around = 2 * reach + STEP + 2 * MULTIPLE
            assert tile.read_height * tile.read_width < (height + around) * (width + around)
        else:
            assert tile.margin >= reach
            assert tile.read_height >= tile.margin + tile.height + reach
            assert tile.read_width >= tile.margin + tile.width + reach
        assert tile.top % STEP == tile.left % STEP == tile.margin % MULTIPLE == 0
        assert max(tile.height, tile.width) <= core
        assert before < (tile.top, tile.left)  # row by row
        before = (tile.top, tile.left)
    assert (covered == 1).all()
    assert len(shapes) == 1
    assert CORE % STEP == 0


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (5, 40), (7, 13), (355, 32), (100, 150)])
@pytest.mark.parametrize("core", [48, 144, 576])
def test_tiles_give_what_one_run_without_them_gives(network: RestoringNetwork, size: tuple, core: int) -> None:
    values = picture(*size)
    torch.testing.assert_close(tiled(network, Whole(values), core), whole(network, values), rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("core", [48, 96])
def test_tiles_of_an_enlarged_picture_give_what_one_run_gives(network: RestoringNetwork, scale: int, core: int) -> None:
    small = Enlarged(Whole(picture(21, 34)), scale)
    large = small.read(0, 0, 21 * scale, 34 * scale)
    # Beyond the border the small picture goes on, and is enlarged then.
    _, height, width = large.shape
    around = -(-network.reach // 24) * 24
    extended = small.read(-around, -around, height + 2 * around + -height % 8, width + 2 * around + -width % 8)
    with torch.no_grad():
        found = network(planes(extended[None], scale=scale))[0][:, around : around + height, around : around + width]
    torch.testing.assert_close(tiled(network, small, core, scale), found, rtol=0, atol=1e-5)


def test_a_pixel_does_not_depend_on_how_large_its_picture_is(network: RestoringNetwork) -> None:
    values = picture(420, 300)
    large = tiled(network, Whole(values), 96)
    small = tiled(network, Whole(values[:, :330, :290]), 96)
    near = network.reach
    torch.testing.assert_close(
        small[:, : 330 - near, : 290 - near], large[:, : 330 - near, : 290 - near], atol=1e-5, rtol=0
    )


def test_the_reach_of_a_network_is_what_its_gradients_say() -> None:
    torch.manual_seed(0)
    for encoder, decoder in (((2, 1, 1), (2, 2)), ((1, 0, 2), (1, 1))):
        network = RestoringNetwork((2, 2, 2), encoder, decoder).double()
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_(weight.abs() + 0.01)  # so that no rectifier is closed, and all paths count
        side = 2 * -(-(network.reach + 16) // 8) * 8
        furthest = 0
        for phase in range(8):
            at = side // 2 + phase
            x = torch.ones(1, 6, side, side, dtype=torch.float64, requires_grad=True)
            network(x)[0, 0, at, at].backward()
            touched = x.grad.abs().amax((0, 1, 3)).nonzero()[:, 0] if x.grad is not None else torch.empty(0)
            furthest = max(furthest, at - int(touched.min()), int(touched.max()) - at)
        assert furthest <= network.reach
        assert network.reach - furthest < 8  # not more is read than is needed


# ------------------------------------------------------------------ what lies beyond the border


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(-30, 30),
    st.integers(-30, 30),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_beyond_its_border_a_picture_goes_on_as_in_a_mirror(
    height: int, width: int, top: int, left: int, rows: int, columns: int
) -> None:
    values = picture(height, width, 1)
    extended = np.pad(values[0].numpy(), 80, mode="symmetric")
    found = mirrored(Whole(values), top, left, rows, columns)
    np.testing.assert_array_equal(found[0], extended[80 + top : 80 + top + rows, 80 + left : 80 + left + columns])


# ------------------------------------------------------------------ enlarging


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarged_is_pillows_bicubic_inside(scale: int) -> None:
    values = picture(23, 31, 1)
    size = (31 * scale, 23 * scale)
    pillow = np.asarray(Image.fromarray(values[0].numpy()).resize(size, Image.Resampling.BICUBIC))
    found = Enlarged(Whole(values), scale).read(0, 0, 23 * scale, 31 * scale)[0].numpy()
    inside = slice(3 * scale, -3 * scale)
    np.testing.assert_allclose(found[inside, inside], pillow[inside, inside], atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([2, 3, 4]), st.integers(-20, 60), st.integers(-20, 60), st.integers(1, 40), st.integers(1, 40))
def test_a_window_of_an_enlarged_picture_is_that_of_the_whole(
    scale: int, top: int, left: int, height: int, width: int
) -> None:
    values = picture(11, 14, 2)
    # The whole, with much around: its windows must not know where they are cut.
    around = 40
    extended = torch.from_numpy(np.pad(values.numpy(), [(0, 0), (around, around), (around, around)], mode="symmetric"))
    large = F.interpolate(extended[None], scale_factor=scale, mode="bicubic", antialias=True)[0]
    first, start = around * scale + top, around * scale + left
    found = Enlarged(Whole(values), scale).read(top, left, height, width)
    torch.testing.assert_close(found, large[:, first : first + height, start : start + width], atol=1e-5, rtol=0)


# ------------------------------------------------------------------ filling


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 700), st.integers(1, 300), st.data())
def test_a_window_of_a_filled_picture_is_that_of_the_whole(height: int, width: int, data: st.DataObject) -> None:
    values = picture(height, width, 2)
    share = data.draw(st.sampled_from([0.0005, 0.1, 0.9]))
    known = torch.from_numpy(RNG.random((1, height, width)) < share)
    mean = (values * known).sum((1, 2)) / max(1, int(known.sum()))
    filled = fill(values[None], known.float()[None], mean[None, :, None, None])[0]
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    rows, columns = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    found = Filled(Whole(values), known, mean).read(top, left, rows, columns)
    torch.testing.assert_close(found, filled[:, top : top + rows, left : left + columns], atol=1e-6, rtol=0)
    assert 2**LEVELS == 64


def test_missing_numbers_have_no_say(network: RestoringNetwork) -> None:
    values, known = picture(70, 90), torch.from_numpy(RNG.random((1, 70, 90)) < 0.5)
    mean = (values * known).sum((1, 2)) / known.sum()
    nothing = torch.where(known, values, torch.nan)
    one, other = (Filled(Whole(x), known, mean).read(0, 0, 70, 90) for x in (values, nothing))
    torch.testing.assert_close(one, other, atol=0, rtol=0)
