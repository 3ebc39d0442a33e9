"""All facts about a dataset by name, each computed from its manifest.

A fact that cannot be computed has no value and says why; it is never 0.
"""

from collections.abc import Callable
from functools import partial

import pyarrow as pa

from safe_data.audit.facts import counts
from safe_data.audit.facts.fact import Fact, audible, loaded, pictured, sounding
from safe_data.audit.facts.leakage import duplicate_ids, in_two_splits

FACTS: dict[str, Callable[[pa.Table], Fact]] = {
    "wrong_columns": counts.wrong_columns,
    "rows": counts.all_rows,
    "loaded": counts.loaded_rows,
    "load_rate": counts.load_rate,
    "splits": counts.split_count,
    "sounds": partial(counts.count, of=sounding),
    "pictures": partial(counts.count, of=pictured),
    "examples": partial(counts.total, column="examples"),
    "audio_examples": partial(counts.total, column="audio_examples"),
    "duplicate_ids": duplicate_ids,
    "records_without_group": counts.without_group,
    "silent_sounds": counts.silent_sounds,
    "ids_in_two_splits": partial(in_two_splits, of=loaded, key="id"),
    "groups_in_two_splits": partial(in_two_splits, of=loaded, key="group"),
    "sound_files_in_two_splits": partial(in_two_splits, of=audible, key="audio_sha256"),
    "sounds_in_two_splits": partial(in_two_splits, of=audible, key="pcm_sha256"),
    "picture_files_in_two_splits": partial(in_two_splits, of=pictured, key="image_sha256"),
    "pictures_in_two_splits": partial(in_two_splits, of=pictured, key="pixel_sha256"),
}

_NOT_COMPUTABLE = (pa.ArrowException, KeyError, TypeError, ValueError)


def compute_facts(manifest: pa.Table) -> dict[str, Fact]:
    """Compute every fact; one that fails says why and does not stop the others."""
    facts = {}
    for name, compute in FACTS.items():
        try:
            fact = compute(manifest)
        except _NOT_COMPUTABLE as error:
            fact = Fact(None, why_not=str(error.args[0]) if error.args else repr(error))
        facts[name] = fact
    return facts
