"""A benchmark made from parallel pairs of any source: queries find the passages of their own pairs.

A passage text is one document of its language, whatever number of pairs has it. A query text is one query of its language:
what answers it is every document that has the text of a passage of one of its pairs, in any language. Queries that stand for
the same pairs in several languages have one id. Texts are compared by `isoglot.data.sameness.text_key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from isoglot.data.benchmarks.folder import write_folder
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.pairs.writing import dump_pairs
from isoglot.data.sameness import text_key
from isoglot.disk import check_writable
from isoglot.errors import InputError
from isoglot.files import atomic_directory, atomic_path, digest_strings, read_json
from isoglot.records import Benchmark, BoolArray, IntArray, Texts
from isoglot.settings import Settings

_ABOUT = "benchmark.json"  # of a benchmark's folder
_STREAM = 53  # of chance, beside those of splits and shares
_UNSAFE = re.compile(
    r"[\s\x00-\x20\x7f%/+]"
)  # in ids: columns of qrels and runs, and the signs that have a meaning in ours


def read_share(value: Any) -> Any:
    """A share written in per cent as a number."""
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?)\s*%\s*", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else value


class PairBenchmarkSettings(Settings):
    """What of the pairs becomes a benchmark."""

    pool: Literal["parallel", "natural"] = Field(
        "parallel",
        description="parallel: a passage is there in all languages of its pair; natural: in one of them, drawn by chance, so "
        "that a query is answered in one language",
    )
    holdout: Annotated[float | None, BeforeValidator(read_share)] = Field(
        None,
        gt=0,
        lt=1,
        description="share of the groups of pairs that goes into the benchmark (.1 or 10%); all others are for training",
    )
    whole_documents: bool = Field(
        False, description="pairs of one document (document_id) are one group when pairs are held out"
    )
    seed: int = Field(0, ge=0, description="of the draws of languages and of groups")


def write_pair_benchmark(
    sources: Iterable[str | Path],
    output: str | Path,
    settings: PairBenchmarkSettings,
    *,
    rest: str | Path | None = None,
    languages: Sequence[str] | None = None,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Write a benchmark folder made from pairs, and the pairs that it does not hold.

    Args:
        sources: as for `isoglot.load_pairs`, as are `languages` (both outputs have these only) and `data_dir`.
        output: the folder; nothing is there yet.
        rest: the file for all rows of the other pairs, `.jsonl` or `.jsonl.gz`; there if and only if pairs are held out.

    Returns:
        "pairs" and "rows": {"read", "benchmark", "rest"}, and "queries", "documents", "languages", "benchmark_rows" by
        language, "groups", "digest" of rows.

    Raises:
        InputError: what `load_pairs` raises; only one of `holdout` and `rest`; something is at `output` or `rest` already; a
            share that leaves one side empty.
    """
    folder, file = Path(output), None if rest is None else Path(rest)
    if (settings.holdout is None) != (file is None):
        given, missing = ("rest", "holdout") if settings.holdout is None else ("holdout", "rest")
        raise InputError(
            f"--{given} needs --{missing}: a share of the pairs becomes the benchmark, all others go to a file"
        )
    check_outputs(folder, file)
    return hold_out(load_pairs(sources, languages=languages, data_dir=data_dir), folder, settings, file)


def hold_out(table: PairTable, folder: Path, settings: PairBenchmarkSettings, file: Path | None) -> dict[str, Any]:
    """Write a table as `write_pair_benchmark` does; the places are checked (`check_outputs`)."""
    held = np.ones(table.index.n_pairs, dtype=np.bool_)
    if settings.holdout is not None:
        held = table.held(settings.holdout, settings.seed, whole_documents=settings.whole_documents)
    chosen = table if held.all() else table.select_pairs(held)
    chosen_rows = table.index.rows[held]
    chosen_rows = chosen_rows[chosen_rows >= 0]
    asked = settings.model_dump(exclude_none=True, include=set(PairBenchmarkSettings.model_fields))
    about = {"source": ", ".join(table.index.sources), "pairs": table.digest, **{k: str(v) for k, v in asked.items()}}
    group = chosen.groups(whole_documents=settings.whole_documents)
    benchmark = make_pair_benchmark(chosen, folder.name, settings.pool, settings.seed, about, group)
    if folder.exists() and read_json(folder / _ABOUT) != dict(benchmark.about):
        raise InputError(_there(folder))
    rest_rows = np.ones(len(table), dtype=np.bool_)
    rest_rows[chosen_rows] = False
    with ExitStack() as stack:
        if file is not None:
            dump_pairs(table, stack.enter_context(atomic_path(file)), file, rest_rows)
        write_folder(benchmark, stack.enter_context(atomic_directory(folder)))
    return {
        "pairs": {"read": len(held), "benchmark": int(held.sum()), "rest": int((~held).sum())},
        "rows": {"read": len(table), "benchmark": len(chosen), "rest": int(rest_rows.sum())},
        "queries": benchmark.n_queries,
        "documents": benchmark.n_documents,
        "languages": list(table.languages),
        "benchmark_rows": dict(zip(table.languages, (table.index.rows[held] >= 0).sum(axis=0).tolist())),
        "groups": len(np.unique(group)),
        "digest": about["pairs"],
    }


