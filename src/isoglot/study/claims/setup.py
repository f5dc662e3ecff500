"""Claims about how was trained and measured: counted in the results, never assumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from isoglot.data.audit.match import KINDS
from isoglot.errors import InputError
from isoglot.study.claims.records import Outcome, Part, Verdict, not_tested, overall
from isoglot.study.results_view import StudyResults

LANGUAGES = {"xquad-r": 11, "mlqa-r": 7}
CELLS = {
    "xquad-r": {"mono": 11, "cross": 110, "multi": 11},
    "mlqa-r": {"mono": 7, "cross": 42, "multi": 7},
}
_COUNTED = "counted, no statistics"


def mixed_training(study: StudyResults) -> Verdict:
    """Hybrid cells have a share of monolingual batches strictly between 0 and 1, and pairs in several languages."""
    parts, places = [], []
    for cell in study.done:
        if cell["strategy"] != "hybrid":
            continue
        share = 0.5 if cell["mono_share"] is None else float(cell["mono_share"])
        if share in (0.0, 1.0) and any(r.strategy == "hybrid" for r in study.recipes):
            continue  # the ends of a series over shares are the two baselines
        mixed = 0.0 < share < 1.0 and len(cell["languages"]) > 1
        state: Outcome = "holds" if mixed else "fails"
        parts.append(Part(cell["id"], state, f"share {share:g}, {len(cell['languages'])} languages"))
        places.append(f"cells/{cell['id']}/cell.json")
    if not parts:
        return not_tested("no finished hybrid cell")
    good = sum(part.verdict == "holds" for part in parts)
    effect = f"{good} of {len(parts)} hybrid cells mix both kinds of batches"
    return Verdict(overall(parts), effect, "settings of the cells, " + _COUNTED, tuple(places), parts=tuple(parts))


def parallel_languages(study: StudyResults) -> Verdict:
    """XQuAD-R has parallel questions in 11 languages and MLQA-R in 7."""

    def check(name: str, counts: Mapping[str, Any], place: str) -> tuple[bool, str]:
        found = counts["languages"]
        languages = pc.count_distinct(pc.struct_field(_questions(study, place), "query_lang")).as_py()
        least = _least_languages(_questions(study, place))
        return found == LANGUAGES[
            name
        ] == languages and least > 1, f"{name}: {found} languages, every question in {least} or more"

    return _of_benchmarks(study, check)


def _questions(study: StudyResults, place: str) -> pa.Array[Any]:
    """The distinct (question id, language) of a result."""
    table = study.result(place).per_query.select(["query_id", "query_lang"])
    return table.group_by(["query_id", "query_lang"]).aggregate([]).to_struct_array().combine_chunks()


def _least_languages(questions: pa.Array[Any]) -> int:
    counts = pc.value_counts(pc.struct_field(questions, "query_id"))
    return int(pc.min(pc.struct_field(counts, "counts")).as_py())


def counts_of_settings(study: StudyResults) -> Verdict:
    """XQuAD-R has 110 cross-lingual and 11 multilingual cells, MLQA-R 42 and 7."""

    def check(name: str, counts: Mapping[str, Any], place: str) -> tuple[bool, str]:
        found = {setting: counts["cells"].get(setting, 0) for setting in ("mono", "cross", "multi")}
        return found == CELLS[name], f"{name}: {found['cross']} cross, {found['multi']} multi, {found['mono']} mono"

    return _of_benchmarks(study, check)


def _of_benchmarks(study: StudyResults, check: Callable[[str, Mapping[str, Any], str], tuple[bool, str]]) -> Verdict:
    """A check of both benchmarks; every finished result of either counts."""
    only = ((study.study.get("spec") or {}).get("evaluate") or {}).get("languages")
    if only:
        return not_tested(f"the study measures {' '.join(only)} only, by its own setting")
    parts, places, shown = [], [], {}
    for cell in study.done:
        for name, item in sorted(cell["benchmarks"].items()):
            if name not in LANGUAGES:
                continue
            good, words = check(name, item["counts"], item["path"])
            state: Outcome = "holds" if good else "fails"
            parts.append(Part(f"{cell['id']}, {name}", state, words))
            places.append(item["path"])
            if not good or name not in shown:
                shown[name] = words
    missing = [name for name in LANGUAGES if name not in shown]
    if not parts:
        return not_tested(f"{' and '.join(missing)} were not measured")
    note = f"{missing[0]} was not measured" if missing else ""
    verdict = overall(parts, complete=not missing)
    return Verdict(
        verdict,
        "; ".join(shown[name] for name in sorted(shown)),
        f"{len(parts)} results, {_COUNTED}",
        tuple(places),
        note,
        tuple(parts),
    )


def disjoint(study: StudyResults) -> Verdict:
    """No evaluation question, answer passage or question id is among the training pairs."""
    return _audit(study, lambda item: sum(item["leaks"].values()), "leaked questions, answer passages and ids")


def nothing_seen(study: StudyResults) -> Verdict:
    """Nothing at all of the evaluation files, distractors included, occurs in training, short texts aside."""

    def seen(item: Mapping[str, Any]) -> int:
        totals = [side["total"] for side in item["sides"]]
        return int(item["leaks"]["ids"] + sum(sum(total[kind] for kind in KINDS) - total["short"] for total in totals))

    return _audit(study, seen, "texts or ids in common")


def _audit(study: StudyResults, count: Callable[[Mapping[str, Any]], int], what: str) -> Verdict:
    if study.audit is None:
        return not_tested("the study was not audited")
    parts, missing = [], []
    for data, benchmark in study.trained_pairs:
        item = study.audited(data, benchmark)
        if item is None:
            missing.append(f"{data} was not compared with {benchmark}")
            continue
        found = count(item)
        size = item["evaluation"]
        words = f"{found:,} {what} of {size['queries']:,} questions and {size['documents']:,} passages"
        parts.append(Part(f"{data} -> {benchmark}", "fails" if found else "holds", words, float(found)))
    if not parts:
        return not_tested(missing[0] if missing else "no finished trained cell")
    total = sum(int(part.estimate or 0) for part in parts)
    short = [item for data, name in study.trained_pairs if (item := study.audited(data, name)) and item["notes"]]
    notes = [*missing[:1], *(note for item in short for note in item["notes"])]
    limit = "paraphrases and translations without a shared id would not be found"
    return Verdict(
        overall(parts, complete=not missing),
        f"{total:,} {what} over {len(parts)} pair(s) of data and benchmark",
        f"exact and near duplicates (MinHash, verified), all languages; {limit}",
        ("audit.json",),
        "; ".join(notes),
        tuple(parts),
    )


def map_reported(study: StudyResults) -> Verdict:
    """Every finished result has mAP in each of its settings."""
    parts, places = [], []
    for cell in study.done:
        for name, item in sorted(cell["benchmarks"].items()):
            missing = [setting for setting, scores in item["settings"].items() if "AP" not in scores]
            state: Outcome = "fails" if missing or not item["settings"] else "holds"
            words = f"no mAP in {', '.join(missing)}" if missing else f"mAP in {', '.join(item['settings'])}"
            parts.append(Part(f"{cell['id']}, {name}", state, words))
            places.append(f"{item['path']}/summary.json")
    if not parts:
        return not_tested("no finished result")
    good = sum(part.verdict == "holds" for part in parts)
    effect = f"in {good} of {len(parts)} results"
    return Verdict(overall(parts), effect, _COUNTED, tuple(places), parts=tuple(parts))


def macro_averaged(study: StudyResults) -> Verdict:
    """Every average in the results is the plain mean over languages or pairs of the means of the rows per query."""
    parts, places, worst = [], [], 0.0
    for cell in study.done:
        for name, item in sorted(cell["benchmarks"].items()):
            try:
                gap = _largest_gap(study, item)
            except InputError as error:
                parts.append(Part(f"{cell['id']}, {name}", "not tested", str(error)))
                continue
            worst = max(worst, gap)
            state: Outcome = "holds" if gap < 1e-9 else "fails"
            parts.append(Part(f"{cell['id']}, {name}", state, f"largest difference {gap:.1g}"))
            places.append(str(item["path"]))
    verdict = overall(parts)
    if verdict == "not tested":
        return not_tested(parts[0].effect if parts else "no finished result")
    effect = f"recomputed from the rows: differs by at most {worst:.1g} over {len(parts)} results"
    return Verdict(verdict, effect, "recomputed, no statistics", tuple(places), parts=tuple(parts))


def _largest_gap(study: StudyResults, item: Mapping[str, Any]) -> float:
    """How far a stated average is from the one recomputed."""
    table = study.result(str(item["path"])).per_query
    gap = 0.0
    for setting, scores in item["settings"].items():
        rows = table.filter(pc.equal(table.column("setting"), pa.scalar(setting)))
        for measure, stated in scores.items():
            if measure not in rows.column_names or not len(rows):
                raise InputError(f"{item['path']}: no rows of {measure} in {setting}")
            means = rows.group_by(["query_lang", "doc_lang"]).aggregate([(measure, "mean")])
            average = float(np.mean(means.column(f"{measure}_mean").to_numpy()))
            gap = max(gap, abs(average - stated))
    return gap


def miracl_evaluated(study: StudyResults) -> Verdict:
    """A finished cell has results on MIRACL."""
    found = [
        (cell["id"], item)
        for cell in study.done
        for name, item in sorted(cell["benchmarks"].items())
        if name == "miracl" or name.startswith("miracl-")
    ]
    if not found:
        return not_tested("no finished result on MIRACL in this study")
    trained = [key for key, _ in found if not key.startswith("base.")]
    languages = max(len(item["counts"]["queries"]) for _, item in found)
    samples = any(study.result(item["path"]).summary.get("about", {}).get("sample") for _, item in found)
    note = "on a sample of the corpus: not comparable with published figures" if samples else ""
    effect = f"{len(found)} results ({len(trained)} of trained cells), up to {languages} languages"
    places = tuple(str(item["path"]) for _, item in found)
    return Verdict("undecided" if samples else "holds", effect, _COUNTED, places, note)
