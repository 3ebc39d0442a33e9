"""evaluate: run a model on datasets into a folder, which can be killed at any moment and then goes on.

RUN/predictions.jsonl            the rows; it appears whole
RUN/predictions.jsonl.run.json   what the rows depend on, and whether the run is finished
RUN/predictions.jsonl.part       the rows so far, by whole batches
RUN/config.yaml                  what ran: options, what the model says of itself, versions
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from safe_data.build.engines.start import start
from safe_data.core.differences import differences
from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.only_writer import only_writer
from safe_data.core.options_file import CORE, installed_versions, plain
from safe_data.core.progress import Progress
from safe_data.shards.layout import DATASET
from safe_eval.models.all_models import load_models
from safe_eval.models.model import Model, ModelGoneError, facts_of
from safe_eval.prediction import BASE, Prediction
from safe_eval.run_options import ModelOptions, RunOptions
from safe_eval.runner.asker import Asker
from safe_eval.runner.output import (
    Finished,
    Part,
    begin,
    check_writable,
    find_run,
    join,
    part_file,
    reading,
)
from safe_eval.runner.plan import Arm
from safe_eval.runner.run import check_hearing
from safe_eval.runner.sections import Section, place_of, rows_of, sections_of

PREDICTIONS, CONFIG = "predictions.jsonl", "config.yaml"
FORMAT_VERSION = 1
_ASKED = ("system", "template", "max_tokens", "batch_size", "latency", "arg")
_MODELS = ("torch", "transformers", "httpx")  # versions that the answers may depend on


class Evaluated(NamedTuple):
    """A finished run, and whether it was finished before."""

    finished: Finished
    was_there: bool


@dataclass(frozen=True)
class Job:
    """A run as plain data: every worker makes the same models and the same plan of it."""

    model: str
    data: tuple[Path, ...]
    out: Path
    options: RunOptions
    asked: ModelOptions


@interrupted_by_sigterm()
def evaluate(
    model: str,
    data: Sequence[Path],
    *,
    out: Path,
    options: RunOptions | None = None,
    asked: ModelOptions | None = None,
    quiet: bool = False,
) -> Evaluated:
    """Ask a model every question of the datasets under every condition, and write RUN/predictions.jsonl.

    A run that was stopped goes on when it is started again, and then ends with the same bytes; what a batch
    that was written holds is not asked again. If an example fails, its row holds the error. Several workers,
    each with one thread, write what one process with one thread writes (OMP_NUM_THREADS=1).

    Raises:
        InputError: the model or a dataset cannot be used, a condition cannot be run, the folder is a dataset,
            holds another run or is being written to, a model fails on every row, or answers no more.
        KeyboardInterrupt: it was stopped by Ctrl-C or SIGTERM.
    """
    job = Job(model, tuple(data), out, options or RunOptions(), asked or ModelOptions())
    out = job.out / PREDICTIONS
    if (job.out / DATASET).is_file():
        raise InputError(f"{job.out}: is a built dataset; name a folder of its own for the run with --out")
    check_writable(out)
    if _is_shared(job):
        _take_one_thread()
    with only_writer(out):
        models = _load(job)
        sections, facts = _sections(job, models), _facts(models)
        identity = _identity(job, facts, sections)
        found = False if job.options.force else find_run(out, identity)
        again = isinstance(found, Finished) and job.options.retry_errors and found.errors > 0
        if isinstance(found, Finished) and not again:
            return Evaluated(found, was_there=True)
        for section in sections:  # to find out early, and for all datasets, what a model misses
            _prepare(models, section)
        if found is False:
            begin(out, identity)
        write_bytes(job.out / CONFIG, _config(job, facts))
        try:
            _answer(job, models, sections, facts, again=again, quiet=quiet)
        except ModelGoneError as gone:
            kept = f"{job.out}: what was answered is kept; the same command goes on from there"
            raise InputError(*gone.lines, kept) from None
        return Evaluated(join(out, identity, rows_of(sections), _parts(out, again)), was_there=False)


def _parts(out: Path, again: bool) -> Path:
    """The file whose parts hold the rows so far; those asked again stand apart until they are complete."""
    return out.with_name(f"{out.name}.again") if again else out


def _is_shared(job: Job) -> bool:
    """Whether other processes answer."""
    return job.options.workers > 1 or job.options.engine != "local"


def _take_one_thread() -> None:
    """Let workers, and what they are compared with, compute with one thread, unless the user says how many.

    The last bits of a model can depend on it, and threads of several workers would wait for each other.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if (torch := sys.modules.get("torch")) is not None:  # it has read the variable already
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


def _load(job: Job) -> Sequence[Model]:
    models = _loaded(job.model, job.asked)
    for model in models:
        if model.name != BASE:
            check_hearing(model, job.options.conditions)
    return models


@cache  # a worker is given several pieces, and loads the weights once
def _loaded(spec: str, asked: ModelOptions) -> Sequence[Model]:
    return load_models(spec, asked)


def _sections(job: Job, models: Sequence[Model]) -> list[Section]:
    return sections_of(
        job.data, arms_of([model.name for model in models], job.options), job.options, job.asked.batch_size
    )


def arms_of(names: Sequence[str], options: RunOptions) -> list[Arm]:
    """Each model under each condition; beside another model, the one named `base` under `full` alone."""
    beside = len(names) > 1
    return [
        Arm(name, condition)
        for name in sorted(names, key=lambda name: name != BASE)
        for condition in (("full",) if beside and name == BASE else options.conditions)
    ]


