"""Explanation: the content of explain.json, which `safe-train explain` writes and the report shows.

The file lies in the folder of a run. Its shape is stated here, so that the report needs nothing of
safe_train. Log-probabilities are in nats; null was not measured.
"""

from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_eval.judging.judged import worst

EXPLAIN_FILE = "explain.json"
FORMAT_VERSION = 1


class Estimate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mean of `n` questions in so many groups, with its interval."""

    value: float
    low: float | None
    high: float | None
    n: int
    groups: int


class SanityCheck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a map must show to be believed: go, no-go or not measured."""

    name: str
    decision: str
    evidence: str


class Attribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much of the answer's log-probability a method gives to words, picture or sound, on one slice.

    `method` is gradients, shapley, or shapley given the words. `share` is that of the absolute values.
    """

    method: str
    player: str
    slice: str
    nats: Estimate
    share: Estimate


class Completeness(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How far a method's attributions miss the difference that they should sum to: mean sizes, in nats."""

    method: str
    error: float
    difference: float
    n: int


class Attention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One head of a fused layer, or all heads of it (`head` null), on one slice.

    `entropy` is from 0 (one token) to 1 (all alike), `largest` the share of the token attended to most,
    `weights` the mean share of each audio token, `added` the length of what is added by that of the state.
    """

    layer: int
    head: int | None
    slice: str
    entropy: Estimate
    largest: Estimate
    added: Estimate
    weights: tuple[float, ...]


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How well a number tells that the sound helps: right with the sound, wrong in silence."""

    score: str
    layer: int | None
    head: int | None
    slice: str
    auroc: float | None
    low: float | None
    high: float | None
    positives: int
    n: int
    why_not: str | None = None


class Influence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """KL(gate shut ‖ open) of the first token in nats on a slice; `answers` is all, changed or kept.

    `quantiles` are the 10th, 50th and 90th percentiles, `above` the share over 0.1 nat.
    """

    slice: str
    answers: str
    mean: Estimate
    quantiles: tuple[float, float, float]
    above: float


class ModeCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How many questions of a slice have a mode, and their share."""

    slice: str
    mode: str
    means: str
    is_failure: bool
    count: int
    share: Estimate


class Association(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How much likelier a wrong answer about the picture gets by one sound than by other sounds of its kind.

    `heard` is a kind and a class (`sound: bell`), `seen` a question type and an answer (`colour: red`).
    `named` says that both have one name. `chance` is the mean probability of the answer beside other sounds.
    """

    heard: str
    seen: str
    named: bool
    effect: Estimate
    chance: float
    p_value: float
    holm_p: float


class GroupRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Accuracy with the sound, and what the sound adds to that in silence, where metadata say `value`."""

    field: str
    value: str
    slice: str
    accuracy: Estimate
    gain: Estimate
    p_value: float
    holm_p: float


class Shuffled(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How alike maps are before and after weights are shuffled down to a stage: mean rank correlation."""

    map: str
    stage: str
    correlation: Estimate


class Curve(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The mean probability of the answer as units are left out (deletion) or put in (insertion).

    `order` is attributed or random, `values` stand at even shares of the units, from none to all. `area` is
    their mean, and `better` how much better the attributed order is than random, per question.
    """

    kind: str
    order: str
    values: tuple[float, ...]
    area: Estimate
    better: Estimate | None = None


class Parts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shapley values of parts of the sound: `unit` is segments or audio tokens; exact, or over random orders.

    `auroc` says how often a part with an event of the dataset's annotation gets more than one without.
    """

    unit: str
    count: int
    is_exact: bool
    slice: str
    nats: tuple[float, ...]
    auroc: float | None
    low: float | None
    high: float | None
    n: int
    why_not: str | None = None


class Explanation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of explain.json."""

    format_version: int = FORMAT_VERSION
    checkpoint: str
    checkpoint_sha256: str
    dataset: str
    fingerprint: str
    split: str
    gate: str | None
    tokens: int
    questions: int
    groups: int
    checked: int
    left_out: dict[str, int]
    steps: int
    seed: int
    confidence: float
    checks: tuple[SanityCheck, ...]
    attribution: tuple[Attribution, ...]
    completeness: tuple[Completeness, ...]
    parts: tuple[Parts, ...]
    attention: tuple[Attention, ...]
    predictions: tuple[Prediction, ...]
    influence: tuple[Influence, ...]
    modes: tuple[ModeCount, ...]
    associations: tuple[Association, ...]
    association_questions: int
    by_group: tuple[GroupRow, ...]
    shuffled: tuple[Shuffled, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]
    not_shown: dict[str, str]
    cpu_seconds: float
    versions: dict[str, str]

    @property
    def decision(self) -> str:
        """Of the sanity checks: no-go if one is, else not measured if one is; go if all are."""
        return worst([one.decision for one in self.checks])


# What each part of an explanation does not show, by its field; written beside its numbers.
NOT_SHOWN = {
    "checks": "A map that passes rests on the weights and orders what matters; that does not make it the "
    "reason for an answer, and one that fails may still be right about single answers.",
    "attribution": "What is absent has a stand-in (pad tokens, grey, silence), and another stand-in gives "
    "other numbers. A negative value made the answer less likely, whether it was right or wrong. Shares "
    "divide what these parts do together, and say nothing of how.",
    "parts": "A part that is silenced is no natural sound, and what several parts say alike is divided among "
    "them. More in a part with an event is agreement with the annotation, not proof of hearing it.",
    "attention": "Attention is no explanation: weights sum to 1 whatever is heard, so they cannot say that a "
    "sound was ignored, and what is attended to may be outweighed. How much is added says how far the state "
    "moved, not whether the answer did.",
    "predictions": "That a number goes with help is no cause of it, and mostly tells which questions are "
    "about sounds; the slice audio takes that away. The best of many heads is the best by luck, too.",
    "influence": "A first token that changes much may change from one wrong answer to another, and one that "
    "changes little may be the one that decides.",
    "modes": "A mode is a pattern of outcomes in arms, and no cause. A guess that is right in silence counts "
    "as right without the sound.",
    "associations": "The sound comes from another clip, so this is about classes, not about clips that go "
    "together. No effect here is no effect on these pictures and answers.",
    "by_group": "Groups differ in more than their name, and the questions in one were not drawn to compare "
    "it with another.",
}


def read_explanation(path: Path) -> Explanation:
    """Read an explain.json.

    Raises:
        InputError: it is not one, or of another format.
    """
    try:
        content = path.read_bytes()
        version = msgspec.json.decode(content).get("format_version")
        if version != FORMAT_VERSION:
            raise InputError(
                f"{path}: is of format {version}, and this version reads {FORMAT_VERSION}; explain again"
            )
        return msgspec.json.decode(content, type=Explanation)
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: is not what `safe-train explain` writes: {error}; write it again, or remove it"
        ) from None
