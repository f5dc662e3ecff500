"""The commands on good input, in process, on small data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from isoglot import __version__
from isoglot.cli.main import main
from isoglot.evaluation.results import load_result
from tests.models.zoo import KINDS
from tests.training.tiny import pair_rows, tiny_base


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.jsonl"
    fields = ("id", "lang", "query", "passage")
    path.write_text("".join(json.dumps({key: getattr(row, key) for key in fields}) + "\n" for row in pair_rows()))
    return str(path)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Every pair's passage is the answer in all languages."""
    folder = tmp_path / "bench"
    for part in ("queries", "corpus"):
        (folder / part).mkdir(parents=True)
    rows = pair_rows()
    for lang in ("de", "en", "zh"):
        here = [row for row in rows if row.lang == lang]
        (folder / "queries" / f"{lang}.jsonl").write_text(
            "".join(json.dumps({"_id": row.id, "text": row.query}) + "\n" for row in here)
        )
        (folder / "corpus" / f"{lang}.jsonl").write_text(
            "".join(json.dumps({"_id": f"{lang}-{row.id}", "text": row.passage}) + "\n" for row in here)
        )
    (folder / "qrels.tsv").write_text("".join(f"{row.id}\t0\t{row.lang}-{row.id}\t1\n" for row in rows))
    return folder


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert __version__ in capsys.readouterr().out
    for command in ("train", "evaluate", "plan", "data"):
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0


