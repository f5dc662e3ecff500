"""Damage is found by block before a file is used; a folder of the cache is made once, and again when it is damaged."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from isoglot import blocks
from isoglot.blocks import BLOCK, claimed_map, damage, keep, write_blocks
from isoglot.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files: four blocks, the last one not full; one byte; nothing."""
    (tmp_path / "in").mkdir()
    (tmp_path / "large").write_bytes(np.random.default_rng(0).bytes(3 * BLOCK + 10))
    (tmp_path / "in" / "small").write_bytes(b"x")
    (tmp_path / "empty").touch()
    write_blocks(tmp_path)
    return tmp_path


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "at", "said"),
    [
        ("large", 0, "large: block 0 (from byte 0 on) is damaged"),
        ("large", 2 * BLOCK - 1, "large: block 1 (from byte 1,048,576 on) is damaged"),
        ("large", 3 * BLOCK + 9, "large: block 3 (from byte 3,145,728 on) is damaged"),
        ("in/small", 0, "in/small: block 0 (from byte 0 on) is damaged"),
        ("blocks.json", 150, "blocks.json:"),
        ("blocks.json", 20, "blocks.json:"),
    ],
)
def test_a_flipped_bit_is_found_with_file_and_block(folder: Path, name: str, at: int, said: str) -> None:
    assert damage(folder) is None
    flip(folder / name, at)
    assert (damage(folder) or "").startswith(f"{folder}/{said}")


@pytest.mark.parametrize("name", ["large", "in/small", "empty", "blocks.json"])
def test_files_that_are_gone_cut_or_longer_are_found_by_their_size(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    for content in (data[:-3], data + b"x", None):
        if content is None:
            (folder / name).unlink()
        elif content == data:
            continue
        else:
            (folder / name).write_bytes(content)
        assert (damage(folder) or "").startswith(f"{folder / name}:")


def test_of_many_blocks_a_sample_is_looked_at_and_all_on_demand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MOST_AT_OPENING", 4)
    monkeypatch.setattr(blocks, "SAMPLE", 1)
    flip(folder / "large", BLOCK)
    assert damage(folder, everything=True)
    found = {damage(folder) for _ in range(40)}
    assert len(found) == 2, "one block of four by chance: 40 openings look at it and 40 do not once in 10^5"
    for at in (BLOCK, 3 * BLOCK + 9):
        flip(folder / "large", at)
    assert all("block 3" in (damage(folder) or "") for _ in range(20)), "the ends are always looked at"


def test_a_folder_of_the_cache_is_made_once_and_again_when_it_is_damaged(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        made.append(1)
        (folder / "a").write_text("text")

    target = tmp_path / "cache" / "a"
    threads = [threading.Thread(target=keep, args=(target, "the corpus", make)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    capfd.readouterr()
    flip(target / "a", 2)
    assert keep(target, "the corpus", make) == target
    assert (target / "a").read_text() == "text"
    assert f"{target / 'a'}: block 0 (from byte 0 on) is damaged; the corpus is made again" in capfd.readouterr().err
    keep(target, "the corpus", make)
    assert len(made) == 2
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["a"]


def test_a_cache_that_cannot_be_made_leaves_nothing_and_says_why(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "a").write_text("half")
        raise InputError("no passage")

    with pytest.raises(InputError, match=r"^no passage$"):
        keep(tmp_path / "cache" / "a", "the corpus", fail)
    assert not list((tmp_path / "cache").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"the corpus cannot be kept: .*file.*; set ISOGLOT_CACHE to a folder with room"
    ):
        keep(tmp_path / "file" / "a", "the corpus", fail)


@pytest.mark.parametrize("header", [True, False])
def test_the_space_of_a_mapped_array_is_claimed(tmp_path: Path, header: bool) -> None:
    array = claimed_map(tmp_path / "a", np.int32, (1000, 100), header=header)
    assert not array.any()
    assert (tmp_path / "a").stat().st_blocks * 512 >= array.nbytes
    array[:] = 7
    again = np.load(tmp_path / "a") if header else np.fromfile(tmp_path / "a", np.int32)
    assert again.sum() == 700_000
