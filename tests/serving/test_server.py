"""A server over HTTP: what it answers, to many at once, and what it tells of itself."""

from __future__ import annotations

import base64
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from isoglot.errors import InputError
from isoglot.retrieval.collection import Collection, Searcher
from isoglot.retrieval.collection.build import index
from isoglot.retrieval.collection.fairness import FAIRNESS
from isoglot.serving import answers
from isoglot.serving.logs import LOGGER, _Lines
from isoglot.serving.messages import SearchRequest
from isoglot.serving.metrics import Metrics
from isoglot.serving.served import Served
from isoglot.serving.settings import ServeSettings
from tests.serving.servers import EMBED, SEARCH, Held, Running, running, wait_for, write_corpus
from tests.training.tiny import WORDS

QUERIES = [f"{WORDS[n]} {WORDS[n + 7]} {WORDS[n + 14]}" for n in range(0, 160, 5)]


def test_a_search_finds_what_the_index_finds(server: Running, tiny_index: Path) -> None:
    with Collection.open(tiny_index) as collection:
        for name in collection.models:
            with Searcher(collection, name) as searcher:
                expected = searcher.search(QUERIES[:4], 5, languages=["de", "en"], where={"source": "a"})
            body = {
                "queries": QUERIES[:4],
                "k": 5,
                "languages": ["deu", "en"],
                "where": {"source": ["a"]},
                "model": name,
            }
            response = server.http.post(SEARCH, json=body)
            assert response.status_code == 200
            answers.SearchAnswer.model_validate(response.json())
            found = response.json()
            assert (found["model"], found["fairness"], found["strength"]) == (name, "raw", None)
            for result, answer in zip(found["results"], expected, strict=True):
                assert result["query"] == answer.query
                assert [hit["id"] for hit in result["hits"]] == [hit.id for hit in answer.hits]
                assert [hit["rank"] for hit in result["hits"]] == [1, 2, 3, 4, 5]
                np.testing.assert_allclose(
                    [hit["score"] for hit in result["hits"]], [hit.score for hit in answer.hits], atol=2e-6
                )
                assert [hit["sentence"] for hit in result["hits"]] == [[*hit.sentence] for hit in answer.hits]
                assert sum(result["languages"].values()) == 5
                assert set(result["languages"]) <= {"de", "en"}
                assert {hit["metadata"]["source"] for hit in result["hits"]} == {"a"}
                assert result["truncated"] is False


def test_sentences_are_code_points(server: Running) -> None:
    hit = server.search(QUERIES[0], k=1)["hits"][0]
    first, last = hit["sentence"]
    assert hit["text"][first:last].endswith(".")
    assert server.search(QUERIES[0], k=1, sentences=False)["hits"][0]["sentence"] is None


@pytest.mark.parametrize("fairness", FAIRNESS)
def test_every_fairness(server: Running, fairness: str) -> None:
    result = server.search(QUERIES[1], k=6, fairness=fairness)
    assert len(result["hits"]) == 6
    if fairness == "round-robin":
        assert result["languages"] == {"de": 2, "en": 2, "zh": 2}


def test_strength_words_and_told_language(server: Running) -> None:
    raw, weak = (server.search(QUERIES[2], **more) for more in ({}, {"fairness": "standardised", "strength": 0}))
    assert [hit["id"] for hit in raw["hits"]] == [hit["id"] for hit in weak["hits"]]
    assert server.search(QUERIES[2], query_language="DEU")["query_language"] == "de"
    assert server.search(QUERIES[2], hybrid=True)["hits"]


def test_why_nothing_was_found(server: Running) -> None:
    result = server.search("de1", where={"source": "c"})
    assert (result["hits"], result["languages"]) == ([], {})
    assert "source = c" in result["why"]


def test_a_query_that_the_model_does_not_read_whole_says_so(server: Running) -> None:
    assert server.search(" ".join(WORDS[:100]))["truncated"] is True
    response = server.post(EMBED, input=["de1", " ".join(WORDS[:100])])
    assert response.json()["truncated"] == [1]
    assert response.json()["usage"] == {"prompt_tokens": 3 + 64, "total_tokens": 67}


