"""Hard negatives: where the texts come from that all queries of a batch get as candidates besides the batch's passages.

A new kind is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `Negatives` that opens a `Pool`
over a table. Which texts of the pool a batch gets is drawn by `isoglot.batching.draw`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field

from isoglot.batching.plan import MOST
from isoglot.data.pairs.table import PairTable
from isoglot.records import IntArray
from isoglot.registry import Registry
from isoglot.settings import Member, make_member


class Pool(ABC):
    """Texts that the rows of a table may have as negatives, numbered through from 0.

    Attributes:
        size: number of texts.
        key: what the numbers depend on besides the table's digest; stored token ids are found by it.
    """

    size: int
    key: Mapping[str, Any]

    @abstractmethod
    def counts(self, rows: IntArray) -> IntArray:
        """How many texts each row has, shape (n,)."""

    @abstractmethod
    def numbers(self, rows: IntArray, places: IntArray) -> IntArray:
        """Numbers of the texts at places[i] (below its count) of rows[i], shape (n,)."""

    @abstractmethod
    def every(self, rows: IntArray) -> IntArray:
        """Numbers of at least all texts of some rows, ascending, each once."""

    @abstractmethod
    def texts(self, numbers: IntArray) -> pa.Array[Any]:
        """The texts of some numbers, in their order."""

    @abstractmethod
    def fitting(self, numbers: IntArray, pairs: IntArray) -> IntArray:
        """Those of the numbers that a batch of some pairs may have, in their order: no passage of them in any language, and each
        text once (see `isoglot.data.sameness`)."""


class Negatives(Member):
    """A kind of negatives.

    Attributes:
        uses_documents: whether the documents of the rows decide what is drawn.
    """

    uses_documents: ClassVar[bool] = False

    number: int = Field(1, ge=0, le=MOST, description="negatives per passage of the batch, where there are so many")
    other_languages: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of them that is drawn for the pair in another language that it has, instead of the passage's own",
    )

    def check_table(self, table: PairTable) -> None:
        """InputError where a table lacks what these negatives are drawn from; by default it need not have any."""

    def note(self, table: PairTable) -> str:
        """What is to be said of a table before it is trained on; by default nothing."""
        return ""

    def pool(self, table: PairTable) -> Pool | None:
        """The texts that are drawn from; None where the table has none. InputError: see `check_table`."""
        raise NotImplementedError


NEGATIVES: Registry[type[Negatives]] = Registry("kind of negatives", "isoglot.batching.negatives")


def read_negatives(value: Any) -> Any:
    """A number stands for so many of the default kind; a name or a mapping of `name` and its settings for a kind."""
    if isinstance(value, Negatives):
        return value
    settings = dict(value) if isinstance(value, Mapping) else {}
    if isinstance(value, str) and not value.strip().isdecimal():
        settings = {"name": value}
    elif value is not None and not isinstance(value, Mapping):
        settings = {"number": value}
    return make_member(NEGATIVES, settings.pop("name", NEGATIVES.default()), settings)


read_negatives.registry = NEGATIVES  # type: ignore[attr-defined]  # for the command line
read_negatives.takes_numbers = True  # type: ignore[attr-defined]
