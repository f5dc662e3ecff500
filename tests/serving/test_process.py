"""`isoglot serve` as a process of its own: starting, stopping, mistakes that are told before it starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from isoglot.cli.main import main
from isoglot.retrieval.collection import Collection
from isoglot.retrieval.collection.build import index
from tests.models.zoo import KINDS
from tests.serving.servers import wait_for, write_corpus

OFFLINE = "offline:multilingual-e5-small"
SLOW = """
import os, time
from isoglot.serving import residents
encode = residents.Residents.encode
def slow(self, key, texts, *rest):
    if texts[0].startswith("slow"):
        print("encoding", flush=True)
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.05)
    return encode(self, key, texts, *rest)
residents.Residents.encode = slow
"""


@contextmanager
def process(index: Path, *words: str, plugin: str = "", **more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server, and its address."""
    code = f"{plugin}\nimport sys; from isoglot.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "serve", str(index), "--port", "0", "--device", "cpu", *words]
    environment = {**os.environ, "ISOGLOT_TOKEN": "", **more}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as own:
        assert own.stdout is not None
        try:
            line = own.stdout.readline()
            assert line.startswith("http://127.0.0.1:"), line or own.communicate(timeout=60)[1]
            yield own, line.split("/ ")[0]
        finally:
            own.kill()


def ask(url: str, path: str, **body: object) -> httpx.Response:
    return httpx.post(url + path, json=body, timeout=60, trust_env=False)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_stopping_finishes_what_was_begun(tiny_index: Path, tmp_path: Path, sign: signal.Signals) -> None:
    go = tmp_path / "go"
    with process(tiny_index, plugin=SLOW, GO=str(go)) as (own, url), ThreadPoolExecutor(1) as clients:
        with httpx.Client(base_url=url, trust_env=False) as http:
            assert http.get("/healthz").status_code == 200
            slow = clients.submit(ask, url, "/v1/embeddings", input=["slow", "de1"])
            assert own.stdout is not None
            assert own.stdout.readline() == "encoding\n"
            own.send_signal(sign)
            wait_for(lambda: http.get("/healthz").status_code == 503)
            refused = http.post("/search", json={"query": "de1"})
            assert (refused.status_code, refused.json()["error"]["type"]) == (503, "stopping")
            assert "retry-after" in refused.headers
            go.touch()
        assert slow.result().status_code == 200
        assert len(slow.result().json()["data"]) == 2
        assert own.wait(30) == 0
        assert own.stderr is not None
        log = [json.loads(line) for line in own.stderr.read().splitlines() if line.startswith("{")]
        assert [line["status"] for line in log if line["route"] == "/v1/embeddings"] == [200]
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{url}/healthz", trust_env=False)


def test_a_second_signal_ends_it_at_once(tiny_index: Path, tmp_path: Path) -> None:
    never = str(tmp_path / "never")
    with process(tiny_index, plugin=SLOW, GO=never) as (own, url), ThreadPoolExecutor(1) as clients:
        asking = clients.submit(ask, url, "/search", query="slow")
        assert own.stdout is not None
        assert own.stdout.readline() == "encoding\n"
        own.send_signal(signal.SIGTERM)
        wait_for(lambda: httpx.get(f"{url}/healthz", trust_env=False).status_code == 503)
        assert own.poll() is None
        own.send_signal(signal.SIGTERM)
        assert own.wait(10) == 130
        assert isinstance(asking.exception(30), httpx.HTTPError), "nobody answers any more"


