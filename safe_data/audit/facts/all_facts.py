"""All facts about a corpus by name.

A fact that cannot be computed has no value and says why; it is never 0.
"""

from collections.abc import Iterable

import pyarrow as pa

from safe_data.audit.corpus import Corpus
from safe_data.audit.facts import (
    alignment,
    balance,
    captions,
    conflicts,
    content,
    counts,
    duplicates,
    leakage,
    sampling,
)
from safe_data.audit.facts.fact import Fact, FactKind
from safe_data.core.errors import words_of

FACTS: dict[str, FactKind] = {
    **counts.FACTS,
    **leakage.FACTS,
    **duplicates.FACTS,
    **conflicts.FACTS,
    **balance.FACTS,
    **content.FACTS,
    **sampling.FACTS,
    **alignment.FACTS,
    **captions.FACTS,
}

_NOT_COMPUTABLE = (pa.ArrowException, KeyError, TypeError, ValueError)


def compute_facts(corpus: Corpus, names: Iterable[str] = FACTS) -> dict[str, Fact]:
    """Compute the facts of these names; one that fails says why and does not stop the others."""
    facts = {}
    for name in names:
        try:
            facts[name] = FACTS[name].compute(corpus)
        except _NOT_COMPUTABLE as error:
            facts[name] = Fact(None, why_not=words_of(error))
        pa.default_memory_pool().release_unused()  # what a fact about a million records leaves is large
    return facts
