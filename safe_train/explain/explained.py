"""Explained: what was found of each question, one line each in explained.jsonl, from which a run goes on.

Its first line says what the run depends on. A run that was stopped reads the lines that are whole, and
explains the questions that are left; one that depends on something else is refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from safe_data.core.errors import InputError
from safe_data.core.files import explaining
from safe_data.core.progress import Progress
from safe_data.shards.dataset import ShardDataset
from safe_train.base.dialogue import Question
from safe_train.base.prompts import stored_picture
from safe_train.explain.asked import FULL, Outcome
from safe_train.explain.attention import attended
from safe_train.explain.attribution import integrated_gradients, shapley_of_players
from safe_train.explain.embedded import Embedded, Embedder
from safe_train.explain.parts import SEGMENTS, Parting, has_event, worth_of_parts
from safe_train.gates.scored_questions import ScoredQuestion
from safe_train.predict.sounds import Sounds
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.explain import ExplainConfig

EXPLAINED = "explained.jsonl"


class Explained(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was found of one question, in nats of the log-probability of the model's own answer.

    `players` are those that it has. `given_words` are Shapley values of picture and sound with the words in
    place. `parts` are those of parts of the sound, `events` says in which the annotation has an event.
    """

    example_id: str
    players: tuple[str, ...]
    gradients: dict[str, float]
    gradients_delta: float
    difference: float
    shapley: dict[str, float]
    shapley_delta: float
    given_words: dict[str, float]
    entropy: tuple[tuple[float, ...], ...]
    largest: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[tuple[float, ...], ...], ...]
    added: tuple[tuple[float, ...], ...]
    layer_added: tuple[float, ...]
    parts: tuple[float, ...]
    events: tuple[bool, ...] | None


class Explainer:
    """Explains the answers of a model that always listens, one question at a time."""

    def __init__(
        self,
        embedder: Embedder,
        dataset: ShardDataset,
        sounds: Sounds,
        parts: Parting,
        asking: AskingConfig,
        config: ExplainConfig,
    ) -> None:
        self.embedder, self.parts = embedder, parts
        self._dataset, self._sounds, self._asking, self._config = dataset, sounds, asking, config
        self._silence = tuple(torch.from_numpy(one.astype(np.float32)) for one in sounds.silence())

    def embed(self, question: ScoredQuestion, answer: str) -> Embedded:
        """The question with an answer behind it, and its sound.

        Raises:
            InputError: see `Embedder.embed`.
        """
        example = question.example
        asked = Question(
            self._asking.worded(example.prompt, example.task),
            stored_picture(self._dataset, question.clip),
            example.choices,
        )
        stored = self._sounds.stored([question.clip])
        own = tuple(torch.from_numpy(one.astype(np.float32)) for one in stored)
        return self.embedder.embed(asked, answer, own, self._silence)

    def explain(self, question: ScoredQuestion, answer: str) -> Explained:
        """Everything that is looked at in one question."""
        config, one = self._config, self.embed(question, answer)
        gradients = integrated_gradients(self.embedder, one, steps=config.steps, rows=config.batch_size)
        game = shapley_of_players(self.embedder, one)
        looked = attended(self.embedder, one)
        sound = self._dataset.audio(question.clip) if self.parts.unit == SEGMENTS else None
        parts = worth_of_parts(
            self.embedder, one, self.parts, sound, self._sounds, orders=config.orders, seed=config.seed
        )
        events = None
        if sound is not None:
            events = has_event(question.record, self.parts.count, sound.duration_seconds)
        return Explained(
            example_id=question.example.id,
            players=one.players,
            gradients=gradients.by_player,
            gradients_delta=gradients.delta,
            difference=gradients.difference,
            shapley=game.values,
            shapley_delta=sum(game.values.values()) - game.difference,
            given_words=game.given_words,
            entropy=_nested(looked.entropy),
            largest=_nested(looked.largest),
            weights=_nested(looked.weights),
            added=_nested(looked.added),
            layer_added=tuple(looked.layer_added.tolist()),
            parts=tuple(parts.tolist()),
            events=None if events is None else tuple(events.tolist()),
        )


def explain_all(
    explainer: Explainer,
    questions: Sequence[ScoredQuestion],
    outcomes: Sequence[Outcome],
    path: Path,
    identity: dict[str, Any],
    *,
    force: bool,
    quiet: bool,
) -> list[Explained | None]:
    """Explain the answer under `full` of each question; None where there was none. Goes on where it stopped.

    Raises:
        InputError: the file is of another run.
    """
    found = read_explained(path, identity) if path.exists() and not force else None
    done = {one.example_id: one for one in found or ()}
    todo = [
        (question, outcome.said[FULL].answer)
        for question, outcome in zip(questions, outcomes, strict=True)
        if question.example.id not in done and outcome.said[FULL].answer
    ]
    progress = Progress("explaining", len(todo) + len(done), unit="question", start=len(done), quiet=quiet)
    with _appending(path, None if found is not None else identity) as write, progress:
        for question, answer in todo:
            one = explainer.explain(question, str(answer))
            write(one)
            done[one.example_id] = one
            progress.update(1)
    return [done.get(question.example.id) for question in questions]


def read_explained(path: Path, identity: dict[str, Any] | None = None) -> list[Explained]:
    """The whole lines of a file; `identity` is what it must depend on.

    Raises:
        InputError: it is no such file, or of another run.
    """
    with explaining(path):
        lines = path.read_bytes().split(b"\n")[:-1]  # what stands behind the last line break was cut off
    try:
        first = msgspec.json.decode(lines[0]) if lines else None
        identity = None if identity is None else msgspec.json.decode(msgspec.json.encode(identity))
        if identity is not None and first != identity:
            known = first if isinstance(first, dict) else {}
            other = sorted(name for name in {*known, *identity} if known.get(name) != identity.get(name))
            raise InputError(
                f"{path}: was begun with another {', '.join(other)}; name another --out, or add --force to "
                "start over"
            )
        return [msgspec.json.decode(line, type=Explained) for line in lines[1:]]
    except msgspec.MsgspecError as error:
        raise InputError(f"{path}: is not of this version ({error}); add --force to start over") from None


@contextmanager
def _appending(path: Path, identity: dict[str, Any] | None) -> Iterator[Any]:
    """Append lines, each written through; `identity` begins a new file, None goes on with what is whole."""
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if identity is None:
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            with path.open("r+b") as cut:
                cut.truncate(whole)
        with path.open("wb" if identity is not None else "ab") as file:

            def write(value: Any) -> None:
                file.write(msgspec.json.encode(value) + b"\n")
                file.flush()

            if identity is not None:
                write(identity)
            yield write


def _nested(values: Any) -> Any:
    """An array as tuples of tuples, with six digits: no reader needs more."""
    rounded = np.round(values, 6).tolist()

    def tuples(one: Any) -> Any:
        return tuple(map(tuples, one)) if isinstance(one, list) else one

    return tuples(rounded)


def share_of(values: dict[str, float], player: str) -> float:
    """The share of a player in the absolute values; equal shares where all are 0.

    >>> share_of({"words": -1.0, "picture": 2.0, "sound": 1.0}, "sound")
    0.25
    """
    total = sum(abs(value) for value in values.values())
    return abs(values[player]) / total if total else 1 / len(values)
