"""Comparisons of result files: figures against an evaluation, refusals, training seeds, size."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.errors import InputError
from isoglot.evaluation.compare import compare
from isoglot.evaluation.comparison import Comparison, Difference
from isoglot.evaluation.evaluate import evaluate
from isoglot.evaluation.matching import System, load_systems
from isoglot.evaluation.results import Result
from isoglot.evaluation.significance import benjamini_hochberg, holm, resolvable
from isoglot.files import write_json
from isoglot.records import Benchmark, Texts
from isoglot.retrieval.encode import Embeddings

LANGUAGES = ("de", "en", "sw")


def make_result(
    *, shift: Mapping[str, float] | float = 0.0, seed: int = 0, n_ids: int = 24, per_group: int = 3, model: str = "m"
) -> Result:
    """A result of made-up nDCG@10 values: shared by all systems, plus a shift per setting and noise by `seed`."""
    shared, noise = np.random.default_rng(99), np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for setting in ("mono", "cross", "multi"):
        by = shift if isinstance(shift, float) else shift.get(setting, 0.0)
        for query in LANGUAGES:
            documents = {"mono": [query], "multi": ["*"]}.get(setting, [lang for lang in LANGUAGES if lang != query])
            for document in documents:
                base = shared.uniform(0.2, 0.6, size=n_ids)
                values = base + by + noise.normal(0, 0.02, size=n_ids)
                for number, value in enumerate(values.tolist()):
                    keys = {"setting": setting, "query_id": f"q{number}", "query_lang": query, "doc_lang": document}
                    distance = None if setting != "multi" else 100 - 100 * value
                    group = f"p{number // per_group}"
                    rows.append({**keys, "group": group, "nDCG@10": value, "AP": value / 2, "rank_distance": distance})
    return Result(_summary(rows, model), pa.Table.from_pylist(rows))


def _summary(rows: Sequence[Mapping[str, Any]], model: str) -> dict[str, Any]:
    def average(setting: str, measure: str) -> float:
        cells: dict[tuple[str, str], list[float]] = {}
        for row in rows:
            if row["setting"] == setting:
                cells.setdefault((row["query_lang"], row["doc_lang"]), []).append(row[measure])
        return float(np.mean([np.mean(cell) for cell in cells.values()]))

    sizes = dict.fromkeys(LANGUAGES, 24)
    return {
        "model": model,
        "benchmark": "toy",
        "context": "sentence",
        "settings": {s: {m: average(s, m) for m in ("nDCG@10", "AP")} for s in ("mono", "cross", "multi")},
        "bias": {"rank_distance": average("multi", "rank_distance")},
        "counts": {"queries": sizes, "documents": sizes},
        "tie_rule": "by hash",
        "about": {},
        "digests": {"benchmark": "b" * 64, "model": model},
    }


def system(name: str, *results: Result) -> System:
    return System(name, results, tuple(f"{name}{number}" for number in range(len(results))))


def by_setting(comparison: Comparison) -> dict[str, Difference]:
    return {item.setting: item for item in comparison.differences}


def uneven_benchmark() -> Benchmark:
    """q0 .. q9 in three languages; every third is not asked in German; q7 and q9 are answered in English only."""
    asked = {"de": [n for n in range(10) if n % 3], "en": list(range(10)), "sw": list(range(10))}
    answered = {"de": [0, 1, 2, 3, 4, 5, 6, 8], "en": list(range(10)), "sw": list(range(0, 10, 2))}
    queries = {lang: Texts([f"q{n}" for n in ids], [f"q{n} {lang}" for n in ids]) for lang, ids in asked.items()}
    corpus = {lang: Texts([f"{lang}{n}" for n in ids], [f"a{n} {lang}" for n in ids]) for lang, ids in answered.items()}
    query_ids = [n for ids in asked.values() for n in ids]
    document_ids = [n for ids in answered.values() for n in ids]
    pairs = np.array([(q, d) for q, one in enumerate(query_ids) for d, two in enumerate(document_ids) if one == two])
    judgments = Judgments(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)))
    return make_benchmark("uneven", queries, corpus, judgments, [f"p{n // 2}" for n in query_ids])


def evaluated(benchmark: Benchmark, seed: int) -> Result:
    random = np.random.default_rng(seed)
    vectors = [random.normal(size=(n, 8)).astype(np.float32) for n in (benchmark.n_queries, benchmark.n_documents)]
    return evaluate(Embeddings(*vectors), benchmark, measures=["AP", "nDCG@10"], progress=False)


def test_values_are_those_of_the_summaries() -> None:
    benchmark = uneven_benchmark()
    one, two = evaluated(benchmark, 1), evaluated(benchmark, 2)
    comparison = compare([system("a", one), system("b", two)], measure="AP", resamples=99)
    assert [item.setting for item in comparison.differences] == ["mono", "cross", "multi", "rank_distance"]
    for setting, item in by_setting(comparison).items():
        if setting == "rank_distance":
            values = one.summary["bias"]["rank_distance"], two.summary["bias"]["rank_distance"]
            cells = {lang: x["rank_distance"] for lang, x in two.summary["bias"]["per_language"].items()}
            assert {cell.query_lang: cell.value for cell in item.cells} == pytest.approx(cells, rel=1e-13)
        else:
            values = one.summary["settings"][setting]["AP"], two.summary["settings"][setting]["AP"]
        assert (item.reference, item.value) == pytest.approx(values, rel=1e-13)
        assert item.difference == pytest.approx(values[1] - values[0], rel=1e-11)
        assert item.relative == pytest.approx(values[1] / values[0] - 1, rel=1e-11)
        # rank distance needs answers in two languages, mono a question in the language of an answer
        assert (item.n_ids, item.n_groups) == (8 if setting == "rank_distance" else 10, 5)
    matrix = two.summary["per_language"]["cross"]["matrix"]
    for cell in by_setting(comparison)["cross"].cells:
        assert cell.value == pytest.approx(matrix[cell.query_lang][cell.doc_lang]["AP"], rel=1e-13)


def test_clear_difference_and_none() -> None:
    a, b = make_result(seed=1), make_result(seed=2, shift={"cross": 0.1, "multi": -0.1})
    found = by_setting(compare([system("a", a), system("b", b)], resamples=999))
    cross = found["cross"]
    assert cross.difference == pytest.approx(0.1, abs=0.01)
    assert cross.interval[0] < cross.interval_90[0] < cross.difference < cross.interval_90[1] < cross.interval[1]
    assert cross.interval[0] > 0
    assert (cross.p, cross.wins, cross.ties, cross.losses) == (0.001, 6, 0, 0)
    assert (cross.significant_wins, cross.significant_losses) == (6, 0)
    assert cross.effect_size is not None
    assert cross.effect_size > 3
    assert cross.resolvable == pytest.approx(resolvable(cross.standard_error))
    mono = found["mono"]
    assert mono.p > 0.05
    assert mono.interval[0] < 0 < mono.interval[1]
    assert (mono.significant_wins, mono.significant_losses) == (0, 0)
    # worse nDCG and a larger rank distance: both are losses
    assert found["multi"].losses == found["multi"].significant_losses == 3
    distance = found["rank_distance"]
    assert distance.difference == pytest.approx(10, abs=1)
    assert (distance.higher_is_better, distance.wins, distance.losses, distance.significant_losses) == (False, 0, 3, 3)


def test_adjusted_p_values() -> None:
    a, b, c = make_result(seed=1), make_result(seed=2, shift=0.004), make_result(seed=3, shift=0.008)
    comparison = compare([system("a", a), system("b", b), system("c", c)], resamples=999)
    assert comparison.reference == "a"
    assert [(item.setting, item.system) for item in comparison.differences[:3]] == [
        ("mono", "b"),
        ("mono", "c"),
        ("cross", "b"),
    ]
    assert len(comparison.differences) == 8
    assert [d.p_holm for d in comparison.differences] == holm([d.p for d in comparison.differences]).tolist()
    for item in comparison.differences:
        assert [c.p_adjusted for c in item.cells] == benjamini_hochberg([c.p for c in item.cells]).tolist()
    alone = compare([system("a", a), system("c", c)], settings=["cross"], resamples=999)
    joint = next(d for d in comparison.differences if (d.setting, d.system) == ("cross", "c"))
    assert alone.differences == (replace(joint, p_holm=joint.p),)


def test_a_system_against_itself() -> None:
    a = make_result()
    item = by_setting(compare([system("a", a), system("b", a)], resamples=99))["mono"]
    assert (item.difference, item.interval, item.p, item.p_holm) == (0.0, (0.0, 0.0), 1.0, 1.0)
    assert (item.wins, item.ties, item.losses) == (0, 3, 0)
    assert item.effect_size is None
    assert item.resolvable is None


def test_order_of_rows_and_seed() -> None:
    a, b = make_result(seed=1), make_result(seed=2, shift=0.01)
    shuffled = Result(b.summary, b.per_query.take(np.random.default_rng(0).permutation(len(b.per_query))))
    first = compare([system("a", a), system("b", b)], resamples=199, seed=4)
    assert compare([system("a", a), system("b", shuffled)], resamples=199, seed=4).differences == first.differences
    other = compare([system("a", a), system("b", b)], resamples=199, seed=5)
    assert [d.difference for d in other.differences] == [d.difference for d in first.differences]
    assert [d.interval for d in other.differences] != [d.interval for d in first.differences]


def test_several_training_seeds() -> None:
    a = [make_result(seed=n, shift=shift, model=f"a{n}") for n, shift in enumerate((-0.05, 0.0, 0.05))]
    b = [make_result(seed=n + 3, shift=shift, model=f"b{n}") for n, shift in enumerate((0.05, 0.15))]
    several = compare([system("a", *a), system("b", *b)], resamples=999)
    item = by_setting(several)["mono"]
    means = [np.mean([r.summary["settings"]["mono"]["nDCG@10"] for r in part]) for part in (a, b)]
    assert (item.reference, item.value) == pytest.approx(means, rel=1e-13)
    assert several.systems["b"] == {"results": ["b0", "b1"], "models": ["b0", "b1"]}
    single = by_setting(compare([system("a", a[1]), system("b", b[0])], resamples=999))["mono"]
    assert item.standard_error > 5 * single.standard_error
    # seeds of a: variance 0.0025 / 3; of b: 0.005 / 2
    assert item.standard_error == pytest.approx(np.sqrt(0.0025 / 3 + 0.005 / 2), rel=0.15)
    assert not any("one training seed" in note for note in several.notes)
    assert any("few training seeds of a, b" in note for note in several.notes)
    twice = compare([system("a", a[0], a[0]), system("b", *b)], resamples=99)
    assert any("the very same model" in note for note in twice.notes)


def test_groups_widen_the_interval() -> None:
    def clustered(per_group: int) -> Difference:
        results = [make_result(per_group=per_group), make_result(seed=1, per_group=per_group)]
        # paragraphs p0 .. p7 of three ids: one system is better on whole paragraphs
        table = results[1].per_query
        number = np.array([int(key[1:]) // 3 for key in table.column("query_id").to_pylist()])
        values = table.column("nDCG@10").to_numpy() + 0.2 * (number % 2)
        table = table.set_column(table.column_names.index("nDCG@10"), "nDCG@10", pa.array(values))
        second = Result(_summary(table.to_pylist(), "m"), table)
        return by_setting(compare([system("a", results[0]), system("b", second)], resamples=999))["cross"]

    paragraphs, ids = clustered(3), clustered(1)
    assert (paragraphs.n_groups, ids.n_groups) == (8, 24)
    # three ids that move together: sqrt(3) times the standard error
    assert paragraphs.standard_error == pytest.approx(np.sqrt(3) * ids.standard_error, rel=0.1)
    assert paragraphs.p == ids.p == ids.p_group
    assert paragraphs.p_group > 5 * paragraphs.p


def test_json_has_no_gaps(tmp_path: Path) -> None:
    comparison = compare([system("a", make_result()), system("b", make_result(seed=1))], resamples=99)
    write_json(tmp_path / "c.json", comparison.to_json())
    read = json.loads((tmp_path / "c.json").read_text())
    assert {"benchmark", "measure", "reference", "systems", "differences", "resamples", "seed", "alpha"} <= set(read)
    cross = read["differences"][1]
    assert (cross["setting"], len(cross["cells"]), len(cross["interval"])) == ("cross", 6, 2)
    assert cross["difference"] == comparison.differences[1].difference


def test_text() -> None:
    text = str(compare([system("a", make_result()), system("b", make_result(seed=1))], resamples=99))
    assert "b against a on toy: nDCG@10 (24 query ids in 8 groups)" in text
    assert "of 6" in text
    assert "only 8 groups" in text
    assert "one training seed of a, b" in text


CHANGES: list[tuple[Mapping[str, Any], str]] = [
    ({"context": "paragraph"}, "context differs ('sentence' against 'paragraph')"),
    ({"about": {"sample": "200 others"}}, "sample differs (none against '200 others')"),
    ({"counts": {"queries": {"de": 1}, "documents": {"en": 1}}}, "languages differs ('de en sw' against 'de en')"),
    ({"digests": {"benchmark": "c" * 64, "model": "m"}}, "(toy, digest bbbbbbbbbbbb against toy, digest cccccccccccc)"),
    ({"tie_rule": "by id"}, "tie rule differs ('by hash' against 'by id')"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[next(iter(change)) for change, _ in CHANGES])
def test_refuses_what_does_not_compare(change: dict[str, Any], message: str) -> None:
    a, b = make_result(), make_result(seed=1)
    other = Result({**b.summary, **change}, b.per_query)
    with pytest.raises(InputError) as caught:
        compare([system("a", a), system("b", other)])
    assert str(caught.value).startswith("a0 and b0 cannot be compared: ")
    assert message in str(caught.value)
    # also between the training seeds of one system
    with pytest.raises(InputError, match="a0 and b1 cannot be compared"):
        compare([system("a", a), system("b", b, other)])


def test_another_name_of_the_same_benchmark_compares() -> None:
    a, b = make_result(), make_result(seed=1)
    renamed = Result({**b.summary, "benchmark": "folder/toy"}, b.per_query)
    assert compare([system("a", a), system("b", renamed)], resamples=99).benchmark == "toy"


def test_refuses_missing_measures_and_settings() -> None:
    a, b = make_result(), make_result(seed=1)
    pair = [system("a", a), system("b", b)]
    with pytest.raises(InputError, match=r"a0: has no measure 'R@10'; it has: nDCG@10, AP"):
        compare(pair, measure="recall@10")
    with pytest.raises(InputError, match="unknown measure"):
        compare(pair, measure="F1")
    with pytest.raises(InputError, match="--setting rank_distance"):
        compare(pair, measure="rank_distance")
    with pytest.raises(InputError, match=r"unknown setting 'crss' \(did you mean 'cross'"):
        compare(pair, settings=["crss"])
    with pytest.raises(InputError, match="at least two"):
        compare(pair[:1])
    with pytest.raises(InputError, match="resamples"):
        compare(pair, resamples=10)
    mono = {key: {"mono": b.summary["settings"]["mono"]} if key == "settings" else v for key, v in b.summary.items()}
    only = system("b", Result({**mono, "bias": {}}, b.per_query))
    with pytest.raises(InputError, match=r"b0: has no setting 'cross'; it has: mono"):
        compare([pair[0], only], settings=["cross"])
    comparison = compare([pair[0], only], resamples=99)
    assert [item.setting for item in comparison.differences] == ["mono"]
    assert "cross was left out: not all results have it" in comparison.notes


def test_languages_of_any_spelling_are_kept_apart() -> None:
    result = make_result()
    names = {"de": "", "en": "e n"}
    rows = [{**row, "doc_lang": names.get(row["doc_lang"], "*")} for row in result.per_query.to_pylist()]
    odd = Result(result.summary, pa.Table.from_pylist(rows, result.per_query.schema))
    (difference,) = compare([system("a", odd), system("b", odd)], settings=["mono"], resamples=99).differences
    assert {(cell.query_lang, cell.doc_lang) for cell in difference.cells} == {
        (row["query_lang"], row["doc_lang"]) for row in rows if row["setting"] == "mono"
    }


def test_refuses_rows_that_do_not_match() -> None:
    a, b = make_result(), make_result(seed=1)

    def error(table: pa.Table) -> str:
        with pytest.raises(InputError) as caught:
            compare([system("a", a), system("b", Result(b.summary, table))], resamples=99)
        return str(caught.value)

    rows = b.per_query.to_pylist()
    assert "rows do not match: 72 against 71 in setting 'mono'" in error(pa.Table.from_pylist(rows[1:]))
    renamed = pa.Table.from_pylist([{**rows[0], "query_id": "q00"}, *rows[1:]])
    assert "rows do not match: query_id 'q0' against 'q00' in setting 'mono'" in error(renamed)
    regrouped = pa.Table.from_pylist([{**rows[0], "group": "p9"}, *rows[1:]])
    assert "group 'p0' against 'p9'" in error(regrouped)
    changed = pa.Table.from_pylist([{**rows[0], "nDCG@10": 0.0}, *rows[1:]])
    assert "in summary.json but" in error(changed)
    gap = pa.Table.from_pylist([{**rows[0], "nDCG@10": None}, *rows[1:]])
    assert "has no number in some rows" in error(gap)
    assert "no column 'group'" in error(b.per_query.drop_columns(["group"]))
    doubled = pa.Table.from_pylist([rows[1], *rows[1:]])
    with pytest.raises(InputError, match="occurs twice"):
        compare([system("a", Result(a.summary, doubled)), system("b", Result(b.summary, doubled))], resamples=99)


def test_refuses_one_group() -> None:
    pair = [system(name, make_result(per_group=24, seed=seed)) for seed, name in enumerate("ab")]
    with pytest.raises(InputError, match="all queries are of one group"):
        compare(pair)


def test_systems_from_words(tmp_path: Path) -> None:
    for name in ("x/eval", "y/eval", "h0", "h1", "grid=1,2"):
        make_result().save(tmp_path / name)
    at = str(tmp_path)

    def names(*words: str) -> dict[str, int]:
        return {s.name: len(s.results) for s in load_systems([word.replace("@", at) for word in words])}

    assert names("@/h0", "@/h1") == {"h0": 1, "h1": 1}
    assert names("mono=@/x/eval", "hybrid=@/h0,@/h1") == {"mono": 1, "hybrid": 2}
    assert names("@/x/eval", "@/y/eval") == {f"{at}/x/eval": 1, f"{at}/y/eval": 1}
    assert names("@/grid=1,2", "g=@/grid=1,2") == {"grid=1,2": 1, "g": 1}
    for words, message in (
        (["@/h0"], "at least two"),
        (["a=@/h0", "a=@/h1"], "'a' names two systems"),
        (["a=@/h0,@/h0", "@/h1"], "the same folder twice"),
        (["a=", "@/h1"], "expected DIR"),
        (["=@/h0", "@/h1"], "expected DIR"),
        (["@/none", "@/h1"], "none: no such folder"),
    ):
        with pytest.raises(InputError, match=message):
            names(*words)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"about": None}, "about"),
        ({"about": {"languages": [1]}}, "about.languages"),
        ({"counts": {"queries": {}}}, "counts.documents"),
        ({"digests": {"model": "m"}}, "digests.benchmark"),
        ({"settings": {"mono": 3}}, "settings.mono"),
        ({"leak": {}}, "leak.known"),
        ({"leak": {"queries": {"shared": "1", "of": 2}, "known": []}}, "leak.queries.shared"),
        ({"tie_rule": 3}, "tie_rule"),
    ],
)
def test_a_summary_that_is_none_is_refused(change: dict[str, Any], named: str, tmp_path: Path) -> None:
    result = make_result()
    result.save(tmp_path / "a")
    Result({**result.summary, **change}, result.per_query).save(tmp_path / "b")
    with pytest.raises(InputError, match=rf"b/summary.json: not a result of `isoglot evaluate`: '{named}"):
        load_systems([str(tmp_path / "a"), str(tmp_path / "b")])


def test_a_summary_needs_neither_bias_nor_about(tmp_path: Path) -> None:
    result = make_result()
    summary = {key: value for key, value in result.summary.items() if key not in ("about", "bias")}
    for name in "ab":
        Result(summary, result.per_query).save(tmp_path / name)
    compare(load_systems([str(tmp_path / name) for name in "ab"]), settings=["mono"], resamples=99)


_LARGE = """
import time
import numpy as np, pyarrow as pa
from isoglot.evaluation.compare import compare
from isoglot.evaluation.matching import System
from isoglot.evaluation.results import Result
from isoglot.processes import peak_memory

