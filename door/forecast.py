"""What a command will cost, said before it starts: CPU seconds and memory, from counts of its work. Rough.

A sweep of a recipe with k internal layers, S seeds and B examples, over sizes (n, L), costs
    draws      S L k n^2 normal numbers, once, at the largest size
    products   S L k n^2 B (1 + 3/2 + k + 1) multiply-adds a size: forward, backward (with the label's own signal
               down to mid-depth), and the tangent of every role
    elements   S L k n B numbers a size, each read and written by some ``ELEMENTWISE`` operations
    calls      L k times ``CALLS`` operations of torch a size and chunk of members, whatever their size
and T real steps of a few members, in float64, S L k n^2 numbers a step and run (a clone, a gradient, a step), forward
and backward; a run for each role alone and one of all. What each kind of work costs is measured on this machine when
asked for, in some 20 milliseconds; the counts of operations were fitted once. It is within a factor of 4, tested on
small sweeps; seeds that grow until a verdict is decided make a range of it.

Worked line: 16 seeds of depth-mup along depth 4..64 at n = 128 draw 34 million numbers (.1 s), multiply 6 billion
times (.07 s) and pass 8 million elements (.3 s).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import torch

from powercount.derivations.recipe import QuestionError, Recipe
from powercount.empirical.design import EXAMPLES, Sweep
from powercount.empirical.ensemble import chunks
from powercount.empirical.memory import MEMORY_SHARE, memory_here
from powercount.empirical.sweep import PAIRED
from powercount.recipes import TRIED

ELEMENTWISE, CALLS = 400, 120
STEP_NUMBERS, STEP_ELEMENTS, STEP_CALLS = 30, 60, 60
TRANSFER_ELEMENTS, LIMIT_ELEMENTS = 100, 1500
WIDENED: Final = 1.5  # rates beyond the first grid, until it brackets every optimum
LOADED: Final = 350 << 20  # bytes of a process that has loaded torch, SciPy and scikit-learn
MEMBERS: Final = 1 << 31  # bytes of members the ledger trains at once
SHORT: Final = 5.0  # CPU seconds that nobody need be told of
LONG: Final = 1e6  # eleven days
FEW_OF_THE_LEDGER: Final = 10.0
# CPU seconds of the ledger's slow checks where a normal number took ``REFERENCE_DRAW`` seconds.
LEDGER: Final = {
    "transfer": 195.0,
    "coupling": 50.0,
    "independence": 50.0,
    "digits": 60.0,
    "page": 200.0,
    "convergence:c17_width": 330.0,
    "convergence:c17_depth": 230.0,
    "convergence:c17_solver": 190.0,
    "convergence:c30": 200.0,
}
REFERENCE_DRAW: Final = 2.6e-9
QUICK_SHARE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """CPU seconds of one multiply-add, one normal number, one number read and written, one call of torch."""

    product: float
    draw: float
    element: float
    call: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """CPU seconds, from the least to the most, and bytes."""

    least: float
    most: float
    memory: float

    def __add__(self, other: Forecast) -> Forecast:
        return Forecast(
            least=self.least + other.least, most=self.most + other.most, memory=max(self.memory, other.memory)
        )

    def __str__(self) -> str:
        span = f"{self.least:.2g}" if self.most < 1.2 * self.least else f"{self.least:.2g} to {self.most:.2g}"
        plain = span if self.most < 100 else " to ".join(f"{float(each):,.0f}" for each in span.split(" to "))
        return f"about {plain} CPU seconds and {self.memory / 2**30:.1f} GiB"


NOTHING: Final = Forecast(least=0.0, most=0.0, memory=LOADED)


def timed(work: Callable[[], object], least: float = 0.003) -> float:
    """CPU seconds of one round of work, the quickest of a few that fill ``least`` seconds."""
    work()
    best, spent = float("inf"), 0.0
    while spent < least:
        began = time.process_time()
        work()
        took = max(time.process_time() - began, 1e-9)
        best, spent = min(best, took), spent + took
    return best


@cache
def this_machine() -> Machine:
    """How fast this machine is on one thread, measured once: threads that wait for each other spend CPU time too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measured()
    finally:
        torch.set_num_threads(threads)


def _measured() -> Machine:
    generator = torch.Generator().manual_seed(0)
    weights, columns = torch.ones(8, 128, 128), torch.ones(8, 128, 32)
    numbers, long, short = torch.empty(1 << 16), torch.ones(1 << 17), torch.ones(16)

    def calls() -> None:
        for _ in range(100):
            short * short

    return Machine(
        product=timed(lambda: torch.bmm(weights, columns)) / (8 * 128 * 128 * 32),
        draw=timed(lambda: torch.randn(len(numbers), generator=generator, out=numbers)) / len(numbers),
        element=timed(lambda: long * long) / len(long),
        call=timed(calls) / 100,
    )


