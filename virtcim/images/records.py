"""What outlives the server, as the stores of images and templates take it."""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Records"]

Record = TypeVar("Record")


class Records(Protocol[Record]):
    """A table of what outlives the server."""

    def get(self, key: str, /) -> Record | None: ...
    def items(self) -> list[tuple[str, Record]]: ...
    def put(self, key: str, record: Record, /) -> None: ...
    def remove(self, key: str, /) -> None: ...
