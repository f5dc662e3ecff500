"""Every weight that a model uses came from its file: what the libraries report while they load is checked, not logged."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError, first_line
from isoglot.models.foreign import check_loading

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

ONNX_GRAPH = "onnx/model.onnx"
"""Where sentence-transformers looks for the encoder as an ONNX graph, inside a model's folder."""
ONNX_STORED = "stored_dtype"
"""The key of a graph's metadata for the type of the numbers that its weights are stored in; without it they are float32."""
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTED = {".safetensors", ".bin", ".json", ".model", ".txt"}
# buffers that earlier versions of transformers saved and later ones compute
_BUFFERS = re.compile(r"(^|\.)(position_ids|masked_bias|attn\.bias|inv_freq|relative_position_index)$")


@dataclass(frozen=True)
class Report:
    """What transformers said when it loaded one encoder.

    Attributes:
        encoder: the transformers model.
        stored: the type of its numbers that `config.json` names, such as "bfloat16"; None where it names none.
        missing: names of weights that the file lacks.
        misfitting: {name: (shape in the file, shape of the model)}.
        unexpected: names in the file that the model has no place for.
    """

    encoder: Any
    stored: str | None
    missing: frozenset[str]
    misfitting: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    unexpected: frozenset[str]


@contextmanager
def loading(encoder: Callable[..., Any]) -> Iterator[None]:
    """Have `encoder(original, cls, ...)` give what `PreTrainedModel.from_pretrained(...)` would; `original` is that method.

    sentence-transformers calls it and hands on nothing of its report, nor takes an encoder that is there already.
    """
    from transformers import PreTrainedModel

    descriptor = PreTrainedModel.__dict__["from_pretrained"]
    replacement = classmethod(lambda cls, *args, **given: encoder(descriptor.__func__, cls, *args, **given))
    PreTrainedModel.from_pretrained = replacement
    try:
        yield
    finally:
        PreTrainedModel.from_pretrained = descriptor


@contextmanager
def reports() -> Iterator[list[Report]]:
    """Collect the reports of all encoders that transformers loads inside; from safetensors only: a pickle is never opened."""
    made: list[Report] = []

    def load(original: Any, cls: Any, *args: Any, **given: Any) -> Any:
        check_loading(given.get("config"), given)
        dtype = getattr(given.get("config"), "dtype", None)
        asked = {"output_loading_info": True, "ignore_mismatched_sizes": True, "use_safetensors": True}
        encoder, info = original(cls, *args, **{**given, **asked})
        misfitting = {name: (tuple(there), tuple(here)) for name, there, here in info["mismatched_keys"]}
        missing, unexpected = (frozenset(info[f"{kind}_keys"]) for kind in ("missing", "unexpected"))
        stored = str(dtype).removeprefix("torch.") if dtype else None
        made.append(Report(encoder, stored, missing - misfitting.keys(), misfitting, unexpected))
        return encoder

    with loading(load):
        yield made


@contextmanager
def library_warnings() -> Iterator[list[str]]:
    """Collect what transformers warns of inside, a line each, even where its warnings are switched off.

    Its report on weights is left out: `check_weights` says what of it matters.
    """
    import logging

    said: list[str] = []
    logger = logging.getLogger("transformers")
    handlers, level = logger.handlers, logger.level

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "LOAD REPORT" not in (text := record.getMessage()):
                said.append(textwrap.shorten(text, 200, placeholder=" ..."))

    logger.handlers = [Collect(logging.WARNING)]
    logger.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        logger.handlers = handlers
        logger.setLevel(level)


def check_weights(model: SentenceTransformer, made: list[Report]) -> list[str]:
    """Refuse a model with weights that it uses and that its file did not give.

    Weights that nothing reads (the pooler under mean pooling) are set to 0 where the file lacks them, so that a model is the
    same model every time it is loaded.

    Returns:
        Notes on what was left out, in words.

    Raises:
        InputError: names three of the weights and the likely cause.
    """
    notes = []
    for report in made:
        absent = sorted({*report.missing, *report.misfitting})
        used = _used(model, report, absent)
        beyond = sorted(name for name in report.unexpected if _of_the_encoder(name, report.encoder))
        if used or beyond:
            raise InputError(_why(report, used, beyond))
        for name in absent:
            report.encoder.get_parameter(name).data.zero_()
        if absent:
            notes.append(f"not in the file and not used, set to 0: {_three(absent)}")
        if report.unexpected:
            notes.append(f"in the file and not used: {_three(sorted(report.unexpected))}")
    return notes


