"""Replay: what a step did at every use of every parameter equals the direct algebra, whatever the model is made of."""

from __future__ import annotations

import copy
from collections import defaultdict

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from powercount.empirical.replay import replay
from powercount.empirical.uses import rms

N, TOKENS, BATCH = 16, 5, 3
RATE = 0.5


def stepped(model, forward):
    """(parameters before, after) one step of gradient descent on the mean square of the output; the model as it was."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    out = forward()
    (out.float() - 1).square().mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(RATE * parameter.grad / parameter.grad.abs().max().clamp_min(1e-20))
        after = {name: p.detach().clone() for name, p in model.named_parameters()}
        for name, parameter in model.named_parameters():
            parameter.copy_(before[name])
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
    return before, after


def replayed(model, forward, seed=7):
    """(uses by parameter, parameters before, after)."""
    torch.manual_seed(seed)
    before, after = stepped(model, forward)
    torch.manual_seed(seed)
    uses = defaultdict(list)
    for use in replay(forward, dict(model.named_parameters()), after, model.buffers()):
        uses[use.parameter].append(use)
    return uses, before, after


def inputs_of(model, forward, kinds, seed=7):
    """What every module of these kinds is called with, by name, in the order of the calls."""
    seen, hooks = defaultdict(list), []
    for name, module in model.named_modules():
        if isinstance(module, kinds):
            hook = module.register_forward_pre_hook(lambda _, args, name=name: seen[name].append(args))
            hooks.append(hook)
    torch.manual_seed(seed)
    with torch.no_grad():
        forward()
    for hook in hooks:
        hook.remove()
    return seen


LEAVES = (nn.Linear, nn.Conv2d, nn.LayerNorm, nn.BatchNorm2d, nn.Embedding, nn.EmbeddingBag, nn.GroupNorm)


def module_by_module(model, forward, before, after):
    """own of every parameter of every plain module: the module alone on what it was called with, one of them moved."""
    found = defaultdict(list)
    calls, modules = inputs_of(model, forward, LEAVES), dict(model.named_modules())
    for name, every in calls.items():
        for args in every:
            for own_name, _ in modules[name].named_parameters(recurse=False):
                alone, full = copy.deepcopy(modules[name]), f"{name}.{own_name}" if name else own_name
                with torch.no_grad():
                    start = copy.deepcopy(alone)(*args)
                    getattr(alone, own_name).copy_(after[full])
                    found[full].append(rms(alone(*args) - start))
    return found


def perceptron():
    """Three linear layers."""
    model = nn.Sequential(nn.Linear(8, N), nn.ReLU(), nn.Linear(N, N), nn.Tanh(), nn.Linear(N, 4))
    x = torch.randn(BATCH, 8)
    return model, lambda: model(x)


def convolutions():
    """A convolution, a grouped one, batch norm in training, group norm."""
    model = nn.Sequential(
        nn.Conv2d(3, N, 3, padding=1),
        nn.BatchNorm2d(N),
        nn.ReLU(inplace=True),
        nn.Conv2d(N, N, 3, groups=4),
        nn.GroupNorm(4, N),
        nn.Flatten(),
        nn.Linear(N * 16, 4),
    )
    x = torch.randn(BATCH, 3, 6, 6)
    return model, lambda: model(x)


class Twice(nn.Module):
    """One layer called twice."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Linear(8, N), nn.Linear(N, N)

    def forward(self, x):
        """Once after the other."""
        return self.again(torch.tanh(self.again(torch.tanh(self.first(x)))))


def twice():
    """The same matrix at two places."""
    model, x = Twice(), torch.randn(BATCH, 8)
    return model, lambda: model(x)


def encoder():
    """A transformer's block in training, with dropout."""
    model, x = nn.TransformerEncoderLayer(N, 4, 2 * N, dropout=0.3, batch_first=True), torch.randn(BATCH, TOKENS, N)
    return model.train(), lambda: model(x)


def bag():
    """Embeddings summed."""
    model, places = nn.Sequential(nn.EmbeddingBag(11, N), nn.Linear(N, 3)), torch.randint(11, (BATCH, TOKENS))
    return model, lambda: model(places)


def checkpointed():
    """A block that is computed again in the backward pass."""
    model, x = nn.Sequential(nn.Linear(8, N), nn.Tanh(), nn.Linear(N, 4)), torch.randn(BATCH, 8)
    return model, lambda: checkpoint(model, x, use_reentrant=False)


def compiled():
    """A model that torch would compile."""
    model, x = nn.Sequential(nn.Linear(8, N), nn.Tanh(), nn.Linear(N, 4)), torch.randn(BATCH, 8)
    made = torch.compile(model, backend="eager")
    return model, lambda: made(x)


PLAIN = (perceptron, convolutions, twice, encoder, bag, checkpointed, compiled)


