"""lm-evaluation-harness: `samples_TASK_TIME.jsonl`, with `results_TIME.json` beside it.

Source: EleutherAI/lm-evaluation-harness at 4e7e0d4, loggers/evaluation_tracker.py and evaluator.py. A row is
one document and one filter. Arguments are a dict of dicts since 0.4.3, and were a list of lists before.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_eval.import_options import ImportOptions
from safe_eval.logs.json_lines import document, json_lines
from safe_eval.logs.likelihoods import are_pairs, by_choice, is_pair, likelihoods_of
from safe_eval.logs.literals import list_of, looks_like_list, number_of, text_of, texts_of
from safe_eval.logs.lmms_eval import own_number
from safe_eval.logs.log import LeftOut, Log, OwnNumber, Rows, at_path, checked
from safe_eval.prediction import Prediction

NAME = re.compile(r"^samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)\.jsonl$")

_DEFAULT_FILTER = "none"
_UNPARSED = "[invalid]"  # what a regex filter writes where it finds nothing
_STRUCTURE = {
    *("doc_id", "doc", "doc_hash", "target", "target_hash", "prompt_hash", "arguments", "resps"),
    *("filtered_resps", "filter", "metrics"),
}
# Where a task's document holds the answers that its target holds as one text.
_ANSWERS = {"triviaqa": "doc.answer.aliases", "nq_open": "doc.answer"}
_HASHES = ("doc_hash", "prompt_hash", "target_hash")


def read(path: Path, options: ImportOptions) -> Log:
    """A log of lm-evaluation-harness.

    Raises:
        InputError: its aggregate cannot be read; or there are several filters, none is `none`, and none was
            chosen. While rows are read, see `_rows`.
    """
    named = NAME.match(path.name)
    beside = path.with_name(f"results_{named['time']}.json") if named else path
    found = document(beside) if named and beside.is_file() else {}
    results: dict[str, Any] = found if isinstance(found, dict) else {}
    task = named["task"] if named else path.stem
    counts = (results.get("n-samples") or {}).get(task) or {}
    filter = options.filter or _chosen_filter(path)
    return Log(
        path=path,
        harness="lm-evaluation-harness",
        read=partial(_rows, results=results, filter=filter, options=options),
        version=text_of(results.get("lm_eval_version") or results.get("git_hash")),
        task=task,
        model=options.model or _model(path, results),
        own=_own(results, task, filter, options),
        expected=counts.get("effective") if isinstance(counts, dict) else None,
        notes=[] if results else ["no results file of its time is beside it: its numbers are not known"],
    )


def _model(path: Path, results: Mapping[str, Any]) -> str:
    arguments = at_path(results, "config.model_args")
    if isinstance(arguments, dict):
        given = arguments.get("pretrained") or arguments.get("model")
    else:
        pairs = dict(one.partition("=")[::2] for one in str(arguments or "").split(","))
        given = pairs.get("pretrained") or pairs.get("model")
    folder = path.parent.name.replace("__", "/") if "__" in path.parent.name else None
    return text_of(results.get("model_name") or given) or folder or "model"


def _own(results: Mapping[str, Any], task: str, name: str, options: ImportOptions) -> list[OwnNumber]:
    stated = (results.get("results") or {}).get(task) or {}
    listed = ((results.get("configs") or {}).get(task) or {}).get("metric_list") or []
    rules = {
        one.get("metric"): str(one.get("aggregation", "mean")) for one in listed if isinstance(one, dict)
    }
    return [
        own_number(key, value, metric, rules.get(metric, "mean"))
        for key, said in stated.items()
        for metric, _, of in [key.partition(",")]
        if of == name and not metric.endswith("_stderr") and options.keeps(metric)
        if (value := number_of(said)) is not None
    ]


def _rows(log: Log, results: Mapping[str, Any], filter: str, options: ImportOptions) -> Rows:
    """The rows of one filter.

    Raises:
        InputError: it is not in the log; an id stands twice; or a reference may be the text of a choice, or
            the number of another.
    """
    seed = at_path(results, "config.random_seed")
    seen: set[str] = set()
    filters: dict[str, None] = {}
    for number, row in json_lines(log.path):
        where = f"{log.path.name}:{number}"
        of = str(row.get("filter", _DEFAULT_FILTER))
        filters[of] = None
        if of != filter:
            continue
        example = text_of(row.get("doc_id"))
        if example is None:
            raise InputError(f"{where}: has no 'doc_id'; is it a log of lm-evaluation-harness? say --harness")
        if example in seen:
            raise InputError(
                f"{where}: holds doc_id {example} of filter {of!r} again: a run was repeated into one "
                "file; keep the lines of one"
            )
        seen.add(example)
        yield _row(log, number, example, row, seed if isinstance(seed, int) else 0, filter, options)
    if filters and filter not in filters:
        raise InputError(f"{log.path}: has no filter {filter!r}; choose one of {', '.join(filters)}")
    if len(filters) > 1:
        log.note(f"filter {filter} is read, and not {', '.join(name for name in filters if name != filter)}")


def _chosen_filter(path: Path) -> str:
    """`none` where it is there, else the only filter of the first document; each document has them all."""
    names: dict[str, None] = {}
    first = None
    for _, row in json_lines(path):
        name = str(row.get("filter", _DEFAULT_FILTER))
        first = row.get("doc_id") if first is None else first
        # A file lists the documents filter by filter, or the filters document by document.
        names[name] = None
        if name == _DEFAULT_FILTER:
            return name
    if len(names) > 1:
        raise InputError(f"{path}: holds several filters: {', '.join(names)}; choose one with --filter NAME")
    return next(iter(names), _DEFAULT_FILTER)


def _row(
    log: Log, number: int, example: str, row: dict[str, Any], seed: int, filter: str, options: ImportOptions
) -> Prediction | LeftOut:
    asked = _arguments(row.get("arguments"))
    said = row.get("filtered_resps")
    choices = tuple(text.strip() for _, text in asked) if are_pairs(said) else None
    scores = _scores(log, row, options)
    metadata = {"harness": "lm-evaluation-harness", "filter": filter}
    metadata |= {name: row[name] for name in _HASHES if isinstance(row.get(name), str)}
    facts: dict[str, Any] = {}
    if choices is not None and isinstance(said, list):
        if len(choices) < 2 or len(choices) != len(said):
            return LeftOut(number, "log-likelihoods without a text for each choice hold no answer")
        likely = likelihoods_of(said)
        if likely is None:
            return LeftOut(number, "two choices are the likeliest: it holds no answer")
        probabilities = by_choice(choices, likely)
        facts = {"answer": choices[likely.place], "confidence": likely.probabilities[likely.place]}
        facts |= {"choices": choices, "choice_probabilities": probabilities}
    elif is_pair(said) or not isinstance(said, list | str):
        return LeftOut(number, "it holds a log-likelihood, and no answer")
    else:
        facts = _written(said, row, metadata)
    place = options.place_of("answer")
    if place is not None:
        facts |= {"answer": text_of(at_path(row, place))}
    if facts["answer"] is None:
        facts |= {"error": "lm-evaluation-harness: no answer"}
    kind = _in_document(row, options.question_type_field)
    return checked(
        number,
        example_id=example,
        references=_references(log, number, row, choices, facts, options),
        dataset=options.dataset or log.task,
        model=log.model,
        seed=seed,
        group=text_of(_in_document(row, options.group_field)),
        question_type=text_of(kind),
        prompt=asked[0][0] if asked else None,
        scores=scores or None,
        metadata=metadata,
        **facts,
    )


def _written(said: Any, row: Mapping[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    """The answer of a model that wrote it: the filter's, or none where the filter found nothing."""
    raw = row.get("resps")
    while isinstance(said, list):
        said = said[0] if said else None
    while isinstance(raw, list):
        raw = raw[0] if raw else None
    answer = text_of(said)
    if answer == _UNPARSED:
        metadata |= {"unparsed": True}
        answer = ""
    if isinstance(raw, str) and raw != answer:
        metadata |= {"raw": raw}
    return {"answer": answer}


