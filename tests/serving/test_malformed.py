"""Everything malformed is refused in one form with a clear word, never with a fault."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from isoglot.errors import InputError
from isoglot.serving.settings import Limits, ServeSettings, is_loopback
from isoglot.settings import build
from tests.serving.servers import EMBED, SEARCH, Running, running

JSON = {"Content-Type": "application/json"}
TOKEN = "a-long-token-of-ours"

BODIES: dict[str, tuple[str, bytes, int, str]] = {
    "empty": (SEARCH, b"", 400, "not valid JSON"),
    "half": (SEARCH, b'{"query": "a"', 400, "not valid JSON"),
    "trailing": (SEARCH, b'{"query": "a"} x', 400, "not valid JSON"),
    "not utf-8": (SEARCH, b'{"query": "\xff"}', 400, "not valid JSON"),
    "utf-16": (SEARCH, '{"query": "a"}'.encode("utf-16"), 400, "not valid JSON"),
    "half a pair": (SEARCH, b'{"query": "\\ud800"}', 400, "not valid JSON"),
    "half a pair in a name": (SEARCH, b'{"\\ud800": "a"}', 400, "not valid JSON"),
    "half a pair in bytes": (SEARCH, b'{"query": "\xed\xa0\x80"}', 400, "not valid JSON"),
    "deep": (SEARCH, b"[" * 100_000, 400, "recursion"),
    "deep and unknown": (SEARCH, b'{"query": "a", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "recursion"),
    "a list": (SEARCH, b'["a"]', 422, "object"),
    "null": (SEARCH, b"null", 422, "object"),
    "nothing asked": (SEARCH, b"{}", 422, "query"),
    "both": (SEARCH, b'{"query": "a", "queries": ["b"]}', 422, "either"),
    "unknown field": (SEARCH, b'{"qeury": "a"}', 422, "did you mean 'query'"),
    "blank": (SEARCH, '{"query": " \\n\u3000\u00a0"}'.encode(), 422, "blank"),
    "no text": (SEARCH, b'{"query": ""}', 422, "query"),
    "NUL": (SEARCH, b'{"query": "a\\u0000b"}', 422, "NUL"),
    "a number": (SEARCH, b'{"query": 1}', 422, "text"),
    "no queries": (SEARCH, b'{"queries": []}', 422, "at least"),
    "too many queries": (SEARCH, json.dumps({"queries": ["a"] * 65}).encode(), 422, "64 at most"),
    "one bad query": (SEARCH, b'{"queries": ["a", 2]}', 422, "queries.1"),
    "too long": (SEARCH, json.dumps({"query": "a" * 20_001}).encode(), 422, "20,000 characters"),
    "k zero": (SEARCH, b'{"query": "a", "k": 0}', 422, "at least 1"),
    "k huge": (SEARCH, b'{"query": "a", "k": 1000000000}', 422, "at most 100"),
    "k endless": (SEARCH, b'{"query": "a", "k": 1' + b"0" * 4000 + b"}", 422, "k"),
    "k a text": (SEARCH, b'{"query": "a", "k": "5"}', 422, "whole number"),
    "k true": (SEARCH, b'{"query": "a", "k": true}', 422, "whole number"),
    "k a half": (SEARCH, b'{"query": "a", "k": 1.5}', 422, "whole number"),
    "NaN": (SEARCH, b'{"query": "a", "fairness": "standardised", "strength": NaN}', 422, "finite"),
    "infinite": (SEARCH, b'{"query": "a", "fairness": "standardised", "strength": 1e999}', 422, "strength"),
    "strength of another": (SEARCH, b'{"query": "a", "strength": 0.5}', 422, "standardised"),
    "no such fairness": (SEARCH, b'{"query": "a", "fairness": "calibrated"}', 422, "round-robin"),
    "no such model": (SEARCH, b'{"query": "a", "model": "x"}', 404, "base"),
    "no such language": (SEARCH, b'{"query": "a", "languages": ["qq"]}', 422, "unknown language"),
    "no language at all": (SEARCH, b'{"query": "a", "languages": ["../de"]}', 422, "language code"),
    "no languages": (SEARCH, b'{"query": "a", "languages": []}', 422, "at least"),
    "its language": (SEARCH, b'{"query": "a", "query_language": "klingon"}', 422, "language"),
    "where a list": (SEARCH, b'{"query": "a", "where": [1]}', 422, "where"),
    "where an object": (SEARCH, b'{"query": "a", "where": {"a": {"b": 1}}}', 422, "lists of values"),
    "where null": (SEARCH, b'{"query": "a", "where": {"a": null}}', 422, "lists of values"),
    "where NaN": (SEARCH, b'{"query": "a", "where": {"a": NaN}}', 422, "where"),
    "where huge": (SEARCH, b'{"query": "a", "where": {"a": 1' + b"0" * 400 + b"}}", 422, "where"),
    "where NUL": (SEARCH, b'{"query": "a", "where": {"a": "\\u0000"}}', 422, "NUL"),
    "where named NUL": (SEARCH, b'{"query": "a", "where": {"\\u0000": "a"}}', 422, "control"),
    "hybrid a word": (SEARCH, b'{"query": "a", "hybrid": "yes"}', 422, "true or false"),
    "tokens": (EMBED, b'{"input": [1, 2, 3]}', 422, "token ids are not accepted"),
    "lists of tokens": (EMBED, b'{"input": [[1, 2], [3]]}', 422, "token ids are not accepted"),
    "no input": (EMBED, b'{"model": "base"}', 422, "missing"),
    "an object": (EMBED, b'{"input": {"a": 1}}', 422, "list of texts"),
    "no texts": (EMBED, b'{"input": []}', 422, "at least"),
    "mixed": (EMBED, b'{"input": ["a", 1]}', 422, "input"),
    "too many texts": (EMBED, json.dumps({"input": ["a"] * 257}).encode(), 422, "256 at most"),
    "100,000 tokens": (EMBED, json.dumps({"input": "de1 " * 100_000}).encode(), 422, "20,000 characters"),
    "too wide": (EMBED, b'{"input": "a", "dimensions": 33}', 422, "at most 32"),
    "no width": (EMBED, b'{"input": "a", "dimensions": 0}', 422, "at least 1"),
    "no such format": (EMBED, b'{"input": "a", "encoding_format": "hex"}', 422, "base64"),
    "no such side": (EMBED, b'{"input": "a", "input_type": "search"}', 422, "passage"),
    "large": (EMBED, b" " * 10_000_000, 413, "4,194,304 bytes"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(server: Running, name: str) -> None:
    path, body, status, words = BODIES[name]
    error = server.error(server.http.post(path, content=body, headers=JSON), status)
    assert words in error["message"], error
    assert len(error["message"]) < 500
    assert server.http.get("/healthz").status_code == 200


def test_a_large_body_in_chunks_is_stopped_while_it_comes(server: Running) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    server.error(server.http.post(SEARCH, content=chunks(), headers=JSON), 413)


def test_many_unknown_fields_are_refused_soon(server: Running) -> None:
    body = ("{" + ",".join(f'"f{n}":1' for n in range(300_000)) + "}").encode()
    response = server.http.post(SEARCH, content=body, headers=JSON)
    assert "unknown field 'f0'" in server.error(response, 422)["message"]
    assert response.elapsed.total_seconds() < 20


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_kinds_of_bodies(server: Running, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert (
        server.error(server.http.post(SEARCH, content=b'{"query": "a"}', headers=headers), 415)["type"]
        == "content_type"
    )


def test_json_with_its_encoding_is_taken(server: Running) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert server.http.post(SEARCH, content=b'{"query": "de1", "k": 1}', headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path", ["/no", "/search/", "/v1", "/docs", "/redoc", "/%00", "/v1/models/%00", "/" + "a" * 3000]
)
def test_other_addresses(server: Running, path: str) -> None:
    server.error(server.http.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", SEARCH), ("PUT", EMBED), ("POST", "/info"), ("OPTIONS", SEARCH), ("TRACE", SEARCH)]
)
def test_other_methods(server: Running, method: str, path: str) -> None:
    response = server.http.request(method, path)
    server.error(response, 405)
    assert response.headers["allow"]


def talk(url: str, *parts: bytes, timeout: float = 20) -> bytes:
    """What comes back for bytes sent as they are."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        for part in parts:
            connection.sendall(part)
        found = b""
        while more := connection.recv(65536):
            found += more
        return found


