"""Translation models of transformers: where their files are, what they are by content, and their tokenizer. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, first_line
from isoglot.files import digest_file, digest_json
from isoglot.hub import hub_reachable
from isoglot.places import at_home

LONGEST = 512
"""Tokens of a text where the model names no limit."""
_ENDLESS = 1_000_000  # tokenizers write 10^30 for a limit that they do not have


@contextmanager
def loading(model: str) -> Iterator[None]:
    """Turn whatever libraries say of a model that cannot be loaded into one line."""
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{model}: {first_line(error)}: pip install 'isoglot[translate]'") from None
    except Exception as error:  # missing and damaged files surface as errors of many kinds
        raise InputError(f"{model}: cannot be loaded ({type(error).__name__}: {first_line(error)})") from None


def local_only(model: str) -> bool:
    """Whether the hub is not to be asked: the model is a folder, or there is no network."""
    return at_home(model).is_dir() or not hub_reachable()


def model_content(model: str) -> dict[str, Any]:
    """A digest of all files of a folder, else the name on the hub and the commit that lies on this machine."""
    folder = at_home(model)
    if folder.is_dir():
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]
        return {"digest": digest_json({path.relative_to(folder).as_posix(): digest_file(path) for path in files})}
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(model, "config.json")
    return {"hub": model, "revision": Path(path).parent.name if isinstance(path, str) else None}


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a model. InputError where there is none."""
    from transformers import AutoTokenizer

    with loading(model):
        # False: without it, transformers asks on the terminal whether to run code of the model
        return AutoTokenizer.from_pretrained(
            str(at_home(model)), local_files_only=local_only(model), trust_remote_code=False
        )


def length_limit(tokenizer: Any, asked: int | None, positions: int | None = None) -> int:
    """Tokens that a text may have: as asked for, within what the model takes.

    Args:
        positions: of the model; None: any number.
    """
    known = [limit for limit in (positions, tokenizer.model_max_length) if limit and limit < _ENDLESS]
    return min([asked or LONGEST, *known])


def most_new_tokens(longest: int, limit: int) -> int:
    """Tokens that a translation may have: three times those of the longest text, as scripts differ, and some for short ones."""
    return min(3 * longest + 20, max(limit - 2, 1))
