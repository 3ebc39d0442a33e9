"""Sampler: which questions a step asks, with which sounds, in which roles; and batches made ahead in threads.

What a step asks is a pure function of the seed and the progress. There is no iterator to restore: a run
resumed at step 500 sees what it would have seen uninterrupted.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from math import floor
from typing import Any, NamedTuple, TypeVar

import numpy as np

from safe_data.sampling.curriculum import Curriculum, Progress
from safe_data.sampling.curriculum_file import Stage
from safe_train.augmentation import Change, Ranges
from safe_train.corpora import SILENCE
from safe_train.questions import Asked, Questions
from safe_train.settings.data import HeardSound

_UNRELATED_STREAM = 3  # the stream of random numbers that draws unrelated sounds and references
_RANDOM_STREAM = 5  # one for random sounds, so that they change nothing else that is drawn

Made = TypeVar("Made")


class Step(NamedTuple):
    """What the global batch of a step asks, and how many questions of each pool."""

    asked: tuple[Asked, ...]
    counts: dict[str, int]
    stage: str | None
    progress: Progress

    def composition(self) -> dict[str, Any]:
        """The realised shares of a batch, for the log."""
        roles = Counter(row.role for row in self.asked)
        return {
            "stage": self.stage,
            "stage_number": self.progress.stage,
            "stage_step": self.progress.step - self.progress.stage_start,
            "counts": self.counts,
            "audio_ratio": roles["audio"] / len(self.asked),
            "unique": len({row.question for row in self.asked}),
        }


class StepSampler:
    """Draws each step's questions from the pools that its stage gives a weight.

    Of the vision questions of a stage, exactly `silent_fraction` get silence: what a batch has too few or too
    many, because it holds whole questions, later batches even out. Within `ranges`, audio questions draw how
    their sound is changed. With `heard` random, audio questions hear an unrelated sound too.

    Raises:
        InputError: a stage names no pool of questions, or an empty one; or there is no unrelated sound.
    """

    def __init__(
        self,
        questions: Questions,
        stages: Sequence[Stage],
        *,
        batch_size: int,
        silent_fraction: float,
        seed: int,
        heard: HeardSound = "own",
        ranges: Ranges | None = None,
    ) -> None:
        self._questions, self._heard = questions, heard
        self._ranges = ranges if ranges and ranges.any else None
        self._silent_fraction, self._seed = Fraction(str(silent_fraction)), seed
        names = list(dict.fromkeys(name for stage in stages for name, w in stage.weights.items() if w))
        self.pools = {name: questions.pool(name) for name in names}
        need = {"vl"} if silent_fraction < 1 else set()
        need |= {"audio"} if heard == "random" else set()
        if unrelated := [pool for name, pool in self.pools.items() if role_of(name) in need]:
            questions.corpora.check_unrelated(questions.clip[np.concatenate(unrelated)])
        difficulties = {
            name: [questions.difficulty[question] for question in pool] for name, pool in self.pools.items()
        }
        drawn = [stage.model_copy(update={"weights": _positive(stage)}) for stage in stages]
        self.curriculum = Curriculum(drawn, difficulties, batch_size=batch_size, seed=seed)

    def sample(self, progress: Progress) -> Step:
        """The questions of the whole batch at this point."""
        draw = self.curriculum.batch(progress)
        rng = np.random.default_rng((self._seed, _UNRELATED_STREAM, progress.step))
        pools = list(self.pools.items())
        roles = [role_of(pools[number][0]) for number in draw.dataset]
        asked = np.array(
            [pools[number][1][row] for number, row in zip(draw.dataset, draw.row, strict=True)], np.int64
        )
        clips = self._questions.clip[asked]
        learns = np.array([role == "audio" for role in roles], bool)
        heard = np.where(learns, clips, SILENCE)
        if self._heard == "random" and learns.any():
            other = np.random.default_rng((self._seed, _RANDOM_STREAM, progress.step))
            heard[learns] = self._questions.corpora.unrelated(clips[learns], other)
        vl = rng.permutation(np.flatnonzero([role == "vl" for role in roles]))
        unrelated = vl[self._silent(progress, len(vl)) :]
        if len(unrelated):
            heard[unrelated] = self._questions.corpora.unrelated(clips[unrelated], rng)
        references = rng.integers(self._questions.references[asked])
        references[~self._questions.is_caption[asked]] = 0
        changes = self._changes(progress, roles)
        rows = zip(asked.tolist(), roles, heard.tolist(), references.tolist(), changes, strict=True)
        return Step(tuple(Asked(*row) for row in rows), dict(draw.counts), draw.stage, progress)

    def _changes(self, progress: Progress, roles: Sequence[str]) -> list[Change | None]:
        """How the sound of each row is changed: those of audio questions alone."""
        if self._ranges is None:
            return [None] * len(roles)
        drawn = self._ranges.draw(self._seed, progress.step, len(roles))
        return [change if role == "audio" else None for change, role in zip(drawn, roles, strict=True)]

    def _silent(self, progress: Progress, count: int) -> int:
        """How many of a batch's vision questions get silence."""
        drawn = self.curriculum.drawn_before(progress)
        before = sum(number for name, number in drawn.items() if role_of(name) == "vl")
        until, earlier = (self._silent_fraction * (before + n) for n in (count, 0))
        return floor(until + Fraction(1, 2)) - floor(earlier + Fraction(1, 2))


def role_of(pool: str) -> str:
    """The role of a pool's questions.

    >>> role_of("vl"), role_of("audiocaps/audio")
    ('vl', 'audio')
    """
    return pool.rpartition("/")[2]


class Ahead:
    """Makes the batches of the next steps in threads, while the model works on this one."""

    def __init__(
        self,
        make: Callable[[Progress], Made],
        following: Callable[[Progress], Progress],
        *,
        workers: int,
        steps: int,
    ) -> None:
        self._make, self._following, self._steps = make, following, steps
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="batches")
        self._wanted = 2 * workers
        self._queue: deque[tuple[Progress, Future[Any]]] = deque()

    def get(self, progress: Progress) -> Any:
        """What `make` makes of this progress."""
        if self._queue and self._queue[0][0] != progress:
            self._cancel()  # a metric ended the stage: what was made ahead is of the old one
        following = self._following(self._queue[-1][0]) if self._queue else progress
        while len(self._queue) <= self._wanted and following.step < self._steps:
            self._queue.append((following, self._threads.submit(self._make, following)))
            following = self._following(following)
        return self._queue.popleft()[1].result()

    def close(self) -> None:
        """End the threads; what was made ahead is dropped."""
        self._cancel()
        self._threads.shutdown(wait=True)

    def _cancel(self) -> None:
        for _, future in self._queue:
            future.cancel()
        self._queue.clear()


def _positive(stage: Stage) -> dict[str, float]:
    return {name: weight for name, weight in stage.weights.items() if weight}
