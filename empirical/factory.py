r"""A user's own model as a subject: a factory, one step of its own optimizer, every use of every parameter replayed.

``build(width, depth, seed)`` gives a model, its optimizer and a batch (``Built``). At each point of a design a member
is built anew; its own step is made, by ``optimizer.step()`` and nothing else; the parameters are put back, and the pass
is replayed (``replay``). What is read off, as mean squares:

    own   at each use of each parameter: what its own change does to that operation's output
    act   the size of that output
    out   (g . dW)^2: the first-order change of the loss owed to one parameter

Quantities have names that hold at every width: ``own`` or ``act`` of a parameter with the number of its use (a matrix
that is used twice, the parts of a split), ``out`` of a parameter. Nothing of the user's is changed: random state,
parameters and buffers are put back. Every fault of a factory is one line: ``FactoryError``.

Worked line: an MLP in torch's own initialization under Adam at one rate has own ~ n^1 at its hidden matrix: each of n
entries of h is met by a step of one size and of its sign.
"""

from __future__ import annotations

import inspect
import math
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from powercount.derivations.recipe import PowercountError
from powercount.empirical.design import Design
from powercount.empirical.replay import replay
from powercount.empirical.subject import Squares
from powercount.empirical.uses import Fans

Kind = Literal["own", "act", "out"]
LIKE = 1e-6  # two passes at the same weights differ by this much of the loss at most: sums in another order


class FactoryError(PowercountError):
    """The factory, or what it built, cannot be measured: the text says where and what to change."""