def sentence_vector(model: SentenceTransformer, task: str) -> torch.Tensor:
    """The embedding of a short text, shape (1, d), with a graph behind it; task is "query" or "document"."""
    from sentence_transformers.util import batch_to_device

    features = model.preprocess(["a"], task=task)
    vector: torch.Tensor = model.eval()(batch_to_device(features, model.device), task=task)["sentence_embedding"]
    return vector


def _used(model: SentenceTransformer, report: Report, absent: list[str]) -> list[str]:
    """Those of the absent weights that an embedding depends on, or that have a sister in another layer which was there."""
    parameters = dict(report.encoder.named_parameters())
    learned = [name for name in absent if name in parameters]
    if not absent:
        return []
    import torch

    reached = {name for name in absent if name not in parameters}
    for task in ("query", "document"):
        weights = [parameters[name] for name in learned]
        with torch.enable_grad():
            total = sentence_vector(model, task).float().sum()
        if weights and total.requires_grad:
            grads = torch.autograd.grad(total, weights, allow_unused=True)
            reached |= {name for name, grad in zip(learned, grads) if grad is not None}
    given = {_pattern(name) for name in parameters.keys() - set(absent)}
    return [name for name in absent if name in reached or _pattern(name) in given]


def _pattern(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name)


def _of_the_encoder(name: str, encoder: Any) -> bool:
    """Whether a name in the file belongs inside the encoder, rather than to a head on top of it."""
    inner = name.removeprefix(f"{encoder.base_model_prefix}.")
    first = inner.split(".")[0]
    module = dict(encoder.named_children()).get(first)
    learned = module is not None and next(module.parameters(), None) is not None
    return learned and first != "pooler" and not _BUFFERS.search(name)


def _why(report: Report, used: list[str], beyond: list[str]) -> str:
    if wrong := [name for name in used if name in report.misfitting]:
        there, here = report.misfitting[wrong[0]]
        shapes = f"{list(there)} in the file, {list(here)} by config.json for the first"
        return f"{_count(wrong)} of another shape ({_three(wrong)}): {shapes}; config.json and weights are not of one model"
    if not used:
        return f"{_count(beyond)} without a place ({_three(beyond)}): config.json and weights are not of one model"
    return f"{_count(used)} missing ({_three(used)}): {_cause(used, report.unexpected)}"


def _cause(missing: list[str], unexpected: frozenset[str]) -> str:
    prefixes = {name[: -len(wanted)] for wanted in missing[:3] for name in unexpected if name.endswith(f".{wanted}")}
    if not prefixes:
        return "the file was cut, or is of another architecture than config.json says"
    prefix = min(prefixes, key=len)
    saved = " (saved from DataParallel: save model.module)" if prefix.startswith("module.") else ""
    return f"the file's names begin with '{prefix}'{saved}; save the weights without it"


def _count(names: list[str]) -> str:
    return f"{len(names)} weight{'s' * (len(names) > 1)}"


def _three(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def onnx_graph(folder: Path) -> Path | None:
    """The ONNX graph that is a model's encoder; None where there is none, or torch's weights are there as well."""
    graph = folder / ONNX_GRAPH
    return graph if graph.is_file() and not any(folder.glob("*model*.safetensors")) else None


def check_files(folder: Path, parts: list[str]) -> None:
    """Refuse files of a local model that stand for weights and are none: pointers of git-lfs, cut files, pickles.

    Args:
        folder: of the model.
        parts: folders of its modules inside it, "" for itself.

    Raises:
        InputError: names the file and what to do.
    """
    for place in dict.fromkeys(["", *parts]):
        files = sorted(path for path in (folder / place).glob("*") if path.suffix in _POINTED)
        for path in files:
            check_regular(path)
            with path.open("rb") as file:
                if file.read(len(_POINTER)) == _POINTER:
                    raise InputError(f"{path}: a pointer of git-lfs, not the file itself: run git lfs pull there")
        weights = [path for path in files if path.suffix == ".safetensors"]
        for path in weights:
            check_whole(path)
        pickles = [path for path in files if path.suffix == ".bin" and "model" in path.name]
        if pickles and not weights:
            raise InputError(
                f"{pickles[0]}: weights in a pickle are not opened: convert them to safetensors "
                "(load the model where you trust it, and save_pretrained)"
            )


def check_regular(path: Path) -> None:
    """Refuse what is no regular file, before a pipe is waited for.

    Raises:
        InputError: names it.
    """
    if not path.is_file():
        raise InputError(f"{path}: not a regular file")


def check_whole(path: Path) -> None:
    """Refuse a safetensors file that is cut or damaged; only its header is read.

    Raises:
        InputError: names the file.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cut or damaged, no safetensors file ({first_line(error)})") from None
