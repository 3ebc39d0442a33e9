"""The command as it is typed: safe-eval asks it, SIGTERM stops it when all it accepted is answered."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from made_requests import question

from safe_data.core.errors import InputError
from safe_eval.cli import main as eval_main
from safe_eval.predictions import read_predictions
from safe_train.cli import main
from safe_train.serve.server import KEY, key_of_environment, listening
from safe_train.settings.serve import ServeConfig

PATIENCE_SECONDS = 120


@pytest.fixture
def running(gated: Path, untaught: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own that lets a request wait a second for others, and its URL."""
    words = ["serve", str(gated), "--backbone", str(untaught), "--port", "0", "--answer-tokens", "4"]
    command = [sys.executable, "-m", "safe_train", *words, "--wait-ms", "1000", "--batch-size", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("serving safe at http://127.0.0.1:"), line
        try:
            yield server, line.split()[3].rstrip(";")
        finally:
            server.kill()


def post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(
        f"{url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as reply:
        return json.load(reply)


def test_safe_eval_asks_it_and_sigterm_loses_nothing(
    running: tuple[subprocess.Popen[str], str], gated: Path, untaught: Path, shards: Path, tmp_path: Path
) -> None:
    server, url = running
    run = ["run", "--model", f"openai:{url}#safe", "--arg", "safe=true", "--data", str(shards)]
    assert eval_main([*run, "--split", "val", "--limit", "8", "--out", str(tmp_path / "run"), "--quiet"]) == 0
    rows = read_predictions(tmp_path / "run/predictions.jsonl")
    words = ["predict", str(gated), str(shards), "--backbone", str(untaught), "--split", "val", "--quiet"]
    asked = ["--condition", "full", "--without-base", "--answer-tokens", "4"]
    assert main([*words, *asked, "--out", str(tmp_path / "predicted.jsonl")]) == 0
    ours = {row.example_id: row for row in read_predictions(tmp_path / "predicted.jsonl")}
    assert len(rows) == 8
    for row in rows:
        own = ours[row.example_id]
        assert (row.answer, row.consulted, row.audio_tokens) == (own.answer, own.consulted, own.audio_tokens)
        assert row.gate_score == pytest.approx(own.gate_score, abs=1e-5)
        assert row.audio_sha256 == own.audio_sha256

    with ThreadPoolExecutor(4) as pool:
        asked_now = [pool.submit(post, url, question()) for _ in range(3)]  # fewer than a batch: they wait
        while get(url.replace("/v1", "/health"))["places"] < 3:
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        assert [one.result()[0] for one in asked_now] == [200] * 3
    assert server.wait(PATIENCE_SECONDS) == 0
    said = server.stdout.read() if server.stdout else ""
    assert said.splitlines() == ["stopping: 3 requests are being answered first", "stopped"]
    with pytest.raises(urllib.error.URLError):
        post(url, question())


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(
    gated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["serve", str(gated), "--backbone", "nowhere", "--port", str(port)]) == 3
    said = capsys.readouterr().err
    assert f"127.0.0.1:{port}: cannot be listened at: Address already in use; choose another" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "70000"], "port=70000: a port is 0 to 65535"),
        (["--wait-ms", "-1"], "wait_ms=-1.0: must be 0 or more, and finite"),
        (["--queue-size", "2"], "queue_size=2: must be at least batch_size=8, or no batch is ever full"),
        (["--timeout-seconds", "0"], "timeout_seconds=0.0: must be above 0"),
        (["--tokens", "4"], "tokens=4: goes with --gate always, not with saved"),
        (["--gate", "always", "--tokens", "3"], "tokens=3: 3 audio tokens were not trained"),
    ],
)
def test_settings_that_are_refused(
    words: list[str], message: str, gated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [] if "--port" in words else ["--port", "0"]
    assert main(["serve", str(gated), "--backbone", "nowhere", *at, *words]) == 3
    assert message in capsys.readouterr().err


def test_a_host_that_is_none_and_a_key_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"256\.0\.0\.1:8000: cannot be listened at"):
        listening(ServeConfig(host="256.0.0.1"))
    monkeypatch.delenv(KEY, raising=False)
    assert key_of_environment() is None
    monkeypatch.setitem(os.environ, KEY, " sk-1 ")
    assert key_of_environment() == "sk-1"
    monkeypatch.setitem(os.environ, KEY, "schlüssel")
    with pytest.raises(InputError, match="has characters that no key has; set another one"):
        key_of_environment()
