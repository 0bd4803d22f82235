"""What once made replay, factory or probe lie or crash: each case against the direct algebra."""

from __future__ import annotations

import functools
import math
from collections import defaultdict

import pytest
import torch
from torch import nn

from powercount.empirical.factory import Built, FactoryError, FactoryNets, step
from powercount.empirical.probe import probe
from powercount.empirical.reading import read
from powercount.empirical.replay import replay
from powercount.empirical.uses import rms

N, BATCH = 8, 3
A = {"a": (N, N)}
ROUNDED = 1e-4  # of a step a hundredth as large as its weights, in float32


class Made(nn.Module):
    """Parameters of given shapes, buffers, and a forward pass that is a plain function of the model and inputs."""

    def __init__(self, forward, /, shapes, dtype=torch.float32, **buffers):
        super().__init__()
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape, dtype=dtype)))
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)
        self.run = forward

    def forward(self, x):
        """The function."""
        return self.run(self, x)


def replayed(model, x, by=0.1):
    """(uses by parameter, what each parameter is moved by): a drawn step."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    after = {name: p + by * torch.randn_like(p) for name, p in before.items()}
    uses = defaultdict(list)
    for use in replay(lambda: model(x), dict(model.named_parameters()), after, model.buffers()):
        uses[use.parameter].append(use)
    return uses, {name: after[name] - before[name] for name in before}


def halved_in_place(model, x):
    h = x @ model.a
    h /= 2
    return h


def bent_in_place(model, x):
    h = x @ model.a
    h.relu_()
    return h / 2


def detached(model, x):
    h = x @ model.a
    model.log = h.detach()
    return h.view(BATCH, 2, -1)


def written_by_rows(model, x):
    matrix = torch.zeros(N, N)
    matrix[: N // 2] = model.a[: N // 2]
    matrix[N // 2 :, :] = model.a[N // 2 :]
    return x @ matrix


def scaled_by_a_view(model, x):
    matrix = model.a.clone()
    matrix[0].mul_(2)
    matrix[1:].mul_(2)
    return x @ matrix


def added_into(model, x):
    return torch.zeros(BATCH, N).addmm_(x, model.a)


ONE_USE = {
    "a division in place is followed": (halved_in_place, 0.5),
    "a bend in place ends what is followed": (bent_in_place, 1),
    "a number on the left": (lambda m, x: torch.tensor(0.5) * (x @ m.a), 0.5),
    "a minus between": (lambda m, x: -(x @ m.a) / 2, 0.5),
    "a floor is no factor": (lambda m, x: torch.div(x @ m.a, 2, rounding_mode="floor"), 1),
    "a copy for a log is no second use": (detached, 1),
    "two views of one output are one use": (lambda m, x: torch.cdist((h := x @ m.a)[None], h[None] + 0 * x), 1),
    "differences of all pairs": (lambda m, x: (h := x @ m.a).unsqueeze(0) - h.unsqueeze(1), 1),
    "written into zeros by its rows": (written_by_rows, 1),
    "a copy scaled by views": (scaled_by_a_view, 2),
    "a product added into zeros": (added_into, 1),
    "a cast to whole numbers of another": (lambda m, x: x @ (m.a * (m.a.long() * 0 + 1)), 1),
}


@pytest.mark.parametrize("case", ONE_USE)
def test_a_matrix_that_is_used_once_has_one_use(case):
    """Its own is x D times what number follows, its fans are those of the matrix."""
    torch.manual_seed(1)
    forward, factor = ONE_USE[case]
    x = torch.randn(BATCH, N)
    uses, moved = replayed(Made(forward, A), x, by=1e-2)
    assert [use.own for use in uses["a"]] == pytest.approx([factor * rms(x @ moved["a"])], rel=ROUNDED)
    assert uses["a"][0].fans == (N, N)


def test_one_trained_number_and_a_bias_taken_off_are_followed():
    """(x A - b) s / n: all three uses have the factor 1/n, the matrix the number too."""
    torch.manual_seed(2)
    x = torch.randn(BATCH, N)
    model = Made(lambda m, x: (x @ m.a - m.b) * m.s / N, {"a": (N, N), "b": (N,), "s": ()})
    start, s = (x @ model.a - model.b).detach(), model.s.item()
    uses, moved = replayed(model, x)
    expected = {"a": x @ moved["a"] * s / N, "b": moved["b"] * s / N, "s": start * moved["s"] / N}
    for name in ("a", "s"):
        assert [use.own for use in uses[name]] == pytest.approx([rms(expected[name])], rel=ROUNDED), name
    assert [use.act for use in uses["a"]] == pytest.approx([rms(start * s / N)], rel=ROUNDED)


def test_what_is_drawn_in_place_is_data():
    """Noise by ``normal_`` is data as noise by ``randn`` is."""
    torch.manual_seed(3)
    model = Made(lambda m, x: torch.tanh(torch.empty(BATCH, N).normal_() @ m.a) @ m.b, {"a": (N, N), "b": (N, N)})
    uses, _ = replayed(model, None)
    assert [(use.operation, use.fans) for name in "ab" for use in uses[name]] == [("mm", (N, N))] * 2


def test_a_matrix_picked_for_each_example_is_used_where_it_meets_the_example():
    """Experts in one tensor, by index; a row that is picked stays a lookup."""
    torch.manual_seed(4)
    x, chosen = torch.randn(BATCH, N), torch.tensor([0, 1, 1])
    model = Made(
        lambda m, x: torch.einsum("bi,bio->bo", x[0], m.e[x[1]]) + m.rows[x[1]], {"e": (2, N, N), "rows": (2, N)}
    )
    uses, moved = replayed(model, (x, chosen))
    own = rms(torch.einsum("bi,bio->bo", x, moved["e"][chosen]))
    assert [use.own for use in uses["e"]] == pytest.approx([own], rel=ROUNDED)
    assert uses["e"][0].fans == (N, N)
    assert [(use.operation, use.fans) for use in uses["rows"]] == [("index", (1, N))]


def test_an_embedding_whose_rows_are_held_short_is_a_lookup():
    """max_norm writes into the matrix first: what is looked up is the shortened row."""
    torch.manual_seed(5)
    model, places = nn.Embedding(4, N, max_norm=1.0), torch.tensor([0, 2])
    rows = model.weight.detach()[places].clone()
    torch.manual_seed(6)
    uses, moved = replayed(model, places)
    short = [each / each.norm(dim=1, keepdim=True).clamp_min(1) for each in (rows + moved["weight"][places], rows)]
    assert [use.operation for use in uses["weight"]] == ["embedding"]
    assert uses["weight"][0].own == pytest.approx(rms(short[0] - short[1]), rel=ROUNDED)


@pytest.mark.parametrize("pairs", [False, True])
def test_complex_matrices_are_used(pairs):
    """A complex parameter, and one that is viewed as complex, as a spectral layer has it."""
    torch.manual_seed(7)
    x = torch.randn(BATCH, N, dtype=torch.complex64)
    shapes, dtype = ({"a": (N, N, 2)}, torch.float32) if pairs else (A, torch.complex64)
    model = Made(lambda m, x: (x @ (torch.view_as_complex(m.a) if pairs else m.a)).abs(), shapes, dtype)
    uses, moved = replayed(model, x)
    change = torch.view_as_complex(moved["a"]) if pairs else moved["a"]
    assert [use.own for use in uses["a"]] == pytest.approx([rms((x @ change).abs())], rel=ROUNDED)


def test_weights_in_16_bits_do_not_lose_a_small_step():
    """A change of one last digit of a few weights: own of bfloat16 weights is that of the same in float32."""
    torch.manual_seed(8)
    x = torch.randn(64, N).bfloat16()
    model = Made(lambda m, x: x @ m.a, A, torch.bfloat16)
    after = model.a.detach().clone()
    after[0, 0] *= 1 + 2**-7
    (use,) = replay(lambda: model(x), {"a": model.a}, {"a": after})
    # The change is exact, and one part in a hundred of the output it is a difference of.
    assert use.own == pytest.approx(rms(x.float() @ (after.float() - model.a.detach().float())), rel=1e-3)


FANS = {
    "bilinear": (nn.Bilinear(N, N, 4), (N * N, 4), lambda m: m(torch.ones(2, N), torch.ones(2, N))),
    "transposed, grouped": (nn.ConvTranspose1d(N, N, 3, groups=4), (6, N), lambda m: m(torch.ones(2, N, 5))),
}


@pytest.mark.parametrize("case", FANS)
def test_fans_of_rarer_layers(case):
    """x W y sums over both of its inputs; a grouped transposed convolution over its group."""
    model, fans, forward = FANS[case]
    x = torch.zeros(())
    uses = replay(lambda: forward(lambda *a: model(*(x + each for each in a))), *[dict(model.named_parameters())] * 2)
    assert [use.fans for use in uses if use.parameter == "weight"] == [fans]


def test_a_number_joined_to_data_and_a_mask_of_minus_infinity():
    """A parameter without dimensions in a stack; a bias beside -inf changes nothing there."""
    model = Made(lambda m, x: torch.stack([m.s, x[0, 0]]).sum() + (x + (m.b + m.mask)), {"s": (), "b": (N,)})
    model.register_buffer("mask", torch.tensor([0.0] * (N - 1) + [-torch.inf]))
    uses, moved = replayed(model, torch.randn(BATCH, N))
    assert uses["s"][0].own == pytest.approx(rms(moved["s"]), rel=ROUNDED)
    assert uses["b"][0].own == pytest.approx(rms(moved["b"][:-1]) * (1 - 1 / N) ** 0.5, rel=ROUNDED)
    assert uses["b"][0].act < 10


def built(model, batch=None, **options):
    """That model under plain descent, on inputs of ``N`` and labels."""
    torch.manual_seed(9)
    trained = [p for p in model.parameters() if p.requires_grad]
    batch = batch or (torch.randn(BATCH, N), torch.randint(4, (BATCH,)))
    return Built(model=model, optimizer=torch.optim.SGD(trained, lr=0.1), batch=batch, **options)


def test_frozen_weights_and_plain_attributes_are_constants():
    """W + B A on a frozen W, masked by a tensor that is no buffer: the two meet data in one product."""
    model = Made(lambda m, x: x @ (m.mask * (m.w + m.a @ m.b)), {"w": (N, 4), "a": (N, 2), "b": (2, 4)})
    model.w.requires_grad_(False)
    model.mask = (torch.arange(4 * N).view(N, 4) % 3 > 0).float()
    found = step(built(model))
    assert {each.parameter: fans for each, fans in found.fans.items()} == {"a": (N, 4), "b": (N, 4)}


def teacher(model, x):
    """A frozen copy follows the weights; a counter, a cache that is made when first asked for."""
    with torch.no_grad():
        model.slow.lerp_(model.a, 0.5)
    model.calls += 1
    if not hasattr(model, "cache"):
        model.register_buffer("cache", torch.cos(torch.arange(float(N))))
    if len(model.grown) < N:
        model.grown = torch.ones(N)
    return (x * model.cache * model.grown) @ (model.a + model.slow)


def test_whatever_the_forward_pass_changes_is_put_back():
    """Frozen weights, counters, caches, gradients."""
    model = Made(teacher, {"a": (N, 4), "slow": (N, 4)}, grown=torch.ones(0), wide=torch.arange(3).expand(2, 3))
    model.slow.requires_grad_(False)
    model.calls, slow = 0, model.slow.detach().clone()
    model.a.grad = gradient = torch.ones(N, 4)
    step(built(model))
    assert torch.equal(model.slow, slow)
    assert (model.calls, len(model.grown), hasattr(model, "cache")) == (0, 0, False)
    assert model.a.grad is gradient


def test_an_expert_without_examples_has_no_size():
    """No quantity in place of nan."""
    model = Made(lambda m, x: torch.cat([x[:0] @ m.a, x @ m.b]), {"a": (N, 4), "b": (N, 4)})
    assert {each.parameter for each in step(built(model)).fans} == {"b"}


def test_out_of_a_complex_parameter_is_the_change_of_the_loss():
    """Of plain descent rate |g|^2, real and imaginary parts alike."""
    made = built(Made(lambda m, x: (x.to(torch.complex64) @ m.a).abs(), {"a": (N, 4)}, torch.complex64))
    torch.autograd.backward(made.loss(made.model, made.batch))
    expected = 0.1 * made.model.a.grad.abs().square().sum().item()
    (out,) = (value for each, value in step(made).squares.items() if each.kind == "out")
    assert out**0.5 == pytest.approx(expected, rel=ROUNDED)


def sparse(clip):
    """An embedding whose gradient is sparse."""
    places = torch.tensor([0, 1, 1]), torch.tensor([0, 1, 2])
    return built(nn.Embedding(5, N, sparse=True), places, clip=clip)


def rooted(model, batch):
    """A loss whose gradient is nan."""
    return model(batch[0]).square().mean() + (0 * model.weight).sum().sqrt()


BAD = {
    "no module": (lambda width, seed: Built(model=[], optimizer=None, batch=None), "is a list; give a Module"),
    "lazy": (lambda width, seed: built(nn.LazyLinear(4)), "is lazy; call it once"),
    "complex": (lambda width, seed: built(nn.Linear(N, 4), loss=lambda m, b: m(b[0]).sum() + 0j), "is complex"),
    "nan": (lambda width, seed: built(nn.Linear(N, 4), loss=rooted), "leaves weight infinite or nan"),
    "sparse": (lambda width, seed: sparse(1.0), "cannot be clipped: NotImplementedError"),
    "no function": (3, "is no function"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_factory_is_refused(fault):
    """In one line, whatever is wrong with it."""
    build, remedy = BAD[fault]
    with pytest.raises(FactoryError, match=remedy):
        step(FactoryNets(build=build).made(N, 1, 0, 0))


def test_what_a_partial_has_settled_stays():
    """A depth that the user has fixed is not the design's."""

    def build(width, depth, seed):
        return built(nn.Sequential(*(nn.Linear(N, N) for _ in range(depth))))

    made = FactoryNets(build=functools.partial(build, depth=3)).made(N, 1, 0, 0)
    assert len(made.model) == 3


