"""Loss terms: what is asked of the embeddings of one step. The loss of a run is a weighted sum of terms.

A new term is one file here (or in a plugin, see `isoglot.registry`): a registered subclass of `LossTerm`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

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

    What follows is None where no term of the run needs it (`LossTerm.needs`).

    Attributes:
        query_languages, passage_languages: int64, shapes as for pairs: numbers of the rows' languages in the table's languages.
        pivot: the number of the run's pivot language among these; -1 where the table does not have it.
        query_teachers, passage_teachers: float, shapes (n_queries, d_t) and (n_passages, d_t), of length 1, without gradient:
            what the teacher makes of the query, or the passage, of the row's pair in its pivot language.
    """

    queries: Tensor
    passages: Tensor
    negatives: Tensor
    query_pairs: Tensor | None
    passage_pairs: Tensor | None
    own_queries: range
    own_passages: range
    query_languages: Tensor | None = None
    passage_languages: Tensor | None = None
    pivot: int | None = None
    query_teachers: Tensor | None = None
    passage_teachers: Tensor | None = None

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Pair numbers of queries and passages, also where position i of both sides is one pair."""
        import torch

        if self.query_pairs is not None and self.passage_pairs is not None:
            return self.query_pairs, self.passage_pairs
        aligned = torch.arange(len(self.queries), device=self.queries.device)
        return aligned, aligned

    def languages(self) -> tuple[Tensor, Tensor, int]:
        """(of queries, of passages, the pivot). ValueError where the batch was made without."""
        if self.query_languages is None or self.passage_languages is None or self.pivot is None:
            raise ValueError("this batch does not know its languages")
        return self.query_languages, self.passage_languages, self.pivot

    def teachers(self) -> tuple[Tensor, Tensor]:
        """The teacher's vectors of queries and of passages, of the type of the embeddings. ValueError where there are none."""
        if self.query_teachers is None or self.passage_teachers is None:
            raise ValueError("this batch has no teacher")
        return self.query_teachers.to(self.queries.dtype), self.passage_teachers.to(self.passages.dtype)

    @property
    def per_query(self) -> float:
        """What makes of a sum over passages one over queries: both are divided by the number of queries."""
        return len(self.queries) / len(self.passages)


class RunFacts(NamedTuple):
    """What is known of a run before its first step.

    Attributes:
        languages: of the training pairs.
        pivot: the pivot language, or "best".
        width: dimensions of the embeddings.
        teacher_width: dimensions of the teacher's; None without a teacher.
    """

    languages: tuple[str, ...]
    pivot: str
    width: int
    teacher_width: int | None


class LossTerm(Member):
    """A term of the loss. `weight` multiplies it.

    Attributes:
        needs: what the batch must know beside embeddings and pairs: "languages" and the pivot, "teachers".
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    weight: float = Field(1.0, gt=0, description="of the term in the loss")

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        """The sum of the term over some queries (and, where it looks from passages to queries, passages): a scalar.

        The loss of a process is this sum over its own rows, divided by how many queries it has; what a term says of passages
        must therefore be scaled to a sum over queries.
        """
        raise NotImplementedError

    def check_run(self, facts: RunFacts) -> None:
        """InputError where a run cannot give the term what it needs."""


class ScaledTerm(LossTerm):
    """A term over cosine similarities times `scale`."""

    scale: float = Field(50.0, gt=0, description="inverse temperature of the cosine similarities")


def classify(scores: Tensor, positive: Tensor) -> Tensor:
    """The sum over rows of InfoNCE with several positives, a scalar.

    For a row with positives P and negatives N: 1/|P| sum_{p in P} -log( exp(s_p) / (exp(s_p) + sum_{n in N} exp(s_n)) ). A row
    without positives counts as 0.

    Args:
        scores: float, shape (n, m): already scaled; -inf where a candidate is neither positive nor negative.
        positive: bool, shape (n, m).
    """
    import torch

    negatives = torch.logsumexp(scores.masked_fill(positive, -torch.inf), dim=1)
    if scores.is_cuda:  # all pairs, of which few count: picking them would wait for the device
        hits = scores.masked_fill(~positive, 0.0)
        losses = (torch.logaddexp(hits, negatives[:, None]) - hits).masked_fill(~positive, 0.0)
        return (losses.sum(dim=1) / positive.sum(dim=1).clamp_min(1)).sum()
    row = positive.nonzero()[:, 0]
    hits = scores[positive]
    return ((torch.logaddexp(hits, negatives[row]) - hits) / positive.sum(dim=1)[row]).sum()


def classify_parallel(texts: Tensor, pairs: Tensor, own: range, scale: float) -> Tensor:
    """`classify` of some rows of one side among the others: positives are the other rows of the same pair, itself is left out.

    Args:
        texts: float, shape (n, d), of length 1.
        pairs: int64, shape (n,).
        own: the rows that are classified.
    """
    import torch

    place = torch.arange(own.start, own.stop, device=texts.device)
    same = pairs[own.start : own.stop, None] == pairs[None, :]
    itself = place[:, None] == torch.arange(len(texts), device=texts.device)[None, :]
    scores = (texts[own.start : own.stop] @ texts.T * scale).masked_fill(itself, -torch.inf)
    return classify(scores, same & ~itself)


def divergence(target: Tensor, student: Tensor) -> Tensor:
    """KL(target || student) = sum_c target_c (log target_c - student_c) per row, shape (n,).

    Args:
        target: probabilities, float, shape (n, m).
        student: log probabilities, likewise.
    """
    import torch

    return (torch.xlogy(target, target) - target * student).sum(dim=1)


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