def test_embeddings_are_those_of_the_model(server: Running) -> None:
    for name, resident in server.served.residents.items():
        for kind, own in (("query", resident.model.encode_query), ("passage", resident.model.encode_document)):
            for spelled in {"query": ["query"], "passage": ["passage", "document"]}[kind]:
                response = server.post(EMBED, input=QUERIES, model=name, input_type=spelled)
                answers.EmbeddingAnswer.model_validate(response.json())
                vectors = np.array([row["embedding"] for row in response.json()["data"]], dtype=np.float32)
                np.testing.assert_allclose(vectors, own(QUERIES, normalize_embeddings=True), atol=1e-6)
    assert [row["index"] for row in response.json()["data"]] == list(range(len(QUERIES)))


def test_embeddings_of_fewer_dimensions_and_in_base64(server: Running) -> None:
    whole = np.array(server.post(EMBED, input="de1 de2").json()["data"][0]["embedding"], dtype=np.float32)
    response = server.post(EMBED, input="de1 de2", dimensions=7, encoding_format="base64", user="somebody")
    row = np.frombuffer(base64.b64decode(response.json()["data"][0]["embedding"]), dtype="<f4")
    assert row.shape == (7,)
    np.testing.assert_allclose(row, whole[:7] / np.linalg.norm(whole[:7]), atol=1e-6)


def test_the_same_for_many_at_once_as_for_one(tiny_index: Path) -> None:
    asked = [(query, name) for query in QUERIES for name in ("base", "repaired")]
    with running(tiny_index, limits={"kept_texts": 0}) as own, ThreadPoolExecutor(32) as clients:
        alone = [own.search(query, k=4, model=name) for query, name in asked]
        passes = own.metric("isoglot_batch_texts_count")
        together = list(clients.map(lambda one: own.search(one[0], k=4, model=one[1]), asked))
        assert own.metric("isoglot_batch_texts_count") - passes < passes, "many were encoded together"
    for one, other in zip(alone, together, strict=True):
        assert [hit["id"] for hit in one["hits"]] == [hit["id"] for hit in other["hits"]]
        assert [hit["sentence"] for hit in one["hits"]] == [hit["sentence"] for hit in other["hits"]]
        np.testing.assert_allclose(
            [hit["score"] for hit in one["hits"]], [hit["score"] for hit in other["hits"]], atol=2e-6
        )


def test_what_waits_is_encoded_together(tiny_index: Path) -> None:
    with running(tiny_index) as own:
        held = Held(own.served)
        with ThreadPoolExecutor(16) as clients:
            first = clients.submit(own.search, "de1", sentences=False)
            wait_for(lambda: held.passes)
            rest = [clients.submit(own.search, query, sentences=False) for query in QUERIES[:15]]
            wait_for(lambda: own.served.batcher.depth()[0] == 15)
            held.let_go()
            assert all(future.result().get("hits") for future in [first, *rest])
        assert sorted(held.passes[1]) == sorted(QUERIES[:15])
        assert own.metric("isoglot_batch_texts_count") >= 2


def test_a_full_queue_says_when_to_come_again(tiny_index: Path) -> None:
    with running(tiny_index, limits={"queue_texts": 2, "requests": 3}) as own:
        held = Held(own.served)
        with ThreadPoolExecutor(4) as clients:
            first = clients.submit(own.post, EMBED, input="de1")
            wait_for(lambda: held.passes)
            second = clients.submit(own.post, EMBED, input=["de2", "de3"])
            wait_for(lambda: own.served.batcher.depth()[0] == 2)
            response = own.post(EMBED, input="de4")
            assert own.error(response, 429)["type"] == "busy"
            assert 1 <= int(response.headers["retry-after"]) <= 600
            assert (own.metric("isoglot_queue_texts"), own.metric("isoglot_refusals_total")) == (2, 1)
            third = clients.submit(own.post, SEARCH, query="de5")  # refused too: the queue is full
            assert third.result().status_code == 429
            held.let_go()
            assert (first.result().status_code, second.result().status_code) == (200, 200)
        assert own.post(EMBED, input="de4").status_code == 200


def test_no_more_requests_at_a_time_than_allowed(tiny_index: Path) -> None:
    with running(tiny_index, limits={"requests": 2}) as own:
        held = Held(own.served)
        with ThreadPoolExecutor(2) as clients:
            two = [clients.submit(own.post, EMBED, input="de1") for _ in range(2)]
            wait_for(lambda: own.app.state.activity.working == 2)
            response = own.post(EMBED, input="de4")
            assert own.error(response, 429)["type"] == "busy"
            assert "retry-after" in response.headers
            assert own.http.get("/healthz").status_code == 200
            held.let_go()
            assert [future.result().status_code for future in two] == [200, 200]


