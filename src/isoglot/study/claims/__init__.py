"""Claims: named, pre-stated tests over the results of a study, and the answer to the project's question.

Verdicts: *holds*, *fails*, *undecided* (the data allow both), *not tested* (the study has no data that speak to it). A claim
about recipes (strategies, tunings, shares) is at most undecided with one training seed: one model of each kind shows how
these models differ and not how the recipes do.
"""

from __future__ import annotations

from isoglot.errors import InputError
from isoglot.study.claims.answer import answer
from isoglot.study.claims.records import Claim, ClaimRow, Part, Verdict, not_tested
from isoglot.study.claims.registry import CLAIMS
from isoglot.study.results_view import StudyResults

__all__ = ["CLAIMS", "Claim", "ClaimRow", "Part", "Verdict", "answer", "claims_table"]


def claims_table(study: StudyResults) -> list[ClaimRow]:
    """Every claim with its verdict, in the order of the registry.

    A claim whose data cannot be read is "not tested", and its note says why; nothing is raised.
    """
    rows = []
    for claim in CLAIMS:
        try:
            verdict = claim.evaluate(study)
        except (InputError, KeyError, TypeError) as error:
            words = str(error) if isinstance(error, InputError) else f"a part of the results is missing ({error})"
            verdict = not_tested(words)
        rows.append(
            ClaimRow(
                claim.statement,
                verdict.verdict,
                verdict.effect,
                verdict.confidence,
                verdict.evidence,
                claim.name,
                claim.source,
                claim.test,
                verdict.note,
                verdict.parts,
            )
        )
    return rows
