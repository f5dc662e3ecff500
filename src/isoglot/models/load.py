"""Base models: from a name to a SentenceTransformer with the prompts that belong to it."""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from isoglot.errors import InputError, at, say, warn
from isoglot.hub import hub_reachable
from isoglot.models.adapters import Adapter
from isoglot.models.facts import ADAPTER_OF, SIMILARITIES, Loaded, in_one_line
from isoglot.models.layout import Layout
from isoglot.models.limits import settle, transformers_of
from isoglot.models.offline import OFFLINE_NAME
from isoglot.models.prompts import guessed_prompts, saved_prompts
from isoglot.models.resolve import Base, resolve_base
from isoglot.models.weights import Report, check_weights, library_warnings, loading, onnx_graph, reports
from isoglot.pickles import no_pickles
from isoglot.processes import check_device, processes

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_say_once, _warn_once = cache(say), cache(warn)  # training loads its base twice


def load_model(
    name_or_path: str,
    *,
    query_prompt: str | None = None,
    passage_prompt: str | None = None,
    similarity: str | None = None,
    dropout: float | None = None,
    device: str | None = None,
    dtype: Literal["float32"] | None = None,
    trainable: bool = False,
) -> SentenceTransformer:
    """Load a base model as a SentenceTransformer with its prompts, and say on stderr in one line what it is.

    Every weight that an embedding depends on came from the model's files. Nothing is unpickled, and no code of the model's own is
    run.

    Args:
        name_or_path: hub id, short name, directory (transformers or sentence-transformers layout, an adapter, a run) or
            `offline:multilingual-e5-small`. An adapter is merged into its base. An encoder that `isoglot model export` made an
            ONNX graph of is computed by onnxruntime, on the CPU.
        query_prompt, passage_prompt: instead of the base's own.
        similarity: "cosine" or "dot" instead of the one that the model was saved with.
        dropout: instead of the encoder's own.
        device: `cpu`, `cuda`, ...; None: the best there is.
        dtype: of the weights. None: float32 on a CPU, where half precision is neither exact nor fast, else as they are stored.
        trainable: refuse an ONNX graph, which has no weights that could be trained, averaged, cut or looked into.

    Returns:
        The model, with the `Base` that it was loaded from as its attribute `loaded_from`.

    Raises:
        InputError: no such model, it cannot be fetched, it is not loadable, its adapter has no base; it is no model of one dense
            vector per text; weights are missing, misfitting or in a pickle; the device is not there, or no CPU is asked for
            and the encoder is an ONNX graph.
    """
    if similarity not in (None, *SIMILARITIES):
        raise InputError(f"similarity '{similarity}': expected one of {', '.join(SIMILARITIES)}")
    _keep_few_shapes()
    base = resolve_base(name_or_path)
    if trainable and onnx_graph(Path(base.location)):
        raise InputError(
            f"{base.name}: its encoder is an ONNX graph, which only embeds texts: give the model that it was exported from"
        )
    model, loaded = _load(base, _Where(check_device(device), dtype))
    loaded.keep(model)
    names = (base.location, base.name, *loaded.names)
    loaded.prompts = loaded.prompts.given(query_prompt, passage_prompt).of_family(names)
    prompts = {"query": loaded.prompts.query, "document": loaded.prompts.passage, "passage": loaded.prompts.passage}
    model.prompts = {**(model.prompts or {}), **prompts}
    if similarity is not None:
        model.similarity_fn_name = similarity
    if dropout is not None:
        _set_dropout(model, dropout)
    model.loaded_from = base
    if processes().first:
        _say_once(in_one_line(model))
        if loaded.prompts.lacking:
            _warn_once(f"warning: {loaded.prompts.lacking}")
    return model


def _keep_few_shapes() -> None:
    """Bound what torch keeps for each shape of a batch on a CPU: 1,024 shapes grow to gigabytes, and making one again is cheap.

    Both caches read their bound when they are first used; what the environment says holds.
    """
    for cache_of in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
        os.environ.setdefault(cache_of, "128")


@dataclass(frozen=True)
class _Where:
    """Where a model goes, and in which type of numbers.

    Attributes:
        device: None for the best there is.
        dtype: None for float32 on a CPU, else as stored.
        above: names of the adapters that this is the base of.
    """

    device: str | None
    dtype: str | None
    above: tuple[str, ...] = ()

    @property
    def in_float32(self) -> bool:
        from sentence_transformers.util import get_device_name

        return self.dtype == "float32" or (self.device or get_device_name()) == "cpu"


