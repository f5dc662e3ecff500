"""What a server is asked to do, and what it lets its clients ask: each limit with its default stands once, here."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from pydantic import Field

from isoglot.settings import Settings

TOKEN_VARIABLE = "ISOGLOT_TOKEN"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")


class Limits(Settings):
    """How much clients may ask for. What goes beyond is refused, never cut."""

    k: int = Field(100, ge=1, le=1000, description="documents of an answer, at most")
    queries: int = Field(64, ge=1, le=4096, description="queries of a search, at most")
    texts: int = Field(256, ge=1, le=65_536, description="texts of a request for embeddings, at most")
    characters: int = Field(20_000, ge=1, le=10_000_000, description="of one text, at most")
    body_bytes: int = Field(4 << 20, ge=1024, le=1 << 30, description="bytes of a request's body, at most")
    requests: int = Field(
        128, ge=1, le=4096, description="searches and requests for embeddings that are worked on at a time, at most"
    )
    queue_texts: int = Field(4096, ge=1, description="texts that wait for the model, at most")
    queue_tokens: int = Field(131_072, ge=1, description="tokens that wait for the model, at most")
    batch_tokens: int | None = Field(
        None, ge=16, description="tokens of a forward pass (default: 2,048 on a CPU, 32,768 on other devices)"
    )
    kept_texts: int = Field(
        16_384,
        ge=0,
        le=10_000_000,
        description="queries and sentences whose vectors are kept in memory, at most; 0: none",
    )
    timeout: float = Field(60, gt=0, le=3600, description="seconds after which a request is given up")


class ServeSettings(Settings):
    """A server.

    Attributes:
        index: directory that `isoglot index` wrote.
        models: by the name that clients use: another source of the model, or "" for that of the index; {}: all of the index.
        hosts: names that requests may be addressed to, besides those of this machine and `host`.
    """

    index: str
    models: dict[str, str] = Field(default_factory=dict)
    host: str = Field("127.0.0.1", description="address to listen on; others than this machine's own need a token")
    port: int = Field(8000, ge=0, le=65_535, description="0: any that is free")
    hosts: tuple[str, ...] = Field(
        (), description="further names that clients may call the server by (behind a proxy); they need a token"
    )
    token: str | None = Field(None, repr=False, description="that clients must send")
    title: str | None = Field(None, description="of the search page (default: the name of the index)")
    device: str | None = Field(None, description="cpu, cuda, ... (default: the best)")
    refresh: float = Field(2, gt=0, le=3600, description="seconds between looks whether the index has changed")
    limits: Limits = Field(default_factory=Limits)

    def check(self) -> None:
        for host in (self.host, *self.hosts):
            if not _HOST.fullmatch(host):
                raise ValueError(f"host '{host}': expected a name or an address without port")
        if self.token is not None and not re.fullmatch(r"[\x21-\x7e]{8,512}", self.token):
            raise ValueError("token: expected 8 to 512 letters, digits and signs of ASCII, without spaces")
        outside = [host for host in (self.host, *self.hosts) if not is_loopback(host)]
        if outside and self.token is None:
            raise ValueError(
                f"host {outside[0]}: other machines can reach it, so a token is needed: set {TOKEN_VARIABLE} or give --token"
            )

    @property
    def name(self) -> str:
        """What the page is called."""
        return self.title or Path(self.index).resolve().name


def is_loopback(host: str) -> bool:
    """Whether a name or an address is one of this machine's own, which no other machine reaches."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def device_tokens(limits: Limits, device: str) -> int:
    """Tokens of a forward pass on a kind of device."""
    return limits.batch_tokens or (2048 if device == "cpu" else 32_768)
