"""The forecast of time and memory: within a factor of 4, said before long work, and no work without end."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from powercount.__main__ import main
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import QuestionError, observables
from powercount.door import forecast as page
from powercount.door.entry import AGREES, BAD_INPUT
from powercount.door.forecast import (
    Forecast,
    Machine,
    announce,
    ledger,
    resampling,
    sweep_seconds,
    sweeps,
    trainings,
)
from powercount.empirical.design import Sweep
from powercount.empirical.sweep import measure

# Rough by its own words: seconds differ twofold from run to run on a busy machine, and the model by as much.
FACTOR = 4
SWEEPS = {
    "along width": (2, {"axis": "width", "sizes": (64, 128, 256), "fixed": 3, "seeds": 16}),
    "along depth, one layer": (1, {"axis": "depth", "sizes": (4, 8, 16, 32, 64), "fixed": 128, "seeds": 16}),
    "four layers": (4, {"axis": "depth", "sizes": (2, 4, 8, 16), "fixed": 128, "seeds": 16}),
    "real steps": (2, {"axis": "depth", "sizes": (4, 8, 16), "fixed": 64, "seeds": 8, "steps": 3, "examples": 1}),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_the_cpu_seconds_of_a_sweep_are_forecast_within_a_factor(name):
    """CPU seconds, never the clock's: other processes may take the machine in between."""
    layers, asked = SWEEPS[name]
    recipe, sweep = named_recipe("depth-mup", layers=layers), Sweep(**asked, most_seeds=asked["seeds"])
    said = sweeps(recipe, [sweep])
    wanted = observables(layers)
    used = min(next(iter(measure(recipe, wanted, sweep).values())).cpu_seconds for _ in range(2))
    assert said.least == said.most
    assert used / FACTOR < said.least < used * FACTOR, f"said {said.least:.3g}, used {used:.3g} CPU seconds"


