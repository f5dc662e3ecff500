"""Benchmark files from the network, each pinned by its SHA-256."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from isoglot.errors import InputError
from isoglot.files import cache_dir

_RAW = "https://raw.githubusercontent.com/google-research-datasets/lareqa"
# (seconds to connect, seconds between two bytes): a machine without a network must say so at once
TIMEOUT = (5.0, 60.0)


class Source(NamedTuple):
    """Where the `<lang>.json` files of one benchmark lie, and what they must be."""

    url: str
    license: str
    sha256: dict[str, str]


LAREQA: dict[str, Source] = {
    "xquad-r": Source(
        f"{_RAW}/9bc8c7fb6dd8d01d72a05a93c2cb96882b0d299c/xquad-r",
        "CC BY-SA 4.0",
        {
            "ar": "c52922d3b8ac1ae03ed5ac38647ad59870dca3dda2beefe18ecdc30729acb69d",
            "de": "16fb0f4bf4916154b585a20c24c66074591c9718a1affe764ff4697572328949",
            "el": "163fd43ee785a30eb534ae2061e9eaa766a7ee4e8ffce5e4b422480c150f64b6",
            "en": "7b0954f39297c27a31fef610f0883337dd2907fa8699151dc922afdd0fa12ffe",
            "es": "f8e836b2d91009c4363e04315f7ede363eedbbb49c67dda60de6c4aa782f58de",
            "hi": "ea45ba8ae4513d1533b222bebdc02a90bc319c055d3aeea68584a053d2e92872",
            "ru": "7f4dff853538b9a5fcc28c070b8bb983a5c5d190ac747b8e005a1ada9cab18f1",
            "th": "c3a041864c3a9fb0b4dd91cfdf99cf36b411b3e704c58a303c97bc6dc786cfe4",
            "tr": "f3e8c13002bbce154a4578f535f7533cb70f3da08840e6b62735935baec7bd94",
            "vi": "e35926bf5cc6fc6ecbdfca49467aabeb454f08d152d7818143a906bd31dde995",
            "zh": "80c2cde7b9c2fb134c303cbb52f2ba396ead9eb0014aec43993543d2ba9e93ed",
        },
    ),
    "mlqa-r": Source(
        f"{_RAW}/354d67d1cd066854cdfbf5ad0e6105528976141d/mlqa-r",
        "CC BY-NC 4.0",
        {
            "ar": "2132fbc03208535c0fe01f2e2c5121d06f9c2aa799af93b0a719dbc105bdf137",
            "de": "ce9454dc5aa6f2d85c23cd6e49cb367fbb7c4c6e62d7f71e355c6b5dae4d0886",
            "en": "fedd9a5cc0848dda80caf84aa36f482adaae230526a3f6e9e86926a93ef3b1e4",
            "es": "70ecba276b8c96a692b120693a595d076ce94ad21d4b28311538a9fcbfe0f9d7",
            "hi": "4dd0fb3c06f737a5481d705bc1dcac7876712a5815c9265908fbb3a0696cb654",
            "vi": "9d3baff6ba03e6793b25594217265ea59a136b9733833dca8a9582a84a78ff85",
            "zh": "57f01d2fff50cf3392805635b01445339f225ad5bf28ba8443b12f8dbd1e69dc",
        },
    ),
}


def download_lareqa(name: str) -> Path:
    """The directory with the benchmark's `<lang>.json`, fetched into the cache where it is not there yet.

    Raises:
        InputError: no network, or a file whose SHA-256 is not the pinned one.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    source = LAREQA[name]
    home = cache_dir() / "lareqa" / name
    for lang, sha256 in source.sha256.items():
        try:
            pooch.retrieve(
                url=f"{source.url}/{lang}.json",
                known_hash=f"sha256:{sha256}",
                fname=f"{lang}.json",
                path=home,
                downloader=pooch.HTTPDownloader(timeout=TIMEOUT),
            )
        except ValueError as error:
            raise InputError(f"{source.url}/{lang}.json is not the file that isoglot knows: {_first(error)}") from None
        except Exception as error:  # requests, urllib3 and OSError share no narrower base
            raise InputError(
                f"{name} could not be downloaded ({type(error).__name__} for {source.url}/{lang}.json); without a "
                f"network, set ISOGLOT_DATA to a folder that holds lareqa/{name}/<lang>.json, or name one by --data-dir"
            ) from None
    return home


def _first(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
