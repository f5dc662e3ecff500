"""What `isoglot encode` wrote, measured and corrected as vectors that were made elsewhere are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from isoglot.cli.main import main
from isoglot.errors import InputError
from isoglot.evaluation.encoded_side import EncodedSide
from isoglot.models.language_maps import LanguageMaps
from isoglot.retrieval.encoded import EncodedTexts, is_encoded
from tests.study.small import write_benchmark
from tests.training.tiny import LANGUAGES, tiny_base

SIDES = (("queries", "query"), ("corpus", "passage"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model `tiny`, a benchmark `bench`, its texts in `texts`, and their vectors in `vectors`."""
    folder = tmp_path_factory.mktemp("place")
    base, bench = str(tiny_base(folder / "tiny")), str(write_benchmark(folder / "bench"))
    assert main(["data", "texts", bench, str(folder / "texts")]) == 0
    for side, kind in SIDES:
        files = [str(path) for path in sorted((folder / "texts" / side).glob("*.jsonl"))]
        more = ["--kind", kind, "--dtype", "float32", "--output", str(folder / "vectors" / side), "--shard-size", "10"]
        assert main(["encode", base, *files, *more]) == 0
    return folder


def test_the_figures_are_those_of_the_model(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(place / "bench"), "--json"]
    assert main(["evaluate", str(place / "tiny"), *words]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert main(["evaluate", "stored", *words, "--embeddings", str(place / "vectors")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"] == expected["settings"]
    assert found["bias"]["rank_distance"] == expected["bias"]["rank_distance"]


def test_texts_without_a_vector_or_of_the_other_kind_are_named(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus").symlink_to(place / "vectors" / "corpus")
    (tmp_path / "queries").symlink_to(place / "vectors" / "corpus")
    words = ["evaluate", "stored", str(place / "bench"), "--embeddings", str(tmp_path)]
    assert main(words) == 2
    assert "queries: texts were encoded as passage; give isoglot encode --kind query" in capsys.readouterr().err
    (tmp_path / "queries").unlink()
    some = str(place / "texts" / "queries" / "de.jsonl")
    more = ["--kind", "query", "--output", str(tmp_path / "queries")]
    assert main(["encode", str(place / "tiny"), some, *more]) == 0
    assert main(words) == 2
    assert "24 of 24 texts in en have no vector; the first is '0'" in capsys.readouterr().err
    assert main(["encode", str(place / "tiny"), some, some, *more]) == 0
    with pytest.raises(InputError, match="text '0' in 'de' is there twice"):
        EncodedSide(tmp_path / "queries")
    assert (
        main(["encode", str(place / "tiny"), some, "--similarity", "dot", *more[:-1], str(tmp_path / "dot/queries")])
        == 0
    )
    with pytest.raises(InputError, match="vectors for the inner product"):
        EncodedSide(tmp_path / "dot/queries")


def test_vectors_are_corrected_shard_by_shard(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By maps that were fitted on vectors of half of the texts, in files."""
    for side, _ in SIDES:
        before = EncodedTexts.open(place / "vectors" / side)
        columns = [(ids, langs, np.asarray(vectors)) for ids, langs, vectors in before.shards()]
        languages = [lang for _, langs, _ in columns for lang in langs]
        vectors = np.concatenate([own for _, _, own in columns])
        (tmp_path / "fit" / side).mkdir(parents=True)
        for lang in LANGUAGES:
            rows = [row for row, own in enumerate(languages) if own == lang]
            np.save(tmp_path / "fit" / side / f"{lang}.npy", vectors[rows[::2]])
    fit = ["debias", "--fit", str(tmp_path / "fit"), "--embeddings", str(tmp_path / "fit"), "--method", "centring"]
    assert main([*fit, "--output", str(tmp_path / "maps")]) == 0
    corpus = place / "vectors" / "corpus"
    words = ["debias", str(tmp_path / "maps"), "--embeddings", str(corpus), "--output"]
    assert main([*words, str(tmp_path / "out")]) == 0
    assert f"corrected {len(vectors)} vectors in 9 files" in capsys.readouterr().out
    maps, after = LanguageMaps.load(tmp_path / "maps"), EncodedTexts.open(tmp_path / "out", verify=True)
    assert after.meta["identity"]["debiased"]
    assert [entry["texts"] for entry in after.meta["shards"]] == [entry["texts"] for entry in before.meta["shards"]]
    for (ids, langs, corrected), (old_ids, old_langs, own) in zip(after.shards(), columns):
        assert (ids, langs) == (old_ids, old_langs)
        for row, lang in enumerate(langs):
            expected = maps.apply(own[row : row + 1], "passage", lang)
            np.testing.assert_allclose(corrected[row : row + 1], expected, atol=1e-6)
    assert np.abs(np.asarray(after.vectors) - vectors).max() > 0.01
    assert main([*words, str(tmp_path / "again")]) == 0
    names = [sorted(path.name for path in folder.iterdir()) for folder in (tmp_path / "out", tmp_path / "again")]
    assert names[0] == names[1]

    capsys.readouterr()
    texts = str(place / "texts" / "corpus" / "de.jsonl")
    assert main(["encode", str(place / "tiny"), texts, "--dtype", "float32", "--output", str(tmp_path / "out")]) == 2
    assert "differ in debiased" in capsys.readouterr().err, "corrected vectors are not gone on with as others"
    assert (
        main(["debias", "--fit", str(tmp_path / "fit"), "--embeddings", str(corpus), "--output", str(tmp_path / "x")])
        == 2
    )
    assert "give it alone, with a MODEL that isoglot debias wrote" in capsys.readouterr().err
    assert not is_encoded(tmp_path / "fit")
