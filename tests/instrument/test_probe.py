"""The optimizer as a black box, and what a factory says of itself: kinds, decay, powers and kinks, planted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from powercount.empirical.descent import Lion, PolarDescent, SignDescent
from powercount.empirical.factory import Built
from powercount.empirical.probe import probe
from powercount.empirical.reading import read

N = 24


class Muon(torch.optim.SGD):
    """What calls itself Muon and is plain descent."""


def made(optimizer, width=N, scale=1.0):
    """The same small net each time, under an optimizer made of its parameters."""

    def build():
        generator = torch.Generator().manual_seed(3)
        model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 4, bias=False))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator) / width**0.5)
        return Built(model=model, optimizer=optimizer(model.parameters()), batch=None)

    return build


def drawn_gradients(width=N):
    """A gradient of rank one for every matrix, as one example makes it."""
    generator = torch.Generator().manual_seed(4)
    model = made(torch.optim.SGD, width)().model
    found = {}
    for name, parameter in model.named_parameters():
        rows = torch.randn(parameter.shape[0], 1, generator=generator)
        columns = torch.randn(1, *parameter.shape[1:], generator=generator)
        found[name] = (rows * columns).view(parameter.shape) * 1e-2
    return found


def groups(kind):
    """One of this house's own optimizers on plain parameters."""
    return lambda parameters: kind([{"params": list(parameters), "lr": 0.1}])


KINDS = {
    "sgd": (lambda p: torch.optim.SGD(p, lr=0.1), "gradient", 0.0, False),
    "momentum": (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), "gradient", 0.0, False),
    "sgd, decaying": (lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.2), "gradient", 0.02, False),
    "adam": (lambda p: torch.optim.Adam(p, lr=0.1), "sign", 0.0, False),
    "adamw": (lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3), "sign", 0.03, False),
    "adam, coupled": (lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.3), "other", None, True),
    "adam, epsilon": (lambda p: torch.optim.Adam(p, lr=0.1, eps=1e-2), "other", 0.0, False),
    "adam, all epsilon": (lambda p: torch.optim.Adam(p, lr=0.1, eps=1e3), "gradient", 0.0, False),
    "sign": (groups(SignDescent), "sign", 0.0, False),
    "lion": (groups(Lion), "sign", 0.0, False),
    "polar": (groups(PolarDescent), "polar", 0.0, False),
    "a Muon that is none": (lambda p: Muon(p, lr=0.1), "gradient", 0.0, False),
    "nothing": (lambda p: torch.optim.SGD(p, lr=0.0), "still", 0.0, False),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_of_a_step_is_found_without_reading_its_name(name):
    """Descent, sign, polar factor; decay as it is made, coupled or not; epsilon where it bites."""
    optimizer, kind, decay, coupled = KINDS[name]
    gradients = drawn_gradients()
    if kind == "polar":
        gradients = {name: g for name, g in gradients.items() if g.dim() == 2}
    found = probe(made(optimizer), gradients)
    assert set(found) == set(gradients)
    for each in found.values():
        assert each.coupled == coupled
        if decay is not None:
            assert each.decay == pytest.approx(decay, abs=1e-6)
        if name != "adam, coupled":  # its decay and its step are one: only that is said
            assert each.kind == kind, each


def test_a_degree_between_one_and_none_says_how_far_epsilon_bites():
    """Adam's |g|/(|g| + epsilon): degree 1/(1 + |g|/epsilon) between gradients and a tenth of them."""
    degrees = []
    for epsilon in (1e-6, 1e-2, 1e2):
        found = probe(made(lambda p, e=epsilon: torch.optim.Adam(p, lr=0.1, eps=e)), drawn_gradients())
        degrees.append(found["0.weight"].degree)
    assert degrees == sorted(degrees)
    assert degrees[0] < 0.01 < 0.3 < degrees[1] < 0.9 < 0.99 < degrees[2]


WIDTHS = (64, 128, 256, 512)


def scaled(width, wrong=None):
    """muP-like options by hand: rate 1/n of the hidden matrix, epsilon 1/n, decay n; a planted fault."""
    generator = torch.Generator().manual_seed(5)
    model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, width, bias=False), nn.Linear(width, 4))
    with torch.no_grad():
        power = -1.0 if wrong == "init" else -0.5
        model[2].weight.copy_(torch.randn(width, width, generator=generator) * width**power)
    rate = 1 / max(width, 200) if wrong == "kink" else width ** (-0.5 if wrong == "rate" else -1.0)
    hidden = {"params": [model[2].weight], "lr": rate, "eps": 1e-8 / width, "weight_decay": 1e-4 * width}
    rest = {"params": [*model[0].parameters(), *model[3].parameters()], "lr": 1e-3, "weight_decay": 0.0}
    return Built(model=model, optimizer=torch.optim.AdamW([hidden, rest]), batch=None)


@pytest.mark.parametrize("wrong", [None, "rate", "init", "kink"])
def test_options_and_initial_weights_are_read_as_powers(wrong):
    """Options to .001, initial weights to .005; a zero has no power, and a maximum that changes sides is a kink."""
    found = read({width: scaled(width, wrong) for width in WIDTHS})
    hidden = found["2.weight"]
    if wrong == "kink":
        assert (hidden["lr"].power, hidden["lr"].kinked) == (None, True)
    else:
        assert hidden["lr"].power == pytest.approx(-0.5 if wrong == "rate" else -1, abs=1e-3)
    assert hidden["eps"].power == pytest.approx(-1, abs=1e-3)
    assert hidden["weight_decay"].power == pytest.approx(1, abs=1e-3)
    assert abs(hidden["init"].power - (-1 if wrong == "init" else -0.5)) < 4 * hidden["init"].error < 4 * 5e-3
    assert hidden["betas[1]"].power == pytest.approx(0, abs=1e-9)
    rest = found["0.weight"]
    assert rest["lr"].power == pytest.approx(0, abs=1e-9)
    assert (rest["weight_decay"].power, rest["weight_decay"].kinked) == (None, False)
    assert not any(each.kinked for name, each in rest.items() if name != "lr")
