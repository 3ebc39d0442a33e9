"""An endpoint that nobody here wrote: `transformers serve`, with the toy backbone, on loopback.

It needs the client library `openai` beside fastapi and uvicorn, which the extra `dev` installs.
"""

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

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.records import Example
from safe_data.sources.synthetic.world import write_world
from safe_eval.models.all_models import load_models
from safe_eval.models.model import Input
from safe_eval.run_options import ModelOptions, RunOptions
from safe_eval.runner.evaluation import evaluate
from safe_eval.scoring.score import score_files
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor

STARTING_SECONDS = 300  # it imports all of transformers; minutes where others compute too
QUESTIONS = ("what shape is the red object ?", "how many objects are there ?", "what sound is heard ?")


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


def test_a_model_that_a_real_server_does_not_have_is_refused_before_the_first_question(
    toy: Path, url: str
) -> None:
    with pytest.raises(InputError, match=f"has no model '{toy}-2' \\(HTTP 4"):
        load_models(f"openai:{url}#{toy}-2", ModelOptions(attempts=2, name="another"))


ECHO = """
import json, os
from pathlib import Path

SAID = {}


def answer(given):
    if not SAID:
        rows = map(json.loads, Path(os.environ["SAFE_TEST_SAID"]).read_text().splitlines())
        SAID.update({(row["example_id"], row["condition"]): row["answer"] for row in rows})
    return SAID[given.example.id, given.request.condition]
"""


def test_equal_answers_have_equal_scores_whoever_gives_them(
    toy: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_world(tmp_path / "world", clips=30, seed=2)
    build_dataset(tmp_path / "world", tmp_path / "shards", encoders=())
    options = RunOptions(conditions=("full", "mute_vision", "text_only"), limit=6)
    asked = ModelOptions(name="toy", max_tokens=4, concurrency=2)
    loaded = tmp_path / "transformers" / "predictions.jsonl"
    monkeypatch.setenv("SAFE_TEST_SAID", str(loaded))
    (tmp_path / "echo_of_a_run.py").write_text(ECHO)
    monkeypatch.syspath_prepend(str(tmp_path))
    kinds = {
        "transformers": f"transformers:{toy}",
        "openai": f"openai:{url}#{toy}",
        "replay": f"replay:{loaded}",
        "python": "python:echo_of_a_run:answer",
    }
    scores = {}
    for kind, spec in kinds.items():
        done = evaluate(
            spec, [tmp_path / "shards"], out=tmp_path / kind, options=options, asked=asked, quiet=True
        )
        assert (done.finished.rows, done.finished.errors) == (18, 0), kind
        found = score_files([tmp_path / kind / "predictions.jsonl"])
        scores[kind] = [
            (row.metric, row.condition, row.slice, row.value, row.ci_low, row.ci_high)
            for row in found.metrics
            if row.metric == "accuracy"
        ]
    assert len(scores["transformers"]) > 3
    assert all(of_kind == scores["transformers"] for of_kind in scores.values())