def _arguments(given: Any) -> list[tuple[str, str]]:
    """The prompt and the continuation of each request."""
    if isinstance(given, dict):
        given = [[one.get("arg_0"), one.get("arg_1")] for one in given.values() if isinstance(one, dict)]
    if not isinstance(given, list):
        return []
    return [
        (str(one[0]), one[1] if isinstance(one[1], str) else "")
        for one in given
        if isinstance(one, list | tuple) and len(one) > 1
    ]


def _references(
    log: Log,
    number: int,
    row: Mapping[str, Any],
    choices: tuple[str, ...] | None,
    facts: Mapping[str, Any],
    options: ImportOptions,
) -> tuple[str, ...]:
    if options.without_references:
        return ()
    known = next((place for task, place in _ANSWERS.items() if task == log.task), None)
    place = options.place_of("references") or known
    value = at_path(row, place) if place else row.get("target")
    if choices is None:
        text = text_of(value) if place is None else None
        if text is not None and looks_like_list(text) and list_of(text) is None:
            raise InputError(
                f"{log.path.name}:{number}: target {text[:60]!r} looks like a list and is none; "
                "say --field references=target to take it as a text"
            )
        return (value,) if isinstance(value, str) and place == "target" else texts_of(value)
    return tuple(_choice(log, number, text.strip(), choices, row, facts, options) for text in texts_of(value))


def _choice(
    log: Log,
    number: int,
    text: str,
    choices: tuple[str, ...],
    row: Mapping[str, Any],
    facts: Mapping[str, Any],
    options: ImportOptions,
) -> str:
    """The choice that a target is, by its text or by its number from 0."""
    by_number = choices[int(text)] if text.isdigit() and int(text) < len(choices) else None
    by_text = text if text in choices else None
    if by_number is None or by_text is None or by_number == by_text or options.place_of("references"):
        return by_text or by_number or text
    right = number_of(row.get("acc"))
    both = (by_number, by_text)
    fits = [one for one in both if right is not None and (facts["answer"] == one) == (right == 1)]
    if len(fits) == 1:
        return fits[0]
    raise InputError(
        f"{log.path.name}:{number}: target {text!r} is a choice, and the number of another; name the "
        "key of the right text with --field references=doc.KEY"
    )


def _scores(log: Log, row: Mapping[str, Any], options: ImportOptions) -> dict[str, float]:
    named = row.get("metrics")
    keys = named if isinstance(named, list) else [key for key in row if key not in _STRUCTURE]
    scores = {}
    for key in keys:
        if not options.keeps(key) or key not in row:
            continue
        if (found := number_of(row[key])) is not None:
            scores[key] = found
        else:
            log.note(f"{key} is a metric of the whole corpus: its rows hold pairs, and no score")
    return scores


def _in_document(row: Mapping[str, Any], key: str | None) -> Any:
    """A key of the row, or of its document."""
    if key is None:
        return None
    found = at_path(row, key)
    return at_path(row.get("doc"), key) if found is None else found
