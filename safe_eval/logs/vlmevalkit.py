"""VLMEvalKit: `MODEL_DATASET.xlsx` (.tsv, .json), with the files of its judging beside it.

`_auxmatch`, `_JUDGE_result`, `_extract_matching` and the like hold a score for each item, `_acc.csv` and
`_score.csv` what the kit states. Source: open-compass/VLMEvalKit at e8e78f0, vlmeval/smp/file.py and
vlmeval/dataset/utils. Files of 2024 are read too.
"""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_eval.import_options import ImportOptions
from safe_eval.logs.literals import list_of, number_of, text_of, texts_of
from safe_eval.logs.log import LeftOut, Log, Rows, at_path, checked
from safe_eval.logs.sheet import CUT_CHARACTERS
from safe_eval.logs.table_rows import first_row, table_rows
from safe_eval.logs.vlmevalkit_numbers import AGGREGATES, stated_numbers
from safe_eval.prediction import Prediction

SUFFIXES = (".xlsx", ".tsv", ".csv", ".json")

_JUDGED = re.compile(r"_(?:auxmatch|extract_matching|[^/]*_?result|extract|match)$")
_SCORES = ("score", "hit")
_JUDGING = (*_SCORES, "extracted")
_NEEDED = ("index", "prediction")
_LETTERS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FAILED = re.compile(r"\s*Failed to obtain answer\b.*", re.DOTALL)
_EMPTY = ("nan", "")
_UNKNOWN = "unknown"
_ROTATION = 10**6  # between the indices of the rotations of one question
_CIRCULAR = re.compile(r"MMBench|CCBench")
# The families of datasets whose names the kit writes after that of the model. A name may go on behind.
_FAMILIES = (
    *(
        "MMBench",
        "CCBench",
        "SEEDBench",
        "ScienceQA",
        "MMT-Bench",
        "AesBench",
        "AI2D",
        "MMStar",
        "RealWorldQA",
    ),
    *("MLLMGuard", "BLINK", "TaskMeAnything", "A-OKVQA", "WorldMedQA", "VisOnlyQA", "3DSRBench", "Q-Bench"),
    *("A-Bench", "R-Bench", "MME-RealWorld", "MME", "HallusionBench", "POPE", "AMBER", "OCRVQA", "TextVQA"),
    *("DocVQA", "InfoVQA", "ChartQA", "GQA", "MMMU", "MathVista", "MathVision", "MathVerse", "OCRBench"),
    *("MMVet", "MM-Vet", "LLaVABench", "Video-MME", "MVBench", "MMLongBench", "COCO", "VizWiz", "CRPE"),
    *("NaturalBench", "HRBench", "VStarBench", "WorldSense", "DUDE", "SLIDEVQA", "MMDU", "TempCompass"),
)
_DATASET = re.compile(rf"_(?P<dataset>(?:{'|'.join(map(re.escape, _FAMILIES))})(?:[_-]?[A-Za-z0-9.+-]+)*)$")


def read(path: Path, options: ImportOptions) -> Log:
    """A log of VLMEvalKit.

    Raises:
        InputError: it is a pickle, or has no index or prediction; its name does not say which dataset it is;
            or several judges scored it.
    """
    first = first_row(path)
    if missing := [name for name in _NEEDED if name not in first]:
        raise InputError(
            f"{path}: has no column {' and no '.join(map(repr, missing))}, as logs of VLMEvalKit have; read "
            "other tables with --map FIELD=COLUMN"
        )
    stem = _JUDGED.sub("", path.stem)
    model, dataset = _model_and_dataset(path, stem, options)
    has_scores = any(name in first for name in _SCORES)
    judged = path if has_scores else _judged_file(path, stem)
    notes = [f"scores of its items are from {judged.name}"] if judged and judged != path else []
    if judged is None:
        notes.append("no file of its judging is beside it: its rows have no scores")
    own = [one for one in stated_numbers(path, stem, dataset) if options.keeps(one.metric)]
    given = _given(judged) if judged is not None and judged != path else {}
    return Log(
        path=path,
        harness="VLMEvalKit",
        read=partial(_rows, given=given, dataset=options.dataset or dataset, options=options),
        task=dataset,
        model=model,
        own=own,
        notes=notes,
    )


def _model_and_dataset(path: Path, stem: str, options: ImportOptions) -> tuple[str, str]:
    """What the file's name says: a folder of the model's name above it tells where that ends."""
    if options.dataset and stem.endswith(f"_{options.dataset}"):
        return options.model or stem.removesuffix(f"_{options.dataset}"), options.dataset
    for folder in list(path.resolve().parents)[:3]:
        if stem.startswith(f"{folder.name}_"):
            return options.model or folder.name, stem.removeprefix(f"{folder.name}_")
    if options.model and stem.startswith(f"{options.model}_"):
        return options.model, stem.removeprefix(f"{options.model}_")
    if found := _DATASET.search(stem):
        return options.model or stem[: found.start()], found["dataset"]
    if options.dataset and options.model:
        return options.model, options.dataset
    raise InputError(
        f"{path}: its name does not say where the model's name ends and the dataset's begins; give --dataset"
        + ("" if options.dataset is None else " as it stands at the end of the name, or --model too")
    )


def _judged_file(path: Path, stem: str) -> Path | None:
    """The one file beside a log that holds a score for each item.

    Raises:
        InputError: there are several.
    """
    found = [
        one
        for one in sorted(path.parent.glob(f"{_escaped(stem)}_*"))
        if one.suffix in SUFFIXES and not AGGREGATES.search(one.stem) and _JUDGED.search(one.stem)
        if any(name in first_row(one) for name in _SCORES)
    ]
    if len(found) > 1:
        names = ", ".join(one.name for one in found)
        raise InputError(f"{path}: was judged several times: {names}; import the one whose scores are meant")
    return found[0] if found else None


