"""A user's factory as a subject: its own optimizer's step, every use of every parameter, slopes known beforehand."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

from powercount.decide import Limit, decide
from powercount.empirical.design import Sweep
from powercount.empirical.factory import Built, FactoryError, FactoryNets, Quantity, step
from powercount.empirical.grow import grow

WIDTHS = Sweep(axis="width", sizes=(64, 128, 256), fixed=1, seeds=16, most_seeds=64)
ROUNDED = 1e-3  # of the square of a step a thousandth as large as its weights or less, in float32
ALLOWED = 0.06  # of a slope without exact values: few tokens against the width, some 1/n


def batch_of(examples=8):
    """Gaussian inputs and labels, the same at every width."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(examples, 64, generator=generator), torch.randint(10, (examples,), generator=generator)


def perceptron(width, kind="adam", shift=0.0, clip=None):
    """Three layers in torch's own initialization; muP's rates under Adam, times n^shift for the hidden matrix."""
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    if kind == "adam":
        return Built(model=model, optimizer=torch.optim.Adam(model.parameters(), lr=1e-3), batch=batch_of(), clip=clip)
    if kind == "sgd":
        return Built(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=1e-3), batch=batch_of(), clip=clip)
    hidden, readout = model[2].weight, model[4].weight
    with torch.no_grad():
        readout.mul_((64 / width) ** 0.5)  # n^(-1) in place of torch's n^(-1/2)
    rest = [p for p in model.parameters() if p is not hidden and p is not readout]
    rates = [(hidden, (64 / width) ** (1 - shift)), (readout, 64 / width)]
    groups = [{"params": rest}, *({"params": [p], "lr": 1e-3 * rate} for p, rate in rates)]
    return Built(model=model, optimizer=torch.optim.Adam(groups, lr=1e-3), batch=batch_of(), clip=clip)


def slopes(build, asked, sweep=WIDTHS):
    """The fitted slopes of what is asked for, by name."""
    nets = FactoryNets(build=build)
    _, found = grow(nets, asked, sweep)
    return {str(each): found[each].along["width"] for each in asked}


