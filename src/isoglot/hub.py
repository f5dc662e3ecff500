"""The Hugging Face hub: files of dataset repositories, and whether it can be reached at all."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isoglot.errors import InputError, first_line, say

_DIGESTED = 64 << 20  # bytes


def hub_file(repo: str, path: str, way_out: str, revision: str | None = None) -> Path:
    """A file of a dataset repository, from the hub's cache on this machine or downloaded into it.

    Args:
        repo: such as `miracl/miracl`.
        path: inside the repository.
        way_out: ends the message when the file cannot be had: where it could be put by hand.
        revision: branch or commit; None: main.

    Raises:
        InputError: no network, no such file, no permission.
    """
    from huggingface_hub import hf_hub_download

    what = f"{path} of the dataset {repo} on the Hugging Face hub"
    damaged = None
    with suppress(Exception):  # not in the cache: that is what the next lines are for
        cached = Path(hf_hub_download(repo, path, repo_type="dataset", revision=revision, local_files_only=True))
        if _is_whole(cached):
            return cached
        damaged = cached
    state = f"damaged on this machine ({damaged})" if damaged else "not on this machine"
    if not hub_reachable():
        raise InputError(f"{what} is {state} and the hub cannot be reached; {way_out}")
    if damaged:
        say(f"{what} is {state}; it is downloaded again")
    try:
        again = damaged is not None
        return Path(
            hf_hub_download(
                repo, path, repo_type="dataset", revision=revision, endpoint=_endpoint(), force_download=again
            )
        )
    except Exception as error:  # the hub's errors, those of its HTTP client and OSError share no narrower base
        raise InputError(f"{what} could not be downloaded ({type(error).__name__}); {way_out}") from None


def _is_whole(path: Path) -> bool:
    """Whether a cached file has the digest that names it; of large ones (all of them gzip) the reading tells."""
    blob = path.resolve()
    if blob.stat().st_size > _DIGESTED:
        return True
    if len(blob.name) == 64:  # a large file (LFS)
        return hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    return len(blob.name) != 40 or git_blob(blob) == blob.name


def git_blob(path: Path) -> str:
    """SHA-1 of a file as git has it."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def hub_revision(repo: str, path: Path) -> dict[str, str]:
    """{repo: commit} of a file that lies in the hub's cache (`.../snapshots/<commit>/...`), else nothing."""
    parts = path.parts
    return {repo: parts[parts.index("snapshots") + 1]} if "snapshots" in parts[:-2] else {}


@dataclass(frozen=True)
class HubRepo:
    """What the hub says of a dataset repository before anything is downloaded.

    Attributes:
        name, commit: of the repository, and of what is there now.
        license: as its card says.
        sizes: bytes of every file by its path.
        card: fields of its card, such as `configs`.
    """

    name: str
    commit: str
    license: str
    sizes: dict[str, int]
    card: dict[str, Any]


def hub_repo(repo: str, way_out: str, revision: str | None = None) -> HubRepo:
    """What the hub says of a dataset repository; the arguments and errors of `hub_file`."""
    if not hub_reachable():
        raise InputError(f"the dataset {repo} lies on the Hugging Face hub, which cannot be reached; {way_out}")
    from huggingface_hub import HfApi

    try:
        info = HfApi(endpoint=_endpoint()).dataset_info(repo, revision=revision, files_metadata=True)
    except Exception as error:  # the hub's errors share no narrower base
        raise InputError(f"{repo} on the hub cannot be listed ({type(error).__name__}); {way_out}") from None
    card: dict[str, Any] = dict(info.card_data.to_dict()) if info.card_data else {}  # type: ignore[no-untyped-call]
    known = card.get("license") or [tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:")]
    license = known if isinstance(known, str) else ", ".join(map(str, known))
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    return HubRepo(repo, info.sha or "main", license or "none is named", sizes, card)


def show_download(repo: HubRepo, paths: Iterable[str]) -> None:
    """Say the licence of a repository and how much of some of its files is to be downloaded; nothing where all are there."""
    if missing := [path for path in paths if not is_cached(repo.name, path, repo.commit)]:
        size = sum(repo.sizes.get(path, 0) for path in missing)
        where = f"{_endpoint() or 'https://huggingface.co'}/datasets/{repo.name}"
        say(
            f"{repo.name}: licence {repo.license}; {len(missing)} file(s), {in_bytes(size)}, from {where} at {repo.commit}"
        )


def is_cached(repo: str, path: str, revision: str | None = None) -> bool:
    """Whether a file of a dataset repository lies in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repo, path, revision=revision, repo_type="dataset"), str)


def in_bytes(size: int) -> str:
    """A size as people read it: 905.1 MB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} bytes"


def about_revisions(revisions: dict[str, str]) -> dict[str, str]:
    """The note in a benchmark's `about` on the commits that its files came from: {repo: commit} in, nothing for nothing."""
    return {"revision": ", ".join(f"{repo}@{commit}" for repo, commit in revisions.items())} if revisions else {}


def _endpoint() -> str | None:
    """Another address of the hub, such as that of a mirror."""
    return os.environ.get("HF_ENDPOINT") or None


def hub_reachable() -> bool:
    """Whether the hub answers within seconds: its own client retries for half a minute before it gives up."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    request = urllib.request.Request(_endpoint() or "https://huggingface.co", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False


def push_folder(folder: Path, repo: str, *, private: bool, message: str) -> str:
    """Make a model repository, where there is none, and upload a folder to it.

    The login is the hub's own: `hf auth login`, or HF_TOKEN.

    Returns:
        The address of the repository.

    Raises:
        InputError: a malformed name, no login, no permission, no network; `private`, and the repository is there and public.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise InputError(f"{repo}: not the name of a repository ({first_line(error)})") from None
    if not hub_reachable():
        raise InputError(
            f"{repo}: the Hugging Face hub cannot be reached, nothing was uploaded; --dry-run DIR writes the folder"
        )
    api = HfApi(endpoint=_endpoint())
    try:
        address = api.create_repo(repo, private=private or None, exist_ok=True)
        if private and not api.model_info(address.repo_id).private:
            raise InputError(f"{repo}: is there already, and public: nothing was uploaded")
        api.upload_folder(repo_id=address.repo_id, folder_path=folder, commit_message=message)
    except InputError:
        raise
    except Exception as error:  # the hub's errors share no narrower base
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = "log in with hf auth login, or set HF_TOKEN" if status == 401 else first_line(error)
        why = f"this login may not write there ({first_line(error)})" if status == 403 else why
        raise InputError(f"{repo}: not uploaded ({type(error).__name__}): {why}") from None
    return str(address)