class Normalized(torch.optim.SGD):
    """Steps of one size along the gradient, and nothing but that."""

    def step(self, closure=None):
        """Of one rate."""
        for parameter in self.param_groups[0]["params"]:
            parameter.data.sub_(0.1 * parameter.grad / parameter.grad.norm().clamp_min(1e-30))


class Ready(torch.optim.SGD):
    """An optimizer that makes its average ready when it is built."""

    def __init__(self, parameters):
        super().__init__(parameters, lr=0.1)
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["average"] = torch.zeros_like(parameter)

    def step(self, closure=None):
        """Along the average."""
        for parameter in self.param_groups[0]["params"]:
            parameter.data.sub_(self.state[parameter]["average"].lerp_(parameter.grad, 0.1))


def probed(optimizer):
    """A drawn matrix, a gain of ones and a matrix of zeros under an optimizer, by name."""

    def build():
        torch.manual_seed(10)
        model = Made(None, {"a": (N, N), "gain": (N,), "zero": (N, 4)})
        nn.init.ones_(model.gain)
        nn.init.zeros_(model.zero)
        return Built(model=model, optimizer=optimizer(model.parameters()), batch=None)

    generator = torch.Generator().manual_seed(11)
    shapes = {name: p.shape for name, p in build().model.named_parameters()}
    return probe(build, {name: 1e-2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()})


