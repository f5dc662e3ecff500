"""Loss terms: what is asked of the embeddings of one step. The loss of a run is a weighted sum of terms.

A new term is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `LossTerm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from isoglot.registry import Registry
from isoglot.settings import Member, make_member

if TYPE_CHECKING:
    from torch import Tensor


class EmbeddedBatch(NamedTuple):
    """Normalised embeddings of one step, of all processes, with the pairs that they belong to.

    Attributes:
        queries: float, shape (n_queries, d).
        passages: float, shape (n_passages, d).
        negatives: float, shape (n, d): explicit negatives of all queries; n may be 0.
        query_pairs, passage_pairs: int64, shapes (n_queries,) and (n_passages,): a passage answers the queries of its pair. None
            where position i of both sides is one pair.
        own_queries, own_passages: which of the rows are this process's.
    """

    queries: Tensor
    passages: Tensor
    negatives: Tensor
    query_pairs: Tensor | None
    passage_pairs: Tensor | None
    own_queries: range
    own_passages: range


class LossTerm(Member):
    """A term of the loss. `weight` multiplies it."""

    weight: float = Field(1.0, gt=0, description="of the term in the loss")

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        """The sum of the term over some queries (and, where it looks from passages to queries, passages): a scalar.

        The loss of a process is this sum over its own rows, divided by how many queries it has; what a term says of passages
        must therefore be scaled to a sum over queries.
        """
        raise NotImplementedError


LOSSES: Registry[type[LossTerm]] = Registry("loss term", "isoglot.training.losses")


def read_terms(value: Any) -> Any:
    """Terms by name, each with its weight or its settings: `{infonce: 1, align: {weight: .5}}`, as members."""
    if not isinstance(value, Mapping):
        return value
    settings = {name: asked if isinstance(asked, Mapping) else {"weight": asked} for name, asked in value.items()}
    return tuple(make_member(LOSSES, name, term) for name, term in settings.items())


read_terms.registry = LOSSES  # type: ignore[attr-defined]  # for the command line


def default_terms() -> tuple[LossTerm, ...]:
    """The term that is taken where none is asked for."""
    return (LOSSES[LOSSES.default()](),)
