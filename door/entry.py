"""The door of the command: what is refused before anything runs, and how it ends when something fails.

Exit codes: 0 agrees, or nothing to judge; 1 contradicts; 2 bad usage, bad input, or a place that cannot be read or
written: one line with the remedy; 3 undecided; 70 a bug of ours (EX_SOFTWARE of sysexits.h), which must never be taken
for a verdict; 130 interrupted. Every line on standard error is one line: what a terminal would obey is escaped, and
a value that is too long is cut in the middle.
"""

from __future__ import annotations

import argparse
import codecs
import io
import os
import re
import shlex
import sys
import traceback
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NoReturn

from powercount.derivations.recipe import MOST_POWER, PowercountError, printable
from powercount.door.figure import check_folder

AGREES, CONTRADICTS, BAD_INPUT, UNDECIDED, CRASHED, INTERRUPTED = 0, 1, 2, 3, 70, 130
LARGEST_NUMBER: Final = 10**12  # beyond any size, seed count or step count that could be run
LARGEST_SEED: Final = 2**63 - 2  # torch's generators take 64 bits, and data are drawn from the seed after
LONGEST_LINE: Final = 2000
SIGNS: Final = {"∂": "d", "∏": "prod", "√": "sqrt", "⟨": "<", "⟩": ">"}
NO_MEMORY: Final = "can't allocate memory"  # what torch says where Python raises MemoryError


class UsageError(PowercountError):
    """The command line itself is wrong."""


def shown(text: str) -> str:
    """What a user wrote, short enough for a line."""
    return repr(text if len(text) <= 40 else f"{text[:30]}...")


def whole(text: str) -> int:
    """A whole number that something could have that many of."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no whole number, or one of too many digits") from None
    if abs(value) > LARGEST_NUMBER:
        raise argparse.ArgumentTypeError(f"{shown(text)} is too large; give at most {LARGEST_NUMBER}")
    return value


def real(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number; write one such as 0.5") from None
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"{shown(text)} is not finite; write a number such as 0.5")
    return value


def sizes(text: str) -> list[int]:
    """Comma-separated whole numbers."""
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is no list of sizes such as 4,8,16,32") from None
    if any(abs(size) > LARGEST_NUMBER for size in found):
        raise argparse.ArgumentTypeError(f"{shown(text)} is too large for a network; choose smaller --sizes")
    return found


def rival_asked(text: str) -> Fraction:
    """The distance to the nearest rival exponent: a short fraction or decimal, since 1e999999999 is a fraction too."""
    short = re.fullmatch(r"[+-]?([0-9]{1,9}(/[0-9]{1,9})?|[0-9]{0,9}\.[0-9]{1,9})", text.strip())
    try:
        value = Fraction(text.strip()) if short else None
    except ZeroDivisionError:
        value = None
    if value is None:
        raise UsageError(f"--rival {shown(text)} is no fraction; write one such as 1/4")
    if not 0 < value <= MOST_POWER:
        raise UsageError(f"--rival {shown(text)} must be positive, and at most {MOST_POWER}, as the largest power is")
    return value


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line with a remedy, and whose numbers are finite."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.register("type", int, whole)
        self.register("type", float, real)
        # Suppressed: the default of a verb's own parser would write over what stands before the verb.
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="print the traceback of a crash"
        )

    def _print_message(self, message: str, file: Any = None) -> None:
        print(message, end="", file=file or sys.stdout)  # argparse's own passes over a full disk in silence

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{message}; see {self.prog} --help")


def check_given(given: argparse.Namespace) -> None:
    """What every verb's arguments must keep: the seed's range, processes, and folders that can be written."""
    seed = getattr(given, "seed", 0)
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"--seed {seed} is negative or too large; give 0 or more, at most {LARGEST_SEED}")
    if getattr(given, "jobs", 1) < 1:
        raise UsageError(f"--jobs {given.jobs}: give at least 1 process")
    for flag in ("folder", "page"):
        if getattr(given, flag, None) is not None:
            check_folder(Path(getattr(given, flag)), f"--{flag}")
    if getattr(given, "record", None) is not None:
        if given.record.is_dir():
            raise UsageError(f"--record {given.record} is a folder; name a file")
        check_folder(given.record.absolute().parent, "--record")


def spelled(error: UnicodeError) -> tuple[str, int]:
    """An encoder's way out where it lacks a letter: Greek letters by name, as in "lambda", the rest as escapes."""
    assert isinstance(error, UnicodeEncodeError)
    made = []
    for letter in error.object[error.start : error.end]:
        name = unicodedata.name(letter, "")
        if letter in SIGNS:
            made.append(SIGNS[letter])
        elif name.startswith("GREEK") and "LETTER" in name:
            spoken = name.split(" WITH ")[0].rsplit(" ", 1)[1].lower().replace("lamda", "lambda")
            made.append(spoken if "SMALL" in name else spoken.capitalize())
        else:
            made.append(letter.encode("unicode_escape").decode("ascii"))
    return "".join(made), error.end


def open_streams() -> None:
    """Make both streams take any letter, and stand in for one that was closed before we started."""
    codecs.register_error("powercount", spelled)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until we end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="powercount")


def silence_output() -> None:
    """Send what is left of standard output nowhere: Python would try, and complain, once more at the very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError):  # a stream of a test has no file
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(text: str) -> None:
    """One line on standard error."""
    line = printable(text)
    if len(line) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        line = f"{line[:half]} ... {line[-half:]}"
    with suppress(OSError):  # if there is nobody left to tell, the exit code still says it
        print(f"powercount: {line}", file=sys.stderr, flush=True)


def failed(error: Exception, debug: bool) -> int:
    """Say in one line what no check at the door foresaw, and return its exit code."""
    if isinstance(error, MemoryError) or NO_MEMORY in str(error):
        complain("out of memory; choose smaller sizes, fewer seeds or fewer --jobs")
        return BAD_INPUT
    if isinstance(error, OSError) and error.errno is not None:
        place = "standard output" if error.filename is None else error.filename
        complain(f"cannot read or write {place}: {error.strerror}; make room there or choose another place")
        if error.filename is None:
            silence_output()
        return BAD_INPUT
    if debug:
        traceback.print_exception(error)
    again = "please report it with the traceback above" if debug else "the same command with --debug prints where"
    complain(f"a bug of ours, and no verdict: {type(error).__name__}: {error}; {again}")
    return CRASHED


@contextmanager
def within_floats() -> Iterator[None]:
    """Powers within bounds can still multiply to what no float holds: the input's fault, at these sizes."""
    try:
        yield
    except OverflowError:
        raise UsageError(
            "the values expected of this recipe leave the range of floats at these sizes; choose smaller --sizes, "
            "fewer --steps, or powers nearer to 0"
        ) from None


def command_line(arguments: Sequence[str]) -> str:
    """The command as a shell would read it, to repeat it."""
    return printable(shlex.join(["powercount", *arguments]))
