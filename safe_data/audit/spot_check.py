"""Spot check: a page on which a person hears and sees pairs, and marks them as aligned or not.

Half of the pairs are drawn at random, for the rates; the others are the most suspicious ones, for what is
wrong. They come in random order, and the page does not say which is which, so that nobody is led. What it
saves is read by `--annotations`.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.compute as pc

from safe_data.audit.annotations import FORMAT_VERSION
from safe_data.audit.corpus import Corpus
from safe_data.audit.page import scripted, styled, template
from safe_data.audit.page_media import clip_uri, thumbnail_uri
from safe_data.audit.suspicions import Suspicion, suspicions
from safe_data.core.errors import InputError, require_extra
from safe_data.core.overwriting import write_new

PAGE = "spot_check.html"
QUESTIONS_SHOWN = 4
MOST_PAIRS = 500  # of which a page may hold 0.3 MB each


@dataclass(frozen=True)
class Pair:
    """A record to listen to, why it was chosen, and what a person is shown of it."""

    row: int
    chosen: str
    why: str


class SpotCheck(msgspec.Struct, frozen=True):
    """What was written: the page, how many pairs of each kind, and what suspicions were not looked for."""

    path: str
    random: int
    suspicious: int
    not_looked_for: tuple[str, ...]


def write_spot_check(
    corpus: Corpus, out: Path, count: int, *, seed: int = 0, force: bool = False
) -> SpotCheck:
    """Write the page of a spot check of `count` pairs.

    Raises:
        InputError: the count is out of range, no record has a sound with something to compare it with,
            Jinja2 is missing, or another page is there.
    """
    require_extra("the page of a spot check", "report", "jinja2")
    if not 1 <= count <= MOST_PAIRS:
        raise InputError(f"--spot-check {count}: give a number of pairs from 1 to {MOST_PAIRS}")
    suspected, missed = suspicions(corpus)
    pairs = choose(corpus, suspected, count, seed)
    page = _page(corpus, pairs, seed).encode()
    path = write_new(out / PAGE, page, force=force)
    drawn = sum(pair.chosen == "random" for pair in pairs)
    return SpotCheck(str(path), drawn, len(pairs) - drawn, tuple(missed))


def choose(corpus: Corpus, suspected: list[Suspicion], count: int, seed: int) -> list[Pair]:
    """Half of the pairs at random, then the most suspicious of the others, in an order that hides which.

    Raises:
        InputError: no record has a sound with something to compare it with.
    """
    rows = comparable(corpus)
    if not len(rows):
        raise InputError("no record has a sound, and a picture, label or transcript to compare it with")
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(rows).tolist()
    half = -(-count // 2)
    drawn = set(shuffled[:half])
    worst = [one for one in suspected if one.row in set(shuffled[half:])][: count - half]
    rest = [row for row in shuffled[half:] if row not in {one.row for one in worst}]
    more = rest[: count - half - len(worst)]
    pairs = [Pair(row, "random", "") for row in [*drawn, *more]]
    pairs += [Pair(one.row, "suspicious", one.why) for one in worst]
    pairs.sort(key=lambda pair: pair.row)
    return [pairs[place] for place in rng.permutation(len(pairs))]


def comparable(corpus: Corpus) -> np.ndarray:
    """The loaded rows that have a sound, and a picture, label or transcript that it may belong to."""
    rows = corpus.manifest
    texts = [rows[name] for name in ("label", "transcript") if name in rows.schema.names]
    said = [pc.fill_null(pc.not_equal(text, ""), False) for text in texts]
    known = rows["has_image"]
    for one in said:
        known = pc.or_(known, one)
    chosen = pc.and_(pc.and_(pc.equal(rows["status"], "ok"), rows["has_audio"]), known)
    return np.flatnonzero(np.asarray(pc.fill_null(chosen, False)))


def _page(corpus: Corpus, pairs: list[Pair], seed: int) -> str:
    """The page, with all media in it."""
    datasets = {name: one.fingerprint for name, one in zip(corpus.names, corpus.datasets, strict=True)}
    keys = [_key(corpus, pair) for pair in pairs]
    identity = hashlib.sha256(msgspec.json.encode([datasets, keys])).hexdigest()[:16]
    saved = {"format_version": FORMAT_VERSION, "identity": identity, "datasets": datasets, "pairs": keys}
    return template("spot_check.html.j2").render(
        names=", ".join(corpus.names),
        pairs=[_shown(corpus, pair) for pair in pairs],
        saved=saved,
        seed=seed,
        **styled("check.css", "spot_check.css"),
        **scripted("spot_check.js"),
    )


def _key(corpus: Corpus, pair: Pair) -> dict[str, str]:
    """What an annotation says besides the verdict."""
    row = pair.row
    return {
        "dataset": corpus.names[corpus.dataset_of[row]],
        "split": corpus.manifest["split"][row].as_py(),
        "id": corpus.manifest["id"][row].as_py(),
        "chosen": pair.chosen,
    }


def _shown(corpus: Corpus, pair: Pair) -> dict[str, object]:
    """What the page shows of a record: its media, and what it claims."""
    notes: list[str] = []
    picture, sound = thumbnail_uri(corpus, pair.row, notes), clip_uri(corpus, pair.row, notes)
    claims = [
        (name, corpus.manifest[name][pair.row].as_py())
        for name in ("label", "transcript")
        if name in corpus.manifest.schema.names
    ]
    record = msgspec.json.decode(corpus.member(pair.row, "json") or b"{}")
    for example in record.get("examples", ())[:QUESTIONS_SHOWN]:
        claims.append((example["prompt"], ", ".join(example["references"][:3])))
    events = [f"{one['label']} {one['start']:.1f}–{one['end']:.1f} s" for one in record.get("events", ())]
    claims.append(("events", ", ".join(events)))
    return {
        "name": corpus.label(pair.row),
        "picture": picture,
        "sound": sound,
        "claims": [(name, value) for name, value in claims if value],
        "notes": notes,
        "why": pair.why,
    }
