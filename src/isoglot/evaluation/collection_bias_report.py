"""How fair an index is, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isoglot.evaluation.collection_figures import MAIN, MEASURES
from isoglot.evaluation.collection_repair import repairs
from isoglot.tables import text_table

Record = Mapping[str, Any]


def format_bias(record: Record) -> str:
    """Every system's language mix and success, and what repairs it."""
    systems = record["systems"]
    lines = [head(record), *measured(record)]
    if len(systems) > 1:
        lines += ["", *text_table(overview(systems), text_columns=2)]
    for system in systems:
        if len(systems) > 1:
            lines += ["", f"# {name_of(system)}"]
        lines += ["", mix_title(system), *text_table(mix_rows(system))]
        if system["success"]:
            lines += ["", SUCCESS_TITLE, *text_table(success_rows(system))]
            if worst := system["success"]["worst"]:
                lines += ["", WORST_TITLE, *text_table(worst_rows(worst), text_columns=2)]
    for note in record["notes"]:
        lines += ["", f"note: {note}"]
    for number, way in enumerate(repairs(record), 1):
        lines += ["", f"{number}. {way['title']}", f"   {way['about']}", *(f"   $ {line}" for line in way["commands"])]
    return "\n".join(lines)


def head(record: Record) -> str:
    """What was measured."""
    index = record["index"]
    by = ", ".join(f"{lang} {n:,}" for lang, n in index["languages"].items())
    return f"{index['path']}: {index['documents']:,} documents in {len(index['languages'])} languages ({by})"


def measured(record: Record) -> list[str]:
    """How it was measured, in sentences."""
    asked = record["questions"]
    number, there, languages = f"{asked['number']:,}", f"{asked['groups_there']:,}", len(asked["languages"])
    if asked["kind"] == "unrelated":
        return [
            f"No document is known to be a translation of another: {number} built-in questions in {languages} languages, about "
            f"{asked['groups']:,} facts (seed {asked['seed']}), show the mix of languages where the documents need not answer; "
            "success is not measured."
        ]
    lines = [
        f"{number} questions in {languages} languages: {asked['kind']} of {asked['groups']:,} of {there} groups of "
        f"translated documents (at most {asked['groups_asked_for']:,}, by chance, seed {asked['seed']})."
    ]
    if asked["left_out"]:
        lines.append(f"Left out: {', '.join(f'{reason}: {n:,}' for reason, n in asked['left_out'].items())}.")
    back = (
        "encoded without its title or first sentence, which is the question and would find its own words"
        if asked["by_bodies"]
        else "as it is; not in the question's own language, where the question would find its own words"
    )
    lines.append(
        "Mix: the question's own document and its translations are left out of the ranking. "
        f"Success: each time one of them alone is put back, {back}."
    )
    return lines


def name_of(system: Record) -> str:
    """A model under a fairness."""
    strength = "" if system["strength"] is None else f" {system['strength']:g}"
    return f"{system['model']}, {system['fairness']}{strength}"


def overview(systems: Sequence[Record]) -> list[list[str]]:
    """A row per system, headed."""
    rows = [["model", "fairness", "own share", "of documents", "ratio", "95%", "distance"]]
    if with_success := any(system["success"] for system in systems):
        rows[0] += [f"{MAIN} same", "other, pooled", "other, alone"]
    for system in systems:
        mean, success = system["mix"]["mean"], system["success"]
        strength = "" if system["strength"] is None else f" {system['strength']:g}"
        row = [system["model"], f"{system['fairness']}{strength}", *_preference(mean), number(mean["distance"])]
        if with_success:
            same, other = (success or {}).get("same"), (success or {}).get("other")
            row += [
                number(same and same["pooled"][MAIN]),
                *(number(other and other[key][MAIN]) for key in ("pooled", "alone")),
            ]
        rows.append(row)
    return rows


def mix_title(system: Record) -> str:
    """Of the table of `mix_rows`."""
    return f"Languages of the top {system['mix']['k']} documents, by the question's language"


def mix_rows(system: Record) -> list[list[str]]:
    """A row per language of questions, and the mean, headed."""
    mix = system["mix"]
    rows = [["asked in", "questions", "own share", "of documents", "ratio", "95%", "others asking", "distance"]]
    for lang, row in [*mix["by_language"].items(), ("mean", {**mix["mean"], "others": None})]:
        rows.append([lang, f"{row['questions']:,}", *_preference(row), number(row["others"]), number(row["distance"])])
    return rows


SUCCESS_TITLE = "Is the document found? Means over pairs of languages"
WORST_TITLE = f"Worst pairs of languages, by {MAIN} with all languages in one pool"


def success_rows(system: Record) -> list[list[str]]:
    """Same and other languages, pooled and alone, headed."""
    rows = [["question and document in", "searched", *MEASURES, f"{MAIN} 95%", "answers"]]
    for key, words in (("same", "the same language"), ("other", "different languages")):
        if not (figures := system["success"][key]):
            continue
        for where, pool in (("pooled", "all languages"), ("alone", "the document's language")):
            interval = span(figures["interval"]) if where == "pooled" else ""
            values = [number(figures[where][name]) for name in MEASURES]
            rows.append([words, pool, *values, interval, f"{figures['answers']:,}"])
    return rows


def worst_rows(pairs: Sequence[Record]) -> list[list[str]]:
    """Pairs of languages, headed."""
    rows = [["asked in", "document in", "all languages", "its language alone", "questions"]]
    for pair in pairs:
        values = [number(pair[where][MAIN]) for where in ("pooled", "alone")]
        rows.append([pair["query"], pair["document"], *values, f"{pair['questions']:,}"])
    return rows


def _preference(row: Record) -> list[str]:
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return [number(row["own"]), number(row["expected"]), ratio, span(row["interval"], 2)]


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def span(interval: Sequence[float] | None, digits: int = 3) -> str:
    """An interval, or a dash."""
    return "-" if interval is None else f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"
