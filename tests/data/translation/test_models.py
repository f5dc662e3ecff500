"""Translation models: a tiny one of NLLB's class by transformers and by CTranslate2, and the languages of every family."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from isoglot.data.languages import language
from isoglot.data.transform.language_tokens import ModelLanguages
from isoglot.data.transform.members.translate import Translate, translate
from isoglot.data.transform.translators import Failure
from isoglot.data.transform.translators.ctranslate2_models import CTranslate2Model
from isoglot.data.transform.translators.transformers_models import TransformersModel
from isoglot.errors import InputError
from isoglot.records import PairRow
from tests.data.translation.small import table
from tests.data.translation.tiny_model import LIMIT, WORDS, tiny_nllb

TEXTS = ["the dog sees a cat", "the cat", "a big house", "small", " ".join(["the big dog"] * 6), "cat cat"]
LONG = " ".join(["the dog"] * LIMIT)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_nllb(tmp_path_factory.mktemp("nllb") / "model")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / "cache"))


def alone(model: Path, text: str, target: str, beams: int) -> str:
    """What transformers itself makes of one text."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, src_lang="eng_Latn")
    made = AutoModelForSeq2SeqLM.from_pretrained(model).generate(
        **tokenizer(text, return_tensors="pt"),
        forced_bos_token_id=tokenizer.convert_tokens_to_ids(target),
        num_beams=beams,
        max_new_tokens=50,
    )
    return str(tokenizer.batch_decode(made, skip_special_tokens=True)[0])


@pytest.mark.parametrize("beams", [1, 3])
def test_as_transformers_does(model: Path, beams: int) -> None:
    session = TransformersModel(spec=str(model), beams=beams).open("cpu")
    for target, code in (("de", "deu_Latn"), ("fr", "fra_Latn")):
        made = session([*TEXTS, LONG], "en", target)
        assert made[:-1] == [alone(model, text, code, beams) for text in TEXTS]
        for text in made[:-1]:
            assert isinstance(text, str)
            assert text
            assert set(text.split()) <= set(WORDS[code])
        assert made[-1] == Failure(f"{2 * LIMIT + 2} tokens, at most {LIMIT} are taken")


def test_a_translation_without_an_end_is_none(model: Path) -> None:
    session = TransformersModel(spec=str(model), beams=1, max_tokens=4).open("cpu")
    made = session(["the cat", "the big cat sees"], "en", "de")
    assert made == [Failure("no end within 2 tokens"), Failure("6 tokens, at most 4 are taken")]


def test_ctranslate2_makes_the_same(model: Path, tmp_path: Path) -> None:
    converters = pytest.importorskip("ctranslate2.converters")
    folder = tmp_path / "converted"
    files = ["tokenizer.json", "tokenizer_config.json"]
    converters.TransformersConverter(str(model), copy_files=files).convert(str(folder))
    for target in ("de", "fr"):
        greedy = TransformersModel(spec=str(model), beams=1).open("cpu")([*TEXTS, LONG], "en", target)
        converted = CTranslate2Model(spec=str(folder), beams=1)
        converted.check_ready([("en", target)])
        assert converted.open("cpu")([*TEXTS, LONG], "en", target) == greedy
    cut = CTranslate2Model(spec=str(folder), beams=1, max_tokens=4).open("cpu")(["the cat"], "en", "de")
    assert cut == [Failure("no end within 2 tokens")]
    for name in files:
        (folder / name).rename(tmp_path / name)
    with pytest.raises(InputError, match=r"converted: cannot be loaded"):
        converted.check_ready([("en", "de")])
    elsewhere = CTranslate2Model(spec=str(folder), beams=1, tokenizer=str(model))
    assert elsewhere.open("cpu")(TEXTS, "en", "fr") == greedy[:-1]
    with pytest.raises(
        InputError, match=r"no model\.bin there; expected a folder that ct2-transformers-converter wrote"
    ):
        CTranslate2Model(spec=str(model)).check_ready([("en", "de")])