@pytest.mark.parametrize("zoo", PLAIN, ids=lambda each: each.__name__)
def test_plain_modules_are_replayed_to_the_last_digits(zoo):
    """Linear, convolutions, norms, embeddings: own equals the module alone on its input, one parameter moved."""
    torch.manual_seed(1)
    model, forward = zoo()
    uses, before, after = replayed(model, forward)
    expected = module_by_module(model, forward, before, after)
    assert len(expected) >= 2
    for name, owns in expected.items():
        if name.startswith("self_attn"):
            continue
        assert [use.own for use in uses[name]] == pytest.approx(owns, rel=1e-5, abs=1e-7), name
    assert set(uses) == set(before)


class Bare(nn.Module):
    """Parameters of no module: ``@``, einsum, a mask, a factor 1/n, a class token, places, queries."""

    def __init__(self):
        super().__init__()
        self.a, self.b = (nn.Parameter(torch.randn(N, N) / N**0.5) for _ in range(2))
        self.c = nn.Parameter(torch.randn(N, 3))
        self.token, self.places = nn.Parameter(torch.randn(1, 1, N)), nn.Parameter(torch.randn(TOKENS + 1, N))
        self.bias = nn.Parameter(torch.randn(N))
        self.register_buffer("mask", (torch.arange(N * N).view(N, N) % 3 > 0).float())

    def forward(self, x):
        """Every way a parameter is used without a module."""
        h = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
        h = h + self.places[torch.arange(TOKENS + 1)]
        self.h = h = h @ self.a.T
        h = torch.tanh(h)
        self.g = h = torch.einsum("btn,mn->btm", h, self.mask * self.b)
        h = 2 * torch.tanh(h)
        h.add_(self.bias)
        self.last = h
        return h @ self.c / N


def test_bare_parameters_are_replayed():
    """Every use of a parameter that no module owns, against its formula."""
    torch.manual_seed(2)
    model, x = Bare(), torch.randn(BATCH, TOKENS, N)
    uses, before, after = replayed(model, lambda: model(x))
    moved = {name: after[name] - before[name] for name in before}
    with torch.no_grad():
        model(x)
    start = torch.cat([before["token"].expand(BATCH, -1, -1), x], dim=1) + before["places"]
    expected = {
        "token": rms(moved["token"]),
        "places": rms(moved["places"]),
        "a": rms(start @ moved["a"].T),
        "b": rms(torch.tanh(model.h) @ (model.mask * moved["b"]).T),
        "bias": rms(moved["bias"]),
        "c": rms(model.last @ moved["c"] / N),
    }
    for name, own in expected.items():
        assert [use.own for use in uses[name]] == pytest.approx([own], rel=1e-5), name


def test_attention_is_replayed_part_by_part():
    """Queries, keys and values are three uses of one matrix; the projection, whose module is never called, is one.

    The factor 1/d^(1/2) of heads of d = 4 follows the queries, and is part of their use as any multiplier is.
    """
    torch.manual_seed(3)
    model, x = nn.MultiheadAttention(N, 4, batch_first=True), torch.randn(BATCH, TOKENS, N)
    uses, before, after = replayed(model, lambda: model(x, x, x)[0])
    moved = (after["in_proj_weight"] - before["in_proj_weight"]).chunk(3)
    expected = [rms(x @ part.T) * factor for part, factor in zip(moved, (4**-0.5, 1, 1), strict=True)]
    assert [use.own for use in uses["in_proj_weight"]] == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert [use.part for use in uses["in_proj_bias"]] == [0, 1, 2]
    assert len(uses["out_proj.weight"]) == 1
    assert uses["out_proj.weight"][0].own > 0


