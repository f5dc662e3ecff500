from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoglot.errors import InputError
from isoglot.training.losses import LOSSES, EmbeddedBatch, LossTerm, RunFacts

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Pivot(LossTerm):
    """draw every text to the vector that a frozen teacher gives its pair's text in one language

    (Multilingual knowledge distillation, Reimers and Gurevych 2020, arXiv 2004.09813, there with squared distances, which are
    2 - 2 cos of unit vectors; with an English anchor for retrieval in MIMO, Jang et al. 2026, arXiv 2605.31171.) With t the
    teacher (`teacher.model`) and x' the text of x's pair in the pivot language (`teacher.language`):

        L(x) = 1 - cos(x, t(x'))

    averaged over queries and over passages; the term is the mean of both averages.
    """

    name: ClassVar[str] = "pivot"
    needs: ClassVar[frozenset[str]] = frozenset({"teachers"})

    def check_run(self, facts: RunFacts) -> None:
        if facts.teacher_width != facts.width:
            raise InputError(
                f"loss term {self.name}: the teacher's vectors have {facts.teacher_width} dimensions, the model's {facts.width}; "
                "give a teacher of as many, or the term distill, which compares scores"
            )

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        own, rows = slice(queries.start, queries.stop), slice(passages.start, passages.stop)
        query_teachers, passage_teachers = batch.teachers()
        of_queries = (1 - (batch.queries[own] * query_teachers[own]).sum(dim=1)).sum()
        of_passages = (1 - (batch.passages[rows] * passage_teachers[rows]).sum(dim=1)).sum()
        return (of_queries + of_passages * batch.per_query) / 2
