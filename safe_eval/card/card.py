"""Card: write what others read about a run, each number with the hash of its predictions."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import msgspec

from safe_data.core.files import committing
from safe_data.core.overwriting import check_same, check_same_hash, write_all_new
from safe_eval.card.every_eval_ever import Record, aggregate, records
from safe_eval.card.hub_results import hub_results, unlisted
from safe_eval.card.instances import Answered, answered, instance_lines
from safe_eval.card.junit import junit_xml
from safe_eval.card.model_card import model_card
from safe_eval.card.published import Published, file_names, read_published
from safe_eval.card.summary import summary
from safe_eval.judging.verdict import VERDICT_FILE
from safe_eval.options import CardOptions

CARD_FOLDER, MODEL_CARD = "card", "model_card.md"
SUMMARY, JUNIT = "summary.md", "junit.xml"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The files that were written, and what a user should know about them."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def write_card(
    run: Path, options: CardOptions | None = None, *, out: Path | None = None, force: bool = False
) -> Card:
    """Write the card of a run into a folder: for the Hugging Face Hub, Every Eval Ever, CI and GitHub.

    Raises:
        InputError: see `read_published` and `files.committing`; or another card is there, which only `force`
            replaces. Then nothing is written.
    """
    published = read_published(run, options or CardOptions())
    folder = run / CARD_FOLDER if out is None else out
    made = [*_of_models(published), *_of_verdict(published)]
    written = {folder / path: content for path, content in made}
    answers, of_records = answered(published), records(published)
    for record in of_records:
        digest, rows = sha256(), 0
        for line in instance_lines(published, record, answers):
            digest.update(line)
            rows += 1
        check_same_hash(folder / record.instances, digest.hexdigest(), force=force)
        document = aggregate(published, record, _reference(record, digest.hexdigest(), rows))
        written[folder / record.path] = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
    check_same(written, force=force)
    instances = [_write_instances(published, record, answers, folder) for record in of_records]
    files = [*write_all_new(written, force=force), *instances]
    return Card(files=tuple(files), notes=tuple(_notes(published)))


def _of_models(published: Published) -> Iterator[tuple[Path, bytes]]:
    """A folder per model, in the layout of its repository on the Hub."""
    folders = file_names(published.models)
    for model in published.models:
        yield Path(folders[model], MODEL_CARD), model_card(published, model).encode()
        for path, content in hub_results(published, model):
            yield Path(folders[model]) / path, content


def _of_verdict(published: Published) -> Iterator[tuple[Path, bytes]]:
    if published.verdict is not None:
        name, made = published.run.resolve().name, published.made.isoformat()
        yield Path(SUMMARY), summary(published, published.verdict).encode()
        yield Path(JUNIT), junit_xml(published.verdict, name, made)


def _write_instances(published: Published, record: Record, answers: Answered, folder: Path) -> Path:
    """Write the instances of a record, one at a time, to save memory."""
    path = folder / record.instances
    with committing(path) as file:
        file.writelines(instance_lines(published, record, answers))
    return path


def _reference(record: Record, checksum: str, rows: int) -> dict[str, str | int]:
    """How the aggregate file of a record refers to its instances."""
    return {
        "format": "jsonl",
        "file_path": record.instances.as_posix(),
        "hash_algorithm": "sha256",
        "checksum": checksum,
        "total_rows": rows,
    }


def _notes(published: Published) -> Iterator[str]:
    if published.verdict is None:
        yield (
            f"{published.run / VERDICT_FILE} is not there, so there is no {SUMMARY} and no {JUNIT}; make it "
            f"with: safe-eval verdict {published.run} --criteria FILE.yaml"
        )
    if names := unlisted(published):
        yield (
            f"the Hub lists results by the id of a dataset; give those of {', '.join(names)}, for example "
            f"--hub {names[0]}=ORG/NAME:TASK"
        )
