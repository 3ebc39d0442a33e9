"""What is made again from shards is what the runner sent, bit for bit, or it is refused."""

import msgspec
import pytest
from made_sent_run import EVERY, SentRun, made_sent_run

from safe_eval.prediction import Prediction
from safe_eval.runner.media import pixel_hash
from safe_eval.runner.row import hear
from safe_eval.runner.sent_again import OtherMediaError, in_words, send_again, stored_again
from safe_eval.runner.shelves import Shelves, open_shards


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SentRun:
    return made_sent_run(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def shelves(run: SentRun) -> Shelves:
    return open_shards(["test", None, "nowhere"], run.shards, sound_bytes=1_000_000)


def hashes(sound: object, picture: object) -> tuple[str | None, str | None]:
    return (None if sound is None else hear(sound).sha256, None if picture is None else pixel_hash(picture))  # type: ignore[arg-type]


def test_every_condition_gives_what_was_sent(run: SentRun, shelves: Shelves) -> None:
    compared = set()
    for row in run.rows:
        again = send_again(row, shelves)
        if row.error is not None:
            assert again is None
            continue
        assert again is not None
        sent = run.heard[row.model, row.condition, row.example_id]
        assert hashes(again.sound(), again.picture()) == sent
        compared.add((row.model, row.condition))
    assert compared == {("base", "full"), *(("safe", condition) for condition in EVERY)}


def test_what_is_stored_does_not_depend_on_what_was_sent(run: SentRun, shelves: Shelves) -> None:
    of_record = [row for row in run.rows if row.record_id == run.rows[0].record_id]
    found = {
        hashes(again.sound(), again.picture()) for again in (stored_again(row, shelves) for row in of_record)
    }
    assert found == {run.heard["safe", "full", of_record[0].example_id]}


def changed(row: Prediction, **sent: object) -> Prediction:
    metadata = {**(row.metadata or {}), "sent": {**(row.metadata or {}).get("sent", {}), **sent}}
    return msgspec.structs.replace(row, metadata=metadata)


def test_another_hash_is_refused_when_it_is_read(run: SentRun, shelves: Shelves) -> None:
    row = next(row for row in run.rows if row.condition == "blur")
    again = send_again(msgspec.structs.replace(row, audio_sha256="0" * 64), shelves)
    assert again is not None
    with pytest.raises(OtherMediaError, match="these shards give another sound than was sent"):
        again.sound()
    assert again.picture() is not None
    again = send_again(changed(row, picture_sha256="0" * 64), shelves)
    assert again is not None
    with pytest.raises(OtherMediaError, match="these shards give another picture than was sent"):
        again.picture()


def test_a_note_that_its_condition_does_not_give_is_refused(run: SentRun, shelves: Shelves) -> None:
    row = next(row for row in run.rows if row.condition == "text_only")
    with pytest.raises(ValueError, match="text_only makes 'left out' of it, and the row says 'own'"):
        send_again(changed(row, sound="own"), shelves)
    with pytest.raises(ValueError, match="these shards do not hold this record"):
        send_again(msgspec.structs.replace(row, record_id="gone"), shelves)
    strange = msgspec.structs.replace(row, metadata={"sent": "own"})
    assert (send_again(strange, shelves), in_words(strange)) == (None, "")