def test_help_and_plan_load_no_torch(pairs: str) -> None:
    code = (
        "import sys; from isoglot.cli.main import main; "
        f"main(['plan', '--pairs', {pairs!r}, '--batch-size', '4', '--steps', '5']); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_plan_shows_what_training_uses(pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    from isoglot.batching.plan import BatchPlan, PlanSettings
    from isoglot.data.pairs.loading import load_pairs

    words = ["plan", "--pairs", pairs, "--batch-size", "4", "--steps", "40", "--seed", "3"]
    assert main([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    table = load_pairs(pairs)
    batch = BatchPlan(table.index, PlanSettings(batch_size=4, seed=3))[0]
    assert shown["batches"][0]["ids"] == table.column("id", batch.query_rows)
    assert shown["batches"][0]["passage_languages"] == table.column("lang", batch.passage_rows)
    counts = shown["composition"]
    assert counts["batches"]["mono"] + counts["batches"]["cross"] == 40
    assert sum(n for row in counts["cross_pairs"].values() for n in row.values()) == 4 * counts["batches"]["cross"]
    assert all(lang not in row for lang, row in counts["cross_pairs"].items())
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "step 0:" in out
    assert "two or more" in out


def test_train_then_evaluate(tmp_path: Path, pairs: str, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(tiny_base(tmp_path / "base"))
    run = str(tmp_path / "run")
    config = tmp_path / "train.yaml"
    config.write_text(f"pairs: {pairs}\nbase: {base}\nsteps: 99\nlora: {{rank: 4}}\nthreads: 1\n")
    words = ["train", "--config", str(config), "--output", run, "--batch-size", "8", "--steps", "6", "lora.alpha=16"]
    assert main([*words, "--json"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["steps"] == 6
    asked = json.loads((tmp_path / "run" / "run.json").read_text())["asked"]
    assert (asked["lora"]["rank"], asked["lora"]["alpha"], asked["pairs"]) == (4, 16.0, [pairs])

    assert main(["evaluate", run, str(benchmark), "--json", "--output", str(tmp_path / "result")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == load_result(tmp_path / "result").summary
    assert set(summary["settings"]) == {"mono", "cross", "multi"}
    assert set(summary["settings"]["multi"]) == {"AP", "nDCG@10", "R@1", "R@10", "R@100"}
    assert summary["model"] == run
    assert summary["bias"]["rank_distance"] > 0
    assert (tmp_path / "result" / "per_query.parquet").is_file()

    assert main(["evaluate", run, str(benchmark), "--settings", "mono", "--measures", "RR", "nDCG@5"]) == 0
    out = capsys.readouterr().out
    assert "nDCG@5" in out
    assert "multi" not in out


def test_a_model_is_said_in_one_line_and_measured_as_it_says(
    tmp_path: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(KINDS["dot"](tmp_path / "e5-base-dot"))
    capsys.readouterr()
    summaries, said = [], ""
    for more in ([], ["--similarity", "cosine"], ["--similarity", "dot"]):
        assert main(["evaluate", path, str(benchmark), "--json", "--device", "cpu", *more]) == 0
        out, err = capsys.readouterr()
        summaries.append(json.loads(out))
        said += err
        facts = summaries[-1]["model_facts"]
        opening = (
            f"isoglot: {path}: bert, mean pooling, not normalised, {facts['similarity']} similarity, 32 dimensions"
        )
        (line,) = [text for text in said.splitlines() if text.startswith(opening)]
        assert "prompts '' and '' (saved with the model)" in line
    assert [summary["model_facts"]["similarity"] for summary in summaries] == ["dot", "cosine", "dot"]
    assert summaries[0]["settings"] == summaries[2]["settings"]
    assert main(["evaluate", "bm25", str(benchmark), "--similarity", "dot"]) == 2
    assert "--similarity: only for a model that is loaded here" in capsys.readouterr().err
    assert main(["evaluate", path, str(benchmark), "--device", "cuda:99"]) == 2
    assert capsys.readouterr().err.count("device 'cuda:99' cannot be used") == 1


def test_evaluate_extras(tmp_path: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    base = str(tiny_base(tmp_path / "base"))
    words = ["evaluate", base, str(benchmark), "--store", str(tmp_path / "store"), "--json"]
    assert main(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert main([*words, "--output", str(tmp_path / "a")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["settings"] == first["settings"]
    assert again["bias"] == first["bias"]
    assert main(["evaluate", base, str(benchmark), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == first["settings"], "stored vectors are the model's"

    random = np.random.default_rng(0)
    for side in ("queries", "corpus"):
        (tmp_path / "vectors" / side).mkdir(parents=True)
        for lang in ("de", "en", "zh"):
            np.save(tmp_path / "vectors" / side / f"{lang}.npy", random.normal(size=(24, 5)).astype(np.float32))
    words = ["evaluate", "mine", str(benchmark), "--embeddings", str(tmp_path / "vectors")]
    assert (
        main([*words, "--table", "languages", "--plot", str(tmp_path / "plots"), "--output", str(tmp_path / "b")]) == 0
    )
    assert "mean" in capsys.readouterr().out
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".svg"}
    assert main(["compare", f"tiny={tmp_path / 'a'}", f"random={tmp_path / 'b'}", "--resamples", "199", "--json"]) == 0
    assert capsys.readouterr().out.startswith("{")
    assert main(["data", "list"]) == 0
    assert "miracl" in capsys.readouterr().out


def test_lexical_reference_and_exports(tmp_path: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import ir_measures

    words = ["evaluate", "bm25", str(benchmark), "--measures", "AP", "--export-trec", str(tmp_path / "trec")]
    words += ["--export-mteb", str(tmp_path / "mteb"), "--trec-depth", "20", "--json"]
    assert main(words) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["model"].startswith("bm25 (")
    assert set(summary["settings"]["mono"]) == {"AP", "nDCG@10"}, "MTEB's main score is measured too"
    assert summary["bias"]["rank_distance"] > 0
    assert summary["bias"]["rank_consistency"] == {"undefined": "the ranker makes no vectors"}
    cells = json.loads((tmp_path / "trec" / "cells.json").read_text())
    assert (cells["depth"], len(cells["cells"])) == (20, 12)
    home = tmp_path / "trec" / "mono"
    found = ir_measures.calc_aggregate(
        [ir_measures.nDCG @ 10],
        list(ir_measures.read_trec_qrels(str(home / "en.qrels.trec"))),
        ir_measures.read_trec_run(str(home / "en.run.trec")),
    )
    expected = summary["per_language"]["mono"]["en"]["nDCG@10"]
    assert found[ir_measures.nDCG @ 10] == pytest.approx(expected, abs=1e-6)
    files = {path.name: json.loads(path.read_text()) for path in (tmp_path / "mteb").iterdir()}
    assert len(files) == 3
    mono = next(value for name, value in files.items() if "Monolingual" in name)
    assert {cell["hf_subset"]: cell["main_score"] for cell in mono["scores"]["test"]}["en"] == expected


def test_texts_to_embed_elsewhere(tmp_path: Path, benchmark: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    home = tmp_path / "texts"
    assert main(["data", "texts", str(benchmark), str(home), "--languages", "en", "de"]) == 0
    assert "48 queries and 48 documents in 4 files" in capsys.readouterr().out
    for path in home.rglob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        numbers = [int("".join(filter(str.isdigit, row["_id"]))) for row in rows]
        assert all(row["text"] for row in rows)
        # a vector per pair: every answer is found
        np.save(path.with_suffix(".npy"), np.eye(64, dtype=np.float32)[numbers])
    words = ["evaluate", "mine", str(benchmark), "--languages", "en", "de", "--embeddings", str(home), "--json"]
    assert main(words) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["model"], summary["settings"]["multi"]["R@10"]) == ("mine", 1.0)


def test_overwrite_and_resume(tmp_path: Path, pairs: str, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(tiny_base(tmp_path / "base"))
    words = ["train", "--pairs", pairs, "--base", base, "--output", str(tmp_path / "run"), "--steps", "2", "threads=1"]
    words += ["--batch-size", "4"]
    assert main(words) == 0
    assert main(words) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert main([*words, "--overwrite"]) == 0


def test_data_check_is_fine_with_facts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "facts:de,en", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    facts = report["sources"]["facts"]
    assert facts["pairs"] >= 3000
    assert facts["pairs_in_k_languages"] == {"2": facts["pairs"]}
    assert report["problems"] == []
