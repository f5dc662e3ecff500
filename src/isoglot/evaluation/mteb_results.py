"""Results in the schema of MTEB (Muennighoff et al. 2023, arXiv 2210.07316): what mteb 2.x writes per task and reads back.

A setting is a task, a cell is a subset (`hf_subset`): `en` in mono and multi, `en-de` in cross. The mean over the subsets,
which MTEB prints as the score of a task, is then our macro-average. mteb itself is not needed to write these files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from isoglot.data.benchmarks.qrels import benchmark_digest
from isoglot.data.languages import script_of
from isoglot.data.lareqa import LAREQA
from isoglot.errors import InputError
from isoglot.evaluation.cells import parse_settings
from isoglot.evaluation.measures import Measure, parse_measure
from isoglot.evaluation.results import Result
from isoglot.files import package_versions, write_json
from isoglot.records import Benchmark, Setting

SPLIT = "test"
MAIN_MEASURE = "nDCG@10"

_NAMES = {"xquad-r": "XQuADR", "mlqa-r": "MLQAR"}
_SETTINGS: dict[Setting, str] = {"mono": "Monolingual", "cross": "Crosslingual", "multi": "Multilingual"}


def task_name(benchmark: str, setting: Setting, languages: Collection[str], context: str, digest: str) -> str:
    """What a task is called: XQuADRMonolingual, MLQARCrosslingualParagraph, XQuADRMultilingual-de-en, faqMultilingual-1a2b3c4d.

    Context and, where they are not all of the benchmark's, languages belong to the name; of a benchmark that is not LAReQA's,
    so does the beginning of its digest. mteb's cache of results goes by name: it would take the result over two languages
    for that over eleven, whatever the revision of the data.

    Args:
        languages: of queries and corpora.
        digest: of a benchmark that is not LAReQA's.
    """
    stem = _NAMES.get(benchmark) or "".join(c for c in Path(benchmark).name if c.isalnum() or c in "-_")
    name = f"{stem}{_SETTINGS[setting]}{'' if context == 'sentence' else context.title()}"
    source = LAREQA.get(benchmark)
    if source is None:
        return f"{name}-{digest[:8]}"
    return name if set(languages) == set(source.sha256) else "-".join([name, *sorted(languages)])


def revision(benchmark: str, digest: str) -> str:
    """Which data: the commit of LAReQA's repository, or the digest of any other benchmark."""
    source = LAREQA.get(benchmark)
    return source.url.split("/")[-2] if source else digest


def subset_name(query_language: str, document_language: str) -> str:
    """`en` within a language and over the pooled corpora ("*"), `en-de` between two."""
    return query_language if document_language in (query_language, "*") else f"{query_language}-{document_language}"


def mteb_key(measure: Measure) -> str:
    """A measure as MTEB spells it: nDCG@10 is ndcg_at_10. AP over the whole ranking, which MTEB does not have, is map."""
    return measure.mteb_name if measure.cutoff is None else f"{measure.mteb_name}_at_{measure.cutoff}"


@cache
def mteb_language(code: str) -> str:
    """A language as MTEB spells it: ISO 639-3 and the script, `deu-Latn`, `zho-Hans`; the likely script where none is given."""
    from babel.core import get_global

    base = code.split("-")[0]
    aliases = get_global("language_aliases")
    codes = sorted(old for old, new in aliases.items() if new == base and len(old) == 3 and old not in _BIBLIOGRAPHIC)
    return f"{_CODES.get(base) or next(iter(codes), base)}-{script_of(code) or 'Latn'}"


# where CLDR knows several codes, the one that MTEB's own tasks use
_CODES = {"ar": "arb", "fa": "fas", "sw": "swa", "zh": "zho"}
# the ISO 639-2 codes that libraries use instead of those of ISO 639-3
_BIBLIOGRAPHIC = "alb arm baq bur chi cze dut fre geo ger gre ice mac mao may per rum slo tib wel"


def to_mteb_results(result: Result, main: str | Measure = MAIN_MEASURE) -> list[dict[str, Any]]:
    """One JSON value for each of mono, cross and multi that mteb's `TaskResult.from_dict` and `from_disk` read.

    Args:
        result: of `evaluate`.
        main: the measure that becomes `main_score`.

    Raises:
        InputError: the main measure was not computed.
    """
    summary = result.summary
    benchmark, digest = summary["benchmark"], summary["digests"]["benchmark"]
    languages = {*summary["counts"]["queries"], *summary["counts"]["documents"]}
    return [
        {
            "dataset_revision": revision(benchmark, digest),
            "task_name": task_name(benchmark, setting, languages, summary["context"], digest),
            # where it is not installed, the first with this schema: without one, mteb takes a file for one before 1.11
            "mteb_version": package_versions(["mteb"]).get("mteb", "2.0.0"),
            "scores": {SPLIT: _cells(summary, setting, str(main))},
            "evaluation_time": summary["seconds"]["total"],
            "kg_co2_emissions": None,
        }
        for setting in summary["settings"]
        if setting in _SETTINGS  # 'natural' is a part of 'multi'
    ]


def files_of(benchmark: Benchmark, settings: Sequence[str], directory: Path) -> list[Path]:
    """Those of the files that `write_mteb_results` would write which are there."""
    languages, context = {*benchmark.queries, *benchmark.corpus}, benchmark.about.get("context", "sentence")
    digest = benchmark_digest(benchmark)
    names = [
        task_name(benchmark.name, one, languages, context, digest)
        for one in parse_settings(settings)
        if one in _SETTINGS
    ]
    return [path for name in names if (path := directory / f"{name}.json").exists()]


def write_mteb_results(result: Result, directory: str | Path, main: str | Measure = MAIN_MEASURE) -> list[Path]:
    """Write `<task name>.json` per setting, as in MTEB's results folders."""
    files = {Path(directory) / f"{value['task_name']}.json": value for value in to_mteb_results(result, main)}
    for path, value in files.items():
        write_json(path, value)
    return list(files)


def _cells(summary: dict[str, Any], setting: Setting, main: str) -> list[dict[str, Any]]:
    """The scores of every cell; the multilingual ones have their language bias beside them."""
    by = summary["per_language"][setting]
    if main not in summary["settings"][setting]:
        raise InputError(f"{main} is MTEB's main score and was not measured: add it to the measures")
    matrix = by["matrix"] if setting == "cross" else {lang: {lang: scores} for lang, scores in by.items()}
    bias = summary["bias"].get("per_language", {}) if setting == "multi" else {}
    return [
        {
            **{mteb_key(parse_measure(name)): value for name, value in scores.items()},
            **{name: value for name, value in bias.get(query, {}).items() if isinstance(value, (int, float))},
            "main_score": scores[main],
            "hf_subset": subset_name(query, document),
            "languages": [mteb_language(lang) for lang in dict.fromkeys((query, document))],
        }
        for query, row in matrix.items()
        for document, scores in row.items()
    ]
