"""lmms-eval: `DATE_samples_TASK.jsonl`, with `DATE_results.json` beside it.

Source: EvolvingLMMs-Lab/lmms-eval at 75571cf (v0.7.2), loggers/evaluation_tracker.py and evaluator.py; logs
of v0.6 hold the reply in a list, later ones as a text. `doc_hash` is the same in all rows, and is not read.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_eval.import_options import ImportOptions
from safe_eval.logs.json_lines import document, json_lines
from safe_eval.logs.likelihoods import are_pairs, by_choice, likelihoods_of
from safe_eval.logs.literals import list_of, looks_like_list, number_of, text_of, texts_of
from safe_eval.logs.log import LeftOut, Log, OwnNumber, Rows, Rule, at_path, checked
from safe_eval.prediction import Prediction

NAME = re.compile(r"^(?:(?P<prefix>.*)_)?(?P<date>\d{8}_\d{6})_samples_(?P<task>.+)\.jsonl$")

_KNOWN = {
    *(
        "doc_id",
        "doc",
        "doc_hash",
        "target",
        "target_hash",
        "prompt_hash",
        "arguments",
        "input",
        "input_media",
    ),
    *("resps", "filtered_resps", "filter", "token_counts", "metrics", "schedule", "idx", "reasoning"),
}
_FAILED = re.compile(r"\[LMMS_EVAL_REQUEST_FAILED\b.*", re.DOTALL)
_NO_ANSWER = ("None", "")
_LITERAL = "answer"  # a template gives its own word where the dataset has no such column
_LOOKED_AT = 1000  # rows in which a reference that is never the answer would show
_DRAWS = re.compile(r"^(?:mmau|mmmu)")
_RULES: dict[str, Rule] = {"mean": "mean", "mme_aggregate_results": "mme"}
_FUNCTION = re.compile(r"<function (\w+)")


def read(path: Path, options: ImportOptions) -> Log:
    """A log of lmms-eval.

    Raises:
        InputError: its aggregate cannot be read; while rows are read, see `_rows`.
    """
    named = NAME.match(path.name)
    results = _results(path, named["date"] if named else None)
    task = _task(named["task"] if named else path.stem, results)
    counts = at_path(results.get("n-samples") or {}, task) or {}
    notes: list[str] = []
    if not results:
        notes.append("no results.json of its date is beside it: model, seed and numbers are not known")
    if _DRAWS.match(task):
        notes.append("its scores hold random draws where a reply was not understood")
    return Log(
        path=path,
        harness="lmms-eval",
        read=partial(_rows, results=results, options=options),
        version=text_of(results.get("lmms_eval_version") or results.get("git_hash")),
        task=task,
        model=options.model or _model(path, results, named["prefix"] if named else None),
        own=_own(results, task, options),
        expected=counts.get("effective") if isinstance(counts, dict) else None,
        notes=notes,
    )


def _results(path: Path, date: str | None) -> dict[str, Any]:
    beside = path.with_name(f"{date}_results.json") if date else path
    found = document(beside) if date and beside.is_file() else {}
    return found if isinstance(found, dict) else {}


def _task(named: str, results: Mapping[str, Any]) -> str:
    """The task in the file's name; a part of a log may have more behind it."""
    known = results.get("results") or {}
    if named in known:
        return named
    return max((task for task in known if named.startswith(f"{task}.")), key=len, default=named)


def _model(path: Path, results: Mapping[str, Any], prefix: str | None) -> str:
    name = results.get("model_name") or at_path(results, "config.model")
    folder = path.parent.name.replace("__", "/") if "__" in path.parent.name else None
    return text_of(name) or prefix or folder or "model"


def _own(results: Mapping[str, Any], task: str, options: ImportOptions) -> list[OwnNumber]:
    """What the aggregate states, of the filter that was chosen."""
    stated = at_path(results.get("results") or {}, task)
    if not isinstance(stated, dict):
        return []
    listed = at_path(results, f"configs.{task}.metric_list") or []
    rules = {
        one.get("metric"): str(one.get("aggregation", "mean")) for one in listed if isinstance(one, dict)
    }
    pairs = [(*key.partition(",")[::2], number_of(value)) for key, value in stated.items() if "," in key]
    filters = list(dict.fromkeys(name for metric, name, _ in pairs if "_stderr" not in metric))
    if options.filter and options.filter.isdigit() and 0 < int(options.filter) <= len(filters):
        filters = [filters[int(options.filter) - 1]]
    return [
        own_number(f"{metric},{name}", value, metric, rules.get(metric, "mean"))
        for metric, name, value in pairs
        if value is not None and name in filters and "_stderr" not in metric and options.keeps(metric)
    ]


def own_number(name: str, value: float, metric: str, aggregation: str) -> OwnNumber:
    """A stated number, with the rule that its aggregation is; a function is known by its name."""
    function = _FUNCTION.match(aggregation)
    called = function[1] if function else aggregation
    return OwnNumber(name, value, metric, _RULES.get(called, "unknown"), aggregation=called)


