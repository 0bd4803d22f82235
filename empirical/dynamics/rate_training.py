"""Many learning rates at once: full-batch gradient descent or Adam on digits, one network per member and rate.

Gradient descent is linear in the gradient, so a rate of its own for every network is one factor before its
gradient, and R rates of one initialization train as one batch of R networks. They start from the same weights and
see the same examples (common random numbers); so do different depths and recipes, block by block. With e the mean
error signal dloss/df and s_y = dloss/dy going down the blocks, every matrix takes the plain step
    W <- W - rate lambda m s_y z^T,
written out here because W can then be updated in place while the signal passes it. Adam's step is made of the same
product: its size does not matter, so that the rate in it does no harm, and the rate comes in again after it.

What moves:
    all      every matrix, at one base rate times its role's power
    hidden   the hidden matrices alone; input and readout stay at initialization
    split    the hidden matrices at the swept rate; input and readout at the fixed base rate ``SPLIT_RATE``
A one-layer block is W phi(h) as everywhere in this house, or, where ``outside``, phi(W h): the other place the
activation can have, which Tensor Programs VI compares it with.

Digits are split once, by the seed of the study: ``HELD_OUT`` images judge every network, and each member trains on
its own draw from the rest. Worked line: at depth 64 and width 64 eleven rates make 11 * 128 products of 64 x 64
matrices a step, some 20 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import torch
from torch import Tensor

from powercount.derivations.recipe import PowercountError, QuestionError, Recipe, check_name
from powercount.empirical.data import CLASSES, FEATURES, draw
from powercount.empirical.ensemble import Branch, seed_of, times
from powercount.empirical.losses import loss_named, one_hot
from powercount.empirical.memory import check_fits

Moving = Literal["all", "hidden", "split"]
MODES: Final[tuple[Moving, ...]] = ("all", "hidden", "split")
# A third or less of the edge of stability with every matrix moving, at every depth and with either loss.
SPLIT_RATE: Final = 1.0
DIGITS: Final = 1797
HELD_OUT: Final = 512
ADAPTIVE: Final = ("adam", "adamw")  # the same step where nothing decays
TRAINED: Final = ("sgd", *ADAPTIVE)
BETAS: Final = (0.9, 0.999)
SMALLEST: Final = 2.0**-63  # of Adam's epsilon: the least number whose square is a float32 in full


class TransferError(PowercountError):
    """The rate sweep cannot be run or read: sizes that make no network, or no rate that is best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRun:
    """One recipe at one size, trained for ``steps`` steps on ``examples`` digits per member."""

    recipe: Recipe
    width: int
    depth: int
    moving: Moving = "all"
    outside: bool = False
    steps: int = 20
    examples: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if self.recipe.optimizer.name not in TRAINED:
            raise TransferError(
                f"optimizer {self.recipe.optimizer.name!r}: whole trainings are those of {', '.join(TRAINED)}"
            )
        if self.recipe.decayed or self.recipe.damped:
            raise TransferError(
                f"{self.recipe.name} has a weight_decay or an epsilon: whole trainings have none; leave them out"
            )
        check_name("mode", self.moving, MODES)
        if self.adaptive and self.moving == "split":
            raise TransferError("the fixed rate of input and readout is one of sgd; move 'all' or 'hidden' under adam")
        if self.width < 1 or self.depth < 1 or self.steps < 1:
            raise TransferError(
                f"width = {self.width}, depth = {self.depth}, steps = {self.steps}: each is at least 1; raise it"
            )
        if not 1 <= self.examples <= DIGITS - HELD_OUT:
            raise TransferError(f"examples = {self.examples}; choose 1 to {DIGITS - HELD_OUT} of the digits")
        if self.outside and self.recipe.block.layers != 1:
            raise QuestionError(
                f"phi(W h) is a block of one layer and layers = {self.recipe.block.layers}; set it to 1"
            )
        if any(role.init_std is None for _, role in self.recipe.parametrization.roles()):
            raise QuestionError(f"{self.recipe.name} starts a role at zero; a rate sweep needs a random start")

    @property
    def adaptive(self) -> bool:
        """Whether a step is that of Adam."""
        return self.recipe.optimizer.name in ADAPTIVE

    def memory_needed(self, rates: int) -> int:
        """Bytes for that many networks: weights, Adam's two averages, and two activations an internal layer."""
        layers = self.recipe.block.layers * self.depth
        weights = (3 if self.adaptive else 1) * (layers * self.width**2 + 128 * self.width)
        return 4 * rates * (weights + 2 * layers * self.width * self.examples)

    def check_memory(self, rates: int) -> None:
        """Raise ``TransferError`` where that many networks would not fit."""
        what = f"{rates} rates at width {self.width} and depth {self.depth} need"
        check_fits(self.memory_needed(rates), what, "a smaller --width or smaller --depths", TransferError)