def make_pair_benchmark(
    table: PairTable,
    name: str,
    pool: Literal["parallel", "natural"],
    seed: int = 0,
    about: dict[str, str] | None = None,
    group: IntArray | None = None,
) -> Benchmark:
    """The benchmark of all pairs of a table; see the head of this module.

    Args:
        pool: with `natural`, a pair brings its passage in one language only: the first that it has in an order of languages
            that is drawn for each group of pairs, so uniform over the languages it has.
        seed: of that draw.
        group: of the pairs, for that draw and for intervals; by default those of the index.
    """
    index = table.index
    group = index.group if group is None else group
    brings = _one_language(index.rows, group, seed) if pool == "natural" else index.rows >= 0
    queries: dict[str, Texts] = {}
    corpus: dict[str, Texts] = {}
    pairs_of_query: list[IntArray] = []
    answers: list[list[int]] = [[] for _ in range(index.n_pairs)]  # document numbers of every pair
    ids, n_documents = _Ids(table), 0
    for column, lang in enumerate(table.languages):
        pairs = np.flatnonzero(index.rows[:, column] >= 0)
        rows = index.rows[pairs, column]
        asked = list(_same_texts(table.column("query", rows), pairs))
        pairs_of_query += [own for _, own in asked]
        queries[lang] = Texts([ids.of(own) for _, own in asked], [text for text, _ in asked])
        found = [
            (text, own) for text, own in _same_texts(table.column("passage", rows), pairs) if brings[own, column].any()
        ]
        for number, (_, own) in enumerate(found, n_documents):
            for pair in own.tolist():
                answers[pair].append(number)
        n_documents += len(found)
        if found:
            texts = [text for text, _ in found]
            # ids begin alike in no language: trec_eval sorts ties by them
            corpus[lang] = Texts([digest_strings([lang, text])[:20] for text in texts], texts)
    relevant = [
        (query, document, 1.0)
        for query, pairs in enumerate(pairs_of_query)
        for document in sorted({document for pair in pairs.tolist() for document in answers[pair]})
    ]
    groups = [str(group[pairs[0]]) for pairs in pairs_of_query]
    return make_benchmark(name, queries, corpus, Judgments.of(relevant), groups, about)


class _Ids:
    """Ids of queries: that of their pair, `ID+1`, `ID+2`, ... for those of several pairs, of which ID is the first."""

    def __init__(self, table: PairTable) -> None:
        self._table = table
        self._of: dict[tuple[int, ...], str] = {}
        self._shared: dict[int, int] = {}

    def of(self, pairs: IntArray) -> str:
        key = tuple(pairs.tolist())
        if key not in self._of:
            self._of[key] = self._pair(key[0])
            if len(key) > 1:
                self._shared[key[0]] = self._shared.get(key[0], 0) + 1
                self._of[key] += f"+{self._shared[key[0]]}"
        return self._of[key]

    def _pair(self, pair: int) -> str:
        index = self._table.index
        row = index.rows[pair]
        names = self._table.column("id", row[row >= 0][:1])
        if len(index.sources) > 1:
            names.insert(0, index.sources[index.source[pair]])
        return "/".join(_UNSAFE.sub(lambda sign: f"%{ord(sign[0]):02X}", name) for name in names)


def _same_texts(texts: list[str], pairs: IntArray) -> Iterator[tuple[str, IntArray]]:
    """Texts that differ, each as it is first written, with the pairs (ascending) that have it."""
    places: dict[bytes, list[int]] = {}
    for place, text in enumerate(texts):
        places.setdefault(text_key(text), []).append(place)
    for own in places.values():
        yield texts[own[0]], pairs[own]


def _one_language(rows: IntArray, group: IntArray, seed: int) -> BoolArray:
    """Which language every pair's passage is in: one True per pair, shape (n_pairs, n_languages)."""
    numbers = np.unique(group, return_inverse=True)[1]
    generator = np.random.default_rng(np.random.SeedSequence((seed, _STREAM)))
    order = generator.random((int(numbers.max()) + 1, rows.shape[1]))[numbers]
    order[rows < 0] = np.inf
    first: BoolArray = np.arange(rows.shape[1]) == order.argmin(axis=1)[:, None]
    return first


def check_outputs(folder: Path | None, file: Path | None) -> None:
    """InputError where one of the two cannot be written, or is there already.

    The folder appears before the file: where it is there alone, a start may have been killed in between. `hold_out` looks whether
    it is the same benchmark, and writes it again.
    """
    if file is not None and not file.name.endswith((".jsonl", ".jsonl.gz")):
        raise InputError(f"{file}: pairs are written as .jsonl or .jsonl.gz")
    for path in filter(None, (folder, file)):
        is_begun = path is folder and file is not None and not file.exists() and (path / _ABOUT).is_file()
        if (path.exists() or path.is_symlink()) and not is_begun:
            raise InputError(_there(path))
        check_writable(path, directory=path is folder)


def _there(path: Path) -> str:
    return f"{path}: exists already; give a new name"