def test_a_request_has_its_time(tiny_index: Path) -> None:
    with running(tiny_index, limits={"timeout": 0.3}) as own:
        held = Held(own.served)
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(own.post, EMBED, input="de1")
            wait_for(lambda: held.passes)
            response = own.post(EMBED, input="de2")
            assert own.error(response, 503)["type"] == "timeout"
            assert "retry-after" in response.headers
            assert own.served.batcher.depth() == (0, 0), "it does not wait any more"
            held.let_go()
            assert first.result().status_code == 503


def test_who_leaves_is_not_encoded(tiny_index: Path) -> None:
    with running(tiny_index) as own:
        held = Held(own.served)
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(own.post, EMBED, input="de1")
            wait_for(lambda: held.passes)
            with pytest.raises(httpx.ReadTimeout), httpx.Client(base_url=own.url, timeout=0.3) as impatient:
                impatient.post(EMBED, json={"input": ["de2"] * 50})
            wait_for(lambda: own.served.batcher.depth() == (0, 0))
            held.let_go()
            assert first.result().status_code == 200
        wait_for(lambda: own.metric("isoglot_clients_gone_total") == 1)
        assert held.passes == [["de1"]]


def test_a_huge_request_does_not_starve_a_small_one(tiny_index: Path) -> None:
    with running(tiny_index, limits={"batch_tokens": 64}) as own, ThreadPoolExecutor(2) as clients:
        held = Held(own.served)
        huge = clients.submit(own.post, EMBED, input=[f"de{n % 60} de7 de9" for n in range(256)])
        wait_for(lambda: held.passes)
        small = clients.submit(own.post, EMBED, input="en1")
        wait_for(lambda: any(job.texts == ["en1"] for job in own.served.batcher._urgent))
        held.let_go()
        assert (small.result().status_code, huge.result().status_code) == (200, 200)
    assert len(held.passes) > 10
    assert "en1" in held.passes[1]


def test_models_and_info(server: Running, tiny_index: Path) -> None:
    info = server.http.get("/info").json()
    answers.Info.model_validate(info)
    assert (info["title"], info["documents"], info["chunks"], info["default_model"]) == ("index", 72, 72, "base")
    assert info["languages"] == {"de": 24, "en": 24, "zh": 24}
    assert [(model["name"], model["width"]) for model in info["models"]] == [("base", 32), ("repaired", 32)]
    assert sorted(info["fields"]["source"]) == ["a", "b"]
    assert info["fairness"] == list(FAIRNESS) == list(SearchRequest.model_fields["fairness"].annotation.__args__)
    assert info["limits"]["k"] == 100
    assert [model["id"] for model in server.http.get("/v1/models").json()["data"]] == ["base", "repaired"]
    assert server.http.get("/v1/models/repaired").json()["id"] == "repaired"
    server.error(server.http.get("/v1/models/other"), 404)


def test_metrics_are_what_prometheus_reads(server: Running) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    server.search("de1")
    response = server.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    found = {family.name: family for family in text_string_to_metric_families(response.text)}
    for name in ("requests", "request_seconds", "queue_seconds", "encode_seconds", "batch_texts", "batch_tokens"):
        assert found[f"isoglot_{name}"].samples, name
    assert found["isoglot_index_documents"].samples[0].value == 72
    routes = {sample.labels["route"] for sample in found["isoglot_requests"].samples}
    before = len(routes | {"other"})
    for number in range(5):
        server.http.get(f"/no/such/{number}")
    later = {
        sample.labels["route"]
        for family in text_string_to_metric_families(server.http.get("/metrics").text)
        if family.name == "isoglot_requests"
        for sample in family.samples
    }
    assert len(later) <= before + 1, "paths that clients make up are not routes"


