from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from isoglot.training.losses import LOSSES, EmbeddedBatch, ScaledTerm, divergence

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Distill(ScaledTerm):
    """score the passages of the batch as a frozen teacher scores the same pairs in one language

    (Distillation of score distributions, Hinton, Vinyals and Dean 2015, arXiv 1503.02531, from one language to all.) With t the
    teacher (`teacher.model`) and x' the text of x's pair in the pivot language (`teacher.language`), over the passages C of the
    batch:

        T(c | q) = softmax_c( teacher_scale cos(t(q'), t(c')) )
        S(c | q) = softmax_c( scale cos(q, c) )
        L(q) = KL(T || S)

    The teacher scores pairs, so all passages of a pair are alike to it, in whatever language. Explicit negatives are in
    neither distribution.
    """

    name: ClassVar[str] = "distill"
    needs: ClassVar[frozenset[str]] = frozenset({"teachers"})
    teacher_scale: float = Field(50.0, gt=0, description="inverse temperature of the teacher's cosine similarities")

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        import torch

        teachers, candidates = batch.teachers()
        own = slice(queries.start, queries.stop)
        target = torch.softmax(teachers[own] @ candidates.T * self.teacher_scale, dim=1)
        student = torch.log_softmax(batch.queries[own] @ batch.passages.T * self.scale, dim=1)
        return divergence(target, student).sum()
