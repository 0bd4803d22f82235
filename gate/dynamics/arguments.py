"""What the verbs of this room read from the command line alike: lists of sizes, and where a figure goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from powercount.derivations.recipe import QuestionError

FIGURES: Final = (".pdf", ".png", ".svg")


def numbers(text: str, flag: str) -> tuple[int, ...]:
    """Comma-separated whole numbers, each once, in rising order."""
    try:
        return tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise QuestionError(f"{flag} {text!r} is no list of whole numbers such as 4,16,64") from None


def check_figure(path: Path | None) -> None:
    """Raise ``QuestionError`` unless the figure can be written there."""
    if path is None:
        return
    if path.suffix not in FIGURES:
        raise QuestionError(f"--plot {path}: the name must end with one of: {', '.join(FIGURES)}")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise QuestionError(f"--plot {path}: there is no folder {path.parent}; make it first")
    if not os.access(folder, os.W_OK):
        raise QuestionError(f"--plot {path}: cannot write in {path.parent}; choose another folder")