class Tied(nn.Module):
    """A matrix that looks up and reads out."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, N)
        self.readout = nn.Linear(N, 11, bias=False)
        self.readout.weight = self.embedding.weight

    def forward(self, places):
        """Look up, bend, read out."""
        self.seen = torch.tanh(self.embedding(places))
        return self.readout(self.seen)


def test_a_tied_matrix_has_both_its_uses():
    """The lookup and the readout apart: their powers differ."""
    torch.manual_seed(4)
    model, places = Tied(), torch.randint(11, (BATCH, TOKENS))
    uses, before, after = replayed(model, lambda: model(places))
    moved = after["embedding.weight"] - before["embedding.weight"]
    with torch.no_grad():
        model(places)
    expected = [rms(moved[places]), rms(model.seen @ moved.T)]
    assert [use.own for use in uses["embedding.weight"]] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["lora", "weight_norm", "spectral_norm", "drop_connect"])
def test_matrices_made_of_parameters_are_replayed(kind):
    """W + B A, g v/|v|, W/|W|, a matrix some of whose entries are dropped: each parameter moved alone."""
    torch.manual_seed(5)
    layer, x = nn.Linear(N, N, bias=False), torch.randn(BATCH, N)

    class Made(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer
            if kind == "lora":
                self.down, self.up = nn.Parameter(torch.randn(2, N)), nn.Parameter(torch.randn(N, 2))

        def matrix(self):
            if kind == "lora":
                return self.layer.weight + self.up @ self.down
            return functional.dropout(self.layer.weight, 0.5) if kind == "drop_connect" else self.layer.weight

        def forward(self, x):
            return functional.linear(x, self.matrix())

    if kind == "weight_norm":
        layer = nn.utils.parametrizations.weight_norm(layer)
    if kind == "spectral_norm":
        layer = nn.utils.parametrizations.spectral_norm(layer).eval()
    model = Made()
    uses, before, after = replayed(model, lambda: model(x))
    assert set(uses) == set(before)
    for name in before:
        with torch.no_grad():
            torch.manual_seed(7)  # of the replayed pass, so that the same entries are dropped
            start = model(x)
            dict(model.named_parameters())[name].copy_(after[name])
            torch.manual_seed(7)
            own = rms(model(x) - start)
            dict(model.named_parameters())[name].copy_(before[name])
        assert [use.own for use in uses[name]] == pytest.approx([own], rel=1e-5), name


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_use_their_matrix_at_every_step(kind):
    """The matrix of the state is used at every step, by gates; the first time on a state of zeros: own zero."""
    torch.manual_seed(6)
    model, x = kind(8, N, batch_first=True), torch.randn(BATCH, TOKENS, 8)
    uses, before, after = replayed(model, lambda: model(x)[0])
    moved = after["weight_ih_l0"] - before["weight_ih_l0"]
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    assert len(uses["weight_hh_l0"]) >= TOKENS
    assert uses["weight_hh_l0"][0].own == 0 < uses["weight_hh_l0"][-1].own
    squares = [use.own**2 for use in uses["weight_ih_l0"]]
    assert sum(squares) / len(squares) == pytest.approx(rms(x @ moved.T) ** 2, rel=1e-4)
    assert len(squares) in (1, gates, TOKENS, gates * TOKENS)


def test_casts_to_bfloat16_keep_the_change_of_the_weights():
    """Under autocast a change of 1e-3 of a weight would be rounded away: own within 1 % of float32's."""
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(8, N), nn.Tanh(), nn.Linear(N, N), nn.Tanh(), nn.Linear(N, 4))
    x = torch.randn(BATCH, 8)

    def cast():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(x)

    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    after = {name: value + 1e-4 * torch.randn_like(value) for name, value in before.items()}
    found = [
        replay(forward, dict(model.named_parameters()), after, model.buffers()) for forward in (cast, lambda: model(x))
    ]
    assert len(found[0]) == len(found[1]) == 6
    for low, full in zip(*found, strict=True):
        assert low.parameter == full.parameter
        assert low.own == pytest.approx(full.own, rel=0.01), low


def test_what_is_never_used_has_no_use_and_what_did_not_move_has_own_zero():
    """A layer that is not called has no use at all; one without a gradient has uses, of own exactly zero."""
    torch.manual_seed(9)
    model = nn.ModuleDict({"used": nn.Linear(8, 4), "idle": nn.Linear(8, 4), "still": nn.Linear(4, 4)})
    x = torch.randn(BATCH, 8)
    uses, _, _ = replayed(model, lambda: model["used"](x) + 0 * model["still"](torch.ones(BATCH, 4) + 0 * x[:, :4]))
    assert set(uses) == {"used.weight", "used.bias", "still.weight", "still.bias"}
    assert all(use.own == 0 for name in ("still.weight", "still.bias") for use in uses[name])


def test_experts_are_used_on_the_tokens_routed_to_them():
    """A mixture of experts: each expert's matrix meets its own tokens alone, the router's all."""
    torch.manual_seed(10)
    router, experts = nn.Linear(N, 2), nn.ModuleList(nn.Linear(N, N, bias=False) for _ in range(2))
    model, x = nn.ModuleList([router, experts]), torch.randn(40, N)

    def forward():
        weight, chosen = router(x).softmax(dim=-1).max(dim=-1)
        out = torch.zeros_like(x)
        for place, expert in enumerate(experts):
            rows = (chosen == place).nonzero()[:, 0]
            out = out.index_add(0, rows, weight[rows, None] * expert(x[rows]))
        return out

    uses, before, after = replayed(model, forward)
    chosen = (x @ before["0.weight"].T + before["0.bias"]).argmax(dim=1)
    for place in range(2):
        name = f"1.{place}.weight"
        own = rms(x[chosen == place] @ (after[name] - before[name]).T)
        assert [use.own for use in uses[name]] == pytest.approx([own], rel=1e-5)
    assert len(uses["0.weight"]) == 1


@pytest.mark.parametrize("whole", [False, True])
def test_what_data_is_written_into_is_data(whole):
    """Zeros are a constant until inputs are put into them, by a view or whole: the matrix then meets data."""
    torch.manual_seed(11)
    model, x = nn.Linear(N, 4), torch.randn(BATCH, 8)

    def forward():
        padded = torch.zeros(BATCH, N)
        if whole:
            padded.copy_(torch.cat([x, x], dim=1))
        else:
            padded[:, :8] = x
        return model(padded)

    uses, before, after = replayed(model, forward)
    moved = after["weight"] - before["weight"]
    wide = torch.cat([x, x], dim=1) if whole else torch.cat([x, torch.zeros(BATCH, 8)], dim=1)
    assert [use.own for use in uses["weight"]] == pytest.approx([rms(wide @ moved.T)], rel=1e-5)
