"""The study of learning-rate transfer: the best rate against depth, derived and measured side by side.

A setting is a recipe, a block, what moves, and a loss. Each is trained at every rate of a grid, at every depth, for
the same members, and read member by member (``empirical.dynamics.rates``). The slope of a reading against log L is
then beside the derived power (``derivations.dynamics.best_rates``), and beside the slope that 1/S has at these depths
and this width, S being the first-order change of the output per unit rate from the moving roles in infinite width.

That expected slope holds for the speed, which is first order in the rate, to within ``SPEED_ALLOWANCE`` of the slope
besides the error of the infinite-width values themselves: at the speed the loss has moved by an eighth, and if the
second order differs between depths by no more than itself, a slope moves by max|w| / 8, w being the weights of the
fit. For the optimum and the edge it is the leading order alone; nothing is allowed for what features do on the way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from sympy import Rational

from powercount.decide import REPORTED
from powercount.derivations.adam import STEPS
from powercount.derivations.dynamics.best_rates import best_rate, moving_roles
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe
from powercount.derivations.published import published
from powercount.derivations.recipe import Observable, Optimizer, Recipe
from powercount.empirical.design import FEWEST_SIZES, Sweep
from powercount.empirical.dynamics.rate_training import Moving, RateRun, TransferError
from powercount.empirical.dynamics.rates import PROGRESS, RATES, READINGS, depth_slope, readings, trained_curves
from powercount.empirical.fit import Estimate, least_squares_weights
from powercount.empirical.sweep import finite
from powercount.finite_size import FiniteSize
from powercount.studies.study import Study

Values = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSetting:
    """What is trained; ``outside`` puts the activation of a one-layer block outside: phi(W h).

    Under another optimizer than SGD the rates are those printed for it.
    """

    name: str = "depth-mup"
    layers: int = 2
    moving: Moving = "all"
    loss: str = "cross-entropy"
    activation: str = "tanh"
    outside: bool = False
    optimizer: str = "sgd"

    @property
    def recipe(self) -> Recipe:
        """The recipe with its block and loss."""
        made = named_recipe(
            self.name, layers=self.layers, activation=self.activation, optimizer=Optimizer(loss=self.loss)
        )
        return made if self.optimizer == "sgd" else published(made, self.optimizer)

    @property
    def block(self) -> str:
        """The recipe and its block, as a title."""
        form = "" if self.layers > 1 else ", φ(Wh)" if self.outside else ", Wφ(h)"
        return f"{self.name}, k={self.layers}{form}"

    def predicted_power(self) -> Rational | None:
        """The derived power of L of the best rate; None where there is none, or for a block no recipe describes."""
        return None if self.outside else best_rate(self.recipe, self.moving).along("depth")

    def __str__(self) -> str:
        other = "" if self.optimizer == "sgd" else f", {self.optimizer}"
        return f"{self.block}, {self.activation}, {self.loss}, {self.moving}{other}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPlan:
    """The sizes every setting is trained at."""

    width: int = 64
    depths: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    seeds: int = 32
    steps: int = 20
    examples: int = 32

    def __post_init__(self) -> None:
        if len(set(self.depths)) < FEWEST_SIZES:
            raise TransferError(f"depths = {list(self.depths)}: a slope needs at least {FEWEST_SIZES} different depths")
        if list(self.depths) != sorted(set(self.depths)):
            raise TransferError(f"depths = {list(self.depths)}: list each depth once, in rising order")
        if self.seeds < 2:
            raise TransferError(f"seeds = {self.seeds}: an interval needs at least 2")

    def run(self, setting: TransferSetting, depth: int, seed: int) -> RateRun:
        """One setting at one depth."""
        return RateRun(
            recipe=setting.recipe,
            width=self.width,
            depth=depth,
            moving=setting.moving,
            outside=setting.outside,
            steps=self.steps,
            examples=self.examples,
            seed=seed,
        )


FULL: Final = TransferPlan()
QUICK: Final = TransferPlan(width=32, depths=(4, 8, 16), seeds=6)
THREE: Final = ("depth-mup", "depth-mup-sqrt", "completep")
TABLE: Final = tuple(
    TransferSetting(name=name, layers=layers, moving=moving)
    for moving in ("all", "hidden")
    for name, layers in (*((name, 2) for name in THREE), ("depth-mup", 1))
)
SPLIT: Final = tuple(TransferSetting(name=name, moving="split") for name in THREE[:2])
SQUARED: Final = tuple(replace(setting, loss="mse") for setting in TABLE)
OUTSIDE: Final = tuple(TransferSetting(layers=1, outside=True, loss=loss) for loss in ("cross-entropy", "mse"))
STUDY: Final = (*TABLE, *SPLIT, *SQUARED, *OUTSIDE)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRow:
    """One setting's readings for every member at every depth, and its curves for the figure.

    ``curves`` holds, for each depth, the base-two exponents and the mean of log loss_T / loss_0 over members.
    """

    setting: TransferSetting
    plan: TransferPlan
    values: Mapping[str, Values]
    curves: tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]
    cpu_seconds: float

    @property
    def predicted(self) -> str | None:
        """The derived power of L as text."""
        power = self.setting.predicted_power()
        return None if power is None else str(power)

    def depths(self, least: int = 0) -> tuple[int, ...]:
        """The depths from ``least`` on."""
        return tuple(depth for depth in self.plan.depths if depth >= least)

    def slope(self, reading: str, least: int = 0) -> Estimate:
        """The slope of one reading against log L over the depths from ``least`` on; seeds are left out."""
        kept = self.depths(least)
        array = np.asarray(self.values[reading])[:, -len(kept) :]
        return depth_slope(array, kept, base_two=reading in RATES)

    def mean(self, reading: str) -> tuple[float, ...]:
        """The mean over members at every depth."""
        return tuple(float(each) for each in np.asarray(self.values[reading]).mean(axis=0))

    def expected(self, least: int = 0) -> float:
        """The slope of 1/S at these depths; nan for a block no recipe describes."""
        if self.setting.outside:
            return math.nan
        return expected_slope(self.setting.recipe, self.setting.moving, self.plan.width, self.depths(least))

    def allowance(self, least: int = 0) -> float:
        """How far the expected slope of the speed may be off."""
        return speed_allowance(self.setting.recipe, self.plan.width, self.depths(least))

    def as_row(self) -> dict[str, Any]:
        """As plain data, ready for JSON: slopes with their 95 % intervals, and means at every depth."""
        row: dict[str, Any] = {
            "recipe": self.setting.name,
            "layers": self.setting.layers,
            "outside": self.setting.outside,
            "activation": self.setting.activation,
            "loss": self.setting.loss,
            "mode": self.setting.moving,
            "depths": list(self.plan.depths),
            "seeds": self.plan.seeds,
            "predicted": self.predicted,
            "expected": finite(self.expected()),
            "cpu_seconds": self.cpu_seconds,
        }
        for reading in READINGS:
            slope = self.slope(reading)
            low, high = slope.interval(REPORTED)
            row[reading] = {
                "slope": finite(slope.value),
                "low": finite(low),
                "high": finite(high),
                "at": [finite(each) for each in self.mean(reading)],
            }
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """Every setting of a study."""

    plan: TransferPlan
    rows: tuple[TransferRow, ...]

    @property
    def cpu_seconds(self) -> float:
        """What all of it took, now or before an interrupt."""
        return sum(row.cpu_seconds for row in self.rows)

    def as_row(self) -> dict[str, Any]:
        """As plain data, ready for JSON."""
        return {
            "width": self.plan.width,
            "steps": self.plan.steps,
            "examples": self.plan.examples,
            "cpu_seconds": self.cpu_seconds,
            "rows": [row.as_row() for row in self.rows],
        }


def moved_output(recipe: Recipe, moving: Moving, width: int, depth: int) -> float:
    """S: the change of f per unit rate and unit error signal from the roles whose rate is swept.

    Of a step that does not see the gradient's size, per unit rate: the sum of their shares.
    """
    roles = moving_roles(recipe, moving)
    if recipe.optimizer.name in STEPS:
        made = STEPS[recipe.optimizer.name](recipe, width, depth)
        return sum(math.sqrt(made.mean_square(Observable(quantity="output-update", role=role))) for role in roles)
    values = InfiniteWidth(recipe, width, depth)
    traces, _ = values.kernel(roles, depth)
    share = width * values.gradient[-1] * traces[-1]
    if "readout" in roles:
        share += values.rate["readout"] * values.multiplier["readout"] ** 2 * width * values.stream[-1]
    return share


def expected_slope(recipe: Recipe, moving: Moving, width: int, depths: Sequence[int]) -> float:
    """The slope of 1/S over these depths."""
    logs = [-math.log(moved_output(recipe, moving, width, depth)) for depth in depths]
    return float(least_squares_weights(depths) @ logs)


def speed_allowance(recipe: Recipe, width: int, depths: Sequence[int]) -> float:
    """How far the expected slope of the speed may be off: finite width, and the second order in the rate."""
    sweep = Sweep(axis="depth", sizes=tuple(depths), fixed=width)
    return FiniteSize.of(recipe, sweep).error() + PROGRESS * float(np.abs(least_squares_weights(depths)).max())


def transfer_row(
    study: Study, setting: TransferSetting, plan: TransferPlan | None = None, *, blocks: int = 1
) -> TransferRow:
    """One setting at every depth, cell by cell; ``blocks`` times the plan's members, each block in cells of its own.

    The curves are those of the first block.
    """
    chosen = plan or (QUICK if study.quick else FULL)
    asked = dict(_cell(study, chosen, setting, depth, block) for block in range(blocks) for depth in chosen.depths)
    flat = study.cells(swept, asked)
    cells = [flat[first : first + len(chosen.depths)] for first in range(0, len(flat), len(chosen.depths))]
    values: dict[str, Values] = {}
    for name in READINGS:
        # A reading that has no number is None: nan.
        members = np.concatenate(
            [np.asarray([cell["readings"][name] for cell in block], dtype=np.float64).T for block in cells]
        )
        values[name] = tuple(tuple(float(v) for v in member) for member in members)
    return TransferRow(
        setting=setting,
        plan=replace(chosen, seeds=blocks * chosen.seeds),
        values=values,
        curves=tuple((tuple(cell["exponents"]), tuple(cell["curve"])) for cell in cells[0]),
        cpu_seconds=sum(cell["cpu_seconds"] for block in cells for cell in block),
    )


def _cell(
    study: Study, plan: TransferPlan, setting: TransferSetting, depth: int, block: int
) -> tuple[str, dict[str, Any]]:
    """The name and the arguments of one cell."""
    first = block * plan.seeds
    name = (
        f"rates: {setting}, width {plan.width}, depth {depth}, seeds {first} to {first + plan.seeds - 1}, "
        f"{plan.steps} steps, {plan.examples} examples"
    )
    sizes = {name: value for name, value in asdict(plan).items() if name != "depths"}
    return name, {"setting": asdict(setting), "sizes": sizes, "depth": depth, "first": first, "seed": study.seed}


def swept(*, setting: Mapping[str, Any], sizes: Mapping[str, Any], depth: int, first: int, seed: int) -> dict[str, Any]:
    """One setting at one depth, trained at every rate: curves and readings of every member from the first on."""
    started, plan = time.process_time(), TransferPlan(**sizes)
    curves = trained_curves(plan.run(TransferSetting(**setting), depth, seed), range(first, first + plan.seeds))
    return {
        "exponents": list(curves.exponents),
        "curve": [float(each) for each in np.minimum(curves.last, 0).mean(axis=0)],
        "readings": {name: [finite(v) for v in values] for name, values in readings(curves).items()},
        "cpu_seconds": time.process_time() - started,
    }


def run_transfer(
    study: Study, settings: Sequence[TransferSetting] = STUDY, plan: TransferPlan | None = None
) -> TransferResult:
    """The whole study; ``plan`` is the full or the quick one of the study unless given."""
    chosen = plan or (QUICK if study.quick else FULL)
    return TransferResult(plan=chosen, rows=tuple(transfer_row(study, setting, chosen) for setting in settings))
