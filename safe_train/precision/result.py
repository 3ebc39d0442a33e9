"""Result: the content of precision.json. Times are milliseconds, memory is bytes, null was not measured."""

import msgspec

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_train.parity.parity import PathwayParity
from safe_train.parity.timing import CONFIDENCE, TimeRatio
from safe_train.profiling.machine import Machine
from safe_train.profiling.quantiles import Quantile

PRECISION = "precision.json"
FORMAT_VERSION = 1


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mean score of some questions, and its difference to the first precision's; null for that itself.

    `p_value` is of the paired test that `test` names; `mcnemar` is exact, takes questions as independent, and
    is null unless every score is 0 or 1.
    """

    value: float
    low: float | None
    high: float | None
    questions: int
    clusters: int
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    gained: int | None = None
    lost: int | None = None
    p_value: float | None = None
    test: str | None = None
    mcnemar: float | None = None


class Answered(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was answered.

    `kl_mean` and `kl_p95` are KL(first precision ‖ this one) of the first answer token, in nats; null where a
    logit is not finite, of which `not_finite` counts the questions.
    """

    audio: Accuracy | None
    vl: Accuracy | None
    listens: float
    same_answers: float
    kl_mean: float | None
    kl_p95: float | None
    not_finite: int


class Times(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Times of questions asked alone, as they are answered, and of batches that hear with the most tokens.

    The ratios are against the first precision, which was timed in turns; null for that itself.
    """

    p50_ms: Quantile
    p95_ms: Quantile
    latency_ratio: TimeRatio | None
    batch_ms: Quantile
    batch_rows: int
    batch_tokens: int
    batch_ratio: TimeRatio | None

    @property
    def answers_per_second(self) -> Quantile:
        """Answers a second in batches."""
        return self.batch_ms.scaled(0.001).per(self.batch_rows)


class Bytes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The weights of base and pathway, and the most that a batch of answers held beside them."""

    base: int
    pathway: int
    peak: int

    @property
    def weights(self) -> int:
        """All weights."""
        return self.base + self.pathway


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One precision. `not_run` says why nothing was measured, `gate_off_unknown` why the gate was not."""

    name: str
    dtype: str
    quantization: str | None
    pathway: str
    not_run: str | None = None
    answered: Answered | None = None
    times: Times | None = None
    memory: Bytes | None = None
    gate_off: PathwayParity | None = None
    gate_off_unknown: str | None = None

    @property
    def gate_off_holds(self) -> bool | None:
        """Whether a closed gate leaves all logits and answers of this base as they are, to the bit.

        None where that is not known: nothing was compared, or an open gate changes nothing either.
        """
        if self.gate_off is None or not self.gate_off.gate_on_difference > 0:
            return None
        found = self.gate_off.gate_off
        return found.identical_batches == found.batches and found.same_answers == found.questions


class Precisions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of precision.json."""

    format_version: int = FORMAT_VERSION
    backbone: str
    architecture: str
    dataset: str
    split: str
    fingerprint: str
    checkpoint: str  # sha256 of its weights
    gate: str
    metrics: dict[str, int]
    left_out: dict[str, int]
    confidence: float
    time_confidence: float = CONFIDENCE
    seed: int
    repeats: int
    machine: Machine
    memory_counted: str
    not_counted: str
    rows: tuple[Measured, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """1 if a closed gate changes a base, 2 if that is not known of one that ran or the first did not."""
        ran = [row.gate_off_holds for row in self.rows if row.not_run is None]
        if False in ran:
            return DOES_NOT_HOLD
        return NOT_JUDGED if self.rows[0].not_run is not None or None in ran else HOLDS
