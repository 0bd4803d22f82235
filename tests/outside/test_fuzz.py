"""The command under inputs nobody wrote: arguments, recipes and tables, drawn from seeds.

Whatever comes in, no exception gets out, the exit code is a documented one, bad input is one printable line within ten
seconds, and memory stays below 2 GiB. What is valid is small: width 64, depth 8 and 16 seeds at most. A few hundred
examples in the suite; ``pytest tests/outside/test_fuzz.py --fuzz 5000`` draws that many. Example i of a kind is drawn
from (kind, i) alone, so that a failure, which prints both, is repeated by ``shown(kind, i)``.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from powercount.__main__ import main
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.recipe import ACTIVATIONS, DAMPED, DECAYING, OPTIMIZERS, observables
from powercount.derivations.translate import translated, with_decay, with_epsilon
from powercount.door.entry import AGREES, BAD_INPUT, CONTRADICTS, UNDECIDED
from powercount.door.recipe_file import recipe_text
from powercount.door.verbs import RATES

DOCUMENTED = {AGREES, CONTRADICTS, BAD_INPUT, UNDECIDED}
SLOWEST_REFUSAL = 10  # CPU seconds
HANGS = 120  # seconds of the clock after which an example is given up, and fails
ROOM = (2 << 30) - (350 << 20)  # bytes beyond a process that has loaded everything
NOT_A_NUMBER = ("", "x", "nan", "-inf", "1e999", "1/0", "½", "٣", "0x10", "1_000", " 3 ", "None", "9" * 5000, "\x00")
TEXTS = (
    "\x1b[31m",
    "[/]",
    "[bold]",
    "a\nb",
    "\u202e",
    "é",
    "σ",
    "\udcff",
    "'",
    '"',
    "\\",
    "%s",
    "{}",
    "a" * 5000,
    "-",
    "=",
)
FAR = (-1, -(10**12), 10**12, 10**30)
NUMBERS = (0, 1, 2, 3, *FAR)
TRAINS = ["--width", "8", "--depths", "2,4,8", "--seeds", "2", "--steps", "2", "--examples", "4"]
LIMIT = ["--widths", "8,16", "--depths", "2", "--grid", "4", "--particles", "128", "--members", "1", "--steps", "2"]


def word(draw):
    """A word that is wrong almost everywhere."""
    return draw.choice((draw.choice(NOT_A_NUMBER), draw.choice(TEXTS), str(draw.choice(NUMBERS)))).replace("\x00", "0")


def sizes(draw, most):
    """Sizes of a sweep, mostly good ones."""
    found = [str(draw.randint(1, most)) for _ in range(draw.choice((2, 3, 3, 4, 4)))]
    if draw.random() < 0.1:
        found[0] = word(draw)
    return ",".join(found)


def sweep(draw, axis):
    """The flags of a small measurement, now and then with one that is wrong."""
    flags = ["--sizes", sizes(draw, 64 if axis == "width" else 8), "--seeds", str(draw.randint(2, 16))]
    flags += ["--width", str(draw.randint(1, 64))] if axis == "depth" else ["--depth", str(draw.randint(1, 8))]
    if draw.random() < 0.3:
        flags += ["--steps", str(draw.randint(0, 2))]
    if draw.random() < 0.3:
        flags += ["--data", draw.choice(("digits", "gaussian", "images"))]
    if draw.random() < 0.1:
        flags += ["--device", draw.choice(("cpu", "cuda", "tpu"))]
    if draw.random() < 0.3:
        flags += [draw.choice(("--seeds", "--seed", "--steps", "--width", "--depth")), str(draw.choice(FAR))]
    if draw.random() < 0.2:
        flags += [draw.choice(("--seeds", "--seed", "--steps", "--width", "--depth", "--sizes")), word(draw)]
    return flags


def asked(draw):
    """What is to be derived or measured of a recipe."""
    named = [str(each) for each in observables(draw.randint(1, 3), draw.choice(((), ("input", "hidden1"))))]
    return ["--observable", word(draw) if draw.random() < 0.15 else draw.choice((*named, "all"))]


def question(draw, recipe):
    """A command line that asks about a recipe: mostly derived, at times measured or judged."""
    verb = draw.choice(("derive", "derive", "derive", "measure", "verify"))
    flags = asked(draw)
    if verb != "derive":
        axis = draw.choice(("width", "depth"))
        flags += ["--axis", axis, *sweep(draw, axis)]
    if verb == "verify" and draw.random() < 0.4:
        against, rival = draw.choice(list(NAMED)), draw.choice(("1/4", "1", word(draw)))
        flags += draw.choice((["--against", against], ["--rival", rival]))
    if draw.random() < 0.3:
        flags += draw.choice(
            (
                ["--layers", str(draw.randint(0, 3))],
                ["--layers", word(draw)],
                ["--activation", draw.choice((*ACTIVATIONS, word(draw)))],
                ["--loss", draw.choice(("mse", "cross-entropy", word(draw)))],
                ["--optimizer", draw.choice((*OPTIMIZERS, word(draw)))],
                ["--optimizer", draw.choice(OPTIMIZERS), "--rates", draw.choice((*RATES, word(draw)))],
            )
        )
    flags += ["--json"] if draw.random() < 0.3 else []
    return [verb, recipe, *flags]


def arguments(draw, folder):
    """A command line of any verb."""
    kind = draw.choice(("question", "question", "question", "study", "ledger", "noise"))
    places = (str(folder / "new"), str(folder / "file" / "sub"), "/proc/x", "/dev/null/x", str(folder), word(draw))
    if kind == "question":
        found = question(draw, draw.choice((*NAMED, word(draw), str(folder), "/dev/null", "/dev/zero", "none.toml")))
    elif kind == "study":
        verb, small = draw.choice((("nfd", LIMIT), ("transfer", TRAINS)))
        flags = ("--rate", "--horizon", "--samples", "--outputs") if verb == "nfd" else ("--examples", "--recipes")
        flags += ("--steps", "--seed", "--loss", "--activation", "--depths", "--modes", "--members", "--widths")
        # Nearly always wrong: whole trainings that go through are the slowest of all.
        found = [verb, *small, draw.choice(flags), word(draw), "--folder", draw.choice(places[:1] * 3 + places)]
        found += ["--plot", draw.choice(places) + ".png"] if draw.random() < 0.1 else []
    elif kind == "ledger":
        # Always wrong: a page that can be written draws whole trainings.
        flag, nowhere = draw.choice(("--folder", "--page", "--record")), draw.choice((places[1], "/proc/x/y"))
        number, address = str(draw.choice(FAR[:2])), draw.choice((word(draw), "tcp://127.0.0.1:1", "tls://[::1]:1"))
        wrong = draw.choice(([flag, nowhere], [draw.choice(("--seed", "--jobs")), number], ["--scheduler", address]))
        found = ["claims", *draw.choice(([], ["--json"], [word(draw)], ["C7", "--quick", *wrong]))]
    else:
        verbs = ("laws", "derive", "measure", "verify", "claims", "scaling-law", "--help", "--version", word(draw))
        found = [draw.choice(verbs), *(word(draw) for _ in range(draw.randint(0, 3)))]
    if draw.random() < 0.2:
        found.insert(draw.randint(0, len(found)), draw.choice(("--debug", "--", "-x", "--json", word(draw))))
    return found


VALUES = (
    "1", "-1", "8", "9", '"1/2"', '"1/0"', '"1/101"', '"zero"', "0.5", "true", "nan", "[]", "{}", '"x"', "9" * 30,
    "9" * 5000, f'"{"9" * 5000}"', "[" * 200 + "]" * 200, '"\\u001b[2J"', '"[/]"', '"\\\\"', "1979-05-27", '"-8"', "-0",
)  # fmt: skip


def changed(draw, text):
    """A recipe's text with a few changes."""
    for _ in range(draw.choice((0, 0, 1, 1, 1, 2, 5))):
        lines = text.split("\n")
        place = draw.randrange(len(lines))
        kind = draw.choice(
            ("value", "power", "power", "power", "power", "power", "drop", "double", "letter", "noise", "deep")
        )
        if kind == "value" and "=" in lines[place]:
            lines[place] = lines[place].split("=")[0] + "= " + draw.choice(VALUES)
        elif kind == "power":
            new = draw.choice(("1/4", "-1/4", "1/2", "1", "-1", "2", "8", "-8", "1/100", "1000", "1e3", "٣"))
            lines[place] = lines[place].replace('"0"', f'"{new}"', draw.randint(1, 2))
        elif kind == "drop":
            del lines[place]
        elif kind == "double":
            lines.insert(place, lines[draw.randrange(len(lines))])
        elif kind == "letter" and lines[place]:
            letter = draw.randrange(len(lines[place]))
            lines[place] = lines[place][:letter] + draw.choice("\"'[]{}=.#\\\x00\x1b\né0") + lines[place][letter + 1 :]
        elif kind == "noise":
            lines.insert(
                place, "".join(chr(draw.choice((draw.randrange(128), draw.randrange(0xD800)))) for _ in range(9))
            )
        elif kind == "deep":
            lines.insert(place, f"a{'.a' * draw.choice((10, 1000))} = 1")
        text = "\n".join(lines) or "\n"
    return text


