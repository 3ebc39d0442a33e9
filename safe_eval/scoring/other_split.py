"""Other split: the questions and references that the question-only prior is fitted on.

They come from a file (predictions, or rows with the same fields and no answer) or from the root of a dataset,
of which the splits that are scored are left out.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.arms.arm import Arm
from safe_eval.prediction import quoted
from safe_eval.predictions import raw_rows
from safe_eval.results.question_prior import Asked, same_dataset, shared_ids
from safe_eval.scoring.scores import DATASET_FILE

_decoder = msgspec.json.Decoder(Asked)


def read_other_split(path: Path, arms: Sequence[Arm]) -> list[Asked]:
    """Read the questions of another split than the arms answer.

    Raises:
        InputError: nothing can be read there, rows are faulty (all of them), or questions are scored too.
    """
    asked = list(_of_root(path, arms) if path.is_dir() else _of_file(path))
    if not asked:
        raise InputError(f"{path}: holds no question with references; the prior needs those of another split")
    shared = shared_ids(asked, (row for arm in arms for row in arm.rows))
    if shared:
        raise InputError(
            f"{path}: {len(shared)} of its questions are scored too, for example {quoted(shared[0])}; a "
            "prior fitted on them knows their answers: give another split, or name the splits in 'split' if "
            "both number their questions alike"
        )
    return asked


def prior_file(path: Path) -> Path:
    """The file that stands for what the prior was fitted on: of a dataset, its dataset.json."""
    return path / DATASET_FILE if path.is_dir() else path


def prior_notes(asked: Sequence[Asked], arms: Sequence[Arm]) -> Iterator[str]:
    """A line on groups that are in both splits: the prior may know a scored video or picture."""
    scored = {row.group for arm in arms for row in arm.rows if row.group is not None}
    shared = scored & {one.group for one in asked}
    if shared:
        yield (
            f"{len(shared)} of {len(scored)} scored groups also have questions in the split of the prior, "
            f"for example {min(shared)!r}"
        )


def _of_file(path: Path) -> Iterator[Asked]:
    """The questions of a file, each once, whoever answered it under which condition."""
    seen: set[tuple[str | None, str]] = set()
    errors: list[str] = []
    for number, raw in raw_rows(path):
        try:
            one = _decoder.decode(raw) if isinstance(raw, bytes) else msgspec.convert(raw, Asked)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            errors.append(f"{path.name}:{number} is no question with references: {error}")
            continue
        if one.references and (one.dataset, one.example_id) not in seen:
            seen.add((one.dataset, one.example_id))
            yield one
    raise_row_errors(errors, path.name)


def _of_root(root: Path, arms: Sequence[Arm]) -> Iterator[Asked]:
    """The questions of the splits of a dataset that no row of it that is scored names."""
    from safe_data.shards.dataset import ShardDataset
    from safe_data.shards.layout import read_dataset

    splits = read_dataset(root).splits
    first = next((ShardDataset(root, split) for split in splits), None)
    name = first.record(0).dataset if first is not None and len(first) else None
    scored = {row.split for arm in arms if same_dataset(arm.key.dataset, name) for row in arm.rows}
    for split in (name for name in splits if name not in scored):
        dataset = ShardDataset(root, split)
        for index in range(len(dataset)):
            record = dataset.record(index)
            for example in record.examples:
                yield Asked(
                    example_id=example.id,
                    references=example.references,
                    dataset=record.dataset,
                    split=split,
                    group=record.group,
                    prompt=example.prompt,
                    question_type=example.question_type,
                    choices=example.choices,
                )
