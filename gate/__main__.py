"""The command ``powercount``: laws, derive, measure, verify; claims, nfd, transfer; scaling-law.

Exit codes: 0 agrees (or nothing to judge), 1 contradicts, 3 undecided, 2 bad usage or bad input, with one
line that names the value and the remedy, 70 a bug of ours, 130 interrupted (see ``door``). ``laws`` and ``derive``
never import torch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from powercount import __version__
from powercount.derivations.recipe import PowercountError
from powercount.door import verbs as recipe_verbs
from powercount.door.entry import (
    AGREES,
    BAD_INPUT,
    INTERRUPTED,
    Parser,
    check_given,
    complain,
    failed,
    open_streams,
    silence_output,
)
from powercount.ledger import command as ledger
from powercount.studies import limit_command as limit
from powercount.studies import transfer_command as transfer
from powercount.tables import fit_command as scaling_law


def parser() -> Parser:
    """The command line."""
    top = Parser(prog="powercount", description="Derive the exponents of a parametrization, then measure them.")
    top.add_argument("--version", action="version", version=f"powercount {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, parser_class=Parser)

    recipe_verbs.add_verbs(verbs)
    ledger.add_verb(verbs)
    limit.add_verb(verbs)
    transfer.add_verb(verbs, Parser)
    scaling_law.add_verb(verbs)
    return top


VERBS = {
    **recipe_verbs.ANSWERS,
    "claims": ledger.show_claims,
    "nfd": limit.show_limit,
    "transfer": transfer.show_transfer,
    "scaling-law": scaling_law.show_scaling_law,
}
RESUMABLE = ("claims", "nfd", "transfer")


def answer(arguments: Sequence[str]) -> int:
    """Read the command line, do what it asks, and see that the answer reached its reader."""
    try:
        given = parser().parse_args(arguments, argparse.Namespace(debug=False, arguments=tuple(arguments)))
        check_given(given)
        code = VERBS[given.verb](given)
    except SystemExit as left:  # --help and --version
        code = int(left.code or AGREES)
    sys.stdout.flush()
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    asked = sys.argv[1:] if arguments is None else list(arguments)
    open_streams()
    try:
        return answer(asked)
    except KeyboardInterrupt:
        resumes = any(verb in asked for verb in RESUMABLE)
        kept = "what is done is kept; the same command goes on" if resumes else "nothing was written"
        complain(f"interrupted; {kept}")
        return INTERRUPTED
    except BrokenPipeError:
        silence_output()
        return AGREES
    except PowercountError as error:
        complain(str(error))
        return BAD_INPUT
    except Exception as error:
        return failed(error, debug="--debug" in asked)


def run() -> NoReturn:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    run()
