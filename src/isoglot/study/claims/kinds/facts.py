"""Facts about runs and results: counted and recomputed, never assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow.compute as pc

from isoglot.errors import InputError
from isoglot.study.analysis.contrasts import Comparisons
from isoglot.study.analysis.reading import Json, Study
from isoglot.study.claims.claim import KINDS, Chosen, Claim
from isoglot.study.claims.verdicts import Finding, Verdict, not_tested, overall

_COUNTED = "counted, no statistics"


def results_of(study: Study) -> Iterator[tuple[Json, str, Json]]:
    """(run, benchmark, result) of all finished runs."""
    for run in study.done:
        for name, result in sorted(run["benchmarks"].items()):
            yield run, name, result


@KINDS.register
class Counts(Claim):
    """Benchmarks have so many languages, or so many language cells per setting, in every result.

    Attributes:
        languages: {benchmark: number}; every question must exist in two or more of them.
        cells: {benchmark: {setting: number}}.
    """

    name: ClassVar[str] = "counts"

    languages: dict[str, int] = {}
    cells: dict[str, dict[str, int]] = {}

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Counted in every finished result of the benchmarks that are named."""
        study, wanted = comparisons.study, {**self.languages, **self.cells}
        only = (study.spec.get("evaluate") or {}).get("languages")
        if only:
            return not_tested(f"the study measures {' '.join(only)} only, by its own setting")
        findings, evidence, shown = [], [], {}
        for run, name, result in results_of(study):
            if name not in wanted:
                continue
            right, words = self._check(study, name, result)
            findings.append(Finding(f"{run['id']}, {name}", "holds" if right else "fails", words))
            evidence.append(result["path"])
            if not right or name not in shown:
                shown[name] = words
        missing = [name for name in wanted if name not in shown]
        if not findings:
            return not_tested(f"{' and '.join(missing)} were not measured")
        effect = "; ".join(shown[name] for name in sorted(shown))
        note = f"{missing[0]} was not measured" if missing else ""
        outcome = overall(findings, complete=not missing)
        return Verdict(outcome, effect, f"{len(findings)} results, {_COUNTED}", tuple(evidence), note, tuple(findings))

    def _check(self, study: Study, name: str, result: Json) -> tuple[bool, str]:
        counts = result["counts"]
        if name in self.cells:
            found = {setting: counts["cells"].get(setting, 0) for setting in self.cells[name]}
            order = [setting for setting in ("cross", "multi", "mono") if setting in found]
            return found == self.cells[name], f"{name}: {', '.join(f'{found[setting]} {setting}' for setting in order)}"
        rows = study.result(result["path"]).per_query
        questions = rows.group_by(["query_id", "query_lang"]).aggregate([])
        n_languages = len(questions["query_lang"].unique())
        per_question = questions.group_by("query_id").aggregate([("query_lang", "count")])["query_lang_count"]
        least = int(pc.min(per_question).as_py())
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
        found = [(run, item) for run, name, item in everything if f"{name}-".startswith(f"{self.benchmark}-")]
        if not found:
            return not_tested(f"no finished result on {self.called or self.benchmark} in this study")
        trained = sum(run["kind"] != "base" for run, _ in found)
        languages = max(len(item["counts"]["queries"]) for _, item in found)
        paths = tuple(str(item["path"]) for _, item in found)
        sample = any(comparisons.study.result(path).summary.get("about", {}).get("sample") for path in paths)
        note = "on a sample of the corpus: not comparable with published figures" if sample else ""
        effect = f"{len(found)} results ({trained} of trained cells), up to {languages} languages"
        return Verdict("undecided" if sample else "holds", effect, _COUNTED, paths, note)


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
        for run, benchmark, result in results_of(comparisons.study):
            missing = [setting for setting, scores in result["settings"].items() if self.measure not in scores]
            words = f"no {name} in {', '.join(missing)}" if missing else f"{name} in {', '.join(result['settings'])}"
            right = result["settings"] and not missing
            findings.append(Finding(f"{run['id']}, {benchmark}", "holds" if right else "fails", words))
        if not findings:
            return not_tested("no finished result")
        effect = f"in {sum(finding.outcome == 'holds' for finding in findings)} of {len(findings)} results"
        return Verdict(overall(findings), effect, _COUNTED, ("results.json",), findings=tuple(findings))


@KINDS.register
class MacroAverages(Claim):
    """Every average is the plain mean over languages, or pairs of them, of the means of the rows per query."""

    name: ClassVar[str] = "macro-averages"

    def judge(self, comparisons: Comparisons, beside: Sequence[float] = ()) -> Verdict:
        """Recomputed from the rows: all stated averages agree to 1e-9."""
        findings, evidence, worst = [], [], 0.0
        for run, benchmark, result in results_of(comparisons.study):
            where = f"{run['id']}, {benchmark}"
            try:
                gap = largest_gap(comparisons.study, result)
            except InputError as error:
                findings.append(Finding(where, "not tested", str(error)))
                continue
            worst = max(worst, gap)
            findings.append(Finding(where, "holds" if gap < 1e-9 else "fails", f"largest difference {gap:.1g}"))
            evidence.append(str(result["path"]))
        outcome = overall(findings)
        if outcome == "not tested":
            return not_tested(findings[0].effect if findings else "no finished result")
        effect = f"recomputed from the rows: differs by at most {worst:.1g} over {len(findings)} results"
        return Verdict(outcome, effect, "recomputed, no statistics", tuple(evidence), findings=tuple(findings))


def largest_gap(study: Study, result: Mapping[str, Any]) -> float:
    """How far a stated average is from the one recomputed."""
    table = study.result(str(result["path"])).per_query
    gap = 0.0
    for setting, scores in result["settings"].items():
        rows = table.filter(pc.equal(table.column("setting"), setting))
        for measure, stated in scores.items():
            if measure not in rows.column_names or not len(rows):
                raise InputError(f"{result['path']}: no rows of {measure} in {setting}")
            means = rows.group_by(["query_lang", "doc_lang"]).aggregate([(measure, "mean")])
            average = float(np.mean(means.column(f"{measure}_mean").to_numpy()))
            gap = max(gap, abs(average - stated))
    return gap


@KINDS.register
class Runs(Claim):
    """Every finished run of some systems has some traits.

    Attributes:
        of: the systems.
        have: the traits.
        shown: traits that are printed, with their words.
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
            own = {key: system.traits[key] for key in self.have.conditions}
            words = ", ".join(f"{key} {len(v) if isinstance(v, tuple | list) else v}" for key, v in own.items())
            outcome = "holds" if self.have.fits(system) else "fails"
            findings += [Finding(run["id"], outcome, words) for run in system.runs]
        if not findings:
            return not_tested(f"no finished {self.of.called()} cell")
        good = sum(finding.outcome == "holds" for finding in findings)
        effect = f"{good} of {len(findings)} {self.called}"
        confidence = f"settings of the cells, {_COUNTED}"
        return Verdict(overall(findings), effect, confidence, ("results.json",), findings=tuple(findings))
