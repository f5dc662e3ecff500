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
from isoglot.study.claims.claim import KINDS, Claim, counted
from isoglot.study.claims.selection import Chosen
from isoglot.study.claims.verdicts import Finding, Verdict, not_tested

_COUNTED = "counted, no statistics"


def results_of(study: Study) -> Iterator[tuple[str, str, Json]]:
    """(id of the run and benchmark, benchmark, result) of all finished runs."""
    for run in study.done:
        for name, result in sorted(run["benchmarks"].items()):
            yield f"{run['id']}, {name}", name, result


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
        """Counted in every finished result of the benchmarks that are named."""
        study, wanted = comparisons.study, {**self.languages, **self.cells}
        if only := (study.spec.get("evaluate") or {}).get("languages"):
            return not_tested(f"the study measures {' '.join(only)} only, by its own setting")
        findings, evidence, shown = [], [], {}
        for where, name, result in results_of(study):
            if name in wanted:
                right, words = self._check(study, name, result)
                findings.append(Finding(where, "holds" if right else "fails", words))
                evidence.append(result["path"])
                if not right or name not in shown:
                    shown[name] = words
        missing = [name for name in wanted if name not in shown]
        effect, nothing = "; ".join(shown[name] for name in sorted(shown)), f"{' and '.join(missing)} were not measured"
        note = f"{missing[0]} was not measured" if missing else ""
        more = {"evidence": tuple(evidence), "note": note, "complete": not missing}
        return counted(findings, effect, f"{len(findings)} results, {_COUNTED}", nothing, **more)

    def _check(self, study: Study, name: str, result: Json) -> tuple[bool, str]:
        counts = result["counts"]
        if name in self.cells:
            cells = {setting: counts["cells"].get(setting, 0) for setting in sorted(self.cells[name])}
            order = sorted(cells, key=("cross", "multi", "mono").index)
            return cells == self.cells[name], f"{name}: {', '.join(f'{cells[setting]} {setting}' for setting in order)}"
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
        """Counted: results on the benchmark."""
        everything = results_of(comparisons.study)
        found = {where: r for where, name, r in everything if f"{name}-".startswith(f"{self.benchmark}-")}
        paths = tuple(str(result["path"]) for result in found.values())
        sample = any(comparisons.study.result(path).summary.get("about", {}).get("sample") for path in paths)
        note = "on a sample of the corpus: not comparable with published figures" if sample else ""
        trained = sum(not where.startswith("base.") for where in found)
        languages = max((len(result["counts"]["queries"]) for result in found.values()), default=0)
        effect = f"{len(found)} results ({trained} of trained cells), up to {languages} languages"
        findings = [Finding(where, "undecided" if sample else "holds", "measured") for where in found]
        nothing = f"no finished result on {self.called or self.benchmark} in this study"
        return counted(findings, effect, _COUNTED, nothing, evidence=paths, note=note)


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
        """Counted: results with the measure in all settings."""
        findings, name = [], self.called or self.measure
        for where, _, result in results_of(comparisons.study):
            missing = [setting for setting, scores in result["settings"].items() if self.measure not in scores]
            words = f"no {name} in {', '.join(missing)}" if missing else f"{name} in {', '.join(result['settings'])}"
            findings.append(Finding(where, "holds" if result["settings"] and not missing else "fails", words))
        good = sum(finding.outcome == "holds" for finding in findings)
        return counted(findings, f"in {good} of {len(findings)} results", _COUNTED, "no finished result")


@KINDS.register
class MacroAverages(Claim):
    """Every average is the plain mean over languages, or pairs of them, of the means of the rows per query."""

    name: ClassVar[str] = "macro-averages"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Recomputed from the rows: all stated averages agree to 1e-9."""
        findings, evidence, worst = [], [], 0.0
        for where, _, result in results_of(comparisons.study):
            try:
                gap = largest_gap(comparisons.study, result)
            except InputError as error:
                findings.append(Finding(where, "not tested", str(error)))
                continue
            worst = max(worst, gap)
            findings.append(Finding(where, "holds" if gap < 1e-9 else "fails", f"largest difference {gap:.1g}"))
            evidence.append(str(result["path"]))
        if not evidence:
            return not_tested(findings[0].effect if findings else "no finished result")
        effect = f"recomputed from the rows: differs by at most {worst:.1g} over {len(findings)} results"
        return counted(findings, effect, "recomputed, no statistics", "", evidence=tuple(evidence))


def largest_gap(study: Study, result: Mapping[str, Any]) -> float:
    """How far a stated average is from the one recomputed."""
    table, gap = study.result(str(result["path"])).per_query, 0.0
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
        """Counted in the settings of the runs."""
        findings = []
        for system in self.of.choose(comparisons.systems):
            own = {key: system.traits[key] for key in self.have.traits}
            words = ", ".join(f"{key} {len(v) if isinstance(v, (list, tuple)) else v}" for key, v in own.items())
            right = self.have.fits(system)
            findings += [Finding(run["id"], "holds" if right else "fails", words) for run in system.runs]
        good = sum(finding.outcome == "holds" for finding in findings)
        confidence = f"settings of the cells, {_COUNTED}"
        nothing = f"no finished {self.of.called()} cell"
        return counted(findings, f"{good} of {len(findings)} {self.called}", confidence, nothing)


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
        study, total = comparisons.study, 0
        findings: list[Finding] = []
        notes: list[str] = []
        what = {"leaks": "leaked questions, answer passages and ids", "anything": "texts or ids in common"}[
            self.nothing_of
        ]
        compared = {pair: study.audited(*pair) for pair in study.trained_pairs}
        missing = [f"{data} was not compared with {name}" for (data, name), audit in compared.items() if audit is None]
        for (data, benchmark), audit in compared.items():
            if audit is not None:
                n, size = self._count(audit), audit["evaluation"]
                words = f"{n:,} {what} of {size['queries']:,} questions and {size['documents']:,} passages"
                findings.append(Finding(f"{data} -> {benchmark}", "fails" if n else "holds", words, float(n)))
                total, notes = total + n, [*notes, *audit["notes"]]
        limit = "paraphrases and translations without a shared id would not be found"
        return counted(
            findings,
            f"{total:,} {what} over {len(findings)} pair(s) of data and benchmark",
            f"exact and near duplicates (MinHash, verified), all languages; {limit}",
            "the study was not audited" if study.audit is None else [*missing, "no finished trained cell"][0],
            evidence=("audit.json",),
            note="; ".join([*missing[:1], *notes]),
            complete=not missing,
        )

    def _count(self, audit: Mapping[str, Any]) -> int:
        if self.nothing_of == "leaks":
            return int(sum(audit["leaks"].values()))
        totals = [side["total"] for side in audit["sides"]]
        return int(audit["leaks"]["ids"] + sum(sum(each[kind] for kind in MATCHES) - each["short"] for each in totals))