def _prepare(models: Sequence[Model], section: Section) -> None:
    for model in models:
        prepare: Callable[..., object] | None = getattr(model, "prepare", None)
        if prepare is not None:
            own = [arm.condition for arm in section.plan.arms if arm.model == model.name]
            prepare(section.dataset, own)


class Share(NamedTuple):
    """A worker's share of a run: every `of`-th of its batches from number `number` on."""

    job: Job
    number: int
    of: int
    batches: int
    again: bool  # whether only errors are asked again
    facts: dict[str, Any]  # of the models, which must be the same in every worker

    @property
    def mine(self) -> range:
        """The numbers of the batches."""
        return range(self.number, self.batches, self.of)

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return f"worker {self.number + 1} of {self.of}"

    @property
    def steps(self) -> int:
        """How often its work ticks: once a batch."""
        return len(self.mine)


def _answer(
    job: Job,
    models: Sequence[Model],
    sections: Sequence[Section],
    facts: dict[str, Any],
    *,
    again: bool,
    quiet: bool,
) -> None:
    of, rows = job.options.workers, rows_of(sections)
    shares = [Share(job, number, of, len(rows), again, facts) for number in range(of)]
    if not _is_shared(job):
        with Progress("asking", sum(rows), unit="row", quiet=quiet) as progress:
            _work(shares[0], models, sections, progress.update)
        return
    with (
        start(job.options.engine, of, job.options.ray_address, whole=True) as run,
        Progress("asking", len(rows), unit="batch", quiet=quiet) as progress,
    ):
        run(_work_elsewhere, shares, progress.update)


def _work_elsewhere(share: Share, tick: Callable[[], object], _load_encoder: object) -> None:
    """Answer a share in another process, which loads the models again.

    Raises:
        InputError: the models are others here, such as on another kind of GPU.
    """
    models = _load(share.job)
    if lines := differences(share.facts, _facts(models)):
        raise InputError(f"{share.name}: its models are not those of the run:", *lines)
    _work(share, models, _sections(share.job, models), lambda _rows: tick())


def _work(
    share: Share, models: Sequence[Model], sections: Sequence[Section], advance: Callable[[int], object]
) -> None:
    """Answer the batches of a share that its part does not hold yet."""
    rows, out = rows_of(sections), share.job.out / PREDICTIONS
    mine = share.mine
    part = Part(part_file(_parts(out, share.again), share.number, share.of), [rows[batch] for batch in mine])
    asker, at = None, -1
    with closing(part), reading(out, rows) if share.again else nullcontext() as earlier:
        for batch in mine[: part.done]:
            advance(rows[batch])
        for batch in mine[part.done :]:
            section, within = place_of(sections, batch)
            if asker is None or section != at:
                asker, at = _asker(share.job, models, sections[section]), section
            part.write(_rows(asker, within, None if earlier is None else earlier(batch)))
            advance(rows[batch])


def _asker(job: Job, models: Sequence[Model], section: Section) -> Asker:
    _prepare(models, section)
    latency: Any = "each" if job.asked.latency else "no"
    return Asker(models, section.dataset, section.plan, seed=section.seed, latency=latency)


def _rows(asker: Asker, batch: int, known: Sequence[Prediction] | None) -> list[Prediction]:
    """The rows of a batch; of those that are known, only errors are asked for again."""
    if known is None:
        return asker.rows(batch)
    wanted = [row.error is not None for row in known]
    if not any(wanted):
        return list(known)
    again = iter(asker.rows(batch, wanted))
    return [next(again) if ask else row for row, ask in zip(known, wanted, strict=True)]


def _facts(models: Sequence[Model]) -> dict[str, Any]:
    """What the models say that their answers depend on, as JSON holds it."""
    facts = {model.name: facts_of(model) for model in models}
    plain_facts: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(facts, enc_hook=str))
    return plain_facts


def _identity(job: Job, facts: dict[str, Any], sections: Sequence[Section]) -> dict[str, Any]:
    """Everything that the rows depend on, in plain data."""
    options = job.options
    return {
        "format_version": FORMAT_VERSION,
        "models": facts,
        "asked": {name: getattr(job.asked, name) for name in _ASKED},
        "data": {s.dataset.name: [s.dataset.fingerprint, s.dataset.split] for s in sections},
        "conditions": options.conditions,
        "seeds": options.seeds,
        "subset": _subset(options.subset),
        "limit": options.limit,
        "versions": installed_versions((*CORE, *_MODELS)),
        "processes": options.workers,
    }


def _subset(subset: str) -> str:
    file = Path(subset)
    return f"ids {hashlib.sha256(file.read_bytes()).hexdigest()}" if file.is_file() else subset


def _config(job: Job, facts: dict[str, Any]) -> bytes:
    """What ran, as config.yaml holds it."""
    import yaml

    ran = {
        "model": job.model,
        "data": list(job.data),
        "out": job.out,
        **asdict(job.options),
        "asked": asdict(job.asked),
        "models": facts,
        "python": platform.python_version(),
        "versions": installed_versions((*CORE, *_MODELS)),
    }
    text: str = yaml.safe_dump(plain(ran), sort_keys=False, allow_unicode=True)
    return text.encode()
