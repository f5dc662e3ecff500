"""What the files of a model may name, and what they may not: nothing that they say runs code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from isoglot.errors import InputError

# the classes alone: what else stands in those files (`torch`, `os`) could be named as well, and has functions called `load`
_MODULE = re.compile(r"sentence_transformers\.(models|(base|sentence_transformer)\.modules)(\.\w+)*\.[A-Z]\w*")
_ACTIVATION = re.compile(r"torch\.nn\.(modules\.\w+\.)?[A-Z]\w*")
# of transformers: code of the hub (kernels), places to write to, other files of weights
_LOADING = {"allow_all_kernels", "use_kernels", "kernel_config", "offload_folder", "offload_state_dict", "device_map"}
_LOADING |= {"gguf_file", "state_dict", "code_revision"}


def module_problem(kind: str, folder: str) -> str | None:
    """What is wrong with a module that a model lists.

    Args:
        kind: its class, with the module that it is imported from.
        folder: of its files, inside the model's.
    """
    if not _MODULE.fullmatch(kind):
        return f"its module {kind} is code of its own, which is not run"
    if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts or "\\" in folder:
        return f"its module {kind} lies in {folder}, outside of the model"
    return None


def activation_problem(name: str) -> str | None:
    """What is wrong with the activation function of a layer."""
    return None if _ACTIVATION.fullmatch(name) else f"the activation {name} is code of its own, which is not run"


def check_adapter(config: Mapping[str, Any], where: str) -> None:
    """InputError for an adapter whose settings have PEFT import a module that they name (`megatron_core`)."""
    if config.get("megatron_config"):
        raise InputError(f"{where}: megatron_config has code imported that the adapter names, which is not done")


def check_loading(config: Any, given: Mapping[str, Any]) -> None:
    """InputError for settings in a model's files with which transformers would run code of the hub, or write files.

    Args:
        config: of the encoder, as transformers has read it; None where that is not known.
        given: what its `from_pretrained` is called with.
    """
    for key in sorted(_LOADING & given.keys()):
        if given[key]:
            raise InputError(f"its settings say {key}, which is not followed: take it out of sentence_bert_config.json")
    for attention in (getattr(config, "_attn_implementation", None), given.get("attn_implementation")):
        for name in attention.values() if isinstance(attention, dict) else (attention,):
            if "/" in str(name or ""):
                raise InputError(f"its attention {name} is code from the hub, which is not run: give sdpa or eager")
