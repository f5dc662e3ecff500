"""tqdm's progress bars, which `--quiet` hides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import tqdm as library

from isoglot.errors import is_quiet

if TYPE_CHECKING:
    from tqdm.std import tqdm as tqdm
else:

    class tqdm(library.tqdm):
        """A bar on stderr; none where the command line is quiet. A clock that is set back neither stops it nor is shown."""

        _time = property(lambda _: time.monotonic, lambda *_: None)  # the library would set the time of day

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, **({"disable": True} if is_quiet() else {})})
