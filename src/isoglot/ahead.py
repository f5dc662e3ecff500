"""Making the next thing while this one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """An iterator whose next item is made by a thread of its own, while this one's is used; errors come where the item would.

    Attributes:
        source: the iterator that it reads.
    """

    def __init__(self, source: Iterator[T]) -> None:
        self.source = source
        self._thread = ThreadPoolExecutor(1)
        self._next = self._thread.submit(next, source)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._next.result()
        self._next = self._thread.submit(next, self.source)
        return item