def _load(base: Base, where: _Where) -> tuple[SentenceTransformer, Loaded]:
    # without a network the hub's client tries for minutes; the cache on this machine is asked at once
    cached = base.layout == "hub" and not hub_reachable()
    with _in_words(base), no_pickles():
        layout = Layout(base.name, base.location, cached)
        layout.check()
        if (adapter := layout.path("adapter_config.json")) is not None:
            return _load_adapter(base, layout, _whole_folder(layout, adapter, cached), where)
        return _load_plain(base, layout, where, cached)


def _load_plain(base: Base, layout: Layout, where: _Where, cached: bool) -> tuple[SentenceTransformer, Loaded]:
    graph = onnx_graph(Path(base.location))
    with at(base.name), reports() as made, library_warnings() as warned:
        model = _around_graph(graph, where) if graph else _construct(base.location, where, cached)
    with at(base.name):
        layout.check_tokenizers(model)
        notes = [*_check(model, made), *dict.fromkeys(warned)]
    identity = base.location if base.layout == "hub" else layout.config.get("_name_or_path")
    saved = layout.prompts
    prompts = saved_prompts(saved) if saved else guessed_prompts(identity, finished=bool(layout.modules))
    stored = {model[0].model.stored} if graph else {report.stored for report in made} - {None}
    if "int8-dynamic" in stored:
        notes.append("the vector of a text depends on which others are in its batch")
    return model, Loaded(
        base.name, prompts, "/".join(sorted(map(str, stored))) or None, notes, [identity] if identity else []
    )


def _around_graph(graph: Path, where: _Where) -> SentenceTransformer:
    from isoglot.models.onnx import load_around

    return load_around(graph, where.device)


def _construct(location: str, where: _Where, cached: bool) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer

    whole = torch.get_default_dtype()  # float32 unless a program has asked torch for another one
    kind = {"dtype": whole} if where.in_float32 else {}
    model = SentenceTransformer(location, device=where.device, local_files_only=cached, model_kwargs=kind)
    return model.to(whole) if where.in_float32 else model


def _check(model: SentenceTransformer, made: list[Report]) -> list[str]:
    """Notes on what was mended in place; refuses what cannot give one vector per text."""
    import numpy as np

    for module in transformers_of(model):
        if beyond := sorted(map(str, set(module.modality_config) - {"text", "message"})):
            raise InputError(f"it reads {', '.join(beyond)} too: give a model of texts alone")
        if getattr(module.config, "is_encoder_decoder", False) and hasattr(module.model, "decoder"):
            raise InputError(
                f"an encoder with a decoder ({module.config.model_type}), whose states are no embeddings of a text"
            )
    notes = settle(model) + check_weights(model, made)
    with model.truncate_embeddings(None):
        vectors = [encode("a") for encode in (model.encode_query, model.encode_document)]
        stated = model.get_embedding_dimension()
    for vector in vectors:
        if vector.ndim != 1:
            raise InputError(f"gives an array of shape {vector.shape} for a text, expected one vector")
        if not np.isfinite(vector).all():
            raise InputError("gives a vector with NaN or infinity for a text of one letter: its weights are not finite")
    width, shorter = len(vectors[0]), model.truncate_dim
    if shorter is not None and (type(shorter) is not int or not 0 < shorter <= width):
        raise InputError(f"truncate_dim is {shorter!r}; expected 1 to {width} dimensions")
    if (len(vectors[1]), stated or width) != (width, width):
        raise InputError(f"gives {width} dimensions for a query, {len(vectors[1])} for a passage, and says {stated}")
    return notes


@contextmanager
def _in_words(base: Base) -> Iterator[None]:
    """Whatever a library raises over a model, in one line."""
    try:
        yield
    except InputError:
        raise
    # errors of the hub, its client, safetensors, tokenizers and torch share no narrower base; PanicException is Rust's
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        first = textwrap.shorten(str(error), 240, placeholder=" ...") or type(error).__name__
        if isinstance(error, KeyError):
            first = f"{first} is missing"
        if base.layout == "hub":
            raise InputError(
                f"cannot load '{base.location}' from the hub ({first}); "
                f"give a local directory or {OFFLINE_NAME}, which needs no network"
            ) from None
        raise InputError(f"{base.name}: cannot be loaded as a model ({first})") from None


