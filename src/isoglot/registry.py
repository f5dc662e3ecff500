"""Open vocabularies: strategies, loss terms, tunings, sources and so on register themselves, and everything else asks here.

A member is one file: a class with a `name`, a docstring whose first line is its help, and (for most kinds) settings. Nothing
else in the program knows the name. Members of isoglot lie in the package of their registry; others come from the modules that
the environment variable `ISOGLOT_PLUGINS` names (comma-separated module names or paths of .py files), in every process.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from isoglot.errors import InputError, first_line, unknown

PLUGINS = "ISOGLOT_PLUGINS"
_loading = threading.RLock()  # one for all registries: what a member imports may ask another one


class Named(Protocol):
    """What a member needs at least."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """The members of one kind, in the order of their names.

    Args:
        kind: what messages call a member, such as "strategy".
        package: whose modules are imported when the registry is first asked; each registers what it defines.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._members: dict[str, T] = {}
        self._is_loaded = self._is_loading = False

    def register(self, member: T) -> T:
        """Add a member; a decorator of its class, or a call with an instance.

        Raises:
            ValueError: another member has its name.
        """
        if self._members.setdefault(member.name, member) is not member:
            raise ValueError(f"{self.kind} '{member.name}' is registered twice")
        return member

    def remove(self, name: str) -> None:
        """Take a member out again (tests)."""
        self._members.pop(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._members)

    def __iter__(self) -> Iterator[T]:
        self._load()
        return (self._members[name] for name in sorted(self._members))

    def __contains__(self, name: object) -> bool:
        self._load()
        return isinstance(name, str) and name in self._members

    def __getitem__(self, name: str) -> T:
        """The member of a name. InputError, with the nearest name, where there is none."""
        self._load()
        if name not in self:
            raise unknown(self.kind, str(name), self._members)
        return self._members[name]

    def default(self) -> str:
        """The name of the member that marks itself `is_default`: what is taken where nothing is asked for."""
        (name,) = (member.name for member in self if getattr(member, "is_default", False))
        return name

    def _load(self) -> None:
        if self._is_loaded:
            return
        with _loading:
            # by another thread meanwhile; by this one, which imports what asks for members
            if self._is_loaded or self._is_loading:
                return
            self._is_loading = True
            try:
                package = importlib.import_module(self._package)
                for module in pkgutil.iter_modules(package.__path__, f"{self._package}."):
                    importlib.import_module(module.name)
                load_plugins()
                self._is_loaded = True
            finally:
                self._is_loading = False


def one_line_help(member: object) -> str:
    """A member's `help`, else the first line of its docstring."""
    return getattr(member, "help", None) or (member.__doc__ or "").strip().partition("\n")[0]


def load_plugins() -> None:
    """Import the modules that `ISOGLOT_PLUGINS` names, each once. InputError names one that cannot be imported."""
    for name in filter(None, (name.strip() for name in os.environ.get(PLUGINS, "").split(","))):
        try:
            if name.endswith(".py"):
                _import_file(Path(name))
            else:
                importlib.import_module(name)
        except Exception as error:  # whatever code of others raises
            raise InputError(
                f"{PLUGINS}: cannot import '{name}': {type(error).__name__}: {first_line(error)}"
            ) from error


def _import_file(path: Path) -> None:
    key = f"isoglot plugin {path.resolve()}"  # two files may have one name
    if key in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[key] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[key]  # half a module must not count as imported
        raise
