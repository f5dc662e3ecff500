"""`isoglot model`: one model of several, a model with a smaller vocabulary, and a model for another runtime."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.cli.common import add_data_dir, print_json

if TYPE_CHECKING:
    from isoglot.models.vocabulary import Vocabulary
    from isoglot.records import FloatArray

_MODEL = "hub id, directory, run, or offline:NAME"
_PROBED = 32  # texts by which a smaller model is held to its origin


def add(commands: Any) -> None:
    """Add the command to the parser."""
    top = commands.add_parser(
        "model",
        help="average models, take words out of a model's vocabulary, export to ONNX",
        description="Make a model of models, without training.",
    )
    inner = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    inner.add_parser(
        "average",
        help="the mean of the weights of several models",
        description="Write the model whose weights are the weighted mean of several models' weights: runs with other seeds or "
        "other batches, or a run and its base. Models that differ in tensors, tokenizer, prompts, pooling or similarity are "
        "refused. Adapters are merged into their bases first: the mean is that of what they add to the weights, not of their "
        "factors.",
        epilog="example: isoglot model average runs/mono runs/cross --weights .25 .75 --output models/between",
        fill=_fill_average,
    )
    inner.add_parser(
        "prune",
        help="the same model with a smaller vocabulary",
        description="Keep only those pieces of a multilingual model's vocabulary that texts of some languages use, and the word "
        "embeddings of these: most weights of a small multilingual model are word embeddings. Texts of kept pieces have the "
        "same vectors as before; in other texts, words are cut into smaller pieces. Single characters are always kept. "
        "--languages needs the extra prune (wordfreq).",
        epilog="example: isoglot model prune offline:multilingual-e5-small --languages en de fr es it --output models/e5-western",
        fill=_fill_prune,
    )
    inner.add_parser(
        "export",
        help="the same model for onnxruntime, also in 8 bits",
        description="Write the model with its encoder as an ONNX graph. The directory is what sentence-transformers loads with "
        'backend="onnx"; prompts, pooling and whatever stands behind it, such as a correction by isoglot debias, are kept. '
        "isoglot evaluate and other commands that embed texts take it like any model. Needs the extra onnx.",
        epilog="example: isoglot model export runs/repaired --format onnx --quantize int8 --output models/repaired-int8",
        fill=_fill_export,
    )


def _fill_average(command: argparse.ArgumentParser) -> None:
    command.add_argument("models", nargs="+", metavar="MODEL", help=_MODEL)
    weights = "of each, in their order; together 1 (default: equal)"
    command.add_argument("--weights", nargs="+", type=float, metavar="X", help=weights)
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the model's directory")
    command.set_defaults(run=_average)


def _fill_prune(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help=_MODEL)
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--languages", nargs="+", metavar="L", help="keep what their most frequent words use")
    texts = "keep what these use: files (.txt .jsonl .csv .tsv .parquet), other sources of pairs, benchmarks"
    which.add_argument("--corpus", nargs="+", metavar="TEXTS", help=texts)
    command.add_argument("--keep", type=int, metavar="N", help="so many pieces at most: those used least go first")
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the model's directory")
    command.add_argument("--json", action="store_true", help="print JSON")
    add_data_dir(command)
    command.set_defaults(run=_prune)


def _fill_export(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", metavar="MODEL", help=_MODEL)
    command.add_argument("--format", choices=["onnx"], default="onnx", help="of the encoder (default: onnx)")
    bits = (
        "store weights in 8 bits, a quarter of the size. int8: nearly the same vectors (a scale per 32 numbers); int8-dynamic: "
        "faster, less exact, and the vector of a text depends on its batch (docs/stacks.md)"
    )
    command.add_argument("--quantize", choices=["int8", "int8-dynamic"], help=bits)
    command.add_argument("--output", type=Path, required=True, metavar="DIR", help="the model's directory")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_export)


def _check_output(output: Path, models: list[str]) -> None:
    from isoglot.cli.common import check_new_folder
    from isoglot.models.content import check_apart

    for name in models:
        check_apart(name, output)
    check_new_folder(output)


def _average(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.training.average import average_weights, check_weights

    names = options.models
    weights = options.weights or [1.0 / len(names)] * len(names)
    check_weights(names, weights)
    _check_output(options.output, names)
    quiet()
    average_weights(names, weights, options.output)
    print(f"{options.output}: " + " + ".join(f"{weight:.4g} x {name}" for name, weight in zip(names, weights)))
    return 0


def _prune(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.data.audit.trained import trained_of
    from isoglot.files import atomic_directory
    from isoglot.models.card import write_card_of
    from isoglot.models.language_maps import copy_maps
    from isoglot.models.load import load_model
    from isoglot.models.prune import kept_ids, save_pruned, vocabulary_of
    from isoglot.tables import code_span, escape

    _check_output(options.output, [options.model])
    quiet()
    model = load_model(options.model, device="cpu", trainable=True)
    vocabulary = vocabulary_of(model, options.model)
    counts, used, texts = _counts(vocabulary, options)
    kept = kept_ids(model, vocabulary, vocabulary.choose(counts, options.keep))
    texts += " ".join(texts).split()  # of few pieces a word is sooner kept whole
    probed = [text for text, encoding in zip(texts, vocabulary.encode(texts)) if kept.issuperset(encoding.ids)][
        :_PROBED
    ]
    before = _size(model)
    with atomic_directory(options.output) as path:
        save_pruned(model, vocabulary, kept, probed, path)
        trained_of(model).save(path)
        copy_maps(model, path)
        of = ", ".join(options.corpus or (f"the most frequent words of {code}" for code in options.languages))
        how = f"{code_span(options.model)} with {len(kept):,} of its {before['pieces']:,} pieces: those that {escape(of)} use."
        write_card_of(path / "README.md", how, model.prompts)
    after, share = _size(model), float(used[sorted(kept)].sum() / (used.sum() or 1.0))
    if options.json:
        print_json({"path": str(options.output), "before": before, "after": after, "share_of_tokens": share})
    else:
        shrunk = [f"{after[key]:,} of {before[key]:,} {key}" for key in before]
        print(f"{options.output}: {', '.join(shrunk)}, {share:.2%} of the tokens that {of} use")
    return 0


def _export(options: argparse.Namespace) -> int:
    from isoglot.cli.common import quiet
    from isoglot.data.audit.trained import trained_of
    from isoglot.data.benchmarks.load import load_benchmark
    from isoglot.files import atomic_directory
    from isoglot.models.card import write_card_of
    from isoglot.models.language_maps import copy_maps
    from isoglot.models.load import load_model
    from isoglot.models.onnx_export import export_onnx
    from isoglot.tables import code_span

    _check_output(options.output, [options.model])
    quiet()
    model = load_model(options.model, device="cpu", trainable=True)
    corpus = load_benchmark("faq").corpus
    texts = [text for answers in corpus.values() for text in list(answers.texts)[: _PROBED // 4]]
    with atomic_directory(options.output) as path:
        cosines = export_onnx(model, path, texts, options.quantize)
        trained_of(model).save(path)
        copy_maps(model, path)
        weights = f" with weights in 8 bits ({options.quantize})" if options.quantize else ""
        how = f'{code_span(options.model)} with its encoder as an ONNX graph{weights}: the extra argument is `backend="onnx"`.'
        write_card_of(path / "README.md", how, model.prompts)
    size = sum(file.stat().st_size for file in options.output.rglob("*") if file.is_file())
    cosine = {"mean": float(cosines.mean()), "least": float(cosines.min())}
    if options.json:
        print_json({"path": str(options.output), "bytes": size, "texts": len(texts), "cosine": cosine})
    else:
        compared = f"cosine with the model's own vectors: mean {cosine['mean']:.5f}, least {cosine['least']:.5f}"
        print(f"{options.output}: {size:,} bytes; {compared} ({len(texts)} texts in {len(corpus)} languages)")
    return 0


def _counts(vocabulary: Vocabulary, options: argparse.Namespace) -> tuple[FloatArray, FloatArray, list[str]]:
    """(what every id is kept by, how often every id is used, some of the texts)."""
    sample: list[str] = []

    def of_corpus() -> Iterator[tuple[str, float]]:
        from isoglot.data.corpus import read_texts

        for name in options.corpus:
            for number, text in enumerate(read_texts(name, options.data_dir)):
                if number < _PROBED or number % 10_000 == 0:
                    sample.append(text)
                yield text, 1.0

    if options.corpus:
        counts = vocabulary.count(of_corpus())
        return counts, counts, sample[:: max(1, len(sample) // _PROBED)]
    from isoglot.data.words import frequent_words, spellings, unspaced_letters

    words = {code: frequent_words(code) for code in options.languages}
    counts = vocabulary.count(form for code in words for form in spellings(code, words[code]))
    letters = {letter for code in words for letter in unspaced_letters(code, words[code])}
    sample = [" ".join(list(words[code])[:12]) for code in words]
    return vocabulary.widen(counts, letters), counts, sample


def _size(model: Any) -> dict[str, int]:
    from isoglot.models.limits import transformers_of

    weights = list(model.parameters())
    return {
        "pieces": transformers_of(model)[0].model.get_input_embeddings().num_embeddings,
        "parameters": sum(weight.numel() for weight in weights),
        "bytes": sum(weight.numel() * weight.element_size() for weight in weights),
    }
