"""Registries for several threads; plugins by path: each file counts, and one that cannot be imported is said every time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isoglot.batching.strategies import STRATEGIES, Strategy
from isoglot.errors import InputError
from isoglot.registry import PLUGINS, Registry, load_plugins

PLUGIN = """
from isoglot.batching.strategies import STRATEGIES
from isoglot.batching.strategies.cross import Cross


@STRATEGIES.register
class Mine(Cross):
    name = "{name}"
"""


def test_files_of_one_name_in_two_folders_are_two_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        paths.append(tmp_path / name / "mine.py")
        paths[-1].write_text(PLUGIN.format(name=name))
    monkeypatch.setenv(PLUGINS, ",".join(map(str, paths)))
    load_plugins()
    load_plugins()  # each once: a second registration would be an error
    try:
        assert {"first", "second"} <= set(STRATEGIES.names())
    finally:
        STRATEGIES.remove("first")
        STRATEGIES.remove("second")


@pytest.mark.parametrize("text", ["import nothing_of_this_name", "def", "1 / 0", None])
def test_a_plugin_that_cannot_be_imported_is_refused_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    monkeypatch.setenv(PLUGINS, str(path))
    registry: Registry[type[Strategy]] = Registry("strategy", "isoglot.batching.strategies")
    for _ in range(2):
        with pytest.raises(InputError, match=r"ISOGLOT_PLUGINS: cannot import '.*broken\.py'"):
            registry.names()


def test_no_thread_sees_half_of_the_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "members_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    touch = "Path(__file__ + '.{}').touch()"
    lines = ["import time", "from pathlib import Path", touch.format("begun"), "time.sleep(0.2)", touch.format("ended")]
    (package / "slow.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    registry: Registry[type[Strategy]] = Registry("strategy", "members_of_a_test")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(registry.names)
        while not (package / "slow.py.begun").exists() and not first.done():
            time.sleep(0.001)
        registry.names()
        assert (package / "slow.py.ended").exists()