class Lines(logging.Handler):
    """Keeps what is logged, by the id of the request."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, dict[str, Any]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        line = json.loads(_Lines().format(record))
        self.of[line["id"]] = line


def test_log_has_a_line_for_a_request_and_no_text_of_it(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = Lines()
    monkeypatch.setattr(LOGGER, "handlers", [lines])
    LOGGER.setLevel(logging.INFO)
    body = {"query": "de1 secret"}
    assert server.http.post(SEARCH, json=body, headers={"X-Request-ID": "my-id.7"}).headers["x-request-id"] == "my-id.7"
    other = server.http.post(EMBED, json={"input": "secret", "x": "secret"}, headers={"X-Request-ID": "bad id\x07"})
    own = other.headers["x-request-id"]
    assert own != "bad id\x07"
    wait_for(lambda: {"my-id.7", own} <= lines.of.keys())
    first, second = lines.of["my-id.7"], lines.of[own]
    assert (first["event"], first["route"], first["status"], first["model"]) == ("request", "/search", 200, "base")
    assert (first["level"], first["texts"], first["tokens"]) == ("info", 1, 4)
    assert first["ms"] > 0
    assert (second["status"], second["refused"]) == (422, "invalid_value")
    assert "secret" not in json.dumps(lines.of)


def test_every_answer_forbids_what_browsers_would_do(server: Running) -> None:
    for response in (server.http.get("/healthz"), server.http.get("/nowhere"), server.http.post(SEARCH)):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'self';")
        assert "access-control-allow-origin" not in response.headers


def test_a_changed_index_is_taken_in_while_the_old_one_answers(tmp_path: Path, models: tuple[Path, Path]) -> None:
    index(str(models[0]), str(write_corpus(tmp_path / "docs.jsonl", 4)), tmp_path / "index", progress=False)
    with running(tmp_path / "index", refresh=0.05) as own:
        before, failed, stop = own.http.get("/info").json(), list[Any](), threading.Event()

        def ask() -> None:
            while not stop.is_set():
                failed.extend([] if own.search("de1", k=3)["hits"] else ["nothing"])

        asking = threading.Thread(target=ask)
        asking.start()
        index(None, str(write_corpus(tmp_path / "more.jsonl", 12)), tmp_path / "index", progress=False)
        wait_for(lambda: own.http.get("/info").json()["documents"] == 36)
        stop.set()
        asking.join(30)
        assert not failed
        assert before["documents"] == 12
        assert own.http.get("/info").json()["generation"] > before["generation"]
        assert len(own.search("de1", k=36)["hits"]) == 36


def test_a_change_while_another_is_taken_in_is_not_missed(
    tmp_path: Path, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, told = tmp_path / "index", Served._told
    corpora = [str(write_corpus(tmp_path / f"{n}.jsonl", n)) for n in (2, 3, 4)]
    index(str(models[0]), corpora[0], folder, progress=False)

    def late(served: Served) -> Any:
        index(None, corpora[2], folder, progress=False)
        return told(served)

    with running(folder, refresh=0.05) as own:
        monkeypatch.setattr(Served, "_told", late)
        index(None, corpora[1], folder, progress=False)
        wait_for(lambda: len(own.search("de1", k=12)["hits"]) == 12)


def test_an_index_is_closed_where_it_cannot_be_served(tiny_index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Path] = []
    monkeypatch.setattr(Collection, "close", lambda self: closed.append(self.path))
    with pytest.raises(InputError, match="no model 'nothing'"):
        Served(ServeSettings(index=str(tiny_index), models={"mine": "nothing"}), Metrics())
    assert closed == [tiny_index]


def test_names_of_models(tiny_index: Path, models: tuple[Path, Path], tmp_path: Path) -> None:
    with running(tiny_index, models={"mine": str(models[1]), "base": ""}) as own:
        info = own.http.get("/info").json()
        assert [model["name"] for model in info["models"]] == ["mine", "base"]
        assert info["models"][0]["source"] == str(models[1])
        assert own.search("de1")["hits"]
        assert own.error(own.post(SEARCH, query="de1", model="repaired"), 404)["param"] == "model"


def test_the_page_is_served_by_its_names_alone(server: Running) -> None:
    from isoglot.serving.page_routes import page_files

    found = page_files()
    for path, (content, kind) in found.items():
        response = server.http.get(path)
        assert (response.status_code, response.content, response.headers["content-type"]) == (200, content, kind)
    for path in ("/page/index.html", "/../app.py", "/%2e%2e/app.py", "/index.html"):
        server.error(server.http.get(path), 404)
    if not found:
        server.error(server.http.get("/"), 404)
