"""Rules as data: what a grid file may ask for, and by which metrics.

    rules:
      - rule: smallest
        targets: [{metric: audio_gain, at_least: 0.03}, {metric: vl_drift, at_most: 0.005}]
      - rule: best
        metric: audio_score
        targets: [{metric: vl_drift, at_most: 0.01}]
      - rule: rise_or_steadier
        a: attention_mlp
        b: attention
        metric: audio_score
        rise: 0.05
      - rule: tiers
        metric: audio_score
        times: 100
        over: items
        tiers:
          - {name: verified, above: 30, decision: go, then: go on to phase 2}
          - {name: partial, above: 25, decision: not measured}
          - {name: blocked, decision: no-go, look_at: [losses.jsonl]}

- `smallest`: the point with the fewest trained parameters, then the shortest latency, that meets all targets.
- `best`: the point with the highest `metric` of those that meet all targets.
- `rise_or_steadier`: `a` if its metric is at least `rise` above that of `b`; else the one that varies less
  from seed to seed.
- `tiers`: in which tier the whole interval of a point's metric lies, times a factor such as CIDEr's 100.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from safe_data.core.errors import did_you_mean

Name = Annotated[str, Field(min_length=1)]
Bound = Annotated[float, Field(allow_inf_nan=False)]
Decision = Literal["go", "no-go", "not measured"]

SCORED = ("audio_score", "audio_gain", "vl_score", "vl_drift")  # of each question, on each seed
BY_SEED = ("latency_ms", "latency_ratio", "oscillation")  # one number of each seed
FIXED = ("parameters", "diverged")  # without any spread
METRICS = (*SCORED, *BY_SEED, *FIXED)


class Block(BaseModel):
    """A part of a grid file: frozen, and an unknown key is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def check_metric(metric: str, known: tuple[str, ...] = METRICS) -> str:
    """The metric, if it is one of those known.

    Raises:
        ValueError: it is not.
    """
    if metric not in known:
        hint = did_you_mean(metric, known, f"choose from {', '.join(known)}")
        raise ValueError(f"no metric {metric!r}; {hint}")
    return metric


class Target(Block):
    """A bound that a metric must be shown to meet."""

    metric: Name
    at_least: Bound | None = None
    at_most: Bound | None = None

    @model_validator(mode="after")
    def _is_a_target(self) -> "Target":
        check_metric(self.metric)
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"target of {self.metric}: give at_least or at_most, one of them")
        return self

    @property
    def bound(self) -> float:
        """The number to meet."""
        return float(self.at_most if self.at_least is None else self.at_least)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """
        >>> str(Target(metric="vl_drift", at_most=0.005))
        'vl_drift at most 0.005'
        """
        return f"{self.metric} at {'most' if self.at_least is None else 'least'} {self.bound:g}"


class _Rule(Block):
    name: Name | None = None

    @property
    def title(self) -> str:
        """What the rule is called in results."""
        return self.name or str(getattr(self, "rule", ""))


class Smallest(_Rule):
    """The smallest point that meets all targets: by trained parameters, then by latency."""

    rule: Literal["smallest"]
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]


class Best(_Rule):
    """The point with the highest metric of those that meet all targets."""

    rule: Literal["best"]
    metric: Name = "audio_score"
    targets: tuple[Target, ...] = ()

    @field_validator("metric")
    @classmethod
    def _is_scored(cls, metric: str) -> str:
        return check_metric(metric, ("audio_score", "audio_gain", "vl_score"))


class RiseOrSteadier(_Rule):
    """`a` if its metric rises at least so much over `b`, else the one that varies less over seeds."""

    rule: Literal["rise_or_steadier"]
    a: Name
    b: Name
    metric: Name = "audio_score"
    rise: Annotated[float, Field(gt=0, lt=1)]

    @field_validator("metric")
    @classmethod
    def _is_scored(cls, metric: str) -> str:
        return check_metric(metric, ("audio_score", "audio_gain", "vl_score"))

    @model_validator(mode="after")
    def _compares_two(self) -> "RiseOrSteadier":
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a!r}; name two points")
        return self


class Tier(Block):
    """A tier: above which value it begins, and what follows. The last has no `above`, and is what is left."""

    name: Name
    above: Bound | None = None
    decision: Decision
    then: str = ""
    look_at: tuple[str, ...] = ()


class Tiers(_Rule):
    """In which tier the whole interval of a metric lies; `over: items` judges these very runs, not others."""

    rule: Literal["tiers"]
    metric: Name = "audio_score"
    times: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    over: Literal["seeds", "items"] = "seeds"
    point: Name | None = None
    tiers: Annotated[tuple[Tier, ...], Field(min_length=2)]

    @field_validator("metric")
    @classmethod
    def _is_scored(cls, metric: str) -> str:
        return check_metric(metric, SCORED)

    @model_validator(mode="after")
    def _descend(self) -> "Tiers":
        starts = [tier.above for tier in self.tiers]
        if starts[-1] is not None or None in starts[:-1]:
            raise ValueError("every tier but the last has 'above'; the last has none, and is what is left")
        known = [start for start in starts if start is not None]
        if known != sorted(set(known), reverse=True):
            raise ValueError(f"tiers begin above {known}: list the highest first, each above the next")
        return self


Rule = Annotated[Smallest | Best | RiseOrSteadier | Tiers, Field(discriminator="rule")]
