"""The Hugging Face hub: files of dataset repositories, and whether it can be reached at all."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from isoglot.errors import InputError, say

_DIGESTED = 64 << 20  # bytes


def hub_file(repo: str, path: str, way_out: str) -> Path:
    """A file of a dataset repository, from the hub's cache on this machine or downloaded into it.

    Args:
        repo: such as `miracl/miracl`.
        path: inside the repository.
        way_out: ends the message when the file cannot be had: where it could be put by hand.

    Raises:
        InputError: no network, no such file, no permission.
    """
    from huggingface_hub import hf_hub_download

    what = f"{path} of the dataset {repo} on the Hugging Face hub"
    damaged = None
    with suppress(Exception):  # not in the cache: that is what the next lines are for
        cached = Path(hf_hub_download(repo, path, repo_type="dataset", local_files_only=True))
        if _is_whole(cached):
            return cached
        damaged = cached
    state = f"damaged on this machine ({damaged})" if damaged else "not on this machine"
    if not hub_reachable():
        raise InputError(f"{what} is {state} and the hub cannot be reached; {way_out}")
    if damaged:
        say(f"{what} is {state}; it is downloaded again")
    try:
        return Path(hf_hub_download(repo, path, repo_type="dataset", force_download=damaged is not None))
    except Exception as error:  # the hub's errors, those of its HTTP client and OSError share no narrower base
        raise InputError(f"{what} could not be downloaded ({type(error).__name__}); {way_out}") from None


def _is_whole(path: Path) -> bool:
    """Whether a cached file has the digest that names it; of large ones (all of them gzip) the reading tells."""
    blob = path.resolve()
    if blob.stat().st_size > _DIGESTED:
        return True
    content = blob.read_bytes()
    digests = {
        64: hashlib.sha256(content),  # of a large file (LFS)
        40: hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False),  # of any other (git)
    }
    return len(blob.name) not in digests or digests[len(blob.name)].hexdigest() == blob.name


def hub_revision(repo: str, path: Path) -> dict[str, str]:
    """{repo: commit} of a file that lies in the hub's cache (`.../snapshots/<commit>/...`), else nothing."""
    parts = path.parts
    return {repo: parts[parts.index("snapshots") + 1]} if "snapshots" in parts[:-2] else {}


def hub_listing(repo: str, way_out: str) -> list[str]:
    """Paths of the files of a dataset repository; the arguments and errors of `hub_file`."""
    if not hub_reachable():
        raise InputError(f"the dataset {repo} lies on the Hugging Face hub, which cannot be reached; {way_out}")
    from huggingface_hub import list_repo_files

    try:
        return list_repo_files(repo, repo_type="dataset")
    except Exception as error:  # the hub's errors share no narrower base
        raise InputError(f"{repo} on the hub cannot be listed ({type(error).__name__}); {way_out}") from None


def about_revisions(revisions: dict[str, str]) -> dict[str, str]:
    """The note in a benchmark's `about` on the commits that its files came from: {repo: commit} in, nothing for nothing."""
    return {"revision": ", ".join(f"{repo}@{commit}" for repo, commit in revisions.items())} if revisions else {}


def hub_reachable() -> bool:
    """Whether the hub answers within seconds: its own client retries for half a minute before it gives up."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    request = urllib.request.Request(os.environ.get("HF_ENDPOINT") or "https://huggingface.co", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
