"""Alignment: whether what is heard belongs to what is seen and said.

Facts about sounds look at a thousand records drawn at random, or at all if there are fewer. Whether a sound
belongs to a picture is known from events, where a record has both kinds, or from a person.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.exact import audible_rows
from safe_data.audit.annotations import Annotated, Verdict, read_annotations, rows_with
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import MOST_OFFENDERS, Fact, FactKind, Offender, not_applicable
from safe_data.audit.speech import CHOICES, SAMPLE_RATE_HZ, Listener, Samples, speech_finder, spoken_words
from safe_data.core.errors import InputError, MediaError
from safe_data.core.numerals import counted
from safe_data.media.decode import decode_audio
from safe_data.records import Event

SAMPLED = 1_000  # records that are listened to
SEED = 0
FEWEST_ANNOTATIONS = 50  # fewer cannot tell 2 % from 8 %
MOST_UNREAD = 0.01  # of the sounds that are listened to

Rows = Int[ndarray, " records"]


def annotated_rate(corpus: Corpus, verdict: Verdict) -> Fact:
    """The share of annotated pairs with a verdict; who is unsure says neither aligned nor mismatched.

    Raises:
        ValueError: there are too few annotations.
        InputError: they cannot be read.
    """
    if corpus.given.annotations is None:
        return not_applicable("no annotations were given; make some by `safe-data audit --spot-check`")
    annotated = corpus.once(given_annotations)
    among = len(annotated.judged)
    if among < FEWEST_ANNOTATIONS:
        raise ValueError(f"{counted(among, 'pair')} annotated, {FEWEST_ANNOTATIONS} or more say something")
    rows = rows_with(annotated, verdict)
    others = rows if verdict == "mismatched" else _not_aligned(corpus)
    offenders = tuple(Offender(verdict, (corpus.label(row),)) for row in others[:MOST_OFFENDERS].tolist())
    how = "drawn at random" if annotated.judged[0][1].chosen == "random" else "chosen as suspicious"
    return Fact(len(rows) / among, among, offenders, detail=f"{len(rows)} of {among} pairs, {how}")


def given_annotations(corpus: Corpus) -> Annotated:
    """What a person marked.

    Raises:
        InputError: it cannot be read, or has faults.
    """
    if corpus.given.annotations is None:
        raise ValueError("no annotations were given")
    return read_annotations(corpus.given.annotations, corpus)


def _not_aligned(corpus: Corpus) -> Rows:
    annotated = corpus.once(given_annotations)
    return np.concatenate([rows_with(annotated, verdict) for verdict in ("mismatched", "unsure")])


def event_overlap(corpus: Corpus) -> Fact:
    """The share of records whose audible and visible events of one label overlap in time.

    Looks at records with audible and visible events. An event of both kinds overlaps with itself.
    """
    column = corpus.manifest["events"] if "events" in corpus.manifest.schema.names else None
    if column is None:
        return not_applicable("the dataset was built before events were kept; build it again")
    rows = np.flatnonzero(np.asarray(pc.and_(pc.is_valid(column), pc.equal(corpus.manifest["status"], "ok"))))
    judged, apart = 0, []
    decode = msgspec.json.Decoder(list[_Event]).decode  # six times as fast as a new one for each
    for row, text in zip(rows.tolist(), column.take(pa.array(rows)).to_pylist(), strict=True):
        overlaps = overlap(decode(text))
        if overlaps is not None:
            judged += 1
            if not overlaps:
                apart.append(row)
    if not judged:
        return not_applicable("no record has audible and visible events")
    offenders = tuple(Offender("events apart", (corpus.label(row),)) for row in apart[:MOST_OFFENDERS])
    return Fact(1 - len(apart) / judged, judged, offenders)


class _Event(msgspec.Struct, frozen=True, gc=False):
    label: str
    start: float
    end: float
    modality: str = "audio"


def overlap(events: Sequence["_Event | Event"]) -> bool | None:
    """Whether an audible event overlaps a visible one of its label; None where one of the two is missing."""
    if any(event.modality == "both" for event in events):
        return True
    heard = [event for event in events if event.modality == "audio"]
    seen = [event for event in events if event.modality == "vision"]
    if not heard or not seen:
        return None
    return any(
        one.label == other.label and one.start < other.end and other.start < one.end
        for one in heard
        for other in seen
    )


def speech_agreement(corpus: Corpus) -> Fact:
    """The share of sounds in which somebody speaks exactly if the record has a transcript.

    Raises:
        InputError: the extra `speech` is not installed.
    """
    if not transcribed(corpus).any():
        return not_applicable("no record has a transcript")
    heard, spoken = corpus.once(found_speech)
    said = transcribed(corpus)[heard]
    wrong = np.flatnonzero(said != spoken)
    offenders = tuple(
        Offender(
            "a transcript, no speech" if said[place] else "speech, no transcript",
            (corpus.label(int(heard[place])),),
        )
        for place in wrong[:MOST_OFFENDERS].tolist()
    )
    return Fact(1 - len(wrong) / len(heard), len(heard), offenders)


def transcript_agreement(corpus: Corpus) -> Fact:
    """The share of transcribed sounds that are heard as their transcript rather than as another's.

    Each is compared with the transcripts of up to a hundred records. Transcripts with a word that is not in
    the English dictionary are left out.

    Raises:
        InputError: the extra `speech` is not installed.
        ValueError: fewer than two different transcripts can be heard.
    """
    if not transcribed(corpus).any():
        return not_applicable("no record has a transcript")
    heard = corpus.once(heard_transcripts)
    wrong = [one for one in heard if one.chosen != one.said]
    offenders = tuple(Offender(one.what, (corpus.label(one.row),)) for one in wrong[:MOST_OFFENDERS])
    return Fact(1 - len(wrong) / len(heard), len(heard), offenders)


class HeardTranscript(NamedTuple):
    """What a transcript says, and as which transcript its sound is heard; None if as none."""

    row: int
    said: str
    chosen: str | None

    @property
    def what(self) -> str:
        """The difference in words."""
        return f"heard as {self.chosen or 'nothing'}, said to be {self.said}"


def heard_transcripts(corpus: Corpus) -> list[HeardTranscript]:
    """What is heard of the transcripts that only have words of the dictionary; see `transcript_agreement`."""
    listener = Listener()
    texts = corpus.manifest["transcript"]
    rows = [row for row in _drawn(transcribed(corpus)) if listener.knows(texts[row].as_py())]
    words = {row: " ".join(spoken_words(texts[row].as_py())) for row in rows}
    if len(set(words.values())) < 2:
        raise ValueError("fewer than two different transcripts have only words of the English dictionary")
    found = []
    for start in range(0, len(rows), CHOICES):
        batch = rows[start : start + CHOICES]
        choices = [words[row] for row in batch]
        for row, samples in _sounds(corpus, batch):
            found.append(HeardTranscript(row, words[row], listener.choose(samples, choices)))
    return found


def found_speech(corpus: Corpus) -> tuple[Rows, ndarray]:
    """The rows that were listened to, and whether somebody speaks in each."""
    speaks = speech_finder()
    found = [(row, speaks(samples)) for row, samples in _sounds(corpus, _drawn(_sounding(corpus)))]
    return np.array([row for row, _ in found]), np.array([spoken for _, spoken in found], bool)


def _sounds(corpus: Corpus, rows: Sequence[int]) -> list[tuple[int, Samples]]:
    """The sounds of these records at 16 kHz.

    Raises:
        ValueError: more than one in a hundred cannot be read.
    """
    found = []
    for row in rows:
        data = corpus.member(row, "audio")
        try:
            if data is not None:
                found.append((row, decode_audio(data, SAMPLE_RATE_HZ).samples))
        except (MediaError, InputError):
            continue
    if (unread := len(rows) - len(found)) > MOST_UNREAD * len(rows):
        raise ValueError(f"{counted(unread, 'sound')} of {len(rows)} cannot be read; see `safe-data verify`")
    return found


def _drawn(chosen: ndarray) -> list[int]:
    """The chosen rows, or a thousand of them at random, in the order of the manifest."""
    rows = np.flatnonzero(chosen)
    if len(rows) > SAMPLED:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, SAMPLED, replace=False))
    return [int(row) for row in rows]


def _sounding(corpus: Corpus) -> ndarray:
    """Which rows have a sound that is not silent."""
    sounding = np.zeros(corpus.manifest.num_rows, bool)
    sounding[audible_rows(corpus)] = True
    return sounding


def transcribed(corpus: Corpus) -> ndarray:
    """Which rows have a sound and a transcript."""
    if "transcript" not in corpus.manifest.schema.names:
        return np.zeros(corpus.manifest.num_rows, bool)
    given = pc.fill_null(pc.not_equal(corpus.manifest["transcript"], ""), False)
    both: ndarray = np.asarray(given) & _sounding(corpus)
    return both


FACTS: dict[str, FactKind] = {
    "annotated_aligned_rate": FactKind(
        partial(annotated_rate, verdict="aligned"), "share of annotated pairs that a person calls aligned"
    ),
    "annotated_mismatched_rate": FactKind(
        partial(annotated_rate, verdict="mismatched"),
        "share of annotated pairs that a person calls wrong",
    ),
    "event_overlap": FactKind(event_overlap, "share of records whose audible and visible events overlap"),
    "speech_agreement": FactKind(
        speech_agreement, "share of sounds in which somebody speaks exactly if there is a transcript"
    ),
    "transcript_agreement": FactKind(
        transcript_agreement, "share of transcribed sounds that are heard as their transcript, not another's"
    ),
}