def test_a_token_of_the_environment(tiny_index: Path) -> None:
    with process(tiny_index, "--quiet", ISOGLOT_TOKEN="a-long-token-of-ours") as (own, url):
        assert httpx.get(f"{url}/info", trust_env=False).status_code == 401
        headers = {"Authorization": "Bearer a-long-token-of-ours"}
        assert httpx.get(f"{url}/info", headers=headers, trust_env=False).status_code == 200
        own.terminate()
        assert own.wait(30) == 0
        assert own.stderr is not None
        assert not [line for line in own.stderr if line.startswith("{")], "quiet"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A start that must fail with one line."""
    monkeypatch.setattr("isoglot.serving.logs.start_log", lambda **_: None)  # it would outlive the test

    def run(*words: object) -> str:
        assert main(["serve", *map(str, words)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        line = err.splitlines()[-1]
        assert line.startswith("isoglot: ")
        assert "Traceback" not in err
        return line

    return run


def test_mistakes_are_told_before_it_starts(
    tiny_index: Path,
    tmp_path: Path,
    refused: Callable[..., str],
    models: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ISOGLOT_TOKEN", raising=False)
    assert "isoglot index MODEL CORPUS --output" in refused(tmp_path / "none", "--port", "0")
    assert "token is needed" in refused(tiny_index, "--host", "0.0.0.0")
    words = ("--host", "a..b", "--token", "a-long-token-of-ours")
    assert "cannot listen on a..b, port 8000: " in refused(tiny_index, *words)
    assert "did you mean 'base'" in refused(tiny_index, "--model", "bas", "--port", "0")
    assert "another model has this name" in refused(tiny_index, "--model", "base", "--model", f"base={models[1]}")
    other = KINDS["mean"](tmp_path / "other")
    assert f"isoglot index {other} --output {tiny_index}" in refused(
        tiny_index, "--model", f"mine={other}", "--port", "0"
    )
    assert "no model 'nothing'" in refused(tiny_index, "--model", "mine=nothing", "--port", "0")
    assert "whole number" in refused(tiny_index, "--k", "many")
    assert "device" in refused(tiny_index, "--device", "gpu")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot listen on 127.0.0.1, port" in refused(tiny_index, "--port", taken.getsockname()[1])


def test_a_model_that_has_changed_is_not_served(tmp_path: Path, refused: Callable[..., str]) -> None:
    base = KINDS["mean"](tmp_path / "base")
    index(str(base), str(write_corpus(tmp_path / "docs.jsonl", 2)), tmp_path / "index", progress=False)
    (base / "config_sentence_transformers.json").write_text(
        '{"similarity_fn_name": "cosine", "prompts": {"query": "x"}}'
    )
    assert "is not the model any more" in refused(tmp_path / "index", "--port", "0")


@pytest.mark.slow
def test_the_offline_base(tmp_path: Path) -> None:
    """Vectors of the server are those of the index, and a question finds its answer in another language."""
    rows = [
        {"id": "pw-en", "lang": "en", "text": "To reset your password, open the settings and choose Security."},
        {
            "id": "pw-de",
            "lang": "de",
            "text": "Um das Passwort zurückzusetzen, öffnen Sie die Einstellungen. Wählen Sie Sicherheit.",
        },
        {"id": "tea-en", "lang": "en", "text": "Green tea is brewed with water that does not boil."},
        {"id": "ship-fr", "lang": "fr", "text": "La livraison prend trois jours ouvrables."},
    ]
    corpus = tmp_path / "docs.jsonl"
    corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
    index(OFFLINE, str(corpus), tmp_path / "index", progress=False)
    with process(tmp_path / "index", "--model", f"e5={OFFLINE}") as (own, url):
        found = ask(url, "/search", query="Wie setze ich mein Passwort zurück?", k=2).json()["results"][0]
        assert {hit["id"] for hit in found["hits"]} == {"pw-de", "pw-en"}
        (german,) = (hit for hit in found["hits"] if hit["lang"] == "de")
        first, last = german["sentence"]
        assert german["text"][first:last].startswith("Um das Passwort")
        made = ask(url, "/v1/embeddings", input=[row["text"] for row in rows], input_type="passage", model="e5").json()
        with Collection.open(tmp_path / "index") as collection:
            _, kept = collection.vectors(next(iter(collection.models)))
        import numpy as np

        vectors = np.array([row["embedding"] for row in made["data"]], dtype=np.float32)
        np.testing.assert_allclose(vectors, kept.astype(np.float32), atol=2e-4)  # float16 in the index
        assert made["usage"]["prompt_tokens"] > 40
        own.terminate()
        assert own.wait(60) == 0
