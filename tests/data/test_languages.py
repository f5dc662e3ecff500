"""One language has one code, whatever it is called by; two languages never share one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from babel.core import Locale, get_global
from hypothesis import given
from hypothesis import strategies as st

from isoglot.data.benchmarks.catalog import catalog
from isoglot.data.benchmarks.load import load_benchmark
from isoglot.data.benchmarks.qrels import Judgments, make_benchmark
from isoglot.data.facts.wordings import LANGUAGES
from isoglot.data.languages import language, regional, script_of
from isoglot.data.pairs.loading import load_pairs
from isoglot.data.pairs.sources.mmarco import NAMES
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.evaluation.evaluate import evaluate
from isoglot.records import PairRow, Texts
from isoglot.retrieval.encode import Embeddings

SAME = [
    "en EN eng en-Latn eng_Latn eng-Latn en-US en_US en-Latn-US",
    "en-GB eng-GB en_Latn_GB en-UK",
    "zh zh-CN zh-Hans zho_Hans zho-Hans cmn zh-cmn-Hans zh_Hans_CN chi",
    "zh-Hant zh-TW zho_Hant zh_Hant_TW cmn-Hant",
    "zh-HK zh-Hant-HK",
    "yue zh-yue yue_Hant",
    "sr sr-Cyrl srp_Cyrl sr-RS",
    "sr-Latn sh srp-Latn hbs sr-Latn-RS",
    "pt por pt-Latn",
    "pt-BR por_Latn_BR pt_br",
    "pt-PT por-PT",
    "ar arb arb_Arab ara ar-EG",
    "ar-Latn arb_Latn",
    "he iw heb",
    "id in ind",
    "nb no nob nor nob_Latn",
    "nn nno",
    "fil tl tgl_Latn",
    "ko kor_Hang ko-Kore ko-KR",
    "ja jpn_Jpan",
    "sw swh swa sw-Latn-TZ",
    "de deu ger de-DE",
    "de-1996 deu-1996",
    "de-x-formal DE-X-FORMAL",
    "und",
    "acm acm_Arab",
]


def test_every_spelling_of_a_language_is_one_code_and_no_two_languages_share_one() -> None:
    classes = [words.split() for words in SAME]
    assert [{language(word) for word in words} for words in classes] == [{words[0]} for words in classes]


@given(
    st.sampled_from(sorted({*get_global("likely_subtags"), *get_global("language_aliases")})),
    st.sampled_from(["", *sorted(Locale("en").scripts)]),
    st.sampled_from(["", *sorted(Locale("en").territories)]),
)
def test_a_code_stands_for_itself_and_keeps_its_script(code: str, script: str, region: str) -> None:
    asked = "_".join(filter(None, [code.split("_")[0], script, region]))
    try:
        short = language(asked)
    except InputError:  # what CLDR knows as a whole only, such as zh_min_nan
        return
    assert language(short) == language(short.upper()) == language(short.replace("-", "_")) == short
    if script and (script, short[:2]) != ("Hang", "ko"):
        assert script_of(short) in (script, get_global("script_aliases").get(script))


@pytest.mark.parametrize("code", ["en-../../x", "", "xq", "english", "e n", "en-Latm", "en-QX", "K", "en-", "en--US"])
def test_what_is_no_language_is_refused_in_one_line(code: str, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({"id": "1", "lang": code or "?", "query": "q", "passage": "p"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"unknown (language|script|region)"):
        language(code)
    with pytest.raises(InputError, match=rf"{path}:1: unknown (language|script|region)"):
        load_pairs(path)


def test_own_codes_are_the_short_ones() -> None:
    codes = {*NAMES, *LANGUAGES, *(code for entry in catalog() for code in entry.languages)}
    assert {code: language(code) for code in codes} == {code: code for code in codes}


def write_folder(folder: Path, queries: str, corpus: str) -> Path:
    for side, names in (("queries", queries), ("corpus", corpus)):
        (folder / side).mkdir(parents=True)
        for number, name in enumerate(names.split()):
            row = {"_id": f"{side[0]}{number}", "text": f"text {name}"}
            (folder / side / f"{name}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (folder / "qrels.tsv").write_text("q0\t0\tc0\t1\n", encoding="utf-8")
    return folder


def test_one_language_under_two_names_is_not_cross_lingual(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "b", "zh-CN", "zh")
    benchmark = load_benchmark(folder)
    assert (benchmark.query_languages, benchmark.corpus_languages) == (["zh"], ["zh"])
    assert load_benchmark(folder, languages=["zho_Hans"]).query_languages == ["zh"]


def test_what_is_built_in_python_has_the_same_codes() -> None:
    rows = [PairRow("s", "1", lang, f"q {lang}", f"p {lang}") for lang in ("zh-CN", "eng_Latn", "own code")]
    table = PairTable.from_rows(rows)
    assert table.languages == ("en", "own code", "zh")
    assert table.column("lang", np.arange(3)) == ["zh", "en", "own code"]
    with pytest.raises(ValueError, match="two rows for source 's', id '1', language 'zh'"):
        PairTable.from_rows([*rows, PairRow("s", "1", "zh", "q", "p")])
    texts = Texts(["a"], ["a"])
    built = make_benchmark("b", {"zh-CN": texts}, {"zh": texts}, Judgments.of([(0, 0, 1.0)]))
    one = np.eye(1, 2, dtype=np.float32)
    for benchmark in (built, replace(built, queries={"zh-CN": texts})):
        result = evaluate(Embeddings(one, one), benchmark, progress=False)
        assert result.summary["settings"].keys() == {"mono", "multi"}
    with pytest.raises(InputError, match="two of zh, zh-CN are the same language; expected one code per language"):
        evaluate(Embeddings(one, one), replace(built, corpus={"zh": texts, "zh-CN": texts}), progress=False)


@pytest.mark.parametrize(("queries", "corpus"), [("zh zh-CN", "zh"), ("en", "en eng_Latn")])
def test_two_files_of_one_language_are_refused_by_name(queries: str, corpus: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "b", queries, corpus)
    with pytest.raises(InputError, match=r"is the same language \((zh|en)\); expected one file per language"):
        load_benchmark(folder)


def test_two_files_of_one_language_are_refused_in_lareqas_layout(tmp_path: Path) -> None:
    for name in ("zh", "zh-Hans"):
        (tmp_path / f"{name}.json").write_text('{"data": []}', encoding="utf-8")
    for read in (load_benchmark, lambda folder: load_pairs(f"lareqa:{folder}")):
        with pytest.raises(InputError, match=r"zh-Hans.json is the same language"):
            read(str(tmp_path))


def test_regions_that_count_as_languages_are_said(tmp_path: Path) -> None:
    benchmark = load_benchmark(write_folder(tmp_path / "b", "en-GB", "en"))
    result = evaluate(
        Embeddings(np.eye(1, 2, dtype=np.float32), np.eye(1, 2, dtype=np.float32)), benchmark, progress=False
    )
    assert result.summary["notes"][-1] == "en and en-GB are one language in different regions, and count as 2"
    assert regional(["en", "sr", "sr-Latn", "zh-Hant", "zh-HK", "pt"]) == [["zh-Hant", "zh-HK"]]