def _whole_folder(layout: Layout, adapter: Path, cached: bool) -> Path:
    """The directory of an adapter, all of it on this machine."""
    if Path(layout.location).is_dir():
        return Path(layout.location)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(layout.location, local_files_only=cached))


def _load_adapter(base: Base, layout: Layout, folder: Path, where: _Where) -> tuple[SentenceTransformer, Loaded]:
    """The base of an adapter directory with the adapter merged into it."""
    adapter = Adapter(folder)
    name, note = adapter.base()
    above = (*where.above, str(folder.resolve()))
    with at(f"{folder}: its base"):
        parent_base = resolve_base(name)
    if str(Path(parent_base.location).resolve()) in above:
        raise InputError(f"{base.name}: an adapter whose base is itself: {' -> '.join([*above, name])}")
    parent, loaded = _load(parent_base, _Where(where.device, where.dtype, above))
    adapter.check_base(encoder_of(parent), name)
    model = _around(encoder_of(parent), folder, where) if layout.modules else parent
    encoder, renamed = adapter.merge(encoder_of(model))
    set_encoder(model, encoder)
    saved = layout.prompts if layout.modules else adapter.prompts
    prompts = loaded.prompts if saved is None or (layout.modules and not saved) else saved_prompts(saved)
    notes = [*loaded.notes, f"{ADAPTER_OF}{name}", *filter(None, (note, renamed))]
    return model, Loaded(base.name, prompts, loaded.stored, notes)


def _stand_in(name: Path, path: Path) -> None:
    """Another name of a file or folder: a link, or a copy where links need a right (Windows)."""
    try:
        name.symlink_to(path, target_is_directory=path.is_dir())
    except OSError:
        if path.is_dir():
            shutil.copytree(path, name)
        else:
            shutil.copyfile(path, name)


def _around(encoder: Any, folder: Path, where: _Where) -> SentenceTransformer:
    """The modules of a sentence-transformers directory that holds an adapter, around an encoder that is there already."""
    with tempfile.TemporaryDirectory() as temporary:
        view = Path(temporary)
        for path in folder.iterdir():
            if not path.name.startswith("adapter_") and path.name != "config.json":
                _stand_in(view / path.name, path.resolve())
        encoder.config.save_pretrained(view)
        with at(str(folder)), loading(lambda *_, **__: encoder):
            model = _construct(str(view), where, cached=True)
    with at(str(folder)):
        _check(model, [])
    return model


def encoder_of(model: SentenceTransformer) -> Any:
    """The transformers encoder inside. InputError where there is none (a static embedding model, say)."""
    encoder = model.transformers_model
    if encoder is None:
        raise InputError("this model has no transformers encoder: only such models can be trained here")
    return encoder


def compile_encoder(model: SentenceTransformer, *, blocks: bool = False) -> None:
    """Have torch compile the encoder's forward and backward passes, for texts of any length; its weights keep their names.

    Args:
        blocks: its blocks instead, all of which share what is compiled for the first: a twelfth of the time for twelve of them.
    """
    import torch

    from isoglot.models.hidden import blocks_of

    encoder = encoder_of(model)
    for module in blocks_of(encoder)[1] if blocks else [encoder]:
        module.forward = torch.compile(module.forward, dynamic=True)


def uncompile_encoder(model: SentenceTransformer) -> None:
    """Undo `compile_encoder`."""
    from isoglot.models.hidden import blocks_of

    encoder = model.transformers_model
    if encoder is None:
        return
    vars(encoder).pop("forward", None)
    with suppress(InputError):
        for block in blocks_of(encoder)[1]:
            vars(block).pop("forward", None)


def set_encoder(model: SentenceTransformer, encoder: Any) -> None:
    """Put another transformers encoder in the place of the one that `encoder_of` gives."""
    transformers_of(model)[0].model = encoder


def _set_dropout(model: SentenceTransformer, share: float) -> None:
    import torch

    # attention that is one call to torch keeps its share as a number
    places = [
        (module, name)
        for module in model.modules()
        for name in (("p",) if isinstance(module, torch.nn.Dropout) else vars(module))
        if name == "p" or ("dropout" in name and type(vars(module)[name]) in (int, float))
    ]
    if not places and share:
        raise InputError("dropout: this model has none that could be set; leave the setting away")
    for module, name in places:
        setattr(module, name, share)
