"""The other commands that write: models, vectors, an index, exports, pictures, reports; and a check that none is missing."""

from __future__ import annotations

from pathlib import Path

from _commands import Case, Command

_READ = {
    "--config",
    "--data-dir",
    "--results",
    "debias --embeddings",
    "encode texts",
    "evaluate --embeddings",
    "search --queries",
    "serve index",
}
"""Options and arguments that name a place which is only read; a command's own before those of all."""
_PLACES = ("DIR", "FILE", "INDEX", "TARGET")


def others(inputs: Path, area: Path) -> dict[str, Case]:
    """Them by name; what each writes lies in `area`."""
    model, other, bench, pairs = (str(inputs / name) for name in ("model", "other", "bench", "pairs.jsonl"))
    pieces, letters = str(inputs / "pieces"), str(inputs / "letters.txt")
    documents, fewer, lexicon = (str(inputs / name) for name in ("documents.jsonl", "few-documents.jsonl", "en-de.tsv"))
    place = {
        name: str(area / name)
        for name in ("average", "debiased", "index", "first", "second", "study", "texts", "exports", "repaired")
    }
    encode = ["encode", model, documents, "--shard-size", "16", "--output", str(area / "vectors")]
    debias = ["debias", model, "--fit", pairs, "--output", place["debiased"]]
    vectors = ["debias", "--embeddings", str(inputs / "vectors"), "--fit", str(inputs / "vectors")]
    index = ["index", model, fewer, "--output", place["index"]]
    measure = ["evaluate", model, bench, "--measures", "nDCG@10", "--overwrite", "--output"]
    exports = [flag for name in ("plot", "export-trec", "export-mteb") for flag in (f"--{name}", str(area / name))]
    compare = ["compare", place["first"], place["second"], "--resamples", "99", "--overwrite"]
    compare += ["--output", str(area / "compared.json"), "--plot", str(area / "plots")]
    probe = ["probe", model, "--lexicon", lexicon, "--resamples", "100", "--picture", str(area / "layers.svg")]
    inject = ["inject", model, "--lexicon", lexicon, "--layer", "1", "--pairs", "30", "--control-pairs", "10"]
    inject += ["--epochs", "2", "--threads", "1", "--lora-rank", "4", "--output", str(area / "injected")]
    hold_out = ["data", "benchmark", pairs, "--holdout", "25%", "--rest", str(area / "rest.jsonl")]
    audit = ["data", "audit", str(inputs / "apart.jsonl"), "--against", bench, "--overwrite"]
    average = ["model", "average", model, other, "--output", place["average"]]
    publish = [
        "push",
        place["average"],
        "me/model",
        "--license",
        "mit",
        "--base-model",
        "none",
        "--languages",
        "de",
        "en",
    ]
    repair = [
        "repair",
        model,
        pairs,
        "--output",
        place["repaired"],
        "--steps",
        "2",
        "--holdout",
        "25%",
        "--max-loss",
        "1",
    ]
    repair += ["--no-clean", "--texts", "20", "--train", "batch_size=4", "threads=1"]
    study = ["study", "run", str(inputs / "study.yaml"), "--output", place["study"], "--allow-leaks", "--threads", "1"]
    new, there = "not empty", "exists already"
    return {
        "evaluate, exports and pictures": Case(Command(*measure, str(area / "result"), *exports)),
        "compare": Case(Command(*compare), 1, (Command(*measure, place["first"]), Command(*measure, place["second"]))),
        "encode": Case(Command(*encode)),
        "debias": Case(Command(*debias, "--store", str(area / "store")), done=new),
        "debias, vectors": Case(Command(*vectors, "--output", str(area / "corrected")), 1, done=new),
        "index": Case(Command(*index)),
        "index --update": Case(
            Command("index", "--update", documents, "--output", place["index"]), before=(Command(*index),)
        ),
        "index, faiss": Case(Command(*index, "--backend", "faiss"), 1),
        "index, another model": Case(
            Command("debias", place["debiased"], "--embeddings", place["index"]),
            1,
            (Command(*debias), Command(*index)),
            done="model",
        ),
        "search --hybrid": Case(
            Command("search", place["index"], "de3", "--hybrid"), 1, (Command(*index),), again=None
        ),
        "bias --output": Case(
            Command("bias", place["index"], "--output", str(area / "bias.html")), 1, (Command(*index),), done=there
        ),
        "bias --pairs": Case(
            Command("bias", place["index"], "--groups", "4", "--pairs", str(area / "titles.jsonl")),
            1,
            (Command(*index),),
            done=there,
        ),
        "probe --picture": Case(Command(*probe), 1, done=there),
        "inject": Case(Command(*inject), 1, done=new),
        "data benchmark --rest": Case(Command(*hold_out, "--output", str(area / "held-out")), 1, done=there),
        "data audit": Case(Command(*audit, "--output", str(area / "audit.json")), 1),
        "data texts": Case(Command("data", "texts", bench, place["texts"], "--overwrite"), 1),
        "model average": Case(Command(*average), 1, done=new),
        "model prune": Case(
            Command("model", "prune", pieces, "--corpus", letters, "--output", str(area / "pruned")), 1, done=new
        ),
        "model export": Case(Command("model", "export", model, "--output", str(area / "onnx")), 1, done=new),
        "push --dry-run": Case(
            Command(*publish, "--dry-run", str(area / "published")), 1, (Command(*average),), done=new
        ),
        "repair": Case(Command(*repair)),
        "study report": Case(Command("study", "report", place["study"]), 1, (Command(*study),)),
    }


def without_case(cases: dict[str, Case]) -> list[str]:
    """What commands can write and no case does: `COMMAND OPTION`, by the parser of all commands."""
    from isoglot.cli.main import parser
    from isoglot.cli.parser import leaves

    words = [case.work.words for case in cases.values() if isinstance(case.work, Command)]
    missing = []
    for leaf in leaves(parser()):
        name = leaf.prog.removeprefix("isoglot ")
        own = [given for given in words if " ".join(given).startswith(f"{name} ")]
        for action in leaf._actions:
            said = action.option_strings[-1] if action.option_strings else action.dest
            is_place = action.type is Path or action.metavar in _PLACES or said == "--output"
            if not is_place or not _READ.isdisjoint((said, f"{name} {said}")):
                continue
            if not any(said in given if action.option_strings else len(given) for given in own):
                missing.append(f"{name} {said}")
    return missing
