"""What a loaded model is: pooling, length of vectors, similarity, limits, prompts. Said in one line, recorded in every result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from isoglot.models.language_maps import record_of
from isoglot.models.prompts import Prompts

SIMILARITIES = ("cosine", "dot")
"""By which texts can be ranked here."""
ADAPTER_OF = "an adapter of "
"""How the note on a model that was loaded from an adapter begins; the name of its base follows."""
_ENDLESS = 10**9


@dataclass
class Loaded:
    """What only the loader knows; it stays with the model.

    Attributes:
        name: as the user gave it.
        prompts: and where they are from.
        stored: the type of the numbers in the file, where it is known.
        notes: what was left out or changed, in words.
        names: that its files give it.
    """

    name: str
    prompts: Prompts
    stored: str | None = None
    notes: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def keep(self, model: Any) -> None:
        """Attach this to a model."""
        model.loaded_by_isoglot = self

    @classmethod
    def of(cls, model: Any) -> Loaded | None:
        """What was attached; None for a model that `load_model` did not make."""
        return getattr(model, "loaded_by_isoglot", None)


def describe(model: Any) -> dict[str, Any]:
    """Plain JSON values about a model, for `summary.json` and `run.json`; what does not apply is left out.

    modules, encoder (model type), backend ("onnx"), pooling, normalized, similarity, dimensions, max_length (tokens), dtype,
    stored_dtype, device, padding_side, attention ("both ways", "causal", "window 128"; and how it is computed), inputs ("chat
    template"), routes, debias (how it was debiased), prompts {"query", "passage", "source", "guessed",
    "lacking" where there is something}, notes. {} for anything
    that is no `SentenceTransformer`.
    """
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router
    from sentence_transformers.sentence_transformer.modules import Normalize

    if not isinstance(model, SentenceTransformer):
        return {}
    facts: dict[str, Any] = {"modules": [type(module).__name__ for module in model.children()]}
    facts |= {key: _joined(values) for key, values in _of_parts(model).items() if values}
    if routes := [name for module in model.modules() if isinstance(module, Router) for name in module.sub_modules]:
        facts["routes"] = routes
    if model.get_backend() != "torch":
        facts["backend"] = model.get_backend()
    last = list(model.children())[-1]
    ends = [modules[-1] for modules in last.sub_modules.values()] if isinstance(last, Router) else [last]
    facts |= {
        "normalized": all(isinstance(module, Normalize) for module in ends),
        "similarity": model.similarity_fn_name,
        "dimensions": model.get_embedding_dimension(),
        "dtype": _dtype(model),
        "device": model.device.type,
    }
    if record := record_of(model):
        kept = ("method", "strength", "sides", "fit", "digest", "transductive", "told")
        facts["debias"] = {key: record[key] for key in kept if key in record}
    if loaded := Loaded.of(model):
        facts |= {"stored_dtype": loaded.stored} if loaded.stored else {}
        told = asdict(loaded.prompts)
        facts |= {"prompts": {key: value for key, value in told.items() if value or key != "lacking"}}
        facts |= {"notes": loaded.notes} if loaded.notes else {}
    return facts


def in_one_line(model: Any) -> str:
    """`describe` in words."""
    facts, loaded = describe(model), Loaded.of(model)
    dtype, stored = facts["dtype"], facts.get("stored_dtype")
    words = [
        facts.get("encoder", facts["modules"][0]) + (f" in {facts['backend'].upper()}" if "backend" in facts else ""),
        f"{facts['pooling']} pooling" if "pooling" in facts else "",
        "normalised" if facts["normalized"] else "not normalised",
        f"{facts['similarity']} similarity",
        f"{facts['dimensions']} dimensions",
        f"at most {facts['max_length']} tokens" if "max_length" in facts else "",
        dtype if stored in (None, dtype) else f"{dtype} (stored in {stored})",
        f"padding {facts['padding_side']}" if "padding_side" in facts else "",
        f"attention {facts['attention']}" if "attention" in facts else "",
        _routes(facts["routes"]) if "routes" in facts else "",
        _debiased(facts["debias"]) if "debias" in facts else "",
    ]
    if "prompts" in facts:
        told = facts["prompts"]
        words.append(f"prompts {told['query']!r} and {told['passage']!r} ({told['source']})")
    line = ", ".join(word for word in words if word)
    return "; ".join([f"{loaded.name}: {line}" if loaded else line, *facts.get("notes", [])])


def _routes(names: list[str]) -> str:
    languages = {name.partition("-")[2] for name in names} - {""}
    told = f", apart for {len(languages)} languages" if languages else ""
    return f"routes {', '.join(name for name in names if '-' not in name)}{told}"


def _debiased(record: dict[str, Any]) -> str:
    transductive = record.get("transductive")
    marked = f" (transductive: texts of {', '.join(transductive)})" if transductive else ""
    fitted = f"fitted on {', '.join(record.get('fit', ()))}{marked}"
    return f"debiased by {record['method'].get('name')}, strength {record.get('strength')}, {fitted}"


def _joined(values: list[Any]) -> Any:
    """One value where all are the same, else all of them in a text."""
    distinct = list(dict.fromkeys(values))
    return distinct[0] if len(distinct) == 1 else " / ".join(map(str, distinct))


def _of_parts(model: Any) -> dict[str, list[Any]]:
    """By fact, a value of every module that has one."""
    from sentence_transformers.sentence_transformer.modules import Pooling

    from isoglot.models.limits import transformers_of

    names = ("encoder", "pooling", "max_length", "padding_side", "attention", "inputs")
    facts: dict[str, list[Any]] = {name: [] for name in names}
    for module in transformers_of(model):
        facts["encoder"].append(module.config.model_type)
        # tokenizers that were told no limit state one of 10^30
        facts["max_length"] += [module.max_seq_length] if module.max_seq_length < _ENDLESS else []
        facts["padding_side"].append(module.tokenizer.padding_side)
        facts["attention"].append(_attention(module.model))
        facts["inputs"] += ["chat template"] if "message" in module.modality_config else []
    for module in model.modules():
        if isinstance(module, Pooling):
            modes = (module.pooling_mode,) if isinstance(module.pooling_mode, str) else module.pooling_mode
            without = "" if module.include_prompt else " without the prompt"
            facts["pooling"].append(" + ".join(modes) + without)
    return facts


def _dtype(model: Any) -> str:
    """The type of the numbers that are computed with: that of the weights; float32 in an ONNX graph, whatever is stored there."""
    weight = next((weight for weight in model.parameters()), None)
    return "float32" if weight is None or model.get_backend() == "onnx" else str(weight.dtype).removeprefix("torch.")


def _attention(encoder: Any) -> str:
    causal = any(getattr(module, "is_causal", False) is True for module in encoder.modules())
    config, kind = encoder.config, "causal" if causal else "both ways"
    window = getattr(config, "local_attention", None) or getattr(config, "sliding_window", None)
    if window and "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        kind += f", window {window}"
    return f"{kind} ({config._attn_implementation})" if config._attn_implementation else kind  # a graph has none
