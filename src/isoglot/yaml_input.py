"""YAML that users write: files of settings and `key=value` words.

Only what is spelled as JSON spells it is a number, true, false or null: `no` is Norwegian, `010` and `1:30` are no numbers in
disguise, `2020-01-01` is a text. The type of a setting decides what its text means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from isoglot.errors import InputError
from isoglot.reading import read_text

Kind = Literal["text", "texts", "value"]
"""What a word is read as: the text as it stands, a list of texts, or YAML."""
_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF", lambda text: text.lower() == "true"),
    "int": (r"0|-?[1-9][0-9]{0,24}", "-0123456789", int),
    "float": (r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", "-+.0123456789", float),
    "null": ("~|null|Null|NULL|", "~nN\0", lambda text: None),
    "merge": ("<<", "<", str),
}
"""Pattern of the plain texts, their first characters ("\\0": none), and the value, by the name of the tag."""
_MOST_VALUES, _DEEPEST = 100_000, 50


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping. InputError names file and line."""
    value = _parse(read_text(path), str(path))
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of settings, found {type(value).__name__}")
    return value


class NamedFile:
    """A YAML file of this package that is chosen by its name without the ending.

    Attributes:
        name, path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.name, self.path = path.stem, path

    @cached_property
    def values(self) -> dict[str, Any]:
        """What the file says, read once. Not to be changed."""
        return read_yaml(self.path)


def read_words(words: Iterable[str], kind: Callable[[str], Kind] = lambda key: "value") -> dict[str, Any]:
    """`key=value` words from the command line.

    Args:
        kind: how the value of a key is read: a text as it stands, to the last blank; a list of texts as `[a, b]` or as its one
            text; everything else as YAML (`[a, b]`, `1e-4`, `true`, text).
    """
    values: dict[str, Any] = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign or not key:
            raise InputError(f"'{word}': expected key=value")
        asked = kind(key)
        if asked == "text" or (asked == "texts" and not (text.startswith("[") and text.endswith("]"))):
            values[key] = text
        elif asked == "texts":
            values[key] = _parse(text, f"'{word}'", plain=True)
        else:
            try:
                values[key] = _parse(text, key)
            except InputError:
                values[key] = text
    return values


def _parse(text: str, where: str, *, plain: bool = False) -> Any:
    """The value of a YAML text; `plain`: what looks like a number is a text, too."""
    import yaml

    try:
        node = yaml.compose(text, Loader=_loader(plain))
        return None if node is None else _Values(where).of(node)
    except yaml.reader.ReaderError as error:
        line = 1 + text.count("\n", 0, error.position)
        raise InputError(f"{where}:{line}: not valid YAML (a character that YAML does not allow)") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        raise InputError(f"{place}: not valid YAML ({getattr(error, 'problem', None) or 'syntax error'})") from None
    except (RecursionError, ValueError, OverflowError) as error:  # the last two: escapes beyond the last character
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{where}: not valid YAML ({problem})") from None


@cache
def _loader(plain: bool) -> Any:
    """PyYAML's loader with our plain scalars, or with none."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}

    for name, (pattern, first, _) in {} if plain else _SCALARS.items():
        characters = ["" if character == "\0" else character for character in first]
        Loader.add_implicit_resolver(_TAG + name, re.compile(f"(?:{pattern})$", re.ASCII), characters)
    return Loader


class _Values:
    """Values of YAML nodes. Keys are texts, each once; aliases may not multiply without end.

    Args:
        where: opens messages.
    """

    def __init__(self, where: str) -> None:
        self._where, self._left = where, _MOST_VALUES

    def of(self, node: Any, depth: int = 0) -> Any:
        """The value of a node."""
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise self._wrong(node, "nested too deeply" if depth > _DEEPEST else "aliases make too many values of it")
        name = node.tag.removeprefix(_TAG)
        if node.id == "sequence" and name == "seq":
            return [self.of(item, depth + 1) for item in node.value]
        if node.id == "mapping" and name == "map":
            return self._mapping(node, depth)
        if node.id == "scalar" and name in ("str", *_SCALARS):
            return self._scalar(node, name)
        raise self._wrong(node, f"tag '{name}' is not read here")

    def _scalar(self, node: Any, name: str) -> Any:
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in node.value):
            raise self._wrong(node, "NUL or half a surrogate pair, which is no character")
        if name == "str":
            return node.value
        pattern, _, value = _SCALARS[name]
        if not re.fullmatch(pattern, node.value, re.ASCII):
            raise self._wrong(node, f"'{node.value[:80]}' is no {name}")
        return value(node.value)

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, item in node.value:
            if key.id != "scalar":
                raise self._wrong(key, "a key must be a text")
            value = self.of(item, depth + 1)
            if key.tag == f"{_TAG}merge":
                for mapping in value if isinstance(value, list) else [value]:
                    if not isinstance(mapping, dict):
                        raise self._wrong(item, "'<<' takes a mapping or a list of mappings")
                    merged = {**mapping, **merged}
            elif key.value in values:
                raise self._wrong(key, f"key '{key.value[:80]}' is given twice")
            else:
                self._scalar(key, "str")
                values[key.value] = value
        return {**merged, **values}

    def _wrong(self, node: Any, problem: str) -> InputError:
        return InputError(f"{self._where}:{node.start_mark.line + 1}: {problem}")
