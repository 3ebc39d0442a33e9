"""Where the numbers come from, as rows of text, and what they do not say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from safe_data.shards.layout import read_dataset
from safe_eval.report.run_folder import Results

TEXT_SHOWN = 400
LIMITS = (
    "VQA accuracy compares words with the reference answers after normalising them: a right answer in other "
    "words counts as wrong, a lucky guess as right.",
    "The intervals say how the numbers would vary over other items of the same kind. They do not cover "
    "another training seed, another prompt or another kind of picture and sound.",
    "That nothing was lost is shown for the questions asked here and within the bound given, not for "
    "everything the base model can do.",
)


def provenance_rows(results: Results, shards: Path | None) -> list[tuple[str, str]]:
    """File hashes first, then everything that scores.json recorded about its making."""
    rows = [(f"sha256 of {name}", sha256) for name, sha256 in results.file_hashes.items()]
    recorded = msgspec.to_builtins(results.scores.provenance)
    recorded.pop("predictions")  # among the hashes above
    criteria = results.verdict.criteria_file
    rows.append((f"sha256 of {criteria.name}", criteria.sha256))
    if shards is not None:
        facts = read_dataset(shards)
        rows.append((f"dataset {facts.name}, shown here", facts.fingerprint))
    return rows + [(key.replace("_", " "), _shorten(text)) for key, text in _flat("", recorded)]


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested JSON as rows of `outer · inner` and text."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix} · {key}" if prefix else str(key), inner)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(f"{prefix} · {number}", inner)
    elif isinstance(value, list):
        yield prefix, ", ".join(str(inner) for inner in value)
    else:
        yield prefix, "–" if value is None else str(value)


def _shorten(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN else text[:TEXT_SHOWN] + " …"
