"""Committed suites: the rules by which every dataset is judged; from them come the files in expectations/.

    python -m safe_data.audit.committed_suites

Every argument is written out, so that the files say what is judged, whatever the defaults are.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safe_data.audit.rule_types import completed
from safe_data.audit.suites import SUITES, Severity, committed_folder
from safe_data.core.files import write_bytes
from safe_data.core.terminal import wrote


class Rule(NamedTuple):
    """One rule: the fact or column that it is about, its bound, and what it protects."""

    about: str
    protects: str
    least: float | None = None
    most: float | None = None
    strict: bool = False
    severity: Severity = "critical"
    kind: str = ""  # of a rule about a column of the manifest
    arguments: Mapping[str, Any] = {}


def _none_of(fact: str, protects: str, severity: Severity = "critical") -> Rule:
    return Rule(fact, protects, most=0, severity=severity)


def _present(column: str) -> Rule:
    return Rule(column, f"every record has a value of {column}", kind="expect_column_values_to_not_be_null")


RULES: Mapping[str, Sequence[Rule]] = {
    "schema": [
        _none_of("wrong_columns", "columns that are not the format's, on which readers rely"),
        Rule("rows", "records in the manifest, since most rules hold for an empty one", least=1),
        *map(_present, ("id", "dataset", "split", "status")),
        Rule(
            "status",
            "every status is ok or rejected, so that the load rate knows no third",
            kind="expect_column_values_to_be_in_set",
            arguments={"value_set": ["ok", "rejected"]},
        ),
        _none_of("duplicate_ids", "ids of several loaded records, which merge into one WebDataset sample"),
        _none_of("records_without_group", "loaded records without a group, which splits and statistics need"),
    ],
    "load": [
        Rule("rows", "records in the manifest, rejected ones too", least=1),
        Rule("load_rate", "share of records that are loaded, since results are about them alone", least=0.95),
        Rule("examples", "questions and captions, without which nothing is evaluated", least=1),
        Rule("sounds", "records with a sound, without which nothing is heard", least=1, severity="warning"),
        Rule(
            "audio_examples",
            "questions that need the sound, without which none tests hearing",
            least=1,
            severity="warning",
        ),
    ],
    "balance": [
        Rule(
            "class_imbalance",
            "most frequent label to the rarest in any split, unless dataset.json declares it",
            most=5,
            strict=True,
        ),
        Rule(
            "answer_prior",
            "accuracy of the most frequent answer to a type of question, without looking or listening",
            most=0.8,
            severity="warning",
        ),
    ],
    "leakage": [
        Rule("splits", "splits; with one, the rules below always hold", least=2, severity="warning"),
        _none_of("ids_in_two_splits", "evaluation records whose id is in another split"),
        _none_of("groups_in_two_splits", "evaluation records whose group is in another split"),
        _none_of("sound_files_in_two_splits", "evaluation records whose sound file is in another split"),
        _none_of("sounds_in_two_splits", "evaluation records whose decoded sound is in another split"),
        _none_of("near_sounds_in_two_splits", "evaluation records whose sound is in another split, re-made"),
        _none_of("questions_in_two_splits", "evaluation records asked the same in another split"),
        _none_of(
            "picture_files_in_two_splits",
            "evaluation records whose picture file is in another split",
            "warning",
        ),
        _none_of("pictures_in_two_splits", "evaluation records whose picture is in another split", "warning"),
        _none_of(
            "near_pictures_in_two_splits",
            "evaluation records whose picture is in another split, re-made",
            "warning",
        ),
    ],
    "duplicates": [
        _none_of("duplicate_records", "records with the media of another in their split, which count twice"),
        _none_of("conflicting_labels", "records whose duplicate has another label, so one is wrong"),
        _none_of(
            "conflicting_answers",
            "records whose question has another answer on the same media, so one is wrong",
        ),
        _none_of("near_duplicate_sounds", "records whose sound is another's, re-made", "warning"),
        _none_of("near_duplicate_pictures", "records whose picture is another's, re-made", "warning"),
        _none_of("near_duplicate_texts", "records whose texts are nearly another's", "warning"),
    ],
    "alignment": [
        Rule(
            "annotated_aligned_rate", "share of annotated pairs whose sound belongs to the picture", least=0.9
        ),
        Rule(
            "annotated_mismatched_rate",
            "share of annotated pairs whose sound belongs elsewhere",
            most=0.02,
            strict=True,
        ),
        Rule("event_overlap", "overlap of what is heard with what is seen, by their events", least=0.9),
        Rule(
            "speech_agreement", "share of records that have speech just where a transcript says so", least=0.9
        ),
        Rule("transcript_agreement", "share of records whose speech is their transcript", least=0.9),
        Rule(
            "caption_match",
            "share of captioned sounds nearer to their caption than to most others; by chance it is half",
            least=0.75,
            severity="warning",
        ),
    ],
    "sampling": [
        Rule("ratio_error", "largest distance of a drawn share from the declared one", most=0.02),
        _none_of("difficulty_violations", "drawn rows of a difficulty that their stage excludes"),
        _none_of("undrawable_stages", "stages of the curriculum that cannot be drawn"),
    ],
    "content": [
        _none_of("empty_references", "references without text, which no answer can meet"),
        _none_of("silent_sounds", "sounds that are silent, about which nothing can be asked"),
        _none_of("records_without_examples", "loaded records about which nothing is asked", "warning"),
        _none_of("short_sounds", "sounds too short to be recognised", "warning"),
        _none_of("clipped_sounds", "sounds that are clipped, so that loud parts are distorted", "warning"),
        _none_of("blank_pictures", "pictures of one colour, on which nothing is to be seen", "warning"),
    ],
}


def suite_json(name: str) -> bytes:
    """The file of a committed suite."""
    document = {"name": name, "expectations": [_expectation(rule) for rule in RULES[name]]}
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode()


def _expectation(rule: Rule) -> dict[str, Any]:
    side = "max" if rule.least is None else "min"
    kind = rule.kind or f"expect_column_{side}_to_be_between"
    bounds = {} if rule.kind else {"min_value": rule.least, "max_value": rule.most}
    strict = {f"strict_{side}": True} if rule.strict else {}
    return {
        "type": kind,
        "kwargs": completed(kind, {"column": rule.about, **bounds, **strict, **rule.arguments}),
        "severity": rule.severity,
        "description": rule.protects,
        "meta": {"data": "manifest" if rule.kind else "facts"},
    }


def write_suites(folder: Path) -> list[Path]:
    """Write every committed suite, and return the paths of the files."""
    paths = [folder / f"{name}.json" for name in SUITES]
    for path in paths:
        write_bytes(path, suite_json(path.stem))
    return paths


if __name__ == "__main__":
    wrote(write_suites(Path(sys.argv[1]) if len(sys.argv) > 1 else committed_folder()))
