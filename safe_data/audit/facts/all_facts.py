"""Facts: one number each about a dataset, computed from its manifest, with the records that caused it.

A fact that could not be measured has no value and says why; it is never 0.
"""

from collections.abc import Callable
from functools import partial

import pyarrow as pa

from safe_data.audit.facts.counts import (
    _count,
    _load_rate,
    _loaded_rows,
    _rows,
    _silent_sounds,
    _splits,
    _total,
    _without_group,
    _wrong_columns,
)
from safe_data.audit.facts.fact import (
    Fact,
    audible,
    loaded,
    pictured,
    sounding,
)
from safe_data.audit.facts.leakage import _duplicate_ids, _in_two_splits

UNMEASURABLE = (pa.ArrowException, KeyError, TypeError, ValueError)


def compute_facts(manifest: pa.Table) -> dict[str, Fact]:
    """All facts of a manifest; one that cannot be measured says why and leaves the others alone."""
    facts = {}
    for name, measure in FACTS.items():
        try:
            fact = measure(manifest)
        except UNMEASURABLE as error:
            fact = Fact(None, why_not=str(error.args[0]) if error.args else repr(error))
        facts[name] = fact
    return facts


FACTS: dict[str, Callable[[pa.Table], Fact]] = {
    "wrong_columns": _wrong_columns,
    "rows": _rows,
    "loaded": _loaded_rows,
    "load_rate": _load_rate,
    "splits": _splits,
    "sounds": partial(_count, of=sounding),
    "pictures": partial(_count, of=pictured),
    "examples": partial(_total, column="examples"),
    "audio_examples": partial(_total, column="audio_examples"),
    "duplicate_ids": _duplicate_ids,
    "records_without_group": _without_group,
    "silent_sounds": _silent_sounds,
    "ids_in_two_splits": partial(_in_two_splits, of=loaded, key="id"),
    "groups_in_two_splits": partial(_in_two_splits, of=loaded, key="group"),
    "sound_files_in_two_splits": partial(_in_two_splits, of=audible, key="audio_sha256"),
    "sounds_in_two_splits": partial(_in_two_splits, of=audible, key="pcm_sha256"),
    "picture_files_in_two_splits": partial(_in_two_splits, of=pictured, key="image_sha256"),
    "pictures_in_two_splits": partial(_in_two_splits, of=pictured, key="pixel_sha256"),
}
