"""What a model directory (or repository) is, read from its small files before anything is loaded, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoglot.errors import InputError
from isoglot.files import read_json
from isoglot.models.foreign import activation_problem, module_problem
from isoglot.models.limits import transformers_of
from isoglot.models.prompts import read_prompts
from isoglot.models.weights import check_files, check_regular

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_OTHERS = {
    "CrossEncoder": "a reranker that scores pairs of texts (CrossEncoder)",
    "SparseEncoder": "a sparse encoder (SPLADE)",
    "MultiVectorEncoder": "a late-interaction model with a vector per token",
    "ColBERT": "a late-interaction model with a vector per token",
}
_ONE_VECTOR = "isoglot measures and trains models with one dense vector per text"
_KIND = re.compile(r'"model":\s*\{\s*"type":\s*"(\w+)"')
_ROUTERS = (".Router", ".Asym")


class Layout:
    """The small JSON files of a model.

    Args:
        name: as the user gave it, for messages.
        location: directory or hub id.
        cached: look for a hub model on this machine only.

    Raises:
        InputError: one of them is damaged.
    """

    def __init__(self, name: str, location: str, cached: bool = False) -> None:
        self.name, self.location, self._cached = name, location, cached
        self.config = self._object("config.json")
        self.settings = self._object("config_sentence_transformers.json")
        self.modules = self._modules()
        place = f"{self.name}/config_sentence_transformers.json"
        self.prompts = read_prompts(self.settings.get("prompts"), place)

    def path(self, file: str) -> Path | None:
        """Where a file of the model is on this machine; None where the model has none of that name."""
        from sentence_transformers.util.file_io import load_file_path

        path = load_file_path(self.location, file, local_files_only=self._cached)
        return Path(path) if path else None

    def check(self) -> None:
        """Refuse what cannot be measured or trained here.

        Raises:
            InputError: one line with what the model is and what to do.
        """
        for problem in self._problems():
            raise InputError(f"{self.name}: {problem}")
        folder = Path(self.location)
        if folder.is_dir():
            if (folder / "adapter_config.json").is_file() and any(folder.glob("model*.safetensors")):
                raise InputError(f"{self.name}: holds whole weights and an adapter: take one of them away")
            check_files(folder, [part for _, part in self._parts()])

    def check_tokenizers(self, model: SentenceTransformer) -> None:
        """Refuse a tokenizer of another kind than the model's file: transformers makes those of some architectures anew.

        Raises:
            InputError: says both kinds.
        """
        for module in transformers_of(model)[:1]:
            path, backend = self.path("tokenizer.json"), getattr(module.tokenizer, "backend_tokenizer", None)
            kind = _KIND.search(path.read_text(encoding="utf-8")) if path else None
            if kind and backend and kind[1] != type(backend.model).__name__:
                raise InputError(
                    f"its tokenizer.json is of the kind {kind[1]}, transformers makes a {type(backend.model).__name__} of it "
                    f"for a {module.config.model_type}"
                )

    def _problems(self) -> Iterator[str]:
        kind = self.settings.get("model_type", "SentenceTransformer")
        maxsim = str(self.settings.get("similarity_fn_name")).lower() == "maxsim"
        if maxsim or kind != "SentenceTransformer":
            what = _OTHERS["ColBERT"] if maxsim else _OTHERS.get(str(kind), f"a {kind}")
            yield f"{what}: {_ONE_VECTOR}"
        # sentence-transformers takes the cosine in place of a name that it does not know, and goes on
        similarity = self.settings.get("similarity_fn_name")
        if similarity not in (None, "cosine", "dot", "euclidean", "manhattan") and not maxsim:
            yield f"config_sentence_transformers.json: similarity_fn_name {similarity!r} is not known"
        for kind, part in self._parts():
            if problem := module_problem(kind, part):
                yield problem
            if kind.endswith(".Dense"):
                yield from self._dense_problems(part)
            # one at the root is read by isoglot.models.adapters
            if part and kind.endswith("Transformer") and self.path(f"{part}/adapter_config.json"):
                yield f"{part} holds an adapter: merge it into its base, and save the whole model"
        yield from self._encoder_problems()

    def _dense_problems(self, part: str) -> Iterator[str]:
        # sentence-transformers takes Tanh in place of an activation that it does not trust, and goes on
        activation = self._object(f"{part}/config.json").get("activation_function")
        if activation is not None and (problem := activation_problem(str(activation))):
            yield f"{part}/config.json: {problem}"

    def _parts(self) -> Iterator[tuple[str, str]]:
        """(class, folder inside the model) of every module, those inside routers too, each behind the one that holds it."""
        for module in self.modules:
            yield from self._with_inner(str(module.get("type")), str(module.get("path", "")))

    def _with_inner(self, kind: str, folder: str) -> Iterator[tuple[str, str]]:
        yield kind, folder
        if kind.endswith(_ROUTERS):
            place = f"{folder}/" if folder else ""
            routes = self._object(f"{place}router_config.json") or self._object(f"{place}config.json")
            types = routes.get("types")
            for inner, inner_kind in types.items() if isinstance(types, dict) else ():
                yield from self._with_inner(str(inner_kind), f"{place}{inner}")

    def _encoder_problems(self) -> Iterator[str]:
        if "auto_map" in self.config:
            from transformers import CONFIG_MAPPING

            if self.config.get("model_type") not in CONFIG_MAPPING:
                yield "needs code of its own (auto_map in config.json), which is not run: use a model that transformers knows"
        if self.modules:
            return
        architecture = next(iter(self.config.get("architectures") or ()), "")
        if str(architecture).endswith("ForSequenceClassification"):
            yield f"a classifier or reranker ({architecture}): {_ONE_VECTOR}"
        if "colbert" in str(architecture).lower():
            yield f"{_OTHERS['ColBERT']} ({architecture}): {_ONE_VECTOR}"

    def _modules(self) -> list[dict[str, Any]]:
        modules = self._read("modules.json")
        if modules is None:
            return []
        if not isinstance(modules, list) or not modules or not all(isinstance(module, dict) for module in modules):
            raise InputError(f"{self.name}/modules.json: expected a list of modules")
        return modules

    def _object(self, file: str) -> dict[str, Any]:
        value = self._read(file)
        if not isinstance(value, dict | None):
            raise InputError(f"{self.name}/{file}: expected a JSON object")
        return value or {}

    def _read(self, file: str) -> Any:
        if (path := self.path(file)) is None:
            return None
        check_regular(path)
        return read_json(path, strict=False)  # what transformers reads