def test_what_is_no_http(server: Running) -> None:
    assert talk(server.url, b"\x00\xff\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert server.http.get("/healthz").status_code == 200


def test_a_slow_body(tiny_index: Path) -> None:
    with running(tiny_index, limits={"timeout": 0.3}) as own:
        head = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        found = talk(own.url, head, b'Content-Length: 100\r\n\r\n{"query"')
        assert found.startswith(b"HTTP/1.1 408")
        assert b'"too_slow"' in found


def test_a_client_that_leaves_within_its_body(server: Running) -> None:
    before = server.metric("isoglot_clients_gone_total")
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    from tests.serving.servers import wait_for

    wait_for(lambda: server.metric("isoglot_clients_gone_total") == before + 1)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "", "[::2]"]
)
def test_names_that_lead_here_are_not_ours(server: Running, host: str) -> None:
    assert server.error(server.http.get("/info", headers={"Host": host}), 400)["type"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]", "[::1]:8000", "127.1.2.3"])
def test_names_of_this_machine_are(server: Running, host: str) -> None:
    assert server.http.get("/info", headers={"Host": host}).status_code == 200


def test_a_token_opens_everything_but_health_and_page(tiny_index: Path) -> None:
    with running(tiny_index, token=TOKEN) as own:
        assert own.search("de1")["hits"]
        assert own.http.get("/openapi.json").status_code == 200
        wrong: list[Any] = [None, "", "Bearer", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
        for given in wrong:
            headers = {} if given is None else {"Authorization": given}
            for path in ("/info", "/metrics", "/openapi.json", "/v1/models", "/nowhere"):
                response = httpx.get(own.url + path, headers=headers, trust_env=False)
                assert own.error(response, 401)["type"] == "unauthorized"
                assert response.headers["www-authenticate"] == "Bearer"
                assert TOKEN not in response.text
            response = httpx.post(own.url + SEARCH, json={"query": "de1"}, headers=headers, trust_env=False)
            own.error(response, 401)
        assert (
            httpx.get(f"{own.url}/info", headers={"Authorization": f"bearer  {TOKEN}"}, trust_env=False).status_code
            == 200
        )
        assert httpx.get(f"{own.url}/healthz", trust_env=False).status_code == 200
        assert httpx.get(f"{own.url}/", trust_env=False).status_code in (200, 404)
        large = httpx.post(own.url + SEARCH, content=b" " * 10_000_000, headers=JSON, trust_env=False)
        own.error(large, 401)


def test_a_fault_tells_nothing_of_the_inside(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (RuntimeError("/secret/path"), InputError("/secret/path: damaged")):

        def broken(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(server.served.searchers["base"], "search", broken)
            response = server.post(SEARCH, query="de1")
        assert server.error(response, 500)["type"] == "internal"
        assert "secret" not in response.text
        assert response.headers["x-request-id"] in response.text
    assert server.search("de1")["hits"]


def settings(**given: Any) -> ServeSettings:
    return build(ServeSettings, [("option", {"index": "i", **given})])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "0.0.0.0"}, "token is needed: set ISOGLOT_TOKEN"),
        ({"host": "::"}, "token is needed"),
        ({"host": "example.org"}, "token is needed"),
        ({"hosts": ["search.example.org"]}, "token is needed"),
        ({"token": "short"}, "8 to 512"),
        ({"token": "with space in it"}, "8 to 512"),
        ({"token": "schlüssel-von-uns"}, "8 to 512"),
        ({"host": "http://localhost"}, "without port"),
        ({"host": "localhost:80"}, "without port"),
        ({"port": 70_000}, "65535"),
        ({"limits": {"k": 0}}, "at least 1"),
        ({"limits": {"timeout": float("nan")}}, "timeout"),
        ({"limits": {"kk": 1}}, "kk"),
    ],
)
def test_settings_that_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(**given)


def test_settings_with_a_token_may_listen_anywhere_and_do_not_show_it() -> None:
    asked = settings(host="0.0.0.0", token=TOKEN)
    assert TOKEN not in repr(asked)
    assert settings().limits == Limits()
    assert [is_loopback(host) for host in ("127.0.0.2", "::1", "localhost", "0.0.0.0", "10.0.0.1", "")] == [
        True
    ] * 3 + [False] * 3