def _escaped(name: str) -> str:
    """A name in which no character is a wildcard."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _given(judged: Path) -> dict[str, dict[str, Any]]:
    """The scores, and what the judge read, by the ids of the items."""
    found: dict[str, dict[str, Any]] = {}
    for number, row in table_rows(judged):
        example = _index(row.get("index"))
        if example is None or example in found:
            raise InputError(f"{judged.name}:{number}: index {example!r} is missing or stands twice")
        found[example] = {name: row[name] for name in _JUDGING if row.get(name) is not None}
    return found


def _index(value: Any) -> str | None:
    """An id; whole numbers that pandas made fractions lose their point.

    >>> _index("34602.0"), _index(7), _index("a_1")
    ('34602', '7', 'a_1')
    """
    text = text_of(value)
    if text is None or not text.strip():
        return None
    whole, point, rest = text.partition(".")
    return whole if point and whole.isdigit() and not rest.strip("0") else text


def _rows(log: Log, given: Mapping[str, Mapping[str, Any]], dataset: str, options: ImportOptions) -> Rows:
    seen: set[str] = set()
    for number, row in table_rows(log.path):
        example = _index(row.get("index"))
        if example is None:
            yield LeftOut(number, "it has no index")
            continue
        if example in seen:
            raise InputError(f"{log.path.name}:{number}: index {example} stands twice; keep one row of each")
        seen.add(example)
        if given and example not in given:
            log.note("some rows stand in no file of its judging, and have no score")
        yield _row(log, number, example, {**row, **given.get(example, {})}, dataset, options)
    if lost := len(given.keys() - seen):
        log.note(f"{lost} rows of its judging are about no row of the log, and are not read")


def _row(
    log: Log, number: int, example: str, row: Mapping[str, Any], dataset: str, options: ImportOptions
) -> Prediction | LeftOut:
    choices = {letter: text for letter in _LETTERS if (text := _cell(row.get(letter))) is not None}
    if set(choices) != set(_LETTERS[: len(choices)]) or len(choices) < 2:
        choices = {}
    answer, error = _answer(log, row, options)
    kind = at_path(row, options.question_type_field) if options.question_type_field else _kind(row)
    group = at_path(row, options.group_field) if options.group_field else row.get("image_path")
    metadata: dict[str, Any] = {"harness": "VLMEvalKit", "media": text_of(row.get("image_path"))}
    metadata |= {"empty": None if _cell(row.get("prediction")) else True}
    metadata |= {"extracted": text_of(row.get("extracted")), "thinking": text_of(row.get("thinking"))}
    if _CIRCULAR.match(dataset) and example.isdigit():
        group = str(int(example) % _ROTATION)
        metadata |= {"rotation": str(int(example) // _ROTATION)}
    return checked(
        number,
        example_id=example,
        references=_references(log, row, choices, options),
        answer=answer,
        error=error,
        dataset=dataset,
        model=log.model,
        split=text_of(row.get("split")) or None,
        group=text_of(group),
        question_type=text_of(kind) or None,
        prompt=text_of(row.get("question")),
        choices=tuple(choices.values()) or None,
        scores=_scores(log, row, options) or None,
        metadata={key: value for key, value in metadata.items() if value is not None},
    )


def _cell(value: Any) -> str | None:
    """A cell's text; None where it is empty, or the nan that pandas writes for an empty cell."""
    text = text_of(value)
    return None if text is None or text.strip().lower() in _EMPTY else text


def _kind(row: Mapping[str, Any]) -> Any:
    return row.get("category") or row.get("l2-category") or row.get("split")


def _answer(log: Log, row: Mapping[str, Any], options: ImportOptions) -> tuple[str | None, str | None]:
    """The answer, or the error in its place."""
    place = options.place_of("answer") or "prediction"
    text = text_of(at_path(row, place))
    if text is not None and _FAILED.fullmatch(text):
        return None, text.strip()[:300]
    if text is None or text.strip() in _EMPTY:
        log.note("some predictions are empty, or the word nan that pandas writes for an empty cell")
        return text or "", None
    if log.path.suffix == ".xlsx" and len(text) >= CUT_CHARACTERS:
        log.note(f"predictions of {CUT_CHARACTERS} characters may have been cut off by the spreadsheet")
    alone = list_of(text)
    return (alone[0] if alone is not None and len(alone) == 1 else text), None


def _references(
    log: Log, row: Mapping[str, Any], choices: Mapping[str, str], options: ImportOptions
) -> tuple[str, ...]:
    if options.without_references:
        return ()
    place = options.place_of("references") or "answer"
    value = at_path(row, place)
    if isinstance(value, str | None) and _cell(value) is None:
        log.note("some rows have no answer, as those of test splits: only the kit's scores judge them")
        return ()
    if not choices:
        return texts_of(value)
    texts = texts_of(value)
    return tuple(choices.get(text.strip().upper(), text) for text in texts)


def _scores(log: Log, row: Mapping[str, Any], options: ImportOptions) -> dict[str, float]:
    scores = {}
    for name in _SCORES:
        value = row.get(name)
        if value is None or not options.keeps(name):
            continue
        if (found := number_of(value)) is not None:
            scores[name] = found
        elif str(value).strip().lower() == _UNKNOWN:
            log.note("a score that is Unknown, where no answer was read, counts as 0, as the kit counts it")
            scores[name] = 0.0
        else:
            log.note(f"{name} is not a number in some rows, which have no such score")
    return scores
