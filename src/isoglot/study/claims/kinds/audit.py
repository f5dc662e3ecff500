"""What the audit found in common between training pairs and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from isoglot.data.audit.match import KINDS as MATCHES
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.claims.claim import KINDS, Claim
from isoglot.study.claims.verdicts import Finding, Verdict, not_tested, overall

_WORDS = {"leaks": "leaked questions, answer passages and ids", "anything": "texts or ids in common"}


@KINDS.register
class Audit(Claim):
    """The audit found nothing of the benchmarks in the training pairs.

    Attributes:
        nothing_of: `leaks` (questions, answer passages, ids), or `anything`: distractors too, on any side, short texts aside.
    """

    name: ClassVar[str] = "audit"

    nothing_of: Literal["leaks", "anything"] = "leaks"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Counted for all training data and benchmarks of the finished runs."""
        study, what = comparisons.study, _WORDS[self.nothing_of]
        if study.audit is None:
            return not_tested("the study was not audited")
        findings, missing, total, short = [], [], 0, []
        for data, benchmark in study.trained_pairs:
            compared = study.audited(data, benchmark)
            if compared is None:
                missing.append(f"{data} was not compared with {benchmark}")
                continue
            n, size = self._count(compared), compared["evaluation"]
            total += n
            short += compared["notes"]
            words = f"{n:,} {what} of {size['queries']:,} questions and {size['documents']:,} passages"
            findings.append(Finding(f"{data} -> {benchmark}", "fails" if n else "holds", words, float(n)))
        if not findings:
            return not_tested(missing[0] if missing else "no finished trained cell")
        return Verdict(
            overall(findings, complete=not missing),
            f"{total:,} {what} over {len(findings)} pair(s) of data and benchmark",
            "exact and near duplicates (MinHash, verified), all languages; paraphrases and translations without a shared id would "
            "not be found",
            ("audit.json",),
            "; ".join([*missing[:1], *short]),
            tuple(findings),
        )

    def _count(self, compared: Mapping[str, Any]) -> int:
        if self.nothing_of == "leaks":
            return int(sum(compared["leaks"].values()))
        totals = [side["total"] for side in compared["sides"]]
        return int(
            compared["leaks"]["ids"] + sum(sum(each[kind] for kind in MATCHES) - each["short"] for each in totals)
        )
