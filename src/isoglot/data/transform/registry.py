"""Pairs in, pairs out: the registry of transforms. Each is its own settings."""

from __future__ import annotations

from abc import ABC, abstractmethod

from isoglot.data.pairs.table import PairTable
from isoglot.registry import Registry
from isoglot.settings import Member


class Transform(Member, ABC):
    """Something that is done to a table of pairs before it is trained on; its fields are its settings."""

    @abstractmethod
    def apply(self, table: PairTable) -> PairTable:
        """The pairs after it. `table` is not changed; nothing to do gives `table` itself.

        Raises:
            InputError: it cannot be done to these pairs.
        """


TRANSFORMS: Registry[type[Transform]] = Registry("transform", "isoglot.data.transform.members")