def sweep_seconds(recipe: Recipe, sweep: Sweep, seeds: int, machine: Machine) -> float:
    """CPU seconds of measuring ``seeds`` members of a recipe at every size of a sweep."""
    layers, examples = recipe.block.layers, sweep.examples
    width, depth = sweep.points()[-1]
    largest = layers * depth * width**2
    parts = -(-seeds // min(seeds, max(1, (1 << 25) // largest // (4 if sweep.steps else 1))))
    spent = seeds * largest * machine.draw
    for width, depth in sweep.points():
        uses = layers * depth
        numbers, elements = seeds * uses * width**2, seeds * uses * width * examples
        spent += numbers * examples * (3.5 + layers) * machine.product
        spent += elements * ELEMENTWISE * machine.element + parts * (uses + 2) * CALLS * machine.call
        runs = sweep.steps * (layers + 3)
        spent += runs * numbers * (STEP_NUMBERS * machine.element + 6 * examples * machine.product)
        spent += runs * (elements * STEP_ELEMENTS * machine.element + parts * uses * STEP_CALLS * machine.call)
    return spent


def sweep_bytes(recipe: Recipe, sweep: Sweep, seeds: int) -> float:
    """Bytes at the largest size: the weights of the members drawn at once, and what their passes leave behind."""
    layers = recipe.block.layers
    width, depth = sweep.points()[-1]
    numbers = layers * depth * width**2
    members = len(next(chunks(seeds, numbers * (4 if sweep.steps else 1))))
    states = layers * depth * width * sweep.examples * (8 + layers)
    return LOADED + 4.0 * members * (numbers * (10 if sweep.steps else 1) + states * (2 if sweep.steps else 1))


def sweeps(recipe: Recipe, asked: Iterable[Sweep]) -> Forecast:
    """A recipe measured over some sweeps, with seeds that may grow."""
    total, machine = NOTHING, this_machine()
    for sweep in asked:
        # Real steps are made by a few members beside the first-order response of as many as it takes.
        plain = replace(sweep, steps=0, examples=EXAMPLES) if sweep.steps else sweep
        real = sweep_seconds(recipe, sweep, PAIRED + 2 * TRIED, machine) if sweep.steps else 0.0
        total += Forecast(
            least=real + sweep_seconds(recipe, plain, sweep.seeds, machine),
            most=real + sweep_seconds(recipe, plain, sweep.most_seeds, machine),
            memory=sweep_bytes(recipe, sweep, sweep.most_seeds),
        )
    return total


def rate_sweeps(layers: Sequence[int], depths: Sequence[int], *, width: int, work: int, rates: int) -> Forecast:
    """Networks of one width at every depth, of some numbers of internal layers, trained at every rate.

    ``work`` is members times steps times examples. Every step is three products for each matrix, and its activations.
    """
    machine, uses = this_machine(), sum(layers) * sum(depths)
    each = 3 * 2 * width * machine.product + TRANSFER_ELEMENTS * machine.element
    least = uses * work * rates * width * each
    numbers = max(layers) * max(depths) * width**2
    return Forecast(least=least, most=WIDENED * least, memory=LOADED + 8.0 * rates * numbers)


def trainings(runs: Iterable[tuple[int, int, int, int, bool]], bytes_each: int) -> Forecast:
    """Runs of one-layer blocks: (width, depth, steps times samples, members, whether matrices are drawn)."""
    machine, spent = this_machine(), 0.0
    for width, depth, columns, members, drawn in runs:
        matrices = width**2 * (5 * machine.draw + 4 * columns * machine.product) if drawn else 0.0
        # What a lazy matrix has met is kept as orthonormal columns, with every new one made orthogonal to all.
        met = 0.0 if drawn else 40 * width * columns**2 * machine.product
        spent += members * depth * (matrices + met + width * columns * LIMIT_ELEMENTS * machine.element)
    return Forecast(least=spent, most=spent, memory=LOADED + 2.0 * bytes_each)


def ledger(checks: Iterable[str], *, quick: bool, processes: int) -> Forecast:
    """Claims measured again, by their checks, from what they took when they were last timed."""
    scale = this_machine().draw / REFERENCE_DRAW / (QUICK_SHARE if quick else 1)
    each = [LEDGER.get(check, LEDGER.get(check.partition(":")[0], FEW_OF_THE_LEDGER)) for check in checks]
    spent, share = scale * sum(each), MEMBERS / (QUICK_SHARE if quick else 1)
    return Forecast(least=spent, most=spent, memory=min(processes, len(each)) * (LOADED + share))


def resampling(rows: int, resamples: int, fits: int) -> Forecast:
    """Fits of a table whose rows are drawn again ``resamples`` times: draws, a mean for each, and their copies."""
    numbers = float(rows) * resamples
    spent = fits * numbers * (3 * this_machine().draw + 40 * this_machine().element)
    return Forecast(least=spent, most=spent, memory=LOADED + 64 * numbers)


def announce(forecast: Forecast, remedy: str, *, room: float = MEMORY_SHARE) -> None:
    """Say on standard error what the work will cost, if it is long; ``QuestionError`` if it has no end or no room.

    ``room`` is the share of this machine's memory that it may take.
    """
    here = memory_here()
    if forecast.least > LONG:
        raise QuestionError(f"this takes {forecast}, more than eleven days; {remedy}")
    if forecast.memory > max(room * here, 2 * LOADED):
        raise QuestionError(f"this takes {forecast}, and this machine has {here / 2**30:.1f} GiB; {remedy}")
    if forecast.most < SHORT:
        return
    with suppress(OSError):  # nobody reads it: the work goes on
        print(f"powercount: {forecast}, by a rough forecast", file=sys.stderr, flush=True)
