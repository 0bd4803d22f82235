"""How a study is run: in full or quickly, from one seed, and so that an interrupt loses nothing.

A study asks for its results cell by cell. A cell is a module's function by name and plain JSON arguments, so that any
process on any machine can compute it, and its result is plain JSON. With a folder every cell is written down as soon
as it is done, and a study that starts again reads it back. Its key is a digest of all its numbers depend on: function,
arguments (the seed among them, where one is drawn from), the package's sources and the versions of what computes.
Cells are computed here, one by one, or where the study's ``pool`` has them computed (see ``workers``).

Several studies may share a folder, on several machines: a cell appears whole, by a rename, under names no other writer
uses, and nothing is locked. Two that want one cell at once may both compute it, to the same numbers. What is found
damaged is measured again; a study forgets the cells it asked for itself, and no other.

Worked line: ``study.cell("24 nets", network_distances, seed=0, count=24)`` may be computed anywhere; a lambda not.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

from powercount.derivations.recipe import PowercountError

CELL: Final = ".cell.json"  # a folder may hold other files, which are not ours to forget
PART: Final = ".part"
PROBE: Final = 1 << 16  # bytes written where cells will be: most cells are smaller
STALE: Final = 3600  # seconds: a cell is written in far less, so what is older was left by a process that was killed
PACKAGES: Final = (
    "powercount",
    *(f"powercount.{room}" for room in ("derivations", "door", "empirical", "ledger", "studies", "tables")),
)
LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "sympy", "torch")
Say = Callable[[str], None]


class StudyError(PowercountError):
    """A study cannot begin or go on; the text says what is kept and the remedy."""


def kept_in(verb: str) -> Path:
    """Where the cells of a study of one verb are kept while it runs: in the user's cache."""
    try:
        root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    except RuntimeError:
        raise StudyError("this user has no home folder to keep what is done; give --folder") from None
    return Path(root) / "powercount" / verb


def say_on_terminal(text: str) -> None:
    """One line on standard error, written over by the next, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K  {text[:100]}", end="\r", file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    """Say nothing."""


def _warn(text: str) -> None:
    """One line that stays."""
    clear = "\r\x1b[2K" if sys.stderr.isatty() else ""
    print(f"{clear}powercount: {text}", file=sys.stderr, flush=True)


@contextmanager
def writing(flag: str, path: Path) -> Iterator[None]:
    """Turn what the system refuses to write into one line that names the flag and the remedy."""
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"{flag} {path}: cannot write there ({error.strerror or error}); name another place or make room, and the "
            "same command goes on"
        ) from None


def check_folder(flag: str, folder: Path) -> None:
    """Raise ``StudyError`` unless files can be written in the folder, which is made where it is missing."""
    if folder.exists() and not folder.is_dir():
        raise StudyError(f"{flag} {folder}: this is a file; name a folder")
    with writing(flag, folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"probe.{_writer()}{PART}"
        try:
            _write(probe, "0" * PROBE)
        finally:
            probe.unlink(missing_ok=True)


def _writer() -> str:
    """A name no other writer has: machine, process and thread."""
    return f"{socket.gethostname()}.{os.getpid()}.{threading.get_ident()}"


def _write(path: Path, text: str) -> None:
    """Write a whole file to the disk: a full one is often noticed only there."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@lru_cache(maxsize=1)
def sources() -> str:
    """A digest of the package's sources and of the versions of the libraries it computes with."""
    files: dict[Path, str] = {}
    for package in PACKAGES:  # the last name a file is found under is the one users import
        for place in importlib.import_module(package).__path__:
            root = Path(place)
            for path in root.rglob("*.py"):
                files[path.resolve()] = "/".join((*package.split("."), *path.relative_to(root).parts))
    digest = hashlib.sha256()
    for path, name in sorted(files.items(), key=lambda pair: pair[1]):
        digest.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _code(module: str) -> str:
    """The digest a function of that module depends on: the package's, and its own where it lies outside."""
    file = getattr(importlib.import_module(module), "__file__", None)
    if module.split(".", maxsplit=1)[0] == "powercount" or file is None:
        return sources()
    return hashlib.sha256(sources().encode() + Path(file).read_bytes()).hexdigest()


def compute(function: str, arguments: Mapping[str, Any]) -> Any:
    """What a function given by name says of plain arguments, as plain data: in this process or any other."""
    return json.loads(json.dumps(function_named(function)(**arguments)))


def compute_elsewhere(function: str, arguments: str, identity: str) -> Any:
    """A cell's value in a worker, on one thread; ``StudyError`` where another version of anything would compute it."""
    from powercount.door.process import one_thread

    one_thread()
    cell = Cell(function=function, arguments=arguments)
    if cell.identity != identity:
        raise StudyError(
            f"a worker on {socket.gethostname()} has other sources of powercount, or other versions of "
            f"{', '.join(LIBRARIES)}, than this process; install the same on every machine"
        )
    return cell.compute()


def _name(function: Callable[..., Any]) -> str:
    """The "module:name" of a function that can be found by it."""
    module, attribute = (getattr(function, each, "") for each in ("__module__", "__qualname__"))
    if getattr(sys.modules.get(module), attribute, None) is not function:
        raise StudyError(f"{function!r} cannot be called from another process; use a function of a module")
    return f"{module}:{attribute}"


