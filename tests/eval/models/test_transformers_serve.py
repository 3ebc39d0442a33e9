"""An endpoint that nobody here wrote: `transformers serve`, with the toy backbone, on loopback.

It needs the client library `openai` beside fastapi and uvicorn; where that is not installed, this is skipped.
"""

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import urllib3
from PIL import Image

from safe_data.records import Example
from safe_eval.models.all_models import load_models
from safe_eval.models.model import Input
from safe_eval.run_options import ModelOptions
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor

NEEDED = ("openai", "fastapi", "uvicorn")
STARTING_SECONDS = 90
QUESTIONS = ("what shape is the red object ?", "how many objects are there ?", "what sound is heard ?")

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED),
    reason=f"transformers serve needs {', '.join(NEEDED)}",
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy backbone with random weights."""
    folder = tmp_path_factory.mktemp("served") / "toy"
    torch.manual_seed(0)
    processor = make_processor()
    new_model(Recipe(), processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def url(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that serves the toy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "transformers"
    log = tmp_path_factory.mktemp("log") / "serve.txt"
    command = [program, "serve", toy, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
        try:
            _wait(server, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _wait(server: "subprocess.Popen[bytes]", health: str, log: Path) -> None:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            if urllib3.request("GET", health, retries=False, timeout=1).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"no server after {STARTING_SECONDS} s: {log.read_text()}")


def inputs() -> list[Input]:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    examples = [Example(id="q", task="vqa", prompt=one, references=("red",)) for one in QUESTIONS]
    return [
        *(Input(one, picture=lambda: Image.fromarray(pixels)) for one in examples),
        Input(examples[-1]),
    ]


def test_a_real_server_says_what_the_same_model_says_here(toy: Path, url: str) -> None:
    options = ModelOptions(max_tokens=4, concurrency=2)
    (served,), (loaded,) = (
        load_models(spec, options) for spec in (f"openai:{url}#{toy}", f"transformers:{toy}")
    )
    wanted = [answer.text for answer in loaded.answer(inputs())]
    answers = served.answer(inputs())
    assert [answer.error for answer in answers] == [None] * 4
    assert [answer.text for answer in answers] == wanted
    assert len(set(wanted)) > 1
    assert all((answer.metadata or {})["usage"]["completion_tokens"] == 4 for answer in answers)


def test_a_real_server_that_knows_no_log_probabilities_gives_no_confidence(toy: Path, url: str) -> None:
    (served,) = load_models(f"openai:{url}#{toy}", ModelOptions(max_tokens=4, arg=("logprobs=true",)))
    (answer,) = served.answer(inputs()[-1:])
    assert (answer.error, answer.confidence) == (None, None)


def test_what_a_real_server_refuses_is_the_error_of_the_example(toy: Path, url: str) -> None:
    (served,) = load_models(f"openai:{url}#{toy}-2", ModelOptions(attempts=2, name="another"))
    (answer,) = served.answer(inputs()[-1:])
    assert answer.error is not None
    assert answer.error.startswith("HTTP 4")
