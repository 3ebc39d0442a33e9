"""Consultation: on which examples a model used the sound, where its predictions say so."""

from collections.abc import Iterator, Sequence

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.arm import Cell, CellKey, Scoring, cell_key, cells_of
from safe_eval.prediction import Prediction

Pairs = list[tuple[Prediction, Prediction]]

CONSULTED, SKIPPED = "consulted", "skipped"
CONSULTATION_METRICS = {CONSULTED: 1.0, SKIPPED: 1.0}  # and their highest


def consultation_cells(predictions: Sequence[Prediction]) -> dict[str, list[Cell]]:
    """`consulted`, 1 where the sound was used, and `skipped`, 1 where it was not: a mean is a share.

    On the slice vl, questions that need no sound, `consulted` is the false consultation rate; under
    `swap_audio` and `noise_audio` it says whether an irrelevant sound is left alone. Rows that do not say are
    left out, and so are answers that failed; `consultation_notes` counts them.
    """
    places = [
        place for place, row in enumerate(predictions) if row.consulted is not None and row.error is None
    ]
    if not places:
        return {}
    used = np.array([predictions[place].consulted for place in places], dtype=float)
    return cells_of(predictions, places, {CONSULTED: Scoring(used), SKIPPED: Scoring(1 - used)})


def both_say(pairs: Pairs) -> tuple[Pairs, list[str]]:
    """The pairs of which both sides say whether they used the sound, and how many do not.

    Raises:
        InputError: there is no such pair.
    """
    saying = [pair for pair in pairs if all(row.consulted is not None and row.error is None for row in pair)]
    if not saying:
        raise InputError("no example of which both sides say whether the sound was 'consulted'")
    silent = len(pairs) - len(saying)
    note = f"{silent} of {len(pairs)} examples, of which a side does not say, are in no consultation"
    return saying, [note] if silent else []


def consultation_notes(predictions: Sequence[Prediction]) -> Iterator[str]:
    """One line for each cell of which only some rows say whether the sound was consulted."""
    silent: dict[CellKey, int] = {}
    rows: dict[CellKey, int] = {}
    for row in predictions:
        key = cell_key(row)
        rows[key] = rows.get(key, 0) + 1
        silent[key] = silent.get(key, 0) + (row.consulted is None or row.error is not None)
    for key in sorted(rows, key=lambda key: key.order):
        if 0 < silent[key] < rows[key]:
            yield (
                f"{silent[key]} of {rows[key]} rows of {key.name}, seed {key.seed}, failed or do not say "
                "whether the sound was consulted: they are not in consulted and skipped"
            )
