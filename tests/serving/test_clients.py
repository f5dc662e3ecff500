"""The official client of OpenAI's API; and the description, to which `tests/fuzz/test_http.py` holds the server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.serving.servers import EMBED, Running, running

TOKEN = "a-long-token-of-ours"


def test_the_client_of_openai(tiny_index: Path) -> None:
    openai = pytest.importorskip("openai")
    with running(tiny_index, token=TOKEN) as own:
        client = openai.OpenAI(base_url=f"{own.url}/v1", api_key=TOKEN, max_retries=0)
        texts = ["de1 de2", "en3", " ".join(f"zh{n}" for n in range(60)) + " zh1" * 20]
        expected = own.served.residents["repaired"].model.encode_query(texts, normalize_embeddings=True)
        found = client.embeddings.create(model="repaired", input=texts)  # it asks for base64 of its own accord
        assert [row.index for row in found.data] == [0, 1, 2]
        np.testing.assert_allclose([row.embedding for row in found.data], expected, atol=1e-6)
        assert found.model == "repaired"
        assert found.usage.prompt_tokens == found.usage.total_tokens == 4 + 3 + 64
        assert found.model_extra["truncated"] == [2]
        short = client.embeddings.create(model="base", input="de1", dimensions=5, encoding_format="float", user="me")
        assert np.linalg.norm(short.data[0].embedding) == pytest.approx(1)
        assert len(short.data[0].embedding) == 5
        passage = client.embeddings.create(model="base", input="de1", extra_body={"input_type": "passage"})
        own_passage = own.served.residents["base"].model.encode_document(["de1"], normalize_embeddings=True)
        np.testing.assert_allclose([passage.data[0].embedding], own_passage, atol=1e-6)
        assert [model.id for model in client.models.list()] == ["base", "repaired"]
        assert client.models.retrieve("base").owned_by == "isoglot"
        with pytest.raises(openai.NotFoundError, match="model"):
            client.embeddings.create(model="text-embedding-3-small", input="de1")
        with pytest.raises(openai.UnprocessableEntityError, match="token ids are not accepted") as caught:
            client.embeddings.create(model="base", input=[1, 2, 3])
        assert (caught.value.type, caught.value.param) == ("invalid_value", "input")
        with pytest.raises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{own.url}/v1", api_key="another", max_retries=0).models.list()


def test_the_description_names_every_refusal(server: Running, tiny_index: Path) -> None:
    paths = server.http.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/search", EMBED, "/v1/models", "/v1/models/{model}", "/info", "/healthz", "/metrics"}
    for path in ("/search", EMBED):
        answers: dict[str, Any] = paths[path]["post"]["responses"]
        assert set(answers) == {"200", "400", "404", "408", "413", "415", "422", "429", "500", "503"}
        for status, answer in answers.items():
            (content,) = answer["content"].values()
            assert content["schema"]["$ref"].endswith("ErrorBody") == (status != "200")
        assert all("Retry-After" in answers[status]["headers"] for status in ("429", "503"))
    with running(tiny_index, token=TOKEN, limits={"k": 7, "texts": 3}) as own:
        described = own.http.get("/openapi.json").json()
        assert described["paths"]["/search"]["post"]["security"] == [{"token": []}]
        assert "401" in described["paths"]["/search"]["post"]["responses"]
        assert "security" not in described["paths"]["/healthz"]["get"]
        schema = described["paths"]["/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["properties"]["k"] == {**schema["properties"]["k"], "minimum": 1, "maximum": 7, "default": 7}
        assert httpx.get(f"{own.url}/healthz", trust_env=False).json() == {"status": "ready"}
