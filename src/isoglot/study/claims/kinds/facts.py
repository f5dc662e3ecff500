"""Facts about runs and results: counted and recomputed, never assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from isoglot.data.audit.match import KINDS as MATCHES
from isoglot.errors import InputError
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import Json, Study
from isoglot.study.claims.claim import KINDS, Claim, Finding, Verdict, counted, not_tested
from isoglot.study.claims.selection import Chosen

_COUNTED = "counted, no statistics"
_NO_RESULT = "no finished result"


def results_of(study: Study) -> Iterator[tuple[str, str, Json]]:
    """(id of the run and benchmark, benchmark, result) of all finished runs."""
    for run in study.done:
        for name, result in sorted(run["benchmarks"].items()):
            yield f"{run['id']}, {name}", name, result


def fact(where: str, is_so: bool, words: str, estimate: float | None = None) -> Finding:
    """A check that holds or fails."""
    return Finding(where, "holds" if is_so else "fails", words, estimate)


def how_many(findings: Sequence[Finding]) -> str:
    """How many of all hold."""
    return f"{sum(finding.outcome == 'holds' for finding in findings)} of {len(findings)}"


@KINDS.register
class Counts(Claim):
    """Benchmarks have so many languages, or so many language cells per setting, in every result.

    Attributes:
        languages: {benchmark: number}; every question must exist in two or more of them.
        cells: {benchmark: {setting: number}}.
    """

    name: ClassVar[str] = "counts"
    languages: dict[str, int] = Field({})
    cells: dict[str, dict[str, int]] = Field({})

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        study, wanted = comparisons.study, {**self.languages, **self.cells}
        if only := (study.spec.get("evaluate") or {}).get("languages"):
            return not_tested(f"the study measures {' '.join(only)} only, by its own setting")
        results = [(where, name, result) for where, name, result in results_of(study) if name in wanted]
        findings = [fact(where, *self._check(study, name, result)) for where, name, result in results]
        shown: dict[str, str] = {}
        for (_, name, _), finding in zip(results, findings):
            shown |= {name: finding.effect} if finding.outcome == "fails" or name not in shown else {}
        missing = [name for name in wanted if name not in shown]
        effect, rests_on = "; ".join(shown[name] for name in sorted(shown)), f"{len(findings)} results, {_COUNTED}"
        nothing = f"{' and '.join(missing)} were not measured"
        note = f"{missing[0]} was not measured" if missing else ""
        paths = tuple(result["path"] for *_, result in results)
        return counted(findings, nothing, not missing, effect=effect, confidence=rests_on, evidence=paths, note=note)

    def _check(self, study: Study, name: str, result: Json) -> tuple[bool, str]:
        counts = result["counts"]
        if name in self.cells:
            order = [setting for setting in ("cross", "multi", "mono") if setting in self.cells[name]]
            cells = {setting: counts["cells"].get(setting, 0) for setting in order}
            return cells == self.cells[name], f"{name}: {', '.join(f'{n} {setting}' for setting, n in cells.items())}"
        questions = study.result(result["path"]).per_query.group_by(["query_id", "query_lang"]).aggregate([])
        per_question = questions.group_by("query_id").aggregate([("query_lang", "count")])["query_lang_count"]
        least, n_languages = int(pc.min(per_question).as_py()), len(questions["query_lang"].unique())
        words = f"{name}: {counts['languages']} languages, every question in {least} or more"
        return counts["languages"] == self.languages[name] == n_languages and least > 1, words


@KINDS.register
class Measured(Claim):
    """A finished run was measured on a benchmark; on a sample of its corpus that is undecided.

    Attributes:
        benchmark: its name, or what comes before a dash in it.
        called: how sentences call it.
    """

    name: ClassVar[str] = "measured"
    benchmark: str
    called: str = ""

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        study, prefix = comparisons.study, f"{self.benchmark}-"
        measured = {where: r for where, name, r in results_of(study) if f"{name}-".startswith(prefix)}
        paths = tuple(result["path"] for result in measured.values())
        is_sample = any(study.result(path).summary.get("about", {}).get("sample") for path in paths)
        findings = [Finding(where, "undecided" if is_sample else "holds", "measured") for where in measured]
        trained = sum(not where.startswith("base.") for where in measured)
        languages = max((len(result["counts"]["queries"]) for result in measured.values()), default=0)
        effect = f"{len(measured)} results ({trained} of trained cells), up to {languages} languages"
        nothing = f"no finished result on {self.called or self.benchmark} in this study"
        note = "on a sample of the corpus: not comparable with published figures" if is_sample else ""
        return counted(findings, nothing, effect=effect, confidence=_COUNTED, evidence=paths, note=note)


@KINDS.register
class Reported(Claim):
    """Every finished result has a measure in each of its settings.

    Attributes:
        measure: such as AP.
        called: how sentences call it.
    """

    name: ClassVar[str] = "reported"
    measure: str
    called: str = ""

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        findings, name = [], self.called or self.measure
        for where, _, result in results_of(comparisons.study):
            missing = [setting for setting, scores in result["settings"].items() if self.measure not in scores]
            words = f"no {name} in {', '.join(missing)}" if missing else f"{name} in {', '.join(result['settings'])}"
            findings.append(fact(where, bool(result["settings"]) and not missing, words))
        effect = f"in {how_many(findings)} results"
        return counted(findings, _NO_RESULT, effect=effect, confidence=_COUNTED)


@KINDS.register
class MacroAverages(Claim):
    """Every average is the plain mean over languages, or pairs of them, of the means of the rows per query, to 1e-9."""

    name: ClassVar[str] = "macro-averages"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        findings, gaps = [], dict[str, float]()
        for where, _, result in results_of(comparisons.study):
            try:
                gap = gaps[result["path"]] = _largest_gap(comparisons.study, result)
                findings.append(fact(where, gap < 1e-9, f"largest difference {gap:.1g}"))
            except InputError as error:
                findings.append(Finding(where, "not tested", str(error)))
        if not gaps:
            return not_tested(findings[0].effect if findings else _NO_RESULT)
        effect = f"recomputed from the rows: differs by at most {max(gaps.values()):.1g} over {len(findings)} results"
        rests_on = "recomputed, no statistics"
        return counted(findings, _NO_RESULT, effect=effect, confidence=rests_on, evidence=tuple(gaps))


def _largest_gap(study: Study, result: Json) -> float:
    """How far a stated average is from the one recomputed."""
    table, gap = study.result(result["path"]).per_query, 0.0
    for setting, scores in result["settings"].items():
        rows = table.filter(pc.equal(table.column("setting"), setting))
        for measure, stated in scores.items():
            if measure not in rows.column_names or not len(rows):
                raise InputError(f"{result['path']}: no rows of {measure} in {setting}")
            means = rows.group_by(["query_lang", "doc_lang"]).aggregate([(measure, "mean")])[f"{measure}_mean"]
            gap = max(gap, abs(float(np.mean(means.to_numpy())) - stated))
    return gap


@KINDS.register
class Runs(Claim):
    """Every finished run of some systems has some traits.

    Attributes:
        of: the systems.
        have: the traits.
        called: what the runs do, for the line that counts them.
    """

    name: ClassVar[str] = "runs"
    of: Chosen
    have: Chosen
    called: str = "runs are as stated"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        findings = []
        for system in self.of.choose(comparisons.systems):
            own = {key: system.traits[key] for key in self.have.traits}
            words = ", ".join(f"{key} {len(v) if isinstance(v, (list, tuple)) else v}" for key, v in own.items())
            findings += [fact(run["id"], self.have.fits(system), words) for run in system.runs]
        effect, rests_on = f"{how_many(findings)} {self.called}", f"settings of the cells, {_COUNTED}"
        return counted(findings, f"no finished {self.of.called()} cell", effect=effect, confidence=rests_on)


@KINDS.register
class Audit(Claim):
    """The audit found nothing of the benchmarks in the training pairs.

    Attributes:
        nothing_of: `leaks` (questions, answer passages, ids), or `anything`: distractors too, on any side, short texts aside.
    """

    name: ClassVar[str] = "audit"
    nothing_of: Literal["leaks", "anything"] = "leaks"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        study, findings, missing, notes = comparisons.study, [], list[str](), list[str]()
        what = "leaked questions, answer passages and ids" if self.nothing_of == "leaks" else "texts or ids in common"
        for data, benchmark in study.trained_pairs:
            if audit := study.audited(data, benchmark):
                n, size = self._count(audit), audit["evaluation"]
                words = f"{n:,} {what} of {size['queries']:,} questions and {size['documents']:,} passages"
                findings.append(fact(f"{data} -> {benchmark}", not n, words, float(n)))
                notes += audit["notes"]
            else:
                missing.append(f"{data} was not compared with {benchmark}")
        total = sum(int(finding.estimate or 0) for finding in findings)
        effect = f"{total:,} {what} over {len(findings)} pair(s) of data and benchmark"
        limit = "paraphrases and translations without a shared id would not be found"
        rests_on = f"exact and near duplicates (MinHash, verified), all languages; {limit}"
        nothing = "the study was not audited" if study.audit is None else [*missing, "no finished trained cell"][0]
        more = {"evidence": ("audit.json",), "note": "; ".join([*missing[:1], *notes])}
        return counted(findings, nothing, not missing, effect=effect, confidence=rests_on, **more)

    def _count(self, audit: Mapping[str, Any]) -> int:
        if self.nothing_of == "leaks":
            return int(sum(audit["leaks"].values()))
        totals = [side["total"] for side in audit["sides"]]
        return int(audit["leaks"]["ids"] + sum(sum(each[kind] for kind in MATCHES) - each["short"] for each in totals))
