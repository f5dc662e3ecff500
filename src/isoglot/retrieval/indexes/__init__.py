"""Indexes by name: one file per member, each a settings model whose `open()` gives a `SearchIndex`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from isoglot.registry import Registry
from isoglot.retrieval.search import SearchIndex
from isoglot.settings import Member


class Index(Member):
    """Settings of an index; a subclass is a member of `INDEXES`."""

    name: ClassVar[str]

    def open(self, *, fresh: bool = False, to_write: bool = True) -> SearchIndex:
        """An index with these settings; empty unless the settings name one that is kept elsewhere.

        Args:
            fresh: empty in any case: what is kept is thrown away by the first change.
            to_write: changes are to be kept; otherwise they stay in this process or, where that is not possible, are refused.
        """
        raise NotImplementedError

    def at(self, directory: Path, name: str) -> Index:
        """These settings for an index that is kept in a directory under a name; unchanged where nothing is kept.

        `open()` then gives what is there: `count()` says how many documents, and `ids()`, where the index has it, which.
        """
        return self


INDEXES: Registry[type[Index]] = Registry("index", __name__)
