"""inspect_ai: `TIME_TASK_ID.eval`, a zip file of samples, or the same log as one `.json`.

Source: UKGovernmentBEIS/inspect_ai at 499e615, log/_log.py and log/_recorders/eval.py; format version 2. Only
what a prediction needs is decoded: not messages, events and stores, which are most of a log. Summaries cut
texts off, and are not read.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.errors import InputError
from safe_eval.import_options import ImportOptions
from safe_eval.logs.archive import Archive
from safe_eval.logs.inspect_sample import Sample, reply_of, resolved, sample_scores, text_of_input
from safe_eval.logs.json_lines import decoded
from safe_eval.logs.literals import number_of, text_of, texts_of
from safe_eval.logs.log import LeftOut, Log, OwnNumber, Rows, at_path, checked
from safe_eval.prediction import Prediction

_VERSION = 2
_HEADER, _SAMPLES = "header.json", "samples/"
_MEANS = ("accuracy", "mean")
_CHUNKED = "version 3, which keeps samples in chunks, is not read; write the log as version 2 with inspect_ai"


class _Document(msgspec.Struct, frozen=True):
    """A whole log as one JSON document."""

    samples: list[Sample] | None = None
    header: Any = None


def read(path: Path, options: ImportOptions) -> Log:
    """A log of inspect_ai.

    Raises:
        InputError: it is of another version; or its run failed, was cancelled or goes on, and `allow_partial`
            is not set. While rows are read: scorers read different answers, and none was chosen.
    """
    samples: list[Sample] | None = None
    if path.suffix == ".json":
        header, samples = _whole(path)
    else:
        header = _header(path, options)
    _check_version(path, header)
    status = str(header.get("status", "started"))
    if status != "success" and not options.allow_partial:
        raise InputError(
            f"{path}: its run ended as {status!r}; finish it, or read what is there with --allow-partial"
        )
    about = header.get("eval") or {}
    results = header.get("results") or {}
    notes = [] if status == "success" else [f"its run has the status {status!r}: samples may be missing"]
    if header.get("invalidated"):
        notes.append("it holds samples that were declared invalid; they are left out")
    done = results.get("completed_samples")
    return Log(
        path=path,
        harness="inspect_ai",
        read=partial(_rows, samples=samples, about=about, options=options),
        version=text_of((about.get("packages") or {}).get("inspect_ai")),
        task=text_of(about.get("task")),
        model=options.model or text_of(about.get("model")) or "model",
        own=list(_own(results, options)),
        expected=done if isinstance(done, int) else None,
        notes=notes,
    )


def _whole(path: Path) -> tuple[dict[str, Any], list[Sample]]:
    data = path.read_bytes()
    try:
        found = msgspec.json.decode(data, type=_Document)
        header = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        kept = {key: msgspec.json.decode(raw) for key, raw in header.items() if key != "samples"}
        return kept, list(found.samples or [])
    except (msgspec.MsgspecError, UnicodeDecodeError):  # NaN, which Python writes
        content = decoded(data, path.name)
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no log of inspect_ai")
    samples = content.pop("samples", None) or []
    return content, [_converted(sample, f"{path.name}: sample {at}") for at, sample in enumerate(samples, 1)]


def _header(path: Path, options: ImportOptions) -> dict[str, Any]:
    with Archive(path) as archive:
        if _HEADER in archive:
            header = decoded(archive.read(_HEADER), f"{path.name}/{_HEADER}")
        elif "_journal/start.json" in archive:
            if not options.allow_partial:
                raise InputError(
                    f"{path}: has no header.json: its run crashed, or goes on; finish it, or read "
                    "the samples that are there with --allow-partial"
                )
            header = decoded(archive.read("_journal/start.json"), f"{path.name}/_journal/start.json")
        else:
            raise InputError(f"{path}: has no header.json; it is no log of inspect_ai")
    if not isinstance(header, dict):
        raise InputError(f"{path}: its header is no JSON object")
    return header


def _check_version(path: Path, header: Mapping[str, Any]) -> None:
    version = header.get("version", _VERSION)
    if version == _VERSION + 1:
        raise InputError(f"{path}: {_CHUNKED}")
    if version != _VERSION:
        raise InputError(f"{path}: is of version {version!r}; version {_VERSION} is read")


def _own(results: Mapping[str, Any], options: ImportOptions) -> Iterator[OwnNumber]:
    """The accuracy or mean of each score; of several epochs it is the mean over samples of their means."""
    for entry in results.get("scores") or []:
        name, scorer = str(entry.get("name")), str(entry.get("scorer") or entry.get("name"))
        metric = name if name == scorer else f"{scorer}/{name}"
        for key, stated in (entry.get("metrics") or {}).items():
            value = number_of(at_path(stated, "value"))
            kind = str(at_path(stated, "name") or key).rpartition("/")[2]
            if value is None or kind not in _MEANS or not (options.keeps(metric) or options.keeps(name)):
                continue
            reducer = entry.get("reducer") or "mean"
            yield OwnNumber(
                f"{name}/{key}",
                value,
                metric,
                "mean_of_ids" if reducer == "mean" else "unknown",
                aggregation=f"reducer {reducer}",
            )


def _samples(path: Path, samples: list[Sample] | None) -> Iterator[tuple[str, Sample]]:
    """Each sample with its place. A member of the archive is decoded by itself, and then forgotten."""
    if samples is not None:
        yield from ((f"sample {at}", sample) for at, sample in enumerate(samples, 1))
        return
    decode = msgspec.json.Decoder(Sample).decode
    with Archive(path) as archive:
        for name in archive.names(_SAMPLES, ".json"):
            data = archive.read(name)
            try:
                yield name, decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                where = f"{path.name}/{name}"
                yield name, _converted(decoded(data, where), where)


def _converted(content: Any, where: str) -> Sample:
    try:
        return msgspec.convert(content, Sample)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: is no sample of inspect_ai: {error}") from None


def _rows(log: Log, samples: list[Sample] | None, about: Mapping[str, Any], options: ImportOptions) -> Rows:
    dataset = options.dataset or text_of(at_path(about, "dataset.name")) or log.task
    for place, sample in _samples(log.path, samples):
        if sample.invalidation:
            yield LeftOut(place, "it was declared invalid")
            continue
        if sample.epoch > 1:
            log.note("its epochs are repeats of one model, and stand as seeds: they say nothing of training")
        yield _row(log, place, sample, dataset, options)


def _row(
    log: Log, place: str, sample: Sample, dataset: str | None, options: ImportOptions
) -> Prediction | LeftOut:
    scores, answers, unscored = sample_scores(sample, options.metric)
    if unscored:
        log.note("scores that are no numbers, or NaN (unscored), are in no row")
    choices = tuple(sample.choices) if sample.choices else None
    references = () if options.without_references else _references(log, sample, choices, options)
    if references is None:
        return LeftOut(place, f"its target {str(sample.target)[:40]!r} names none of its choices")
    answer = _answer(log, place, sample, answers, options)
    error = sample.failure(answer)
    if error is not None:
        log.note("errors are in no score of the harness; here they count as wrong")
    metadata = {"harness": "inspect_ai", "limit": at_path(sample.limit, "type"), "uuid": sample.uuid}
    return checked(
        place,
        example_id=str(sample.id),
        references=references,
        answer=None if error is not None else answer,
        error=error,
        dataset=dataset,
        model=log.model,
        seed=max(0, sample.epoch - 1),
        group=text_of(sample.fact(options.group_field)),
        question_type=text_of(sample.fact(options.question_type_field)),
        prompt=resolved(text_of_input(sample.input), sample) or None,
        choices=choices,
        scores=scores or None,
        metadata={key: value for key, value in metadata.items() if value is not None},
    )


def _answer(
    log: Log, place: str, sample: Sample, answers: Mapping[str, str], options: ImportOptions
) -> str | None:
    """What the scorer read, or else the reply.

    Raises:
        InputError: two scorers read different answers, and none was chosen.
    """
    chosen = options.place_of("answer")
    if chosen == "output":
        return reply_of(sample)
    if chosen is not None:
        return resolved(text_of(at_path(msgspec.to_builtins(sample.scores), chosen)), sample)
    if len(set(answers.values())) > 1:
        listed = ", ".join(f"{name} {text[:20]!r}" for name, text in answers.items())
        raise InputError(
            f"{log.path.name}/{place}: its scorers read different answers ({listed}); choose one with "
            "--metric NAME, or take the reply with --field answer=output"
        )
    read = next(iter(answers.values()), None)
    return reply_of(sample) if read is None else read


def _references(
    log: Log, sample: Sample, choices: tuple[str, ...] | None, options: ImportOptions
) -> tuple[str, ...] | None:
    """The right answers; none where only a judge knows; None where a letter names no choice."""
    place = options.place_of("references")
    given = texts_of(sample.fact(place)) if place else _targets(sample.target)
    targets = tuple(text.strip() for text in given if text.strip())
    if not targets:
        log.note("some samples have no target: only the harness's scores judge them")
        return ()
    if choices is None:
        return targets
    named = [_choice(text, choices) for text in targets]
    if None in named:
        return None
    if len(named) > 1:
        log.note("several choices of a sample are right together: only the harness's scores judge it")
        return ()
    return tuple(text for text in named if text is not None)


def _targets(target: Any) -> tuple[str, ...]:
    return tuple(map(str, target)) if isinstance(target, list) else (text_of(target) or "",)


def _choice(text: str, choices: tuple[str, ...]) -> str | None:
    """The choice of a letter; a choice's own text where it is no letter."""
    if len(text) == 1 and 0 <= (at := ord(text.upper()) - ord("A")) < len(choices):
        return choices[at]
    return text if text in choices else None
