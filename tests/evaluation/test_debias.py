"""`isoglot debias`: fit, choose a strength on other pairs, save, measure; and vectors that are there already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isoglot.cli.main import main
from isoglot.data.benchmarks.folder import write_folder
from isoglot.data.fit_texts import FitTexts, Sources
from isoglot.data.pair_benchmark import make_pair_benchmark
from isoglot.data.pairs.table import PairTable
from isoglot.errors import InputError
from isoglot.evaluation.debias import DebiasSettings, debias, fit_maps
from isoglot.evaluation.debias_strength import hold_out
from isoglot.evaluation.debias_vectors import debias_vectors
from isoglot.evaluation.evaluate import evaluate
from isoglot.models.language_maps import LanguageMaps
from isoglot.models.load import load_model
from isoglot.records import Float32Array, PairRow
from isoglot.retrieval.encode import encode_texts
from isoglot.retrieval.store import EmbeddingStore
from tests.training.tiny import pair_rows, tiny_base

N, WIDTH = 150, 24


def made_pairs(n: int = N) -> PairTable:
    return PairTable.from_rows(pair_rows(n))


class Biased:
    """Vectors with a meaning per pair and a strong mark of their language, on directions of their own."""

    def __init__(self, table: PairTable, mark: float = 9.0) -> None:
        random = np.random.default_rng(0)
        marks = dict(zip(("de", "en", "zh"), mark * np.linalg.qr(random.standard_normal((WIDTH, 3)))[0].T))
        self.vectors: dict[str, Any] = {}
        meanings = random.standard_normal((len(table), WIDTH))
        pair, column = table.index.places(len(table))
        for side in ("query", "passage"):
            for row, text in enumerate(table.column(side, np.arange(len(table)))):
                noise = 0.2 * random.standard_normal(WIDTH)
                self.vectors[side + text] = meanings[pair[row]] + marks[table.languages[column[row]]] + noise

    def __call__(self, texts: Sequence[str], side: str, languages: Sequence[str]) -> Float32Array:
        assert len(texts) == len(languages)
        rows = np.stack([self.vectors[side + text] for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("method", ["centring", "lir", "lsar", "shift"])
def test_auto_finds_a_strength_that_repairs_what_is_biased(method: str) -> None:
    table = made_pairs()
    fitted = fit_maps(Biased(table), Sources(table, FitTexts({}), ()), DebiasSettings(method=method, strength="auto"))
    rows = fitted.record["strengths"]
    assert [row["strength"] for row in rows] == [step / 10 for step in range(11)]
    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["strength"] == fitted.maps.strength == fitted.record["strength"] > 0
    assert chosen["multi"] == max(row["multi"] for row in rows if row["allowed"])
    assert chosen["multi"] > rows[0]["multi"] + 0.1
    assert chosen["rank_distance"] < rows[0]["rank_distance"]
    assert rows[0]["mono"] - chosen["mono"] <= 0.005
    assert "told" in fitted.record or method == "lsar"


def test_it_is_said_where_the_pairs_are_too_easy_to_show_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    table = made_pairs()
    for mark, said in ((9.0, True), (60.0, False)):
        fitted = fit_maps(Biased(table, mark), Sources(table, FitTexts({}), ()), DebiasSettings(strength="auto"))
        assert (fitted.record["strengths"][0]["mono"] > 0.95) == said
        assert ("found too easily (nDCG@10 " in capsys.readouterr().err) == said


def test_a_strength_that_loses_too_much_within_one_language_is_not_chosen() -> None:
    """Without a mark of the language, the mean direction that LIR removes is part of the meaning."""
    table = made_pairs()
    strict = DebiasSettings(method="lir", directions=22, strength="auto", max_mono_loss=0.0)
    fitted = fit_maps(Biased(table, mark=0.0), Sources(table, FitTexts({}), ()), strict)
    rows = fitted.record["strengths"]
    assert not rows[-1]["allowed"]
    assert rows[0]["allowed"], "no correction always passes"
    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["mono"] >= rows[0]["mono"]


def test_pairs_to_measure_on_share_nothing_with_those_to_fit_on() -> None:
    table = made_pairs()
    rest, held = hold_out(table, 0.2, 0)
    ids = [set(part.column("id", np.arange(len(part)))) for part in (rest, held)]
    assert not ids[0] & ids[1]
    assert len(ids[0]) + len(ids[1]) == table.index.n_pairs
    for side in ("query", "passage"):
        texts = [set(part.column(side, np.arange(len(part)))) for part in (rest, held)]
        assert not texts[0] & texts[1]
    fitted = fit_maps(Biased(table), Sources(table, FitTexts({}), ()), DebiasSettings(strength="auto"))
    assert not set(fitted.texts.of_side("query")) & set(held.column("query", np.arange(len(held))))
    with pytest.raises(InputError, match="strength auto needs pairs"):
        fit_maps(Biased(table), Sources(None, FitTexts({}), ()), DebiasSettings(strength="auto"))


@pytest.mark.parametrize("languages", [("de",), ("de", "en")])
def test_a_strength_is_not_chosen_on_pairs_that_are_no_translations(languages: tuple[str, ...]) -> None:
    rows = [
        PairRow("made", f"{lang}{n}", lang, f"{lang} {n}", f"{lang} is {n}") for lang in languages for n in range(60)
    ]
    with pytest.raises(InputError, match="none is in two languages"):
        hold_out(PairTable.from_rows(rows), 0.2, 0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A tiny model, pairs to fit on, and a benchmark of other pairs."""
    tiny_base(tmp_path / "tiny")
    rows = pair_rows(60)
    for name, own in (("fit", rows[:90]), ("rest", rows[90:])):
        lines = [json.dumps({key: getattr(row, key) for key in ("id", "lang", "query", "passage")}) for row in own]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_folder(make_pair_benchmark(PairTable.from_rows(rows[90:]), "bench", "parallel"), tmp_path / "bench")
    return tmp_path