def _rows(log: Log, results: Mapping[str, Any], options: ImportOptions) -> Rows:
    """The rows, of the chosen filter where ids stand several times.

    Raises:
        InputError: an id stands twice and no filter is chosen; most references are the word of a template; or
            a reference looks like a list and is none.
    """
    wanted, times, kept, literal = _filter(options), dict[str, int](), 0, 0
    seed = at_path(results, "config.random_seed")
    for number, row in json_lines(log.path):
        where = f"{log.path.name}:{number}"
        example = text_of(row.get("doc_id"))
        if example is None:
            raise InputError(f"{where}: has no 'doc_id'; is it a log of lmms-eval? say --harness")
        times[example] = times.get(example, 0) + 1
        if wanted is None and times[example] > 1:
            raise InputError(
                f"{where}: holds doc_id {example} again: the task has several filters, or the run was "
                "repeated into one file, and no field says which; choose with --filter 1, 2, …"
            )
        if wanted is not None and times[example] != wanted:
            continue
        kept += 1
        literal += row.get("target") == _LITERAL
        if kept % _LOOKED_AT == 0 or kept == _LOOKED_AT // 10:
            _refuse_literal(log, literal, kept, options)
        yield _row(log, number, example, row, seed if isinstance(seed, int) else 0, options)
    _refuse_literal(log, literal, kept, options)
    if times and not kept:
        raise InputError(f"{log.path}: no doc_id stands {options.filter} times; --filter counts from 1")


def _filter(options: ImportOptions) -> int | None:
    if options.filter is None:
        return None
    if not options.filter.isdigit() or int(options.filter) < 1:
        raise InputError(f"--filter {options.filter}: a log of lmms-eval names no filter; give 1, 2, …")
    return int(options.filter)


def _refuse_literal(log: Log, literal: int, kept: int, options: ImportOptions) -> None:
    if literal > kept / 2 and not options.without_references and options.place_of("references") is None:
        raise InputError(
            f"{log.path}: {literal} of {kept} references are the word 'answer', which its template gives "
            "where the dataset has no such column; read only the scores with --without-references, or name "
            "the key of the references with --field references=KEY"
        )


def _row(
    log: Log, number: int, example: str, row: dict[str, Any], seed: int, options: ImportOptions
) -> Prediction | LeftOut:
    scores, facts = _scores(log, row, options)
    references = _references(log, number, row, options)
    answer, choices, probabilities = _answer(row, options)
    failed = answer is None or answer in _NO_ANSWER or _FAILED.fullmatch(answer)
    media = _media(row)
    group = at_path(row, options.group_field) if options.group_field else None
    kind = at_path(row, options.question_type_field) if options.question_type_field else facts.get("category")
    seconds = number_of(at_path(row, "token_counts.0.generation_seconds"))
    if choices and references and not set(references) <= set(choices):
        log.note("it does not hold the texts of its choices: only its scores judge them")
        references = ()
    if group is None and not options.group_field:
        group = facts.get("videoID") or media or facts.get("question_id")
    raw = at_path(row, "resps.0.0")
    metadata = {"harness": "lmms-eval", "media": media, "raw": raw if raw != answer else None}
    return checked(
        number,
        example_id=example,
        references=references,
        answer=None if failed else answer,
        error=f"lmms-eval: no answer ({answer or 'empty'})"[:300] if failed else None,
        dataset=options.dataset or log.task,
        model=log.model,
        seed=seed,
        group=text_of(group),
        question_type=text_of(kind) or None,
        prompt=text_of(row.get("input")),
        choices=choices,
        confidence=max(probabilities.values()) if probabilities else None,
        choice_probabilities=probabilities,
        latency_ms=seconds * 1000 if seconds is not None else None,
        scores=scores or None,
        metadata={key: value for key, value in metadata.items() if value is not None},
    )


def _answer(
    row: Mapping[str, Any], options: ImportOptions
) -> tuple[str | None, tuple[str, ...] | None, dict[str, float] | None]:
    """The answer; of choices that were compared also their places, as texts, and their probabilities."""
    place = options.place_of("answer")
    if place is not None:
        return text_of(at_path(row, place)), None, None
    found = row.get("filtered_resps")
    if isinstance(found, list) and are_pairs(found):
        likely, choices = likelihoods_of(found), tuple(str(at) for at in range(len(found)))
        return (
            (choices[likely.place], choices, by_choice(choices, likely)) if likely else (None, choices, None)
        )
    while isinstance(found, list):
        found = found[0] if found else None
    return text_of(found), None, None


def _references(log: Log, number: int, row: Mapping[str, Any], options: ImportOptions) -> tuple[str, ...]:
    if options.without_references:
        return ()
    place = options.place_of("references")
    if place is not None:
        value = at_path(row, place)
        return (value,) if isinstance(value, str) and place == "target" else texts_of(value)
    target = text_of(row.get("target"))
    if target is None or target in _NO_ANSWER:
        log.note("some rows have no reference: only its scores judge them")
        return ()
    if looks_like_list(target):
        found = list_of(target)
        if found is None:
            raise InputError(
                f"{log.path.name}:{number}: target {target[:60]!r} looks like a list and is none; "
                "say --field references=target to take it as a text"
            )
        return found
    return (target,)


def _scores(
    log: Log, row: Mapping[str, Any], options: ImportOptions
) -> tuple[dict[str, float], dict[str, Any]]:
    """The harness's scores, and the facts that stand beside them where a score is a dict."""
    scores: dict[str, float] = {}
    facts: dict[str, Any] = {}
    for key, value in row.items():
        if key in _KNOWN or not options.keeps(key):
            continue
        inner = value
        if isinstance(value, dict):
            facts |= {name: fact for name, fact in value.items() if isinstance(fact, str | int)}
            inner = value.get("score", value.get("overall"))
        if (found := number_of(inner)) is not None:
            scores[key] = found
        elif inner is not None:
            log.note(f"{key} is not a number, so no row has it as a score")
    return scores, facts


def _media(row: Mapping[str, Any]) -> str | None:
    """The first medium, if the log names it; its bytes are not read."""
    first = at_path(row, "input_media.0")
    if isinstance(first, dict):
        first = first.get("path") or first.get("url")
    is_name = isinstance(first, str) and len(first) < 1000 and not first.startswith("data:")
    return first if is_name else None