def function_named(function: str) -> Callable[..., Any]:
    """The function of a "module:name"."""
    module, _, name = function.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if not callable(found):
        raise StudyError(f'no function {function!r}; name one of a module, as "powercount.ledger.width:said"')
    made: Callable[..., Any] = found
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One result: ``function`` as "module:name", and its arguments as a line of JSON."""

    function: str
    arguments: str

    @classmethod
    def of(cls, function: str | Callable[..., Any], arguments: Mapping[str, Any]) -> Cell:
        """The cell of a module's function; what another process could not call by name, or with JSON, is refused."""
        name = function if isinstance(function, str) else _name(function)
        if name.startswith("__main__:"):
            raise StudyError(f"{name} cannot be called from another process; use a function of a module")
        function_named(name)
        try:
            plain = json.dumps(arguments, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StudyError(
                f"the arguments of {name} are no plain data: {error}; use numbers, text and lists"
            ) from None
        return cls(function=name, arguments=plain)

    @property
    def identity(self) -> str:
        """All its numbers depend on, as text."""
        return f"{self.function}({self.arguments}) of {_code(self.function.partition(':')[0])}"

    @property
    def key(self) -> str:
        """The name of its file, without the ending."""
        return hashlib.sha256(self.identity.encode()).hexdigest()[:24]

    def compute(self) -> Any:
        """Its value, now."""
        return compute(self.function, json.loads(self.arguments))


class Pool(Protocol):
    """Has cells computed elsewhere, each once however many ask for it."""

    def begin(self, cell: Cell) -> None:
        """Have a cell computed, without waiting for it."""

    def value(self, cell: Cell) -> Any:
        """Its value, waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """``quick`` asks for fewer seeds and sizes; ``say`` hears what is being done; ``folder`` keeps the cells.

    ``asked`` are the keys of the cells this study asked for; ``pool`` computes them, or this process where it is None.
    Without a folder they are remembered, by ``identity``, as long as the study lives.
    """

    quick: bool = False
    seed: int = 0
    folder: Path | None = None
    say: Say = field(default=_silent, repr=False)
    asked: set[str] = field(default_factory=set, repr=False, compare=False)
    pool: Pool | None = field(default=None, repr=False, compare=False)
    remembered: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def check(self) -> None:
        """Raise ``StudyError`` before any work where the folder cannot keep what will be done."""
        if self.folder is not None:
            check_folder("--folder", self.folder)

    def cell(self, name: str, function: str | Callable[..., Any], /, **arguments: Any) -> Any:
        """The plain data of ``function(**arguments)``, computed now or before an interrupt; ``name`` is for people."""
        made = Cell.of(function, arguments)
        kept = self._kept(made)
        self.say(name if kept is None else f"{name} (kept)")
        if kept is not None:
            return kept["value"]
        value = made.compute() if self.pool is None else self.pool.value(made)
        self._keep(made, value)
        return value

    def cells(self, function: str | Callable[..., Any], asked: Mapping[str, Mapping[str, Any]]) -> list[Any]:
        """The values of a function for several arguments, by names for people: with a pool, all at once."""
        if self.pool is not None:
            for arguments in asked.values():
                made = Cell.of(function, arguments)
                if not self._is_kept(made):
                    self.pool.begin(made)
        return [self.cell(name, function, **arguments) for name, arguments in asked.items()]

    def _is_kept(self, made: Cell) -> bool:
        """Whether a cell is there; it may turn out to be damaged when it is read."""
        if self.folder is None:
            return made.identity in self.remembered
        return (self.folder / f"{made.key}{CELL}").exists()

    def _kept(self, made: Cell) -> dict[str, Any] | None:
        """A cell as it was kept; notes that it was asked for."""
        if self.folder is None:
            return self.remembered.get(made.identity)
        self.asked.add(made.key)
        return _read(self.folder / f"{made.key}{CELL}", made.identity)

    def _keep(self, made: Cell, value: Any) -> None:
        """Write a cell down, whole or not at all."""
        if self.folder is None:
            self.remembered[made.identity] = {"value": value}
            return
        path = self.folder / f"{made.key}{CELL}"
        text = json.dumps({"name": made.identity, "value": value})
        unfinished = self.folder / f"{made.key}.{_writer()}{PART}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(unfinished, text)
            unfinished.replace(path)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise StudyError(
                f"cannot keep what is done in {self.folder} ({error.strerror or error}); the cells before it are kept: "
                "make room, or give another --folder, and the same command goes on"
            ) from None

    def finished(self) -> None:
        """Forget the cells this study asked for: the next one measures again. Those of other studies stay."""
        self.remembered.clear()
        if self.folder is None:
            return
        for key in self.asked:
            # What cannot be removed is read back once more, which is only quicker.
            with suppress(OSError):
                (self.folder / f"{key}{CELL}").unlink(missing_ok=True)
                for left in self.folder.glob(f"{key}.*{PART}"):
                    if time.time() - left.stat().st_mtime > STALE:
                        left.unlink(missing_ok=True)
        self.asked.clear()


def _read(path: Path, identity: str) -> dict[str, Any] | None:
    """A kept cell; None where there is none, or, said in one line, where the file is not what its name says."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found.get("name") == identity and "value" in found:
        return found
    _warn(f"{path} is damaged, or another's; measured again")
    return None
