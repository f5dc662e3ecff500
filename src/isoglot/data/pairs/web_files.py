"""Files of sets that lie in a git repository on the web, at a commit, each with the digest that git has of it."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from pathlib import Path

from isoglot.errors import InputError, say
from isoglot.files import cache_dir
from isoglot.hub import git_blob, in_bytes

_TIMEOUT = (5.0, 60.0)  # seconds to connect, and between two bytes


@dataclass(frozen=True)
class WebSet:
    """Files of a set.

    Attributes:
        name: of the set.
        url: of the folder that holds them, at a commit.
        license: of the set.
        blobs: SHA-1 of each file as git counts it (of "blob", its size, NUL and its bytes), by name.
    """

    name: str
    url: str
    license: str
    blobs: dict[str, str]

    def fetch(self, name: str) -> Path:
        """A file, from the cache or downloaded into it. Its licence and size are said before.

        Raises:
            InputError: no network, or another file than that of the digest.
        """
        import pooch

        path, url = cache_dir() / self.name / name, f"{self.url}/{name}"
        if path.is_file() and git_blob(path) == self.blobs[name]:
            return path
        say(f"{self.name}: licence {self.license}; {name}, {_size_on_web(url)}, from {url}")
        pooch.get_logger().setLevel("ERROR")  # it would tell the digest of a file that it was given none of
        path.unlink(missing_ok=True)
        try:
            pooch.retrieve(url, None, name, path.parent, downloader=pooch.HTTPDownloader(timeout=_TIMEOUT))
        except Exception as error:  # requests, urllib3 and OSError share no narrower base
            raise InputError(
                f"{url} could not be downloaded ({type(error).__name__}); put {name} into a folder and name that: "
                f"{self.name}:DIR"
            ) from None
        if git_blob(path) != self.blobs[name]:
            path.unlink()
            raise InputError(f"{url} is not the file that isoglot knows (its digest differs)")
        return path


def _size_on_web(url: str) -> str:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_TIMEOUT[0]) as answer:
            return in_bytes(int(answer.headers["Content-Length"]))
    except (OSError, ValueError, TypeError):
        return "of unknown size"
