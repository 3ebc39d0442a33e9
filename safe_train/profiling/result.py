"""Result: the content of profile.json. Bytes are bytes, times are milliseconds, and null was not measured."""

import msgspec

from safe_data.core.errors import InputError
from safe_eval.judging.judged import worst
from safe_train.parity.timing import CONFIDENCE, TimeRatio
from safe_train.profiling.ladder import StoppedBy
from safe_train.profiling.machine import Machine
from safe_train.profiling.memory_model import MemoryModel
from safe_train.profiling.quantiles import Quantile

PROFILE = "profile.json"
FORMAT_VERSION = 1


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that the plan asks of a profile; the decision is go, no-go or not measured."""

    name: str
    decision: str
    evidence: str


class PassMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most that a pass held at a time beyond what was there before, and what was left for its backward.

    `held_bytes` is null for answers. `reserved_bytes` is what the allocator of a GPU took from it at most, in
    all; null elsewhere.
    """

    peak_bytes: int
    held_bytes: int | None = None
    reserved_bytes: int | None = None


class TrainingRung(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training pass of so many rows, each as long as `positions`: forward, teacher, losses and backward."""

    rows: int
    positions: int
    pass_ms: Quantile
    memory: PassMemory

    @property
    def samples_per_second(self) -> Quantile:
        """Questions a second, without the steps of the optimizer."""
        return self.pass_ms.scaled(0.001).per(self.rows)


class AnsweringRung(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A batch of so many answers of `tokens` tokens each, with a sound (the largest budget) and without.

    `cache_bytes` is the key-value cache behind the prompts, `heard_bytes` the fused layers' keys and values.
    """

    rows: int
    tokens: int
    with_sound_ms: Quantile
    without_ms: Quantile
    with_sound: PassMemory
    without: PassMemory
    cache_bytes: int | None
    heard_bytes: int

    def answers_per_second(self, *, with_sound: bool) -> Quantile:
        """Answers a second."""
        return (self.with_sound_ms if with_sound else self.without_ms).scaled(0.001).per(self.rows)


class Ladder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why a ladder of sizes ended, and the memory that its sizes predict; null where they are too few."""

    stopped_by: StoppedBy
    at: int | None
    model: MemoryModel | None


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Stage A's passes; `step_ms` is one step of the optimizer, `making_ms` a question as part of a batch."""

    rungs: tuple[TrainingRung, ...]
    ladder: Ladder
    step_ms: Quantile
    making_ms: Quantile
    trained_parameters: int
    batch_size: int
    planned_rows: int


class Answering(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Answers in batches."""

    rungs: tuple[AnsweringRung, ...]
    ladder: Ladder


class Latency(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a question, asked alone, waits for its answer. `tokens` is the budget, null where a gate chooses.

    `first_ms` is from the encoded prompt to the first token (the prefill), `token_ms` each further token. A
    gate that needs a state makes two prefills, so its times are not told apart. `ratio` is against no sound.
    """

    name: str
    tokens: int | None
    listens: float
    encode_ms: Quantile
    p50_ms: Quantile
    p95_ms: Quantile
    first_ms: Quantile | None
    token_ms: Quantile | None
    ratio: TimeRatio | None
    first_ratio: TimeRatio | None

    @property
    def tokens_per_second(self) -> Quantile | None:
        """Tokens a second behind the first."""
        return None if self.token_ms is None else self.token_ms.scaled(0.001).per(1)


class Sounds(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a sound takes: from the cache, or decoded and encoded anew; either is then projected.

    `ratio` is encoding on the fly against the cache, the projection within both.
    """

    encoders: tuple[str, ...]
    sounds: int
    seconds: float
    read_ms: Quantile
    decode_ms: Quantile
    encode_ms: Quantile
    project_ms: Quantile
    ratio: TimeRatio


class Component(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the memory; null was not measured."""

    name: str
    size_bytes: int | None
    counted: str


class Largest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The most rows of a forward pass that fit a card beside what is always there, with the headroom free.

    `rows` is null if not one fits, or if the memory could not be predicted. `checked_bytes` is what so many
    rows took where they were run, and null where the line alone says it.
    """

    rows: int | None
    card_bytes: int
    card_from: str
    headroom: float
    always_bytes: int
    checked_bytes: int | None


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operation of a pass: its calls, the time in itself alone, and its share of the pass."""

    name: str
    calls: int
    self_ms: float
    share: float


class Operations(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a pass spends its time, by torch.profiler, which slows it: the shares count, not the times."""

    what: str
    count: int
    largest: tuple[Operation, ...]


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of profile.json."""

    format_version: int = FORMAT_VERSION
    subject: str
    backbone: str
    architecture: str
    dtype: str
    dataset: str
    fingerprint: str
    budgets: tuple[int, ...]
    gate: str | None
    confidence: float = CONFIDENCE
    repeats: int
    seed: int
    machine: Machine
    memory_counted: str
    not_counted: str
    components: tuple[Component, ...]
    training: Training
    answering: Answering
    largest: Largest
    latency: tuple[Latency, ...]
    latency_limit: float
    sounds: Sounds | None
    sounds_missing: str | None
    operations: tuple[Operations, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def decision(self) -> str:
        """No-go if one finding is, else not measured if one is; go if all are."""
        return worst([one.decision for one in self.findings])


def read_profile(content: bytes, where: str) -> Profile:
    """A profile from the bytes of its file.

    Raises:
        InputError: it is not one, or of another format.
    """
    try:
        version = msgspec.json.decode(content).get("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"{where}: is of format {version}, and this version reads {FORMAT_VERSION}; profile again"
            )
        return msgspec.json.decode(content, type=Profile)
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{where}: is not a profile: {error}; make it again with `safe-train profile`"
        ) from None
