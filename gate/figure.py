"""Where a verb's figure goes, checked before anything is measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from powercount.derivations.recipe import QuestionError

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
    if not os.access(folder, os.W_OK):
        raise QuestionError(f"--plot {path}: cannot write in {path.parent}; choose another folder")