@pytest.mark.parametrize(("optimizer", "kind"), [(Normalized, "other"), (Ready, "gradient")])
def test_what_is_along_the_gradient_is_no_polar_factor(optimizer, kind):
    """A normalized step is neither sign nor polar; state that an optimizer has made ready is no obstacle."""
    found = probed(optimizer)
    assert (found["a"].kind, found["zero"].kind) == (kind, kind)


def test_decay_of_gains_and_of_zeros():
    """Through Adam's sign a gain of ones shrinks as if by its rate: coupled; zeros show no decay at all."""
    coupled = probed(lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.3))
    apart = probed(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3))
    assert [coupled[name].coupled for name in ("a", "gain", "zero")] == [True, True, False]
    assert not any(each.coupled for each in apart.values())
    assert apart["gain"].decay == pytest.approx(0.03)  # rounding
    assert math.isnan(apart["zero"].decay)


def test_builds_that_differ_at_one_seed_are_refused():
    """What is read off from a difference of builds would be that of their weights."""

    def build():
        return built(nn.Linear(N, 4))

    with pytest.raises(FactoryError, match="different weights of weight"):
        probe(build, {"weight": torch.ones(4, N)})


def reading_of(made, widths=(8, 16, 32)):
    """What is read of a lone parameter."""
    every = {}
    for width in widths:
        model = nn.Module()
        model.register_parameter("p", nn.Parameter(made(width)))
        every[width] = Built(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=1.0), batch=None)
    return read(every)["p"]


def test_initial_weights_that_are_complex_or_alone():
    """Both parts of a complex weight count; one drawn number is no kink; one width has no power."""
    torch.manual_seed(12)
    assert reading_of(lambda n: torch.full((n,), 3 + 4j))["init"].values == pytest.approx((5, 5, 5))  # rounding
    alone = reading_of(lambda n: torch.randn(()))["init"]
    assert not alone.kinked
    assert alone.error > 0.3
    single = reading_of(torch.ones, widths=(8,))["lr"]
    assert (single.power, single.kinked) == (None, False)