def test_pairs_by_several_processes_of_a_model(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [PairRow("s", str(number), "en", text, TEXTS[0]) for number, text in enumerate(TEXTS)]
    made = []
    for number in (1, 2):
        monkeypatch.setenv("ISOGLOT_CACHE", str(tmp_path / f"cache{number}"))
        capfd.readouterr()
        settings = {"filters": "none", "beams": 1, "batch_size": 2, "devices": ["cpu"] * number}
        asked = Translate(backend=f"transformers:{model}", to=("de", "fr"), **settings)
        made.append(translate(table(rows), asked))
    assert [len(one.table) for one in made] == [18, 18]
    assert made[0].table.digest == made[1].table.digest
    said = capfd.readouterr().err
    assert "Loading weights" not in said, "other libraries are silent in the processes"
    assert "translate: 100%" in said


def test_the_cache_knows_a_model_by_its_content(model: Path, tmp_path: Path) -> None:
    pairs = table([PairRow("s", "1", "en", "the cat", "a big house")])
    asked = Translate(backend=f"transformers:{model}", to="de", filters="none", devices="cpu", beams=1)
    assert translate(pairs, asked, progress=False).taken["en", "de"] == (0, 2)
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "README.md").write_text("about it")
    there = Translate(backend=f"transformers:{copy}", to="de", filters="none", devices="cpu", beams=1, batch_size=1)
    assert translate(pairs, there, progress=False).taken["en", "de"] == (2, 2)
    wider = Translate(backend=f"transformers:{copy}", to="de", filters="none", devices="cpu", beams=2)
    assert translate(pairs, wider, progress=False).taken["en", "de"] == (0, 2)
    config = copy / "config.json"
    config.write_text(config.read_text().replace("{", "{ ", 1))
    assert translate(pairs, there, progress=False).taken["en", "de"] == (0, 2)


