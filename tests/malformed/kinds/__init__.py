"""Every kind of input: good files, the commands that read them, and what must hold of the answer.

The kinds stand in the files of this package, by what is read. A new reader gets a function there that is registered and gives
its kinds; nothing else has to know of it.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from tests.malformed.kinds.shared import MAKERS, Kind


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    found = [kind for maker in MAKERS for kind in maker()]
    by_name = {kind.name: kind for kind in found}
    assert len(by_name) == len(found), "two kinds have one name"
    return by_name
