"""Asked: what the model says to each question in every arm, and whether that is right.

The arms are its answers with the sound (`full`), with silence (`mute_audio`), with the sound of another clip
(`swap_audio`) and with the gate shut (`gate_off`, which is the base bit for bit); and, where the checkpoint
has a gate, what it says to `full` with that gate. In the other arms it always listens.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.shards.dataset import ShardDataset
from safe_eval.choice_references import settled
from safe_eval.prediction import Prediction
from safe_eval.runner.plan import Choose, sample_of_groups
from safe_eval.scorers.scorer import scorer_of
from safe_train.base.backbone import Backbone
from safe_train.gates.gate import Gate
from safe_train.gates.scored_questions import ScoredQuestion, scored_questions
from safe_train.pathway.model import SafeModel
from safe_train.predict.chosen_gate import always
from safe_train.predict.predict import predictions
from safe_train.predict.sounds import WantedEncoder
from safe_train.settings.backbone import AskingConfig

FULL, MUTE, SWAP, OFF = CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")
GATED = "gated"
RIGHT = 0.5  # a score from which an answer is right


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer, and its score by the rule of its benchmark; no answer where asking failed."""

    answer: str | None
    score: float

    @property
    def is_right(self) -> bool:
        """Whether it is right."""
        return self.score >= RIGHT


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One question and its answers by arm; `facts` are what the dataset says about it, such as its noise.

    `influence_kl` is KL(gate shut ‖ open) of the first token in nats. `doubt` is 1 − the confidence of the
    base. `consulted` is what the gate decided; null without one.
    """

    example_id: str
    record: int
    record_id: str
    group: str
    question_type: str | None
    needs_audio: bool
    references: tuple[str, ...]
    said: dict[str, Said]
    influence_kl: float | None
    doubt: float | None
    consulted: bool | None
    facts: dict[str, Any]

    @property
    def picture_tells(self) -> str | None:
        """The answer that the picture suggests to a question about the sound, where the dataset says so."""
        told = self.facts.get("picture_tells")
        return told if isinstance(told, str) else None


@dataclass(frozen=True)
class Asked:
    """The questions that are explained, in the order of the dataset, and why others are left out."""

    questions: tuple[ScoredQuestion, ...]
    left_out: dict[str, int]

    @property
    def choose(self) -> Choose:
        """Which examples of the dataset these are."""
        wanted = {one.example.id for one in self.questions}
        return lambda example: example.id in wanted


def chosen_questions(dataset: ShardDataset, *, most: int, seed: int) -> Asked:
    """At most so many questions with a sound and a score, of whole groups.

    Raises:
        InputError: there are none.
    """
    asked, left_out = scored_questions(dataset)
    drawn = sample_of_groups(dataset, most=most, seed=seed)
    inside = [one for one in asked if drawn(one.example)]
    found = tuple(one for one in inside if one.has_sound)
    if not found:
        raise InputError(
            f"{dataset.root}: none of the {len(inside)} questions drawn from split {dataset.split!r} has a "
            "sound; raise --questions, or choose another split"
        )
    without = len(inside) - len(found)
    return Asked(found, left_out | ({"without a sound": without} if without else {}))


def ask(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    encoders: Sequence[WantedEncoder],
    asked: Asked,
    *,
    gate: Gate | None,
    tokens: int,
    asking: AskingConfig,
    batch_size: int,
    seed: int,
    quiet: bool,
) -> list[Outcome]:
    """Ask every question in every arm.

    Raises:
        InputError: see `predictions`.
    """
    rows = list(
        predictions(
            model,
            backbone,
            dataset,
            encoders,
            CONDITIONS,
            asking=asking,
            gate=always(tokens),
            influence=True,
            seed=seed,
            batch_size=batch_size,
            choose=asked.choose,
            quiet=quiet,
        )
    )
    if gate is not None:
        rows += predictions(
            model,
            backbone,
            dataset,
            encoders,
            (FULL,),
            name=GATED,
            asking=asking,
            gate=gate,
            seed=seed,
            batch_size=batch_size,
            choose=asked.choose,
            without_base=True,
            quiet=True,
        )
    return list(_outcomes(asked.questions, rows))


def _outcomes(questions: Sequence[ScoredQuestion], rows: Sequence[Prediction]) -> Iterator[Outcome]:
    metrics = {one.example.id: one.metric for one in questions}
    scores = _scores(rows, metrics)
    arms: dict[tuple[str, str, str], int] = {
        (row.example_id, row.model or "", row.condition): at for at, row in enumerate(rows)
    }
    for one in questions:
        name = one.example.id
        places = {condition: arms[name, "safe", condition] for condition in CONDITIONS}
        if (name, GATED, FULL) in arms:
            places[GATED] = arms[name, GATED, FULL]
        full, base = rows[places[FULL]], rows[arms[name, "base", FULL]]
        yield Outcome(
            example_id=name,
            record=one.clip,
            record_id=one.record.id,
            group=one.record.group,
            question_type=one.example.question_type,
            needs_audio=bool(one.example.needs_audio),
            references=tuple(one.example.references),
            said={arm: Said(rows[at].answer, float(scores[at])) for arm, at in places.items()},
            influence_kl=full.influence_kl,
            doubt=None if base.confidence is None else 1 - base.confidence,
            consulted=rows[places[GATED]].consulted if GATED in places else None,
            facts=_facts(one),
        )


def _facts(one: ScoredQuestion) -> dict[str, Any]:
    """What the record says about a question, in plain values."""
    questions = one.record.metadata.get("questions")
    own = questions.get(one.example.id) if isinstance(questions, Mapping) else None
    found = dict(own) if isinstance(own, Mapping) else {}
    if one.record.difficulty is not None:
        found["difficulty"] = one.record.difficulty
    return {name: value for name, value in found.items() if isinstance(value, str | bool | int | float)}


def _scores(rows: Sequence[Prediction], metrics: Mapping[str, str]) -> np.ndarray:
    """The score of every row; 0 for a reply that its rule cannot read, and for none.

    Raises:
        InputError: references name none of the choices.
    """
    ready, faults = settled(list(rows), lambda place: f"question {rows[place].example_id}")
    raise_row_errors(faults, "questions")
    scores = np.zeros(len(rows))
    for metric in dict.fromkeys(metrics.values()):
        at = [place for place, row in enumerate(rows) if metrics[row.example_id] == metric]
        answered = [place for place in at if rows[place].answer is not None]
        scores[answered] = np.nan_to_num(scorer_of(metric).score_all([ready[place] for place in answered]))
    return scores