def test_models_that_cannot_be_loaded(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="model: has no language 'de-AT'; near ones are deu_Latn"):
        TransformersModel(spec=str(model)).check_ready([("en", "de-AT")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: cannot be loaded"):
        TransformersModel(spec=str(tmp_path / "empty")).check_ready([("en", "de")])
    pickled = Path(shutil.copytree(model, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled: cannot be loaded"):
        TransformersModel(spec=str(pickled)).open("cpu")
    from safetensors.torch import load_file, save_file

    part = Path(shutil.copytree(model, tmp_path / "part"))
    weights = load_file(part / "model.safetensors")
    weights.pop("model.encoder.layers.0.fc1.weight")
    save_file(weights, part / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"part: its files lack 1 weights \(model.encoder.layers.0.fc1.weight"):
        TransformersModel(spec=str(part)).open("cpu")


class Tokenizer:
    """A vocabulary with the language tokens of a family among ordinary pieces."""

    def __init__(self, tokens: list[str], source: str | None = None, target: str | None = None) -> None:
        self.tokens, self.source_lang, self.target_lang, self.src_lang = tokens, source, target, ""

    def get_vocab(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(["▁the", "<s>", "en", "__", "<2", "<unk>", *self.tokens])}


@pytest.mark.parametrize(
    ("tokens", "to", "told", "first", "text"),
    [
        (["eng_Latn", "arb_Arab", "zho_Hant", "zho_Hans"], "ar", "eng_Latn", "arb_Arab", "hi"),
        (["eng_Latn", "arb_Arab", "zho_Hant", "zho_Hans"], "zh-TW", "eng_Latn", "zho_Hant", "hi"),
        (["ar_AR", "en_XX", "zh_CN", "tl_XX"], "zh", "en_XX", "zh_CN", "hi"),
        (["ar_AR", "en_XX", "zh_CN", "tl_XX"], "fil", "en_XX", "tl_XX", "hi"),
        (["__en__", "__de__", "__no__"], "nb", "en", "__no__", "hi"),
        (["<2de>", "<2en>", "<2zh_Latn>", "<2translate>"], "zh-Latn", "", None, "<2zh_Latn> hi"),
        ([">>pt_br<<", ">>fra<<"], "pt-BR", "", None, ">>pt_br<< hi"),
    ],
)
def test_languages_of_each_family(tokens: list[str], to: str, told: str, first: str | None, text: str) -> None:
    tokenizer = Tokenizer(tokens)
    languages = ModelLanguages.of("m", tokenizer, {})
    languages.check("en", language(to))
    texts, token = languages.tell(tokenizer, ["hi"], "en", language(to))
    assert (tokenizer.src_lang, texts, token.replace("__", "") if token else None) == (
        told,
        [text],
        first.replace("__", "") if first else None,
    )


def test_all_languages_of_the_published_models() -> None:
    from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M100
    from transformers.models.mbart50.tokenization_mbart50 import FAIRSEQ_LANGUAGE_CODES as MBART
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB

    for tokens, n, some in (
        (NLLB, 200, {"ar": "arb_Arab", "de": "deu_Latn", "th": "tha_Thai", "zh": "zho_Hans", "zh-Hant": "zho_Hant"}),
        (MBART, 52, {"ar": "ar_AR", "de": "de_DE", "th": "th_TH", "zh": "zh_CN", "en": "en_XX"}),
        ([f"__{code}__" for code in M2M100["m2m100"]], 100, {"ar": "ar", "de": "de", "th": "th", "zh": "zh"}),
    ):
        languages = ModelLanguages.of("m", Tokenizer(list(tokens)), {})
        assert len(languages.codes) == n
        assert {lang: languages.code(lang) for lang in some} == some


def test_codes_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    tokens = ["eng_Latn", "aka_Latn", "twi_Latn", "arb_Arab", "ary_Arab"]
    ModelLanguages.of("m", Tokenizer(tokens), {}).check("en", "ak")
    assert "m: ak is aka_Latn here; --codes ak=twi_Latn makes it twi_Latn" in capsys.readouterr().err
    assert ModelLanguages.of("m", Tokenizer(tokens), {"ar": "ary_Arab"}).code("ar") == "ary_Arab"
    with pytest.raises(InputError, match="m: has no language 'ary_Arb'; near ones are arb_Arab, ary_Arab"):
        ModelLanguages.of("m", Tokenizer(tokens), {"ar": "ary_Arb"}).code("ar")


def test_fixed_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    languages = ModelLanguages.of("opus", Tokenizer([], "en", "deu"), {})
    languages.check("en", "de")
    assert languages.tell(Tokenizer([]), ["hi"], "en", "de") == (["hi"], None)
    with pytest.raises(InputError, match="opus: translates from en to deu, not from en to fr"):
        languages.check("en", "fr")
    with pytest.raises(InputError, match="opus: translates from en to deu, not from de to en"):
        languages.check("de", "en")
    ModelLanguages.of("opus", Tokenizer([], "ROMANCE", None), {}).check("es", "en")
    assert "opus: its files do not say what it translates; taken to be from es to en" in capsys.readouterr().err


def test_tokenizers_of_other_families(tmp_path: Path) -> None:
    """Their own classes of this version of transformers, with a vocabulary that was made for the test."""
    sentencepiece = pytest.importorskip("sentencepiece")
    from transformers import M2M100Tokenizer, MarianTokenizer, MBart50Tokenizer

    model, text = tmp_path / "m.spm", [" ".join(words) for words in WORDS.values()] * 9
    with model.open("wb") as sink:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text), model_writer=sink, vocab_size=40, hard_vocab_limit=False, minloglevel=2
        )
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    pieces = [processor.id_to_piece(number) for number in range(processor.get_piece_size())]
    vocabulary = {piece: number for number, piece in enumerate(["<pad>", *pieces, ">>deu<<", ">>pt_br<<"])}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    m2m100 = M2M100Tokenizer(str(tmp_path / "vocab.json"), str(model))
    _, first = ModelLanguages.of("m", m2m100, {}).tell(m2m100, ["the dog"], "de", "zh")
    assert (first, m2m100.convert_ids_to_tokens(m2m100("the dog")["input_ids"])[0]) == ("__zh__", "__de__")
    assert m2m100.convert_tokens_to_ids(first) == m2m100.get_lang_id("zh")
    marian = MarianTokenizer(str(model), str(model), str(tmp_path / "vocab.json"), source_lang="en")
    languages = ModelLanguages.of("m", marian, {})
    (told,), _ = languages.tell(marian, ["the dog"], "en", "pt-BR")
    assert marian.convert_ids_to_tokens(marian(told)["input_ids"])[0] == ">>pt_br<<"
    with pytest.raises(InputError, match="m: translates from en to others, not from fr to de"):
        languages.check("fr", "de")
    mbart = MBart50Tokenizer(vocab=[(piece, 0.0) for piece in vocabulary])
    _, first = ModelLanguages.of("m", mbart, {}).tell(mbart, ["the dog"], "de", "ar")
    assert (first, mbart.convert_ids_to_tokens(mbart("the dog")["input_ids"])[0]) == ("ar_AR", "de_DE")
    assert mbart.convert_tokens_to_ids(first) != mbart.unk_token_id
