"""Benchmarks by name: `xquad-r`, `mlqa-r`, the built-in `faq`, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isoglot.data.download import LAREQA
from isoglot.data.faq import load_faq
from isoglot.data.folder import load_folder
from isoglot.data.lareqa import Context, load_lareqa
from isoglot.data.qrels import restrict
from isoglot.errors import InputError, unknown
from isoglot.records import Benchmark

BENCHMARKS: tuple[str, ...] = (*LAREQA, "faq")


def load_benchmark(
    name: str | Path,
    *,
    languages: Sequence[str] | None = None,
    context: Context = "sentence",
    data_dir: str | Path | None = None,
) -> Benchmark:
    """Read a benchmark.

    Args:
        name: `xquad-r`, `mlqa-r`, `faq`, or a folder: isoglot's layout (see `isoglot.data.folder`) or `<lang>.json`
            files in LAReQA's.
        languages: only the queries and the corpora of these languages.
        context: LAReQA only. `sentence` encodes a candidate alone, `paragraph` together with its paragraph.
        data_dir: where the files of a named benchmark lie (else `$ISOGLOT_DATA`, else they are downloaded).

    Raises:
        InputError: an unknown benchmark, language or context, or malformed files; one line that names the place.
    """
    return restrict(_load(str(name), context, data_dir), languages)


def _load(name: str, context: Context, data_dir: str | Path | None) -> Benchmark:
    if name in LAREQA:
        return load_lareqa(name, data_dir, context)
    folder = Path(name)
    if name != "faq":
        if not folder.is_dir() and data_dir is not None and (Path(data_dir) / name).is_dir():
            folder = Path(data_dir) / name
        if not folder.is_dir():
            raise _no_benchmark(name)
        if not (folder / "queries").is_dir() and any(path.stem != "benchmark" for path in folder.glob("*.json")):
            return load_lareqa(str(folder), data_dir, context)
    if context != "sentence":
        raise InputError(
            f"{name} has no paragraphs around its passages: context '{context}' is for LAReQA's benchmarks"
        )
    return load_faq() if name == "faq" else load_folder(name, folder)


def _no_benchmark(name: str) -> InputError:
    """A path that does not exist is told apart from a misspelt name."""
    if "/" in name or "\\" in name or name.startswith("."):
        return InputError(f"{name}: no such folder (known benchmarks: {', '.join(sorted(BENCHMARKS))})")
    return InputError(f"{unknown('benchmark', name, BENCHMARKS)}; or a folder with queries/, corpus/ and qrels.tsv")
