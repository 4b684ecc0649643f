"""Encoders and decoders: shapes for any size, gradients everywhere, weights from one generator, true copies."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from isthmus.networks import ACTIVATIONS, Categorical, Core, Facts, Gaussian, MixedTable, build, layers
from isthmus.networks.convolutional import default_channels
from isthmus.networks.dense import TableInput
from isthmus.training import fast_float32

PICTURES = [(1, 1, 1), (3, 7, 13), (1, 355, 32), (4, 28, 28), (1, 1, 40)]


@dataclass(frozen=True)
class Field:
    kind: str
    index: int
    size: int = 1
    mask: int = -1
    atoms: tuple[float, ...] = ()


FIELDS = (
    Field("category", 0, 100),
    Field("number", 1, mask=2),
    Field("mask", 2),
    Field("category", 3, 4),
    Field("number", 4),
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def table(n: int) -> Tensor:
    x = torch.randn(n, 5, generator=rng(1))
    x[:, 0] = torch.randint(0, 100, (n,), generator=rng(2)).float()
    x[:, 2] = 1
    x[:, 3] = torch.randint(0, 4, (n,), generator=rng(3)).float()
    return x


def parameters_without_gradient(*modules: nn.Module) -> list[str]:
    named = itertools.chain(*(module.named_parameters() for module in modules))
    return [name for name, p in named if p.grad is None or not p.grad.abs().sum() > 0]


# ------------------------------------------------------------------------------------ shapes and gradients


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("network", ["dense", "convolutional", "residual"])
@pytest.mark.parametrize("shape", PICTURES, ids=str)
def test_pictures_of_any_size(network: str, shape: tuple[int, ...], norm: str | None) -> None:
    hidden = (16, 8) if network == "dense" else (8, 16, 8)
    encoder, decoder = build(network, shape, shape, 5, hidden, rng=rng(), norm=norm, activation="gelu")
    x = torch.randn(6, *shape, generator=rng(1))
    z = encoder(x)
    theta = decoder(z, shape[1:])
    assert z.shape == (6, 5)
    assert theta.shape == x.shape
    assert theta.is_contiguous()
    (theta - x).square().sum().backward()
    assert parameters_without_gradient(encoder, decoder) == []


@pytest.mark.parametrize("network", ["convolutional", "residual", "auto"])
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (64, 48), (33, 8)], ids=str)
def test_pictures_of_several_sizes(network: str, size: tuple[int, int]) -> None:
    shape = (2, None, None)
    encoder, decoder = build(network, shape, shape, 6, rng=rng(), hidden=(8, 16, 16))
    x = torch.randn(3, 2, *size, generator=rng(1))
    z = encoder(x)
    assert z.shape == (3, 6, math.ceil(size[0] / 8), math.ceil(size[1] / 8))
    assert decoder(z, size).shape == x.shape
    assert decoder(z).shape == (3, 2, z.shape[2] * 8, z.shape[3] * 8)
    decoder(z, size).square().sum().backward()
    assert parameters_without_gradient(encoder, decoder) == []


def test_one_side_may_vary_alone() -> None:
    shape = (1, 16, None)
    encoder, decoder = build("convolutional", shape, shape, 4, rng=rng(), hidden=(8,))
    x = torch.randn(2, 1, 16, 21, generator=rng(1))
    assert decoder(encoder(x), (16, 21)).shape == x.shape


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("hidden", [None, (), (7,), (128, 64)], ids=str)
@pytest.mark.parametrize("tied", [False, True])
def test_dense_on_rows(hidden: tuple[int, ...] | None, norm: str | None, tied: bool) -> None:
    encoder, decoder = build("dense", (10,), (10,), 3, hidden, rng=rng(), norm=norm, tied=tied, activation="tanh")
    x = torch.randn(6, 10, generator=rng(1))
    assert encoder(x).shape == (6, 3)
    assert decoder(encoder(x)).shape == (6, 10)
    (decoder(encoder(x)) - x).square().sum().backward()
    assert parameters_without_gradient(encoder, decoder) == []


def test_dense_widths_are_mirrored() -> None:
    encoder, decoder = build("dense", (784,), (784,), 32, (128, 64), rng=rng())
    sizes = [tuple(p.shape) for module in (encoder, decoder) for p in module.parameters() if p.ndim == 2]
    assert sizes == [(128, 784), (64, 128), (32, 64), (64, 32), (128, 64), (784, 128)]


def test_no_hidden_layer_is_a_linear_autoencoder() -> None:
    encoder, decoder = build("dense", (6,), (6,), 2, (), rng=rng())
    a, b = torch.randn(2, 4, 6, generator=rng(1))
    zero = decoder(encoder(torch.zeros(4, 6)))
    torch.testing.assert_close(decoder(encoder(a + b)) + zero, decoder(encoder(a)) + decoder(encoder(b)))
    leaves = [m for m in encoder.modules() if not list(m.children())]
    assert len(leaves) == 1
    assert isinstance(leaves[0], nn.Linear)


def test_wide_codes_are_no_bottleneck_before_the_code() -> None:
    encoder, _ = build("dense", (10,), (10,), 90, rng=rng())
    assert min(layer.out_features for layer in encoder.modules() if isinstance(layer, nn.Linear)) == 90


def test_the_encoder_can_give_two_numbers_for_each_of_the_code() -> None:
    for network in ("dense", "convolutional"):
        encoder, decoder = build(network, (1, 8, 8), (1, 8, 8), 3, (8,), rng=rng(), heads=2)
        assert encoder(torch.zeros(2, 1, 8, 8)).shape == (2, 6)
        assert decoder(torch.zeros(2, 3)).shape == (2, 1, 8, 8)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_every_activation(network: str, activation: str) -> None:
    encoder, decoder = build(network, (1, 8, 8), (1, 8, 8), 3, (8,), rng=rng(), activation=activation)
    assert torch.isfinite(decoder(encoder(torch.randn(2, 1, 8, 8, generator=rng(1))))).all()


@pytest.mark.parametrize("network", ["dense", "convolutional", "residual"])
def test_dropout_only_while_training(network: str) -> None:
    encoder, decoder = build(network, (1, 16, 16), (1, 16, 16), 4, (16, 16), rng=rng(), dropout=0.5)
    x = torch.randn(4, 1, 16, 16, generator=rng(1))
    torch.manual_seed(0)
    assert not torch.equal(decoder(encoder(x)), decoder(encoder(x)))
    encoder.eval(), decoder.eval()
    assert torch.equal(decoder(encoder(x)), decoder(encoder(x)))


def test_padding_repeats_the_border() -> None:
    encoder, _ = build("convolutional", (1, 7, 5), (1, 7, 5), 4, (8, 8), rng=rng())
    x = torch.randn(2, 1, 7, 5, generator=rng(1))
    padded = torch.cat([x, x[:, :, -1:]], 2)
    padded = torch.cat([padded, *[padded[..., -1:]] * 3], 3)
    assert padded.shape == (2, 1, 8, 8)
    assert torch.equal(encoder(x), encoder(padded))


@pytest.mark.parametrize(
    ("size", "channels"),
    [
        ((1, 1), ()),
        ((7, 13), (32,)),
        ((28, 28), (32, 64)),
        ((32, 32), (32, 64, 128)),
        ((355, 32), (32, 64, 128, 256)),
        ((512, 512), (32, 64, 128, 256, 256)),
        ((None, 5), (32, 64, 128)),
    ],
)
def test_default_channels(size: tuple[int | None, int | None], channels: tuple[int, ...]) -> None:
    assert default_channels(*size) == channels


@pytest.mark.parametrize(
    ("shape", "options", "kind"),
    [
        ((50,), {}, "DenseEncoder"),
        ((1, 5, 9), {}, "DenseEncoder"),
        ((1, 8, 8), {}, "ConvolutionalEncoder"),
        ((1, 28, 28), {"hidden": (128, 64)}, "DenseEncoder"),
        ((1, 28, 28), {"tied": True}, "DenseEncoder"),
        ((3, 32, 32), {}, "ConvolutionalEncoder"),
        ((1, None, 28), {"hidden": (8, 8)}, "ConvolutionalEncoder"),
    ],
)
def test_auto_goes_by_kind_and_size(shape: tuple[int | None, ...], options: dict[str, object], kind: str) -> None:
    encoder, _ = build("auto", shape, shape, 4, rng=rng(), **options)
    assert type(encoder).__name__ == kind


# ------------------------------------------------------------------------------------ tables, texts, codes


def test_table_input_writes_small_categories_out_and_looks_large_ones_up() -> None:
    first = TableInput(FIELDS, rng())
    x = table(7)
    out = first(x)
    vector = math.ceil(1.6 * 100**0.56)
    assert first.width == 3 + 4 + vector
    assert torch.equal(out[:, :3], x[:, [1, 2, 4]])
    assert torch.equal(out[:, 3:7], torch.nn.functional.one_hot(x[:, 3].long(), 4).float())
    assert torch.equal(out[:, 7:], first.vectors[0].weight[x[:, 0].long()])


def test_table_there_and_back() -> None:
    likelihood = MixedTable(FIELDS)
    theta_shape = likelihood.theta_shape((5,))
    assert theta_shape == (2 + 1 + 4 + 100,)
    encoder, decoder = build("auto", (5,), theta_shape, 3, rng=rng(), fields=FIELDS)
    core = Core(encoder, decoder, likelihood)
    x = table(200)
    core.start_at(x)
    core.nll(core.decode(core.encode(x)), x).sum().backward()
    assert parameters_without_gradient(core) == []
    assert core.mean(core.decode(core.encode(x))).shape == x.shape


def test_text_there_and_back() -> None:
    likelihood = Categorical().prepare(Facts((9,), *torch.ones(3), classes=257))
    encoder, decoder = build("auto", (9,), likelihood.theta_shape((9,)), 4, rng=rng())
    core = Core(encoder, decoder, likelihood)
    records = torch.randint(0, 257, (40, 9), generator=rng(1), dtype=torch.int16)
    x = core.scale(records)
    core.start_at(x)
    core.nll(core.decode(core.encode(x)), x).sum().backward()
    assert parameters_without_gradient(core) == []
    back = core.unscale(core.mean(core.decode(core.encode(x))))
    assert back.shape == records.shape
    assert back.dtype == torch.int64


@pytest.mark.parametrize("network", ["dense", "convolutional"])
def test_pictures_of_codes(network: str) -> None:
    likelihood = Categorical(classes=5)
    encoder, decoder = build(network, (2, 8, 6), likelihood.theta_shape((2, 8, 6)), 4, (8,), rng=rng())
    x = torch.randint(0, 5, (3, 2, 8, 6), generator=rng(1))
    theta = decoder(encoder(x))
    assert theta.shape == (3, 5, 2, 8, 6)
    assert likelihood.log_prob(theta, x).shape == (3,)
    decoder.start_at(likelihood.initial_theta(likelihood.statistics(x)))


# ------------------------------------------------------------------------------------ first weights


@pytest.mark.parametrize("network", ["dense", "convolutional", "residual"])
def test_weights_come_from_the_generator_alone(network: str) -> None:
    before = torch.get_rng_state()
    one, two, other = (build(network, (1, 8, 8), (1, 8, 8), 3, (8,), rng=rng(seed)) for seed in (4, 4, 5))
    assert torch.equal(before, torch.get_rng_state())
    weights = [[p for module in pair for p in module.parameters()] for pair in (one, two, other)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0], weights[1], strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(weights[0], weights[2], strict=True))


def test_matrices_start_orthogonal() -> None:
    encoder, _ = build("dense", (40,), (40,), 3, (20,), rng=rng())
    weight = next(encoder.parameters())
    torch.testing.assert_close(weight @ weight.T, torch.eye(20), atol=1e-5, rtol=0)


@pytest.mark.parametrize("network", ["dense", "convolutional", "residual"])
def test_output_starts_at_the_mean(network: str) -> None:
    x = torch.rand(400, 3, 8, 8, generator=rng(1)) * torch.linspace(0.5, 4, 64).view(8, 8)
    encoder, decoder = build(network, (3, 8, 8), (3, 8, 8), 4, (8,), rng=rng())
    core = Core(encoder, decoder, Gaussian())
    core.start_at(x)
    torch.testing.assert_close(core.decode(torch.zeros(1, 4))[0], x.mean(0))
    varying = build("convolutional", (3, None, None), (3, None, None), 4, (8,), rng=rng())
    core = Core(*varying, Gaussian())
    core.start_at(x)
    torch.testing.assert_close(core.decode(torch.zeros(1, 4, 2, 2))[0, :, 0, 0], x.mean((0, 2, 3)))


# ------------------------------------------------------------------------------------ tied weights


def test_tied_decoder_is_the_transposed_encoder() -> None:
    encoder, decoder = build("dense", (6,), (6,), 2, (), rng=rng(), tied=True)
    z = torch.randn(3, 2, generator=rng(1))
    (weight,) = (p for p in encoder.parameters() if p.ndim == 2)
    torch.testing.assert_close(decoder(z), z @ weight)
    with torch.no_grad():
        weight.mul_(3)
    torch.testing.assert_close(decoder(z), z @ weight)
    assert [p.shape for p in decoder.parameters()] == [(6,)]


def test_tied_weights_appear_once_and_survive_copies_and_moves() -> None:
    encoder, decoder = build("dense", (1, 4, 4), (1, 4, 4), 2, (8,), rng=rng(), tied=True)
    core = Core(encoder, decoder, Gaussian())
    assert sum(p.ndim == 2 for p in core.parameters()) == 2
    assert sum(t.ndim == 2 for t in core.state_dict().values()) == 2
    other = copy.deepcopy(core).double()
    with torch.no_grad():
        for p in other.encoder.parameters():
            p.add_(1)
    z = torch.ones(1, 2)
    changed, unchanged = other.decode(z.double()), core.decode(z)
    assert not torch.allclose(changed.float(), unchanged)
    again = copy.deepcopy(core)
    again.load_state_dict({name: t.float() for name, t in other.state_dict().items()})
    torch.testing.assert_close(again.decode(z), changed.float())


# ------------------------------------------------------------------------------------ modules of the user's own


def test_own_modules_are_copied_and_their_theta_is_arranged() -> None:
    own = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), nn.Sequential(nn.Linear(3, 12))
    encoder, decoder = build(own, (1, 3, 4), (1, 3, 4), 99, rng=rng())
    x = torch.randn(5, 1, 3, 4, generator=rng(1))
    assert decoder(encoder(x), (3, 4)).shape == x.shape
    with torch.no_grad():
        next(encoder.parameters()).zero_()
    assert own[0][1].weight.abs().sum() > 0
    assert encoder is not own[0]


def test_trying_own_modules_leaves_no_trace() -> None:
    own = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), nn.Sequential(nn.Linear(3, 4)).eval()
    encoder, decoder = build(own, (4,), (4,), 3, rng=rng())
    assert encoder.training
    assert encoder[1].num_batches_tracked == 0
    assert not decoder.module.training


def test_own_modules_for_several_sizes() -> None:
    own = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 1, 4, 2, 1)
    encoder, decoder = build(own, (1, None, None), (1, None, None), 4, rng=rng())
    assert decoder(encoder(torch.zeros(2, 1, 5, 7)), (5, 7)).shape == (2, 1, 5, 7)


# ------------------------------------------------------------------------------------ the core


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.int16])
@pytest.mark.parametrize(("shift", "factor"), [(0.0, 1.0), (0.0, 0.5), (3.0, 1.0), ([3.0], [0.25])])
def test_scale_and_back_without_touching_the_records(dtype: torch.dtype, shift: object, factor: object) -> None:
    core = Core(nn.Identity(), nn.Identity(), Gaussian(), shift, factor)
    records = torch.arange(12).view(3, 4).to(dtype)
    before = records.clone()
    x = core.scale(records)
    want = (records.double() - torch.as_tensor(shift)) * torch.as_tensor(factor)
    torch.testing.assert_close(x, want.float())
    torch.testing.assert_close(core.unscale(x), records.float())
    assert torch.equal(records, before)


def test_scale_belongs_to_the_preprocessing() -> None:
    assert "shift" not in Core(nn.Identity(), nn.Identity(), Gaussian(), 1.0, 2.0).state_dict()


def test_dense_under_autocast() -> None:
    encoder, decoder = build("dense", (20,), (20,), 3, rng=rng(), norm="layer")
    core = Core(encoder, decoder, Gaussian())
    x = torch.randn(8, 20, generator=rng(1))
    with torch.autocast("cpu", torch.bfloat16):
        loss = core.nll(core.decode(core.encode(x)), x)
    assert loss.dtype == torch.float32
    loss.sum().backward()
    assert parameters_without_gradient(core) == []


@pytest.mark.parametrize("inputs", [8, 16, 32, 50, 64, 128])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 9, 11])
def test_a_row_of_a_small_product_does_not_depend_on_the_others(inputs, outputs):
    rng = torch.Generator().manual_seed(0)
    layer, x = layers.linear(inputs, outputs, rng), torch.randn(1000, inputs, generator=rng)
    with torch.inference_mode(), fast_float32():
        whole = layer(x)
        assert torch.equal(layer(x[7:39]), whole[7:39])
        assert torch.equal(layers.product(x[7:39], layer.weight), layers.product(x, layer.weight)[7:39])


@pytest.mark.parametrize("outputs", [1, 3, 4, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_an_upconvolution_is_torchs_transposed_convolution(outputs: int, bias: bool) -> None:
    rng = torch.Generator().manual_seed(0)
    layer = layers.upconvolution(6, outputs, rng, bias=bias).double()
    x = torch.randn(2, 6, 5, 7, generator=rng, dtype=torch.float64)
    theirs = torch.nn.functional.conv_transpose2d(x, layer.weight, layer.bias, stride=2, padding=1)
    assert layer(x).shape == theirs.shape == (2, outputs, 10, 14)
    assert (layer(x) - theirs).abs().max() < 1e-12
    some = torch.randn(theirs.shape, generator=rng, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((y * some).sum(), layer.weight)[0] for y in (layer(x), theirs))
    assert (ours - theirs).abs().max() < 1e-12
