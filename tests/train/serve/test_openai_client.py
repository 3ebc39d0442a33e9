"""OpenAI's own client reads the replies, the streams and the errors of a server."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from made_requests import Start, picture, question, sound

from safe_train.serve.app import make_app

openai = pytest.importorskip("openai", reason="pip install openai")


@pytest.fixture
def chat(start: Start) -> Any:
    http = TestClient(make_app(start({"key": "sk-1"})))
    client = openai.OpenAI(api_key="sk-1", base_url="http://testserver/v1", http_client=http, max_retries=0)
    return client


def test_it_reads_a_completion_and_what_is_beside_it(chat: Any) -> None:
    assert [model.id for model in chat.models.list()] == ["safe"]
    asked = question("what is there ?", picture(), sound(), temperature=0, logprobs=True)
    completion = chat.chat.completions.create(**asked)
    (choice,) = completion.choices
    assert "".join(one.token for one in choice.logprobs.content) == choice.message.content
    assert completion.usage.total_tokens > completion.usage.prompt_tokens > 0
    assert completion.model_extra["safe"].keys() >= {"consulted", "audio_tokens", "gate_score", "confidence"}

    chunks = list(chat.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    said = [one.choices[0].delta.content or "" for one in chunks if one.choices]
    assert "".join(said) == choice.message.content
    assert chunks[-1].usage == completion.usage
    assert chunks[-2].model_extra["safe"]["consulted"] == completion.model_extra["safe"]["consulted"]


def test_it_knows_the_errors(chat: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        chat.chat.completions.create(**question(temperature=1))
    assert (refused.value.param, refused.value.code) == ("temperature", "unsupported_value")
    with pytest.raises(openai.NotFoundError, match="model 'gpt' is not served here; ask 'safe'"):
        chat.chat.completions.create(**{**question(), "model": "gpt"})
    with pytest.raises(openai.AuthenticationError, match="the key is not accepted"):
        chat.with_options(api_key="sk-2").models.list()
