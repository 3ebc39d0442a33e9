"""Run options: how a model is asked, and what. The text below a field is its help; nothing is loaded here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from safe_data.core.errors import InputError, check_at_least_one, check_seed, did_you_mean


@dataclass(frozen=True)
class ModelOptions:
    """How a model is asked."""

    name: str | None = None
    """model name in the rows (default: the one the model gives itself)"""
    system: str | None = None
    """system prompt (default: none)"""
    template: str = "{prompt}"
    """text that asks a question, with {prompt} in it, such as '{prompt} Answer with one word.'"""
    max_tokens: int = 32
    """the most tokens that an answer may have, at least 1"""
    batch_size: int = 32
    """questions per batch, at least 1; a run goes on after the last whole batch"""
    latency: bool = False
    """measure latency_ms: ask every example alone, which is slow, and no two runs have the same bytes
    (default: latency_ms is null)"""
    device: str = "auto"
    """where a transformers model computes: auto, cpu, cuda or cuda:1"""
    dtype: str = "auto"
    """precision of a transformers model: auto (as it was saved), float32, bfloat16 or float16"""
    concurrency: int = 8
    """requests that an endpoint answers at the same time, at least 1"""
    timeout_seconds: float = 120.0
    """how long one request to an endpoint may take"""
    attempts: int = 5
    """how often a request is tried where the endpoint is busy or fails, at least 1"""
    arg: tuple[str, ...] = ()
    """KEY=VALUE, a setting of this kind of model, such as backbone=DIR of safe:CHECKPOINT"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "max_tokens", "batch_size", "concurrency", "attempts")
        if "{prompt}" not in self.template:
            raise InputError(f"template {self.template!r}: has no {{prompt}}, so nothing would be asked")
        if not self.timeout_seconds > 0:
            raise InputError(f"timeout_seconds {self.timeout_seconds}: is no time to wait")
        if faulty := [one for one in self.arg if not one.partition("=")[0] or "=" not in one]:
            raise InputError(f"arg {faulty[0]!r}: is not KEY=VALUE")

    @property
    def args(self) -> dict[str, str]:
        """The settings of this kind of model, by their keys."""
        return {key: value for key, _, value in (one.partition("=") for one in self.arg)}

    def check_args(self, kind: str, known: Sequence[str]) -> None:
        """Refuse settings that a kind of model does not have, and two values of one.

        Raises:
            InputError: there is such a setting.
        """
        keys = [one.partition("=")[0] for one in self.arg]
        for key in keys:
            if key not in known:
                hint = did_you_mean(
                    key, known, f"there are {', '.join(known)}" if known else "there are none"
                )
                raise InputError(f"arg {key}: is no setting of {kind}; {hint}")
            if keys.count(key) > 1:
                raise InputError(f"arg {key}: is given twice; give one value")

    def asked(self, prompt: str) -> str:
        """The text that asks a question."""
        return self.template.replace("{prompt}", prompt)


@dataclass(frozen=True)
class RunOptions:
    """Which examples a model is asked, and under which conditions."""

    conditions: tuple[str, ...] = field(default=("full",), metadata={"option": "condition"})
    """what is done to the input: full, mute_audio, swap_audio and so on; docs/modality.md shows all"""
    split: str = "test"
    """split of the datasets; one that a dataset does not have is refused"""
    seeds: tuple[int, ...] = field(default=(0,), metadata={"option": "seed"})
    """seed of the conditions' noise, swaps and drops, 0 or more; everything is asked once with each"""
    subset: str = "all"
    """examples to ask: all, audio (those that need the sound), vl (those that do not), type:NAME, or a file
    with an example id on each line"""
    limit: int | None = None
    """of each dataset, ask only so many examples, the first (default: all)"""
    retry_errors: bool = False
    """ask again where a finished run holds an error, and replace those rows"""
    dry_run: bool = False
    """load no model and ask nothing: show the first questions, and the sounds and pictures to be sent"""
    engine: Literal["local", "ray"] = "local"
    """what runs several workers: processes of this machine, or Ray"""
    workers: int = 1
    """how many load the model and share the examples, at least 1; each with a GPU where there is one, and
    with one thread unless OMP_NUM_THREADS says otherwise"""
    ray_address: str | None = None
    """address of a Ray cluster (default: one that is started here)"""
    force: bool = False
    """start over, and replace a run of something else that is there"""

    def __post_init__(self) -> None:
        check_at_least_one(self, "workers")
        if self.limit is not None:
            check_at_least_one(self, "limit")
        for seed in self.seeds:
            check_seed(seed)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seed {list(self.seeds)}: give at least one, and none twice")