OWN = [Quantity(parameter=f"{place}.weight", kind="own") for place in (0, 2, 4)]
OUT = [Quantity(parameter=f"{place}.weight", kind="out") for place in (0, 2, 4)]
KNOWN = {
    "adam": (0, 1, 1),
    "sgd": (-0.5, 0.5, 1),
    "mup": (0, 0, 0),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_own_updates_have_the_powers_of_the_users_own_optimizer(kind, powercount_laws):
    """torch's own initialization under Adam: 0, 1, 1 of input, hidden, readout; under SGD -1/2, 1/2, 1; muP's: flat."""
    found = slopes(lambda width, seed: perceptron(width, kind), OWN)
    for (name, slope), power in zip(found.items(), KNOWN[kind], strict=True):
        powercount_laws.note(f"{kind}, {name}", f"{slope.value:+.3f}, power {power}")
        decision = decide(slope, Limit(value=power, allowance=2 * ALLOWED if kind == "sgd" else ALLOWED))
        assert decision.outcome != "CONTRADICTS", (name, slope)
        assert abs(slope.value - power) < 0.15


@pytest.mark.parametrize("shift", [-0.5, 0.5])
def test_twin_a_rate_that_is_off_is_seen_at_its_own_layer_alone(shift):
    """n^(1/2) on the rate of the hidden matrix: its own and its out are contradicted, nobody else's own."""
    found = slopes(lambda width, seed: perceptron(width, "mup", shift), [*OWN, OUT[1]])
    outcomes = {name: decide(slope, Limit(value=0.0, allowance=ALLOWED)).outcome for name, slope in found.items()}
    assert outcomes.pop("own of 2.weight") == "CONTRADICTS"
    assert outcomes.pop("out of 2.weight") != "AGREES"
    assert "CONTRADICTS" not in outcomes.values()


class Transformer(nn.Module):
    """A block of attention and two linear layers between a lookup and a tied readout, positions and a class token."""

    def __init__(self, width, tied):
        super().__init__()
        self.lookup, self.places = nn.Embedding(11, width), nn.Parameter(torch.randn(5, width))
        self.gain = nn.Parameter(torch.ones(()))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.readout = nn.Linear(width, 11, bias=False)
        if tied:
            self.readout.weight = self.lookup.weight

    def forward(self, places):
        """Logits at every place."""
        h = self.lookup(places) + self.places
        h = h + self.attention(h, h, h, need_weights=False)[0]
        h = h + self.gain * self.down(torch.relu(self.up(self.norm(h))))
        return self.readout(h)


@pytest.mark.parametrize("tied", [False, True])
def test_roles_are_read_off_the_growth_of_fans(tied):
    """Input, hidden, readout, vector, scalar, without a name being read; a tied matrix is input and readout."""

    def build(width, seed):
        model = Transformer(width, tied)
        tokens = torch.randint(11, (4, 5), generator=torch.Generator().manual_seed(0))
        return Built(model=model, optimizer=torch.optim.AdamW(model.parameters()), batch=(tokens, tokens))

    found = {str(each).removeprefix("own of "): role for each, role in FactoryNets(build=build).roles(16).items()}
    expected = {
        "lookup.weight": "input",
        "places": "vector",
        "gain": "scalar",
        **{f"attention.in_proj_weight{use}": "hidden" for use in ("", ", use 2", ", use 3")},
        **{f"attention.in_proj_bias{use}": "vector" for use in ("", ", use 2", ", use 3")},
        "attention.out_proj.weight": "hidden",
        "attention.out_proj.bias": "vector",
        **{f"norm.{name}": "vector" for name in ("weight", "bias")},
        **{f"{layer}.weight": "hidden" for layer in ("up", "down")},
        **{f"{layer}.bias": "vector" for layer in ("up", "down")},
        "lookup.weight, use 2" if tied else "readout.weight": "readout",
    }
    assert found == expected


def test_roles_of_convolutions_and_bare_matrices():
    """A first and a later convolution, a transposed one, W x as well as x W, experts apart."""

    class Mixed(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first, self.later = nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 3)
            self.back = nn.ConvTranspose2d(width, 3, 2)
            self.left, self.right = nn.Parameter(torch.randn(width, 64)), nn.Parameter(torch.randn(64, width))
            self.few = nn.Linear(64, 10)

        def forward(self, x):
            h = self.back(torch.relu(self.later(torch.relu(self.first(x.view(-1, 3, 8, 8))))))
            y = self.left @ (h.mean() * x[:, :64].T)
            return self.few((self.right @ torch.relu(y)).T)

    def build(width, seed):
        model, generator = Mixed(width), torch.Generator().manual_seed(0)
        batch = torch.randn(4, 192, generator=generator), torch.randint(10, (4,), generator=generator)
        return Built(model=model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), batch=batch)

    found = FactoryNets(build=build).roles(8)
    weights = {each.parameter: role for each, role in found.items() if "bias" not in each.parameter}
    assert weights == {
        "first.weight": "input",
        "later.weight": "hidden",
        "back.weight": "readout",
        "left": "input",
        "right": "readout",
        "few.weight": "fixed",
    }


def test_nothing_of_the_users_is_changed():
    """Parameters, buffers and random state are what they were; depth is passed to a factory that asks for it alone."""
    built = perceptron(16)
    built.model.append(nn.BatchNorm1d(10))
    built.optimizer.add_param_group({"params": list(built.model[5].parameters())})
    before = {name: value.clone() for name, value in built.model.state_dict().items()}
    state = torch.get_rng_state()
    step(built)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in built.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    seen = []

    def deep(width, depth, seed):
        seen.append((width, depth))
        return perceptron(width)

    FactoryNets(build=deep).quantities(WIDTHS)
    assert seen == [(64, 1), (128, 1), (256, 1)]