def test_the_memory_of_a_sweep_is_forecast_within_a_factor():
    """The largest size of a process of its own, imports included."""
    recipe, sweep = named_recipe("depth-mup"), Sweep(axis="depth", sizes=(4, 8, 16), fixed=512, seeds=2, most_seeds=2)
    code = (
        "from powercount import *\n"
        f"measure(named_recipe('depth-mup'), [observable_named('stream', 2)], {sweep!r})\n"
        "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    used, said = int(done.stdout) * (1 if sys.platform == "darwin" else 1024), sweeps(recipe, [sweep]).memory
    assert used / FACTOR < said < used * FACTOR, f"said {said / 2**20:.0f}, used {used / 2**20:.0f} MiB"


def test_a_forecast_grows_with_the_work():
    """Twice the seeds, particles, claims or rows: about twice the time; seeds that may grow make a range of it."""
    recipe = named_recipe("mup")

    def seconds(seeds, most):
        return sweeps(recipe, [Sweep(axis="width", sizes=(64, 128, 256), fixed=3, seeds=seeds, most_seeds=most)])

    few, many = seconds(64, 64), seconds(128, 512)
    assert many.least == pytest.approx(2 * few.least, rel=0.01)  # what does not grow with seeds is below a hundredth
    assert many.most == pytest.approx(4 * many.least, rel=0.01)
    assert " to " in str(many)
    assert " to " not in str(few)
    once, twice = (trainings([(1024, 16, 20, members, False)], 1) for members in (1, 2))
    assert twice.least == pytest.approx(2 * once.least)
    assert ledger(["transfer:c18"] * 2, quick=False, processes=1).least == pytest.approx(
        2 * ledger(["transfer:c18"], quick=False, processes=1).least
    )
    assert resampling(200, 1000, 1).least == pytest.approx(2 * resampling(100, 1000, 1).least)


def test_every_kind_of_work_is_counted():
    """On machines where one kind of work alone costs a second: draws, products, elements, calls, each as derived."""
    sweep = Sweep(axis="width", sizes=(8, 16, 32), fixed=3, seeds=4, most_seeds=4)
    layers, depth, seeds, examples = 2, 3, 4, sweep.examples

    def seconds(kind, **changes):
        free = dict.fromkeys(("product", "draw", "element", "call"), 0.0)
        return sweep_seconds(named_recipe("mup"), replace(sweep, **changes), seeds, Machine(**(free | {kind: 1.0})))

    uses, squares, widths = layers * depth, 8**2 + 16**2 + 32**2, 8 + 16 + 32
    assert seconds("draw") == seeds * uses * 32**2
    assert seconds("product") == seeds * uses * squares * examples * (1 + 1.5 + layers + 1)
    assert seconds("element") == seeds * uses * widths * examples * page.ELEMENTWISE
    assert seconds("call") == len(sweep.sizes) * (uses + 2) * page.CALLS
    # Real steps: every role alone and all together; forward and backward in float64, twice the price.
    runs = 5 * (layers + 3)
    more = seconds("product", steps=5, examples=1) - seconds("product", examples=1)
    assert more == runs * seeds * uses * squares * 3 * 2
    more = seconds("element", steps=5, examples=1) - seconds("element", examples=1)
    assert more == runs * seeds * uses * (squares * page.STEP_NUMBERS + widths * page.STEP_ELEMENTS)
    assert seconds("call", steps=5, examples=1) > seconds("call", examples=1) + runs * uses * page.STEP_CALLS


def test_it_is_made_in_less_time_than_it_saves():
    """Measuring this machine and counting takes a fraction of the shortest work that is announced."""
    page.this_machine.cache_clear()
    began = time.process_time()
    sweeps(named_recipe("mup"), [Sweep(axis="width", sizes=(64, 128, 256), fixed=3)])
    assert time.process_time() - began < page.SHORT / 5


def test_long_work_is_announced_and_endless_work_is_refused(capsys, monkeypatch):
    """Silence below five CPU seconds, one line above, and a refusal where it has no end or no room."""
    announce(Forecast(least=1, most=2, memory=1), "")
    assert capsys.readouterr().err == ""
    announce(Forecast(least=10, most=40, memory=2**30), "")
    assert capsys.readouterr().err == "powercount: about 10 to 40 CPU seconds and 1.0 GiB, by a rough forecast\n"
    with pytest.raises(QuestionError, match="more than eleven days; choose less"):
        announce(Forecast(least=1e9, most=1e9, memory=1), "choose less")
    with pytest.raises(QuestionError, match="this machine has"):
        announce(Forecast(least=1, most=1, memory=2**60), "choose less")
    monkeypatch.setattr(page, "SHORT", 0.0)
    asked = ["--observable", "stream", "--axis", "width", "--sizes", "8,16,32", "--seeds", "8"]
    for verb in ("measure", "verify"):
        main([verb, "mup", *asked])
        assert "CPU seconds and 0." in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["measure", "mup", "--observable", "stream", "--axis", "width", "--seeds", "1000000000000"],
        ["verify", "mup", "--steps", "1000000000000"],
        ["verify", "mup", "--axis", "depth", "--width", "2", "--sizes", "4,8,16", "--seeds", "1000000000000"],
        ["nfd", "--members", "1000000000000"],
        ["transfer", "--seeds", "1000000000000"],
        ["transfer", "--steps", "1000000000000"],
    ],
    ids=" ".join,
)
def test_what_would_never_end_is_one_line(arguments, capsys):
    """Exit 2 at once, with what to change; nothing is measured."""
    began = time.process_time()
    assert main(arguments) == BAD_INPUT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "more than eleven days; choose" in captured.err
    assert time.process_time() - began < page.SHORT


def test_a_short_command_says_nothing_of_it(capsys):
    """The shortest sweeps are done before anyone has read a line."""
    asked = ["--observable", "stream", "--axis", "width", "--sizes", "8,16,32", "--seeds", "8"]
    assert main(["measure", "mup", *asked]) == AGREES
    assert capsys.readouterr().err == ""
