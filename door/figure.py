"""A figure to draw on, and where it goes, checked before anything is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from powercount.derivations.recipe import QuestionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: Final = (".pdf", ".png", ".svg")


def check_figure(path: Path | None) -> None:
    """Raise ``QuestionError`` unless the figure can be written there."""
    if path is None:
        return
    if path.suffix not in FIGURES:
        raise QuestionError(f"--plot {path}: the name must end with one of: {', '.join(FIGURES)}")
    folder = path.absolute().parent
    if not folder.is_dir() or path.is_dir():
        raise QuestionError(f"--plot {path}: there is no folder {path.parent}, or the name is a folder's; name a file")
    check_folder(folder, "--plot")


def canvas(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """A figure of its own, which no other drawing of this process can touch, and its axes, shape (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def check_folder(folder: Path, flag: str) -> None:
    """Raise ``QuestionError`` unless the folder, or the nearest above it that exists, can be written in.

    A file is written there and is gone at once: permissions do not tell (root may write anywhere, but not in /proc).
    """
    try:
        nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
        with tempfile.TemporaryFile(dir=nearest) as trial:
            trial.write(b"0" * 4096)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no path"
        raise QuestionError(f"{flag} {folder}: cannot write there ({why}); choose another folder") from None
