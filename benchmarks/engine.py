"""How near the engine is to its floor: ratios of CPU seconds in one run, since timings of machines differ.

Run as ``python benchmarks/engine.py``; nothing is asserted. The floor of a measurement is torch's own normal draws and
batched products of the very shapes that the observable needs, over weights as many as the measurement has.

    measure, one observable      draws and measure over draws and products: own-update:1 and stream
    one over all                 the same over measure of every observable
    the command                  ``powercount measure`` over a bare ``import torch``, whole processes
    a transfer cell              its products, of the same matrices, over all of it
    memory                       the peak of a measurement over the weights it drew
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import middle, observable_named, observables
from powercount.empirical.dynamics.rate_training import HELD_OUT, RateRun
from powercount.empirical.dynamics.rates import first_grid, train_grid
from powercount.empirical.nets import RecipeNets
from powercount.recipes import default_sweep

ROUNDS = 5
COMMAND = ("-m", "powercount", "measure", "depth-mup", "--observable", "own-update:1", "--axis", "depth")


def seconds(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU seconds of the quickest of a few rounds."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def process_seconds(*arguments: str) -> float:
    """CPU seconds of the quickest of a few processes."""
    found = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def measurement(layers: int, axis: str) -> None:
    """The ratios of one default sweep."""
    recipe = named_recipe("depth-mup", layers=layers, activation="relu")
    sweep = default_sweep(recipe, axis)  # type: ignore[arg-type]
    nets, members, examples = RecipeNets(recipe), range(sweep.seeds), sweep.examples
    (width, depth), count = sweep.largest(), sweep.seeds
    weights = torch.empty(depth, layers, count, width, width)
    generator = torch.Generator().manual_seed(0)

    def products(passes: Callable[[int, int], int]) -> None:
        """Fresh weights, and for each block as many products as the passes through it."""
        torch.randn(weights.shape, generator=generator)
        for n, length in sweep.points():
            columns = torch.ones(count, n, examples)
            for block in range(length):
                for j in range(layers):
                    for _ in range(passes(block, length)):
                        torch.bmm(weights[block, j, :, :n, :n], columns)

    every = seconds(lambda: nets.squares(observables(layers), sweep, members))
    for name, passes in (
        ("stream", lambda _block, _length: 1),
        # Forward through all blocks, back to mid-depth.
        ("own-update:1", lambda block, length: 1 + (block >= middle(length) - 1)),
    ):
        one = seconds(lambda name=name: nets.squares([observable_named(name, layers)], sweep, members))  # type: ignore[misc]
        floor = seconds(lambda passes=passes: products(passes))  # type: ignore[misc]
        print(f"k = {layers}, {axis}, {name}: {one:.3f} s, {one / floor:.2f} of its floor, {one / every:.2f} of all")


def transfer_cell(depth: int, width: int) -> None:
    """What share of a transfer cell its products are."""
    run = RateRun(recipe=named_recipe("depth-mup", activation="tanh"), width=width, depth=depth)
    grid, members = first_grid(), range(4)
    whole = seconds(lambda: train_grid(run, members, grid), 3)
    networks = len(grid) * len(members)
    matrices = [torch.randn(networks, width, width) for _ in range(2 * depth)]
    columns, judged = torch.randn(networks, width, run.examples), torch.randn(networks, width, HELD_OUT)

    def products() -> None:
        for _ in range(run.steps):
            # All blocks up, then all blocks down, as any training must: no matrix stays in the cache between the two.
            for matrix in matrices:
                torch.bmm(matrix, columns)
            for matrix in reversed(matrices):
                torch.bmm(matrix.transpose(1, 2), columns)
                matrix.baddbmm_(columns, columns.transpose(1, 2), alpha=-1e-9)
        for matrix in matrices:
            torch.bmm(matrix, judged)

    share = seconds(products, 3) / whole
    print(f"a transfer cell at depth {depth}, width {width}: {whole:.2f} s, {share:.0%} of it its products")


def memory() -> None:
    """The peak of a process that measures, less what it had loaded, over the weights it drew."""
    code = (
        "import torch\n"
        "def peak(): return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "from powercount.derivations.named import named_recipe\n"
        "from powercount.derivations.recipe import observables\n"
        "from powercount.empirical.design import Sweep\n"
        "from powercount.empirical.nets import RecipeNets\n"
        "sweep = Sweep(axis='depth', sizes=(4, 16, 64), fixed=256, seeds=16, most_seeds=16)\n"
        "torch.bmm(torch.ones(2, 64, 64), torch.ones(2, 64, 64))\n"
        "before = peak()\n"
        "RecipeNets(named_recipe('depth-mup')).squares(observables(2), sweep, range(8))\n"
        "print((peak() - before) * 1024 / (4 * 8 * 2 * 64 * 256**2))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    print(f"memory: {float(done.stdout):.2f} of the weights drawn")


def main() -> None:
    """All ratios."""
    torch.set_num_threads(1)
    for layers, axis in ((1, "depth"), (2, "depth"), (2, "width")):
        measurement(layers, axis)
    bare = process_seconds("-c", "import torch")
    print(f"the command: {process_seconds(*COMMAND) / bare:.2f} of a bare import of torch, {bare:.2f} s")
    transfer_cell(32, 64)
    transfer_cell(8, 64)
    memory()


if __name__ == "__main__":
    main()
