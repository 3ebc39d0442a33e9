"""Gate facts: the content of gate.json, that is how a gate decides, what it was fitted on and what was found.

Numbers are fractions in [0, 1]; a drop is positive where the gate scores less than the same checkpoint that
always listens. What was not measured is null.
"""

import msgspec

from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED

FORMAT_VERSION = 1


class MadeFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint that a gate belongs to: the hashes of its weights and of those of its base."""

    adapter_sha256: str
    base_sha256: str


class FittedOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The questions that a gate was fitted and judged on."""

    dataset: str
    fingerprint: str
    split: str
    questions: int
    audio_questions: int
    groups: int


class Estimate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with its interval at the confidence of the gate's rule, over `n` questions."""

    value: float
    n: int
    low: float | None = None
    high: float | None = None


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is lost against always listening, its one-sided upper bound, and the limit that must hold.

    `least` is the bound that these questions would give if no answer changed; no smaller one can be shown.
    """

    value: float
    high: float | None
    limit: float
    least: float | None
    questions: int
    groups: int

    @property
    def holds(self) -> bool:
        """Whether the bound is shown to keep the limit."""
        return self.high is not None and self.high <= self.limit


class BudgetScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The mean score of a budget's answers, and what one costs; 0 tokens are the base's own answers."""

    tokens: int
    audio: float | None
    vl: float | None
    latency_ms: float | None


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an oracle would do: listen only where it corrects the answer, with the fewest tokens that do."""

    skips: float
    skips_audio: float | None
    audio: float | None
    vl: float | None


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the gate did on its split; of a learned gate, each question by a gate not fitted on its group.

    `drop_audio` and `drop_vl` are against always listening; `against_base_vl` is what is lost on VL questions
    against the base. `false_consultation` is the share of VL questions that listen.
    """

    skips: Estimate
    skips_audio: Estimate | None
    skips_vl: Estimate | None
    mean_tokens: float
    audio: float | None
    vl: float | None
    drop_audio: Drop | None
    drop_vl: Drop | None
    against_base_vl: Estimate | None
    false_consultation: Estimate | None

    @property
    def keeps_limits(self) -> bool:
        """Whether both drops are shown to keep their limits; one that was not measured is not shown."""
        return all(drop is not None and drop.holds for drop in (self.drop_audio, self.drop_vl))


class Bar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A bar of a reliability diagram: scores in (low, high], their mean, and the share that is corrected."""

    low: float
    high: float
    n: int
    score: float | None
    corrected: float | None


class Reliability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How well the gate's score tells whether hearing corrects the answer, on some of the questions.

    `auroc` is null where hearing corrects all of them or none.
    """

    corrected: Estimate
    auroc: Estimate | None
    ece: Estimate
    brier: Estimate
    bars: tuple[Bar, ...]


class GateFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of gate.json.

    `tokens` is the budget of a gate that has one, and for every gate the budget that `drop_audio` is measured
    against; `budgets` are all that it may choose. `threshold` is None for a gate that needs none.
    `holds`: the drop is shown to keep its limits; `shown` is False where too few questions could tell.
    """

    format_version: int
    kind: str
    features: tuple[str, ...]
    clamp: float | None
    tokens: int
    budgets: tuple[int, ...]
    threshold: float | None
    rule: str
    confidence: float
    alpha: float | None
    gamma: float | None
    seed: int
    made_for: MadeFor
    fitted_on: FittedOn
    by_budget: tuple[BudgetScore, ...]
    oracle: Reference
    found: Found
    holds: bool
    shown: bool
    notes: tuple[str, ...]
    calibration: Reliability | None
    calibration_audio: Reliability | None
    versions: dict[str, str]
    weights_sha256: str | None = None

    @property
    def exit_code(self) -> int:
        """That of a command: it holds, it does not, or so few questions could not tell."""
        if self.holds:
            return HOLDS
        return DOES_NOT_HOLD if self.shown else NOT_JUDGED
