"""What the verbs of this room read from the command line alike: lists of sizes."""

from __future__ import annotations

from powercount.derivations.recipe import QuestionError


def numbers(text: str, flag: str) -> tuple[int, ...]:
    """Comma-separated whole numbers, each once, in rising order."""
    try:
        return tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise QuestionError(f"{flag} {text!r} is no list of whole numbers such as 4,16,64") from None
