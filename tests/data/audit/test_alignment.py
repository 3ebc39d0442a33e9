"""Whether what is heard belongs to what is seen and said."""

import json
import shutil

import pytest
from folders import STAMPS, needs_stamps
from manifests import corpus_of, row

from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.alignment import overlap
from safe_data.audit.facts.all_facts import FACTS, compute_facts
from safe_data.audit.facts.fact import Fact
from safe_data.audit.speech import spoken_words
from safe_data.build.build import build_dataset
from safe_data.records import Event
from safe_data.shards import manifest


def event(start: float, end: float, modality: str = "audio", label: str = "bark") -> dict[str, object]:
    return {"label": label, "start": start, "end": end, "modality": modality}


def overlapping(*records: list[dict[str, object]]) -> Fact:
    rows = [row(index, events=json.dumps(events)) for index, events in enumerate(records)]
    return FACTS["event_overlap"].compute(corpus_of(manifest.table([*rows, row(99)])))


def test_events_that_are_heard_and_seen_at_one_time_overlap() -> None:
    together = [event(0, 1), event(0.5, 2, "vision")]
    apart = [event(0, 1), event(1, 2, "vision")]
    other_thing = [event(0, 1), event(0, 1, "vision", "meow")]
    found = overlapping(together, apart, other_thing, [event(0, 1)], [event(0, 1, "both")])
    assert (found.value, found.among) == (0.5, 4)
    assert [one.records for one in found.offenders] == [("train/clip-1",), ("train/clip-2",)]


def test_a_record_with_events_of_one_kind_is_not_judged() -> None:
    assert overlap([Event(label="bark", start=0, end=1)]) is None
    assert overlapping([event(0, 1)]).applies is False


def test_speech_is_not_looked_for_where_no_record_has_a_transcript() -> None:
    corpus = corpus_of(manifest.table([row(0), row(1)]))
    found = compute_facts(corpus, ["speech_agreement", "transcript_agreement"])
    assert {(fact.value, fact.applies) for fact in found.values()} == {(None, False)}


def test_a_transcript_is_compared_by_its_words() -> None:
    assert spoken_words("The COW—isn’t it?") == ["the", "cow", "isn't", "it"]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Eight spoken names, the transcripts of two swapped, and four sounds."""
    folder = tmp_path_factory.mktemp("spoken") / "world"
    folder.mkdir()
    lines = [json.loads(line) for line in (STAMPS / "metadata.jsonl").read_text().splitlines()]
    spoken = [one for one in lines if one.get("transcript")][:8]
    spoken[0]["transcript"], spoken[1]["transcript"] = spoken[1]["transcript"], spoken[0]["transcript"]
    sounds = [one for one in lines if one.get("audio_file_name") and not one.get("transcript")]
    chosen = [
        *spoken,
        *[one for one in sounds if any(w in one["id"] for w in ("cow-", "pig-", "sheep-", "saw"))][:4],
    ]
    for one in chosen:
        one.pop("image_file_name", None)
        target = folder / one["audio_file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(STAMPS / one["audio_file_name"], target)
    (folder / "metadata.jsonl").write_text("".join(json.dumps(one) + "\n" for one in chosen))
    build_dataset(folder, str(folder.parent / "shards"), encoders=(), quiet=True)
    return open_corpus([str(folder.parent / "shards")])


@needs_stamps
def test_swapped_transcripts_are_heard(spoken: Corpus) -> None:
    found = FACTS["transcript_agreement"].compute(spoken)
    assert (found.value, found.among) == (0.75, 8)
    assert len(found.offenders) == 2


@needs_stamps
def test_speech_is_found_where_somebody_speaks(spoken: Corpus) -> None:
    found = FACTS["speech_agreement"].compute(spoken)
    assert (found.value, found.among) == (1, 12)
