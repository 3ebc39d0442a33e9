"""dry_run: the first questions of a run and what would be sent with them, without a model."""

from collections.abc import Iterator, Sequence

from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.runner.asker import Asker
from safe_eval.runner.evaluation import Job, arms_of
from safe_eval.runner.sections import Section, rows_of, sections_of

SHOWN = 3  # questions of each arm


class _Silent:
    """A model that stands for the one to be asked; it answers nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        return [Answer("")] * len(inputs)


def dry_run_lines(job: Job) -> list[str]:
    """The size of a run, and for each arm the first questions with their sound and picture.

    Raises:
        InputError: a dataset cannot be read, or a condition has nothing to change.
    """
    name = job.asked.name or job.model
    sections = sections_of(job.data, arms_of([name], job.options), job.options, job.asked.batch_size)
    lines = [
        f"{name}: {sum(rows_of(sections))} rows in {len(rows_of(sections))} batches of up to "
        f"{job.asked.batch_size}; nothing was asked"
    ]
    for section in sections:
        lines += _section_lines(job, name, section)
    return lines


def _section_lines(job: Job, name: str, section: Section) -> Iterator[str]:
    model = _Silent(name)
    rows = Asker([model], section.dataset, section.plan, seed=section.seed).rows(0)
    yield ""
    yield f"{section.dataset.name}, split {section.dataset.split}, seed {section.seed}"
    shown: dict[str, int] = {}
    for row in rows:
        shown[row.condition] = shown.get(row.condition, 0) + 1
        if shown[row.condition] <= SHOWN:
            yield f"  {row.condition}  {row.example_id}"
            yield f"    asks      {job.asked.asked(row.prompt or '')!r}"
            yield f"    sound     {_sound(row)}"
            yield f"    picture   {_picture(row)}"


def _sent(row: Prediction) -> dict[str, object]:
    sent = (row.metadata or {}).get("sent")
    return sent if isinstance(sent, dict) else {}


def _sound(row: Prediction) -> str:
    sent = _sent(row)
    if row.audio_sha256 is None:
        return "none" if sent else f"cannot be sent: {row.error}"
    return (
        f"{sent['sound']}, {sent['sound_seconds']} s, {row.audio_rms_db:.1f} dBFS, "
        f"sha256 {row.audio_sha256[:12]}"
    )


def _picture(row: Prediction) -> str:
    sent = _sent(row)
    sha256 = sent.get("picture_sha256")
    return "none" if sha256 is None else f"{sent['picture']}, sha256 {str(sha256)[:12]}"