def cross_entropy(model: nn.Module, batch: Any) -> Tensor:
    """The default loss: of the model's output on ``inputs`` and ``targets``, classes last."""
    inputs, targets = batch
    output = model(inputs)
    return nn.functional.cross_entropy(output.flatten(0, -2), targets.flatten())


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a factory gives: a model, its optimizer (or several, anything with ``step()``), a batch and the loss.

    ``batch`` is any nest of tensors that ``loss(model, batch)`` understands; ``clip`` is the global norm that gradients
    are clipped to before the step, if they are.
    """

    model: nn.Module
    optimizer: Any
    batch: Any
    loss: Callable[[nn.Module, Any], Tensor] = cross_entropy
    clip: float | None = None

    @property
    def optimizers(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(self.optimizer) if isinstance(self.optimizer, list | tuple) else (self.optimizer,)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Quantity:
    """What is measured of a parameter: ``own`` or ``act`` at its use number ``use``, or ``out``."""

    parameter: str
    kind: Kind
    use: int = 0

    def __str__(self) -> str:
        return f"{self.kind} of {self.parameter}" + (f", use {self.use + 1}" if self.use else "")


Factory = Callable[..., Built]
Role = Literal["input", "hidden", "readout", "vector", "scalar", "fixed"]


def grown(few: Fans, many: Fans) -> Role:
    """The role of a use from its fans at two widths.

    A matrix is input, hidden or readout as its out, both or its in grow with the width, fixed where neither does; what
    acts entry by entry is a vector if its entries grow in number, and a scalar if not.
    """
    (into, out), (later_into, later_out) = few, many
    widens = later_out > out
    if into is None or later_into is None:
        return "vector" if widens else "scalar"
    if later_into > into:
        return "hidden" if widens else "readout"
    return "input" if widens else "fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """One member after its step: the mean square of every quantity, and the fans of every use by its ``own``."""

    squares: dict[Quantity, float]
    fans: dict[Quantity, Fans]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactoryNets:
    """The nets of a factory as a subject; ``depth`` is left out of the call where its signature has none."""

    build: Factory

    def squares(self, asked: Sequence[Any], design: Design, members: Sequence[int]) -> Squares:
        """The mean squares of the quantities asked for, shape (members, points) each."""
        points = design.points()
        rows = [[step(self.made(*point, design.seed, member)).squares for point in points] for member in members]
        found = {}
        for each in asked:
            lacking = [point for row in rows for point, at in zip(points, row, strict=True) if each not in at]
            if lacking:
                width, depth = lacking[0]
                raise FactoryError(
                    f"{each} is not there at width {width}, depth {depth}: its uses change with the size; ask for what "
                    "every size has"
                )
            found[each] = np.array([[at[each] for at in row] for row in rows])
        return found

    def numbers(self, design: Design) -> int:
        """One member at a time: only the user knows what it holds."""
        return 1 << 62

    def quantities(self, design: Design) -> list[Quantity]:
        """Everything that can be asked for: what the first member has at every point."""
        every = [set(step(self.made(*point, design.seed, 0)).squares) for point in design.points()]
        return sorted(set.intersection(*every))

    def roles(self, width: int, depth: int = 1, seed: int = 0, times: int = 2) -> dict[Quantity, Role]:
        """What every use is to the network (its ``own``), from how its fans grow with the width."""
        few, many = (step(self.made(size, depth, seed, 0)).fans for size in (width, times * width))
        return {each: grown(few[each], many[each]) for each in few if each in many}

    def made(self, width: int, depth: int, seed: int, member: int) -> Built:
        """What the factory builds, checked; ``FactoryError`` with the place where it fails."""
        try:
            named = inspect.signature(self.build).parameters
        except (TypeError, ValueError):
            raise FactoryError("the factory is no function; write it as build(width, depth, seed)") from None
        names = [name for name in named if name not in getattr(self.build, "keywords", ())]  # of a partial: settled
        sizes = {"width": width, "depth": depth, "seed": 10_000 * seed + member}
        if "width" not in names or "seed" not in names:
            raise FactoryError(f"the factory takes ({', '.join(names)}); write it as build(width, depth, seed)")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(sizes["seed"])
            try:
                built = self.build(**{name: size for name, size in sizes.items() if name in names})
            except Exception as error:  # whatever a user's code raises
                raise FactoryError(f"build({width}, {depth}) failed: {placed(error)}") from None
        if not isinstance(built, Built):
            raise FactoryError(f"build({width}, {depth}) gave a {type(built).__name__}; return powercount.Built(...)")
        if not isinstance(built.model, nn.Module):
            raise FactoryError(f"the model of build({width}, {depth}) is a {type(built.model).__name__}; give a Module")
        if any(nn.parameter.is_lazy(each) for each in tensors_of(built.model)):
            raise FactoryError(
                f"the model of build({width}, {depth}) is lazy; call it once before its optimizer is made"
            )
        if not any(p.requires_grad for p in built.model.parameters()):
            raise FactoryError(f"the model of build({width}, {depth}) has no parameter that is trained; give one")
        held = {id(p) for each in built.optimizers for group in groups_of(each) for p in group["params"]}
        lost = [name for name, p in built.model.named_parameters() if p.requires_grad and held and id(p) not in held]
        if lost:
            raise FactoryError(
                f"no optimizer of build({width}, {depth}) holds {_listed(lost)}; build it on this model's parameters, "
                "or set requires_grad = False"
            )
        return built


def step(built: Built) -> Stepped:
    """One step of one member's own optimizer, replayed."""
    model = built.model
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in parameters.items()}
    with restored(model):
        state = torch.get_rng_state()
        for each in parameters.values():
            each.grad = None
        loss = called(built)
        called_back(loss)
        idle = [name for name, p in parameters.items() if p.grad is None]
        if idle:
            raise FactoryError(f"the loss does not depend on {_listed(idle)}; use it, or set requires_grad = False")
        if built.clip is not None:
            clipped(parameters, built.clip)
        gradients = {name: _dense(p.grad).clone() for name, p in parameters.items()}
        for each in built.optimizers:
            stepped(each)
        after = {name: p.detach().clone() for name, p in parameters.items()}
    endless = [name for name, value in after.items() if not bool(value.isfinite().all())]
    if endless:
        raise FactoryError(f"the step leaves {_listed(endless)} infinite or nan; look at its gradient, or its rate")
    with restored(model):
        torch.set_rng_state(state)
        losses, given = [], {id(each) for each in tree_leaves(built.batch)}
        constants = [each for each in tensors_of(model) if id(each) not in given]
        uses = replay(lambda: losses.append(called(built)), parameters, after, constants)
        first, again = loss.item(), losses[0].item()
        if not math.isclose(first, again, rel_tol=LIKE, abs_tol=LIKE):
            raise FactoryError(
                f"two passes at the same weights and random state gave the losses {first:.6g} and {again:.6g}; make "
                "the forward pass depend on them alone"
            )
    found: dict[Quantity, float] = {}
    fans: dict[Quantity, Fans] = {}
    count: Counter[str] = Counter()
    for use in uses:
        place = count[use.parameter]
        count[use.parameter] += 1
        if math.isnan(use.act):  # of nothing: an expert without tokens
            continue
        own = Quantity(parameter=use.parameter, kind="own", use=place)
        found[own], fans[own] = use.own**2, use.fans
        found[Quantity(parameter=use.parameter, kind="act", use=place)] = use.act**2
    unused = [name for name in parameters if not count[name]]
    if unused:
        raise FactoryError(f"{_listed(unused)} has a gradient and no use that could be replayed; please report it")
    for name, gradient in gradients.items():
        precise = torch.promote_types(gradient.dtype, torch.float64)
        moved = after[name].to(precise) - before[name].to(precise)
        change = (gradient.to(precise).conj() * moved).real.sum()
        found[Quantity(parameter=name, kind="out")] = float(change) ** 2
    return Stepped(squares=found, fans=fans)


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Put all that a model holds and random state back when it is done: frozen weights, gradients, caches, counters."""
    tensors = [*model.parameters(), *model.buffers()]
    values, gradients = [each.detach().clone() for each in tensors], [each.grad for each in tensors]
    held = [(space, dict(space)) for module in model.modules() for space in spaces_of(module)]
    state = torch.get_rng_state()
    try:
        yield
    finally:
        for space, entries in held:
            space.clear()
            space.update(entries)
        with torch.no_grad():
            for each, value, gradient in zip(tensors, values, gradients, strict=True):
                if not torch.equal(each, value):  # an expanded buffer cannot be written
                    each.copy_(value)
                each.grad = gradient
        torch.set_rng_state(state)


def spaces_of(module: nn.Module) -> list[dict[str, Any]]:
    """Where a module holds what it holds: its attributes, and those of them that are dicts."""
    return [vars(module), *(each for each in vars(module).values() if isinstance(each, dict))]


def tensors_of(model: nn.Module) -> list[Tensor]:
    """All tensors that a model holds: parameters, buffers, and plain attributes, which are constants as buffers are."""
    every = tree_leaves([spaces_of(module) for module in model.modules()])
    return [each for each in every if isinstance(each, Tensor) and each.is_leaf]


def clipped(parameters: Mapping[str, Tensor], norm: float) -> None:
    """Clip the gradients; ``FactoryError`` where torch cannot."""
    try:
        nn.utils.clip_grad_norm_(parameters.values(), norm)
    except Exception as error:  # torch has no norm of a sparse gradient
        raise FactoryError(f"the gradients cannot be clipped: {placed(error)}") from None


def called(built: Built) -> Tensor:
    """The loss of the model on the batch, one finite number; ``FactoryError`` with the place where it fails."""
    try:
        loss = built.loss(built.model, built.batch)
    except Exception as error:  # whatever a user's code raises
        raise FactoryError(f"the forward pass failed: {placed(error)}") from None
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        raise FactoryError("loss(model, batch) must give one number, as a tensor; take its mean")
    if loss.is_complex():
        raise FactoryError("the loss is complex; take its real part, or its size")
    if not math.isfinite(loss.item()):
        raise FactoryError(f"the loss is {loss.item()} before the first step; start from weights that give a number")
    return loss


def called_back(loss: Tensor) -> None:
    """The backward pass; ``FactoryError`` with the place where it fails."""
    if not loss.requires_grad:
        raise FactoryError("the loss has no gradient: compute it from the model's parameters, not detached")
    try:
        torch.autograd.backward(loss)
    except Exception as error:
        raise FactoryError(f"the backward pass failed: {placed(error)}") from None


def stepped(optimizer: Any) -> None:
    """The user's own step; ``FactoryError`` with the place where it fails."""
    try:
        optimizer.step()
    except Exception as error:
        raise FactoryError(f"the optimizer's step failed: {placed(error)}") from None


def placed(error: Exception) -> str:
    """An exception in one line, with the last line of the user's code that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and frame.filename != __file__]
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}{where}"


def groups_of(optimizer: Any) -> list[dict[str, Any]]:
    """The groups of an optimizer of torch's kind; none of any other."""
    groups: list[dict[str, Any]] = getattr(optimizer, "param_groups", [])
    return groups


def _dense(gradient: Tensor | None) -> Tensor:
    assert gradient is not None  # ``step`` has named those without
    return gradient.detach().to_dense() if gradient.is_sparse else gradient.detach()


def _listed(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