langs = "ar de el en es hi ru th tr vi zh".split()
cells = [("mono", q, q) for q in langs] + [("cross", q, d) for q in langs for d in langs if q != d]
cells += [("multi", q, "*") for q in langs]
ids = [f"56{n:020d}" for n in range(1190)]
groups = [f"paragraph {n % 240}" for n in range(1190)]

def result(seed):
    values = np.random.default_rng(seed).uniform(size=(len(cells), 1190))
    names = ("setting", "query_lang", "doc_lang")
    columns = {name: np.repeat([cell[i] for cell in cells], 1190).tolist() for i, name in enumerate(names)}
    columns |= {"query_id": ids * len(cells), "group": groups * len(cells), "nDCG@10": values.ravel()}
    multi = np.array([cell[0] == "multi" for cell in cells])
    columns["rank_distance"] = pa.array(np.where(multi[:, None], values * 1000, np.nan).ravel(), from_pandas=True)
    means = values.mean(axis=1)
    average = lambda s: float(np.mean([m for m, c in zip(means, cells) if c[0] == s]))
    settings = {s: {"nDCG@10": average(s)} for s in ("mono", "cross", "multi")}
    sizes = dict.fromkeys(langs, 1190)
    return Result({"model": "m", "benchmark": "x", "context": "sentence", "settings": settings, "about": {}, "tie_rule": "t",
        "bias": {"rank_distance": 1000 * settings["multi"]["nDCG@10"]}, "counts": {"queries": sizes, "documents": sizes},
        "digests": {"benchmark": "b", "model": str(seed)}}, pa.table(columns))

systems = [System(str(seed), (result(seed),), (str(seed),)) for seed in range(2)]
started = time.process_time()
comparison = compare(systems)
assert len(comparison.differences) == 4 and len(comparison.differences[1].cells) == 110
assert comparison.differences[1].n_groups == 240
print(time.process_time() - started, peak_memory() / 2**30)
"""


@pytest.mark.slow
def test_size_of_xquad_r() -> None:
    """13,090 queries in 12 cells each: under 15 s of one core and under 1 GB, making the data included in the memory."""
    done = subprocess.run([sys.executable, "-c", _LARGE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, gigabytes = map(float, done.stdout.split())
    assert seconds < 15
    assert gigabytes < 1
