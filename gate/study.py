"""How a study is run: in full or quickly, from one seed, and so that an interrupt loses nothing.

A study asks for its results cell by cell. A cell is plain data under a name that says all it depends on; with a
folder every cell is written down as soon as it is done, and a study that starts again reads it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from powercount import __version__
from powercount.derivations.recipe import PowercountError

CELL: Final = ".cell.json"  # a folder may hold other files, which are not ours to forget
Say = Callable[[str], None]


class StudyError(PowercountError):
    """A study cannot go on; the text says what is kept and the remedy."""


def kept_in(verb: str) -> Path:
    """Where the cells of a study of one verb are kept while it runs: in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "powercount" / verb


def say_on_terminal(text: str) -> None:
    """One line on standard error, written over by the next, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K  {text[:100]}", end="\r", file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """``quick`` asks for fewer seeds and sizes; ``say`` hears what is being done; ``folder`` keeps the cells."""

    quick: bool = False
    seed: int = 0
    folder: Path | None = None
    say: Say = field(default=_silent, repr=False)

    def cell(self, name: str, compute: Callable[[], Any]) -> Any:
        """The plain data ``compute`` returns, or returned before an interrupt; ``name`` says all it depends on."""
        whole = f"{__version__} seed {self.seed}: {name}"
        if self.folder is None:
            self.say(name)
            return json.loads(json.dumps(compute()))
        path = self.folder / f"{hashlib.sha256(whole.encode()).hexdigest()[:24]}{CELL}"
        if path.exists():
            self.say(f"{name} (kept)")
            return json.loads(path.read_text(encoding="utf-8"))["value"]
        self.say(name)
        text = json.dumps({"name": whole, "value": compute()})
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
        return json.loads(text)["value"]

    def finished(self) -> None:
        """Forget the cells: the next study measures again."""
        if self.folder is not None and self.folder.is_dir():
            for path in self.folder.glob(f"*{CELL}"):
                path.unlink()
