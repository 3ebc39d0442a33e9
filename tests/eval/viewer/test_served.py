"""The viewer's server: what it gives, whom it refuses, and the command that starts it."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from safe_data.core.errors import InputError
from safe_eval.annotation.notes import NOTES_FILE, Notes
from safe_eval.viewer.answers import Answers
from safe_eval.viewer.served import POLICY, make_app
from safe_eval.viewer.viewed import Viewed

TOKEN = "secret"


@pytest.fixture
def client(viewed: Viewed, tmp_path: Path) -> TestClient:
    app = make_app(Answers(viewed, Notes(tmp_path / NOTES_FILE)), TOKEN)
    return TestClient(app, base_url="http://127.0.0.1")


def told(client: TestClient, path: str, status: int = 200) -> Any:
    reply = client.get(f"/{TOKEN}/{path}")
    assert reply.status_code == status, reply.text
    assert reply.headers["content-security-policy"] == POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    return reply.json()


def test_it_tells_what_the_page_asks(client: TestClient, viewed: Viewed) -> None:
    facts = told(client, "data/run.json")
    assert (facts["items"], len(facts["arms"]), facts["writes_notes"]) == (48, 4, True)
    listed = told(client, "data/items?flip=0:1:gained&limit=2&sort=-confidence:1")
    assert listed["count"] >= len(listed["rows"]) == 2
    following = told(
        client, f"data/items?flip=0:1:gained&sort=-confidence:1&limit=500&after={listed['next']}"
    )
    assert len(following["rows"]) == listed["count"] - 2
    numbers = told(client, "data/statistics?dataset=mine&a=0&b=1")
    assert numbers["pair"]["difference"] is not None
    item = told(client, "data/item?item=3")
    assert (item["item"], len(item["outcomes"])) == (3, 4)
    assert told(client, "data/next?item=47") == {"item": None}
    page = client.get(f"/{TOKEN}/")
    assert "text/html" in page.headers["content-type"]
    for name in re.findall(r'(?:src|href)="([\w.]+)"', page.text):
        assert client.get(f"/{TOKEN}/{name}").status_code == 200


def test_parts_are_made_once_and_charts_can_be_kept(client: TestClient) -> None:
    page = client.get(f"/{TOKEN}/overview.html").text
    assert "<script" not in page
    assert "style=" not in page
    names = set(re.findall(r'href="charts/([\w-]+)\.svg"', page))
    assert names
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG"), ("csv", b"")):
        content = client.get(f"/{TOKEN}/charts/{min(names)}.{kind}").content
        assert content.startswith(begins)
        assert content


def test_a_note_is_kept_and_shown(client: TestClient, tmp_path: Path) -> None:
    sent = client.post(f"/{TOKEN}/data/notes", json={"item": 5, "text": "<b>odd</b>"})
    assert sent.status_code == 200
    assert told(client, "data/item?item=5")["note"] == "<b>odd</b>"
    assert [row["item"] for row in told(client, "data/items?noted=yes")["rows"]] == [5]
    (note,) = msgspec.json.decode((tmp_path / NOTES_FILE).read_bytes())["notes"]
    assert note["text"] == "<b>odd</b>"
    client.post(f"/{TOKEN}/data/notes", json={"item": 5, "text": " "})
    assert told(client, "data/items?noted=yes")["rows"] == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("data/items?typ=a", 400, "typ: no such filter; did you mean 'type'?"),
        ("data/items?limit=0", 400, "limit=0: must be 1 to 500"),
        ("data/statistics?a=9&b=0", 400, "a=9: is no arm; arms are 0 to 3"),
        ("data/statistics?a=1&a=2", 400, "a: is given twice; give it once"),
        ("data/item?item=99", 400, "item=99: there is none; items are 0 to 47"),
        ("data/item?item=x", 400, "item='x': must be a number"),
        ("data/next?item=1&step=2", 400, "step=2: choose 1 or -1"),
        ("data/nothing", 404, "data/nothing: no such file"),
        ("../../etc/passwd", 404, ""),
        ("%2e%2e/pyproject.toml", 404, ""),
        ("charts/nothing.svg", 404, "charts/nothing.svg: no such chart"),
        ("media/1/0/sound.wav", 404, "media/1/0/sound.wav: nothing was sent there"),
    ],
)
def test_what_is_not_there_or_not_understood(client: TestClient, path: str, status: int, said: str) -> None:
    reply = client.get(f"/{TOKEN}/{path}")
    assert reply.status_code == status
    assert reply.json()["error"].startswith(said)


def test_strangers_are_refused(client: TestClient) -> None:
    assert client.get("/").status_code == 404
    assert client.get("/guess/data/run.json").status_code == 404
    assert client.get(f"/{TOKEN}/", headers={"Host": "evil.example"}).status_code == 400
    note = f"/{TOKEN}/data/notes"
    assert client.post("/guess/data/notes", json={"item": 1, "text": "a"}).status_code == 404
    plain = client.post(note, content='{"item": 1, "text": "a"}', headers={"Content-Type": "text/plain"})
    assert plain.status_code == 415  # which another site's page could send
    assert client.post(note, json={"item": 1, "text": "a" * 70_000}).status_code == 413
    assert client.post(note, json={"item": 1}).status_code == 400
    assert client.put(note, json={}).status_code == 405
    assert client.post(f"/{TOKEN}/data/items", json={}).status_code == 405


def test_a_viewer_without_notes_keeps_none(viewed: Viewed) -> None:
    with pytest.raises(InputError, match="note: this viewer keeps no notes"):
        Answers(viewed).write_note(b'{"item": 1, "text": "a"}')


def test_the_command_prints_its_address_and_ends_with_sigterm(run: Path) -> None:
    words = [sys.executable, "-m", "safe_eval", "view", str(run)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.match(
            r"(http://127\.0\.0\.1:\d+/[\w-]{20,}/)  shows 48 items, 4 arms; Ctrl-C stops", first
        )
        assert found, first
        with urllib.request.urlopen(f"{found[1]}data/run.json") as reply:
            assert msgspec.json.decode(reply.read())["items"] == 48
        assert process.stdout.readline() == "note: no pictures and sounds; give their dataset with --shards\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