def test_the_command_writes_a_model_that_says_how_it_was_fitted(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    words = ["debias", "tiny", "--fit", "fit.jsonl", "--method", "shift", "--strength", "auto", "--held-out", ".3"]
    assert main([*words, "--output", "out", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "strength  mono nDCG@10" in printed
    assert "chosen" in printed
    record = json.loads((place / "out" / "debias.json").read_text("utf-8"))
    assert (record["base"], record["fit"], record["method"]) == (
        "tiny",
        ["fit.jsonl"],
        {"name": "shift", "source": "en"},
    )
    card = (place / "out" / "README.md").read_text("utf-8")
    assert "shift (source en)" in card
    assert "fit.jsonl" in card
    assert 'task="query-de"' in card
    model = load_model("out", device="cpu")
    summary = evaluate(model, str(place / "bench"), measures=["nDCG@10"], progress=False).summary
    assert summary["model_facts"]["debias"]["fit"] == ["fit.jsonl"]
    assert [note for note in summary["notes"] if note.startswith("debiased by shift, strength")]
    assert not [note for note in summary["notes"] if "transductive" in note]
    assert main([*words, "--output", "out"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["debias", "out", "--fit", "fit.jsonl", "--output", "twice", "--device", "cpu"]) == 2
    assert "is debiased already (shift): debias tiny" in capsys.readouterr().err
    assert not (place / "twice").exists()


def test_what_is_fitted_on_the_benchmark_is_marked_everywhere(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert main(["debias", "tiny", "--fit", "bench", "--output", "out", "--device", "cpu"]) == 0
    captured = capsys.readouterr()
    assert "transductive" in captured.out
    assert "transductive" in captured.err
    assert "Transductive" in (place / "out" / "README.md").read_text("utf-8")
    model = load_model("out", device="cpu")
    assert "transductive" in capsys.readouterr().err, "when it is loaded"
    notes = evaluate(model, "bench", measures=["AP"], progress=False).summary["notes"]
    assert any("transductive: the correction was fitted on texts of bench" in note for note in notes)
    # by another name the texts are known
    debias("tiny", "rest.jsonl", "other", progress=False, device="cpu", sides="together")
    notes = evaluate(load_model("other", device="cpu"), "bench", measures=["AP"], progress=False).summary["notes"]
    assert any("transductive" in note for note in notes)


def test_evaluation_gives_each_text_its_language_and_the_store_tells_them_apart(place: Path) -> None:
    debias(
        str(place / "tiny"), str(place / "fit.jsonl"), place / "out", method="centring", progress=False, device="cpu"
    )
    model = load_model(str(place / "out"), device="cpu")
    store = EmbeddingStore(place / "store")
    shared, languages = ["de1 en2", "de1 en2", "zh3"], ["de", "en", "zh"]

    def stored(own: list[str] | None) -> Float32Array:
        return np.asarray(store.encode(model, "digest", "", shared, "query", progress=False, languages=own)[:])

    given = stored(languages)
    expected = encode_texts(model, shared, "query", progress=False, languages=languages)
    np.testing.assert_allclose(given, expected, atol=1e-6)
    assert np.abs(given[0] - given[1]).max() > 1e-4, "one text, two languages"
    told, turned = stored(None), stored(["en", "de", "zh"])
    np.testing.assert_allclose(told[0], told[1])
    np.testing.assert_allclose(turned[:2], given[1::-1], atol=1e-6)
    assert len(list((place / "store").glob("*/meta.json"))) == 3
    plain = load_model(str(place / "tiny"), device="cpu")
    for own in (languages, None):
        store.encode(plain, "plain", "", shared, "query", progress=False, languages=own)
    assert len(list((place / "store").glob("*/meta.json"))) == 4, "a model that is not told has one entry"


def write_vectors(folder: Path, seed: int = 0, n: int = 60) -> dict[str, Float32Array]:
    """Vectors of parallel texts in three languages on both sides, as an API would give them."""
    random = np.random.default_rng(seed)
    meaning, made = random.standard_normal((n, WIDTH)), {}
    for side in ("queries", "corpus"):
        (folder / side).mkdir(parents=True)
        for number, lang in enumerate(("de", "en", "zh")):
            vectors = meaning + 4.0 * np.eye(WIDTH)[number] + 0.1 * random.standard_normal((n, WIDTH))
            made[f"{side}/{lang}"] = vectors.astype(np.float32)
            np.save(folder / side / f"{lang}.npy", made[f"{side}/{lang}"])
    return made


def test_vectors_are_corrected_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_vectors(tmp_path / "fit")
    made = write_vectors(tmp_path / "more", seed=1)
    words = ["debias", "--fit", str(tmp_path / "fit"), "--embeddings", str(tmp_path / "more"), "--method", "centring"]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert "corrected 360 vectors in 6 files" in capsys.readouterr().out
    maps = LanguageMaps.load(tmp_path / "out")
    for name, vectors in made.items():
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        expected = maps.apply(unit, "query" if name.startswith("q") else "passage", name[-2:])
        np.testing.assert_allclose(np.load(tmp_path / "out" / f"{name}.npy"), expected, atol=1e-6)
    # later ones by the same maps, from a file of any place
    one = ["debias", str(tmp_path / "out"), "--embeddings", str(tmp_path / "more/queries/de.npy")]
    assert main([*one, "--output", str(tmp_path / "again")]) == 0
    again = np.load(tmp_path / "again/queries/de.npy")
    np.testing.assert_allclose(again, np.load(tmp_path / "out/queries/de.npy"), atol=1e-6)
    loose = tmp_path / "vectors.npy"
    np.save(loose, made["queries/de"])
    assert main(["debias", str(tmp_path / "out"), "--embeddings", str(loose), "--output", str(tmp_path / "x")]) == 2
    assert "queries and passages are corrected apart: give --side" in capsys.readouterr().err
    given = ["--side", "query", "--lang", "deu", "--output", str(tmp_path / "x")]
    assert main(["debias", str(tmp_path / "out"), "--embeddings", str(loose), *given]) == 0
    np.testing.assert_allclose(np.load(tmp_path / "x/vectors.npy"), again, atol=1e-6)
    same = ["debias", "--fit", str(tmp_path / "fit"), "--embeddings", str(tmp_path / "fit"), "--output"]
    assert main([*same, str(tmp_path / "same")]) == 0
    assert "transductive" in capsys.readouterr().out


def test_parquet_keeps_its_other_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = write_vectors(tmp_path / "fit")
    places = [("passage", "de", "corpus/de"), ("query", "zh", "queries/zh"), ("query", "fr", "queries/en")]
    rows = [(side, lang, made[place][number]) for number, (side, lang, place) in enumerate(places)]
    columns = {"text": ["a", "b", "c"], "kind": [row[0] for row in rows], "lang": [row[1] for row in rows]}
    table = pa.table({**columns, "vector": [row[2].tolist() for row in rows]})
    pq.write_table(table, tmp_path / "stored.parquet")
    words = [
        "debias",
        "--fit",
        str(tmp_path / "fit"),
        "--method",
        "lir",
        "--embeddings",
        str(tmp_path / "stored.parquet"),
    ]
    assert main([*words, "--output", str(tmp_path / "out"), "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["corrected"] == {"files": 1, "vectors": 3}
    assert "nothing was fitted on fr" in captured.err
    again = pq.read_table(tmp_path / "out/stored.parquet")
    assert again.select(["text", "kind", "lang"]).to_pydict() == columns
    maps = LanguageMaps.load(tmp_path / "out")
    for number, (side, lang, vector) in enumerate(rows):
        unit = (vector / np.linalg.norm(vector))[None]
        np.testing.assert_allclose(again["vector"][number].as_py(), maps.apply(unit, side, lang)[0], atol=1e-6)


def test_a_vector_without_an_id_is_no_translation_of_others_without(tmp_path: Path) -> None:
    made = write_vectors(tmp_path / "fit")
    for path in (tmp_path / "fit").rglob("*.npy"):
        vectors = made[f"{path.parent.name}/{path.stem}"]
        ids = pa.array([1 << 63, *range(len(vectors) - 2), None], pa.uint64())
        pq.write_table(pa.table({"id": ids, "vector": vectors.tolist()}), path.with_suffix(".parquet"))
        path.unlink()
    with pytest.raises(InputError, match=r"de\.parquet:60: no id"):
        debias_vectors([tmp_path / "fit"], tmp_path / "out", fit=[tmp_path / "fit"])
    for path in (tmp_path / "fit").rglob("*.parquet"):
        pq.write_table(pq.read_table(path).slice(0, 59), path)
    debias_vectors([tmp_path / "fit"], tmp_path / "out", fit=[tmp_path / "fit"])


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["tiny"], "give a MODEL and --fit TEXTS"),
        (["tiny", "--fit", "facts:", "--lang", "de"], "--side, --lang: only for --embeddings"),
        (["tiny", "--fit", "facts:", "--strength", "2"], "strength"),
        (["tiny", "--fit", "facts:", "--strength", "full"], "strength"),
        (["--embeddings", "a.npy"], "--embeddings needs a MODEL that isoglot debias wrote, or --fit DIR"),
        (["elsewhere", "--embeddings", "a.npy"], "holds no debias.safetensors"),
        (["elsewhere", "--embeddings", "a.npy", "--store", "s"], "--store: not for --embeddings"),
        (["--fit", "vectors", "--embeddings", "a.npy", "--strength", "auto"], "strength auto measures pairs of texts"),
        (["--fit", "empty", "--embeddings", "a.npy"], "empty: no file of vectors there"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "elsewhere").mkdir()
    write_vectors(tmp_path / "vectors")
    assert main(["debias", *words, "--output", "out"]) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()