def recipes(draw, folder):
    """A question about a recipe in a file."""
    recipe = named_recipe(draw.choice(list(NAMED)), layers=draw.randint(1, 3), activation=draw.choice(ACTIVATIONS))
    if draw.random() < 0.3:
        recipe = with_decay(translated(recipe, draw.choice(DECAYING)))
    elif draw.random() < 0.2:
        recipe = with_epsilon(translated(recipe, draw.choice(DAMPED)))
    text, path = changed(draw, recipe_text(recipe)), folder / "mine.toml"
    raw = text.encode("utf-8", "surrogatepass")
    path.write_bytes(raw if draw.random() < 0.95 else raw + bytes([draw.randrange(256)]))
    return question(draw, str(path))


def number(draw, like):
    """A number of a table: near a power law, or far from anything."""
    far = ("1e308", "1e-308", "5e-324", "1e400", "0", "-1", "nan", "", "1,5", "1e15", "70M", "\x1b[2J", "9" * 400)
    return draw.choice(far) if draw.random() < 0.0015 else repr(like)


def tables(draw, folder):
    """A fit of a table near a power law, or nearly one."""
    axes = draw.choice((["D"], ["N"], ["C"], ["N", "D"], ["N", "D", "C"]))
    noise, unit = 10.0 ** draw.uniform(-6, draw.choice((0, 0, 1, 3))), 10.0 ** draw.choice((0, 0, 0, -300, 290, -20))
    power, offset, ratio = draw.uniform(0, 3), draw.choice((0, 0.1, 1)), draw.choice((1.01, 2, 10, 1000))
    rows = []
    for run in range(draw.choice((1, 1, 3, 6))):
        for step in range(draw.randint(3, 7)):
            for other in range(draw.randint(1, 5)):
                n, d = 10 * ratio**step, 7 * ratio**other
                x = n if len(axes) == 1 else min(n, d)
                loss = unit * (offset + x**-power) * max(1 + noise * draw.gauss(0, 1), 1e-9)
                sizes = {"N": n, "D": n if axes == ["D"] else d, "C": n if axes == ["C"] else 6 * n * d}
                rows.append([number(draw, sizes[axis]) for axis in axes] + [number(draw, loss), str(run)])
    header = [*axes, "loss", "run"]
    if draw.random() < 0.1:
        header[draw.randrange(len(header))] = word(draw)
    if draw.random() < 0.05:
        rows[0].append(word(draw))
    draw.shuffle(rows)
    text = "\n".join(",".join(row) for row in [header, *rows])
    path = folder / draw.choice(("table.csv", "[bold].csv", "\x1b[2J.csv"))
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    flags = ["--resamples", "200"]
    choices = (
        ["--axis", draw.choice("NDCX")],
        ["--at", f"{draw.choice('NDCx')}={draw.choice(('1e3', '1e29', word(draw)))}"],
    )
    choices += (
        ["--resamples", str(draw.choice(FAR))],
        ["--confidence", draw.choice(("0.5", "0.999999999", "1", word(draw)))],
    )
    choices += (["--seed", word(draw)], ["--json"])
    for _ in range(draw.choice((0, 1, 2))):
        flags += draw.choice(choices)
    flags += ["--plot", str(folder / "figure.png")] if draw.random() < 0.01 else []
    return ["scaling-law", "fit", str(path), *flags]


