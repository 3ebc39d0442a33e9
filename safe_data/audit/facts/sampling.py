"""Sampling: batches are drawn as training would draw them, and compared with what the curriculum says.

These facts need a curriculum (`--sampling`); without one they do not apply.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import Fact, FactKind, Offender, not_applicable
from safe_data.core.errors import InputError
from safe_data.sampling.curriculum import UNRATED, Curriculum, Progress
from safe_data.sampling.curriculum_file import Stage, read_stages
from safe_data.sampling.mixture import exact_shares

MOST_BATCHES = 200  # that are drawn of a stage; its shares only come nearer to the declared ones after them
SEED = 0
NO_CURRICULUM = "no curriculum was given; name its file by --sampling"
NOTHING_DRAWN = "no stage of the curriculum can be drawn, which undrawable_stages counts"


@dataclass(frozen=True)
class DrawnStage:
    """What a stage drew in `batches`, and how many rows that it excludes; or why it draws nothing."""

    stage: Stage
    batches: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    fault: str | None = None

    def errors(self) -> dict[str, float]:
        """How far the share of each dataset is from the declared one, in what was drawn."""
        total = sum(self.counts.values())
        shares = exact_shares(self.stage.weights)
        return {name: self.counts.get(name, 0) / total - float(share) for name, share in shares.items()}


def of_drawn(corpus: Corpus, measure: Callable[[list[DrawnStage]], Fact]) -> Fact:
    """A fact about what the stages drew that can be drawn."""
    if corpus.given.sampling is None:
        return not_applicable(NO_CURRICULUM)
    drawn = [one for one in corpus.once(draw) if one.fault is None]
    return measure(drawn) if drawn else not_applicable(NOTHING_DRAWN)


def ratio_error(drawn: list[DrawnStage]) -> Fact:
    """The largest distance between the share of a dataset that a stage drew and the one it declares."""
    errors = sorted(
        ((abs(error), one, name, error) for one in drawn for name, error in one.errors().items()),
        key=lambda found: -found[0],
    )
    offenders = tuple(
        Offender(
            f"stage {one.stage.name!r} drew {name!r} {error:+.4f} off its share in {one.batches} batches", ()
        )
        for size, one, name, error in errors
        if size > 0
    )
    return Fact(errors[0][0], offenders=offenders[:5], detail=offenders[0].what if offenders else "")


def difficulty_violations(drawn: list[DrawnStage]) -> Fact:
    """Rows that a stage drew although it excludes their difficulty."""
    offenders = tuple(
        Offender(f"stage {one.stage.name!r} drew {count} rows of {name!r} that it excludes", ())
        for one in drawn
        for name, count in one.excluded.items()
    )
    rows = sum(sum(one.counts.values()) for one in drawn)
    return Fact(sum(sum(one.excluded.values()) for one in drawn), rows, offenders)


def undrawable_stages(corpus: Corpus) -> Fact:
    """Stages of which no batch can be drawn, such as one whose difficulties no row has."""
    if corpus.given.sampling is None:
        return not_applicable(NO_CURRICULUM)
    return undrawable(corpus.once(draw))


def undrawable(drawn: list[DrawnStage]) -> Fact:
    """How many of these stages draw nothing, and why."""
    faults = tuple(Offender(one.fault, ()) for one in drawn if one.fault is not None)
    return Fact(len(faults), len(drawn), faults)


def draw(corpus: Corpus) -> list[DrawnStage]:
    """Draw the first batches of every stage.

    Raises:
        InputError: the curriculum cannot be read.
    """
    if corpus.given.sampling is None:
        return []
    levels, batch_size = _levels(corpus), corpus.given.batch_size
    return [_draw_stage(stage, levels, batch_size) for stage in read_stages(corpus.given.sampling)]


def _draw_stage(stage: Stage, levels: Mapping[str, list[str | None]], batch_size: int) -> DrawnStage:
    known = {name: rows for name, rows in levels.items() if rows}
    try:
        curriculum = Curriculum([stage], known, batch_size=batch_size, seed=SEED)
    except InputError as error:
        return DrawnStage(stage, fault=str(error))
    most = stage.until.most_steps if stage.until else MOST_BATCHES
    batches = min(most, MOST_BATCHES)
    counts: Counter[str] = Counter()
    excluded: Counter[str] = Counter()
    named = {name: np.array([level or UNRATED for level in rows]) for name, rows in known.items()}
    for step in range(batches):
        drawn = curriculum.batch(Progress(step=step))
        counts.update(drawn.counts)
        for name, wanted in stage.difficulty.items():
            wrong = int((~np.isin(named[name][drawn.rows(name)], wanted)).sum())
            if wrong:
                excluded[name] += wrong
    return DrawnStage(stage, batches, counts, excluded)


def _levels(corpus: Corpus) -> dict[str, list[str | None]]:
    """The difficulty of every loaded row of the split that is drawn from, by the name of its dataset."""
    rows = corpus.manifest
    chosen = pc.and_(pc.equal(rows["status"], "ok"), pc.equal(rows["split"], corpus.given.split))
    inside = np.asarray(pc.fill_null(chosen, False))
    levels = np.array(rows["difficulty"].to_pylist(), dtype=object)
    return {
        name: levels[inside & (corpus.dataset_of == number)].tolist()
        for number, name in enumerate(corpus.names)
    }


FACTS: dict[str, FactKind] = {
    "ratio_error": FactKind(
        partial(of_drawn, measure=ratio_error),
        "largest distance of a drawn share from the one a stage declares",
    ),
    "difficulty_violations": FactKind(
        partial(of_drawn, measure=difficulty_violations), "drawn rows whose difficulty their stage excludes"
    ),
    "undrawable_stages": FactKind(undrawable_stages, "stages of which no batch can be drawn"),
}
