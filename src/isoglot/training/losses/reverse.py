from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from isoglot.errors import InputError
from isoglot.training.losses import LOSSES, EmbeddedBatch, RunFacts, ScaledTerm, classify

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register
class Reverse(ScaledTerm):
    """classify each pivot-language passage's queries, in all languages, among the queries of the batch

    (After the reverse training of CLEAR, Lee et al. 2026, arXiv 2604.05821, where the English passage is the bridge between
    languages.) For a passage p in the pivot language (`teacher.language`), the queries Q of its pair and the queries N of all
    others:

        L(p) = 1/|Q| sum_{q in Q} -log( exp(s cos(q, p)) / (exp(s cos(q, p)) + sum_{n in N} exp(s cos(n, p))) )

    averaged over all passages; those in other languages count as 0. No teacher is loaded.
    """

    name: ClassVar[str] = "reverse"
    needs: ClassVar[frozenset[str]] = frozenset({"languages"})

    def check_run(self, facts: RunFacts) -> None:
        if facts.pivot not in facts.languages:
            raise InputError(
                f"loss term {self.name}: no pair is in the pivot language '{facts.pivot}', only in {', '.join(facts.languages)}; "
                "give one of these as teacher.language"
            )

    def sum(self, batch: EmbeddedBatch, queries: range, passages: range) -> Tensor:
        _, languages, pivot = batch.languages()
        query_pairs, passage_pairs = batch.pairs()
        own = slice(passages.start, passages.stop)
        scores = batch.passages[own] @ batch.queries.T * self.scale
        in_pivot = languages[own, None] == pivot
        return classify(scores, in_pivot & (passage_pairs[own, None] == query_pairs[None, :])) * batch.per_query