class Stream(io.TextIOWrapper):
    """A stream in memory that may call itself a terminal."""

    def __init__(self, terminal):
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.terminal = terminal

    def isatty(self):
        """Whether it says so."""
        return self.terminal

    def said(self):
        """Everything written to it."""
        self.flush()
        return self.buffer.getvalue().decode("utf-8")


class TooSlow(BaseException):
    """An example that does not end; no handler of the command's catches it."""


def give_up(*_):
    """Called by the alarm."""
    raise TooSlow


def shown(kind, index, folder):
    """Draw and run one example; (command line, exit code, standard output, standard error, CPU seconds)."""
    draw = random.Random(f"{kind} {index}")
    line = KINDS[kind](draw, folder)
    out, err = Stream(draw.random() < 0.1), Stream(False)
    began = time.process_time()
    signal.alarm(HANGS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(line)
    finally:
        signal.alarm(0)
    return line, code, out.said(), err.said(), time.process_time() - began


KINDS = {"arguments": arguments, "recipes": recipes, "tables": tables}


def peak():
    """The largest size of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def no_number(name):
    """Called for NaN and Infinity, which JSON does not have."""
    raise ValueError(name)


def fault(line, code, out, err, spent):
    """What is wrong with an answer; None if nothing is."""
    if code not in DOCUMENTED:
        return f"exit code {code}"
    if code == BAD_INPUT:
        if spent > SLOWEST_REFUSAL:
            return f"refused after {spent:.1f} CPU seconds"
        if out or err.count("\n") != 1 or not err.startswith("powercount: ") or not err[:-1].isprintable():
            return "a refusal that is not one printable line"
    elif "--json" in line and out and not {"--help", "--version"} & set(line):
        try:
            json.loads(out, parse_constant=no_number)
        except ValueError as error:
            return f"no JSON: {error}"
    if not all(line.isprintable() for line in err.splitlines()):
        return "standard error holds what a terminal would obey"
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_no_input_gets_an_exception_out(kind, request, powercount_laws, monkeypatch, tmp_path):
    """Every example ends with a documented code; what is refused is refused soon, in one line, in little memory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "file").write_text("a file")
    previous, before = signal.signal(signal.SIGALRM, give_up), peak()
    codes, slowest, faults = Counter(), 0.0, []
    wanted = max(1, -(-request.config.getoption("--fuzz") // len(KINDS)))
    try:
        for index in range(wanted):
            line, code, out, err, spent = shown(kind, index, Path("."))
            codes[code] += 1
            slowest = max(slowest, spent)
            wrong = fault(line, code, out, err, spent)
            if wrong is not None:
                faults.append(f"shown({kind!r}, {index}): {wrong}\n  {[part[:200] for part in line]}\n  {err[:2000]}")
    finally:
        signal.signal(signal.SIGALRM, previous)
    grown = peak() - before
    powercount_laws.note(
        kind,
        f"{wanted} examples: exit codes {dict(sorted(codes.items()))}, the slowest {slowest:.1f} CPU seconds, "
        f"{grown / 2**20:.0f} MiB more than before",
    )
    assert not faults, f"{len(faults)} of {wanted}:\n" + "\n".join(faults[:10])
    assert grown < ROOM
    # Loops over nothing fail: each kind has to be refused at times, and answered at times.
    assert wanted < 50 or (codes[BAD_INPUT] > wanted / 20 and codes[AGREES] + codes[CONTRADICTS] + codes[UNDECIDED] > 2)


def test_the_fuzzer_can_say_no(monkeypatch, tmp_path):
    """Meta: a crash, a refusal of two lines, one that comes late, and what a terminal obeys are faults."""
    good = "powercount: no\n"
    assert fault([], BAD_INPUT, "", good, 1) is None
    assert fault(["--json"], AGREES, '{"a": [1, null]}', "", 100) is None
    assert fault(["--json"], AGREES, '{"a": NaN}', "", 1) is not None
    for bad in ((70, "", good, 1), (BAD_INPUT, "", good * 2, 1), (BAD_INPUT, "x", good, 1), (BAD_INPUT, "", good, 11)):
        assert fault([], *bad) is not None
    assert fault([], AGREES, "", "\x1b[2J\n", 1) is not None
    monkeypatch.chdir(tmp_path)
    assert shown("arguments", 1, Path("."))[0] == shown("arguments", 1, Path("."))[0]