@dataclass(frozen=True, slots=True)
class Trained:
    """Of M members at R rates: train loss at every step, (steps + 1, M, R); held-out loss and accuracy, (M, R)."""

    train: Tensor
    test: Tensor
    accuracy: Tensor


@lru_cache(maxsize=4)
def _split(seed: int) -> tuple[Tensor, Tensor]:
    """All digits, in an order that depends on the seed alone; the first ``HELD_OUT`` are held out."""
    return draw("digits", DIGITS, torch.Generator().manual_seed(seed_of(seed + 1, 0)))


def examples_of(run: RateRun, member: int) -> tuple[Tensor, Tensor]:
    """The digits one member trains on, shapes (B, 64) and (B,)."""
    x, labels = _split(run.seed)
    generator = torch.Generator().manual_seed(seed_of(run.seed + 2, member))
    chosen = HELD_OUT + torch.randperm(DIGITS - HELD_OUT, generator=generator)[: run.examples]
    return x[chosen], labels[chosen]


Layer = tuple[Tensor, Tensor | None]  # what a matrix reads, z, and the derivative below or above it


class Rates:
    """M R networks: members that each train at every rate, and differ in their learning rate alone.

    Networks come member by member; a tensor of them has shape (M R, rows, columns).
    """

    def __init__(
        self, run: RateRun, members: Sequence[int], rates: Sequence[float], dtype: torch.dtype = torch.float32
    ) -> None:
        recipe = run.recipe
        self.run, self.members, self.count, self.layers = run, members, len(rates), recipe.block.layers
        self._loss, self.branch = loss_named(recipe.optimizer.loss), float(run.depth**recipe.parametrization.branch)
        self.roles = recipe.role_names[1:-1]
        self.inside = Branch.of(recipe.block.activation, self.layers, outside=run.outside)
        self.multiplier, self.step = {}, {}
        # Of each network, shape (M R, 1, 1): the rate of the hidden matrices, and that of input and readout.
        self.swept = torch.tensor(rates, dtype=dtype).repeat(len(members))[:, None, None]
        self.ends = {"all": self.swept, "hidden": 0 * self.swept, "split": 0 * self.swept + SPLIT_RATE}[run.moving]
        for name, role in recipe.parametrization.roles():
            self.multiplier[name] = role.multiplier.at(run.width, run.depth)
            self.step[name] = role.learning_rate.at(run.width, run.depth)
            if not run.adaptive:
                self.step[name] *= self.multiplier[name]
        self.steps_made, self.averages = 0, dict[int, tuple[Tensor, Tensor]]()
        self.input, self.readout, self.hidden = self._initial(dtype)

    def _initial(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """The weights of ``network.build`` from each member's seed, once per rate."""
        run = self.run
        generators = [torch.Generator().manual_seed(seed_of(run.seed, member)) for member in self.members]

        def weight(role: str, rows: int, columns: int) -> Tensor:
            power = run.recipe.role(role).init_std
            assert power is not None  # RateRun.__post_init__ refuses roles that start at zero
            std = power.at(run.width, run.depth)
            once = torch.stack([std * torch.randn(rows, columns, generator=each) for each in generators])
            return once.to(dtype).repeat_interleave(self.count, dim=0)

        first, last = weight("input", run.width, FEATURES), weight("readout", CLASSES, run.width)
        hidden = [[weight(role, run.width, run.width) for role in self.roles] for _ in range(run.depth)]
        return first, last, hidden

    def each_rate(self, of_members: Tensor) -> Tensor:
        """(M, ...) once for every network, (M R, ...)."""
        return of_members.repeat_interleave(self.count, dim=0)

    def forward(self, x: Tensor, kept: list[list[Layer]] | None = None) -> tuple[Tensor, Tensor]:
        """h_L and f for x of shape (M R or 1, 64, B); ``kept`` receives what every layer of a block leaves behind."""
        x = x.expand(len(self.input), -1, -1)
        h = times(self.multiplier["input"] / FEATURES**0.5, self.input, x)
        factors = [self.multiplier[role] for role in self.roles]
        for block in self.hidden:
            zs, slopes, ys = self.inside.through(h, block, factors, slopes=kept is not None)
            y = ys[-1]
            if self.run.outside:
                y = self.inside.phi(ys[-1])
                if kept is not None:
                    slopes[-1] = self.inside.slope(ys[-1], y)
            h = torch.add(h, y, alpha=self.branch)
            if kept is not None:
                kept.append(list(zip(zs, slopes, strict=True)))
        return h, times(self.multiplier["readout"], self.readout, h)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of each network, shape (M, R), for targets (M R or 1, C, B)."""
        each = self._loss.value(output, targets.expand(len(output), -1, -1))
        return each.view(len(self.members), self.count)

    def _move(self, role: str, weight: Tensor, signal: Tensor, z: Tensor, factor: float = 1.0) -> None:
        """One step of one matrix of every network, along minus signal z^T; the signal has its rate as a factor."""
        if not self.run.adaptive:
            weight.baddbmm_(signal, z.transpose(1, 2), alpha=-self.step[role] * factor)
            return
        gradient = torch.bmm(signal, z.transpose(1, 2))
        average, square = self.averages.setdefault(id(weight), (torch.zeros_like(weight), torch.zeros_like(weight)))
        first, second = BETAS
        average.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        begun = (1 - second**self.steps_made) ** 0.5 / (1 - first**self.steps_made)
        torch.div(average, torch.sqrt(square, out=gradient).add_(SMALLEST), out=gradient)
        weight.addcmul_(gradient, self.swept, value=-self.step[role] * begun)

    def _descend(self, x: Tensor, targets: Tensor) -> Tensor:
        """One step on every network; returns the loss before it.

        The signal that goes down is each network's own times its rate, so that a matrix's step is one product.
        """
        self.steps_made += 1
        kept: list[list[Layer]] = []
        h, output = self.forward(x, kept)
        error = self._loss.error(output, targets) / x.shape[2]
        signal = times(self.multiplier["readout"], self.readout.transpose(1, 2), error * self.swept)
        ends_move = self.run.moving != "hidden"
        if ends_move:
            self._move("readout", self.readout, error * self.ends, h)
        for block, seen in zip(reversed(self.hidden), reversed(kept), strict=True):
            current = signal
            for j in range(self.layers - 1, -1, -1):
                role, (z, slope) = self.roles[j], seen[j]
                if self.run.outside and slope is not None:
                    current = current * slope
                # The branch's factor enters with its last matrix.
                factor = self.branch if j == self.layers - 1 else 1.0
                below = times(factor * self.multiplier[role], block[j].transpose(1, 2), current)
                self._move(role, block[j], current, z, factor)
                current = below if self.run.outside or slope is None else below.mul_(slope)
            signal = current.add_(signal)
        if ends_move:
            self._move("input", self.input, signal * (self.ends / self.swept), x / FEATURES**0.5)
        return self.loss(output, targets)

    def train(self, x: Tensor, labels: Tensor) -> Tensor:
        """Train on x of shape (M, 64, B) and labels (M, B); the loss before every step and after the last."""
        x, targets = self.each_rate(x), self.each_rate(one_hot(labels, x.dtype))
        losses = [self._descend(x, targets) for _ in range(self.run.steps)]
        return torch.stack([*losses, self.loss(self.forward(x)[1], targets)])


def train_rates(
    run: RateRun, members: Sequence[int], rates: Sequence[float], dtype: torch.dtype = torch.float32
) -> Trained:
    """Train members at every rate, and judge them on the held-out digits."""
    networks = Rates(run, members, rates, dtype)
    x, labels = (torch.stack(each) for each in zip(*(examples_of(run, member) for member in members), strict=True))
    every, answers = (each[None, :HELD_OUT] for each in _split(run.seed))
    with torch.no_grad():
        losses = networks.train(x.transpose(1, 2).to(dtype), labels)
        output = networks.forward(every.transpose(1, 2).to(dtype))[1]
        right = (output.argmax(dim=1) == answers).to(dtype).mean(dim=1).view(losses.shape[1:])
        return Trained(losses, networks.loss(output, one_hot(answers, dtype)), right)