def test_the_step_is_the_users_own():
    """Two optimizers, a clip of gradients: own is what they do, and no more."""
    built = perceptron(16, "sgd")
    plain = step(built).squares[OWN[1]]
    halves = [
        torch.optim.SGD(built.model[:2].parameters(), lr=1e-3),
        torch.optim.SGD(built.model[2:].parameters(), lr=2e-3),
    ]
    two = Built(model=built.model, optimizer=halves, batch=built.batch)
    assert step(two).squares[OWN[1]] == pytest.approx(4 * plain, rel=ROUNDED)
    clipped = Built(model=built.model, optimizer=built.optimizer, batch=built.batch, clip=1e-3)
    assert step(clipped).squares[OWN[1]] < 1e-2 * plain


def test_out_is_the_first_order_change_of_the_loss():
    """Of plain descent -rate |g|^2 of every parameter."""
    built = perceptron(16, "sgd")
    found = step(built).squares
    inputs, targets = built.batch
    built.model.zero_grad()
    torch.autograd.backward(nn.functional.cross_entropy(built.model(inputs), targets))
    for name, parameter in built.model.named_parameters():
        expected = (1e-3 * parameter.grad.double().square().sum()) ** 2
        assert found[Quantity(parameter=name, kind="out")] == pytest.approx(expected.item(), rel=ROUNDED)


class Diced(nn.Linear):
    """A layer that throws dice of its own."""

    def forward(self, x):
        """Not the same twice."""
        return super().forward(x) * random.random()


def with_model(model, optimizer=None, loss=None):
    """A factory of that model."""

    def build(width, seed):
        chosen = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
        asked = {} if loss is None else {"loss": loss}
        return Built(model=model, optimizer=chosen, batch=batch_of(), **asked)

    return build


def failing(width, seed):
    """A factory with a fault of its own."""
    raise KeyError("no such thing")


def idle():
    """A model one of whose layers is never called."""
    model = nn.ModuleDict({"used": nn.Linear(64, 10), "idle": nn.Linear(64, 10)})
    return with_model(model, loss=lambda model, batch: model["used"](batch[0]).square().mean())


LINEAR = nn.Linear(64, 10)
BAD = {
    "signature": (lambda n: None, "write it as build(width, depth, seed)"),
    "exception": (failing, "KeyError: 'no such thing' ("),
    "not built": (lambda width, seed: LINEAR, "gave a Linear; return powercount.Built"),
    "no parameters": (with_model(nn.ReLU(), optimizer=object()), "no parameter that is trained"),
    "other parameters": (with_model(LINEAR, torch.optim.SGD(nn.Linear(2, 2).parameters())), "holds weight, bias"),
    "no number": (with_model(LINEAR, loss=lambda m, b: m(b[0]).mean() * float("nan")), "the loss is nan"),
    "no mean": (with_model(LINEAR, loss=lambda m, b: m(b[0])), "take its mean"),
    "no gradient": (idle(), "does not depend on idle.weight, idle.bias"),
    "detached": (with_model(LINEAR, loss=lambda m, b: m(b[0]).mean().detach()), "has no gradient"),
    "wrong shapes": (with_model(nn.Linear(3, 10)), "the forward pass failed: RuntimeError"),
    "dice": (with_model(Diced(64, 10)), "the forward pass depend on them alone"),
    "no step": (with_model(LINEAR, optimizer=object()), "the optimizer's step failed: AttributeError"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_factory_is_refused_in_one_line(fault):
    """Where it fails and what to change, whatever the user's code raises."""
    build, remedy = BAD[fault]
    with pytest.raises(FactoryError) as caught:
        FactoryNets(build=build).quantities(WIDTHS)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_size_lacks_is_named():
    """A quantity that only some sizes have is refused, with the size that lacks it."""

    def build(width, seed):
        made = perceptron(width)
        if width > 100:
            made.model.append(nn.Linear(10, 10))
            made.optimizer.add_param_group({"params": list(made.model[5].parameters())})
        return made

    with pytest.raises(FactoryError, match=r"own of 5.weight is not there at width 64"):
        slopes(build, [Quantity(parameter="5.weight", kind="own")])
