"""What went wrong, in the words of a message: `<object>: <what is wrong>`."""

from __future__ import annotations

__all__ = ["words_of"]


def words_of(error: BaseException) -> str:
    """Say what an exception is about, without the numbers and quotes that Python writes around it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
