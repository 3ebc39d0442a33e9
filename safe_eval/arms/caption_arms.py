"""Caption cells: every caption metric of every dataset, and what a reader of them must know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.arms.arm import Cell, Scoring, cells_of
from safe_eval.prediction import Prediction
from safe_eval.scorers.captions.caption_scores import MAXIMA, TASKS, reference_frequencies, score_captions
from safe_eval.scorers.captions.frequencies import Frequencies, read_frequencies, write_frequencies
from safe_eval.scorers.captions.spice import read_spice_values

OWN = "corpus"  # in place of a file: the document frequencies of the references that are scored


@dataclass(frozen=True)
class CaptionInputs:
    """What captions are scored with, beside themselves; `java` lets METEOR and SPICE run where they can."""

    frequencies: Path | None = None  # without it, those of the references of the captions scored
    write_frequencies: Path | None = None
    spice: Path | None = None
    java: bool = True


@dataclass(frozen=True)
class CaptionCells:
    """The cells of each metric; what was not measured, by dataset and metric; and notes on the others."""

    cells: dict[str, list[Cell]]
    not_measured: dict[str | None, dict[str, str]]
    notes: tuple[str, ...]


def caption_inputs(df: str, write_df: Path | None, spice: Path | None, *, java: bool) -> CaptionInputs:
    """The inputs as the command line names them."""
    return CaptionInputs(None if df == OWN else Path(df), write_df, spice, java)


def caption_cells(predictions: Sequence[Prediction], inputs: CaptionInputs) -> CaptionCells:
    """Measure the captions of each dataset together, and cut them into cells; a failed caption scores 0.

    Raises:
        InputError: captions or files that cannot be scored; SPICE values without captions of one dataset.
    """
    by_dataset: dict[str | None, list[int]] = {}
    for place, row in enumerate(predictions):
        if row.task in TASKS:
            by_dataset.setdefault(row.dataset, []).append(place)
    frequencies = None if inputs.frequencies is None else read_frequencies(inputs.frequencies)
    spice_values = None if inputs.spice is None else read_spice_values(inputs.spice)
    if spice_values is not None and len(by_dataset) != 1:
        raise InputError(
            f"{inputs.spice}: SPICE values are for the captions of one dataset, and here are captions of "
            f"{len(by_dataset)}; score one dataset"
        )
    if inputs.write_frequencies is not None and len(by_dataset) != 1:
        raise InputError(
            f"{inputs.write_frequencies}: document frequencies are of the captions of one dataset, and here "
            f"are captions of {len(by_dataset)}; score one dataset"
        )
    cells: dict[str, list[Cell]] = {}
    not_measured: dict[str | None, dict[str, str]] = {}
    notes: list[str] = []
    for dataset in sorted(by_dataset, key=str):
        places = by_dataset[dataset]
        captions = [predictions[place] for place in places]
        measured = score_captions(
            captions, frequencies=frequencies, spice_values=spice_values, java=inputs.java
        )
        if inputs.write_frequencies is not None:
            write_frequencies(inputs.write_frequencies, reference_frequencies(captions))
        failed = np.array([row.error is not None for row in captions])
        scorings = {
            metric: Scoring(
                np.where(failed, 0.0, measured.items[metric]), measured.counts.get(metric), MAXIMA[metric]
            )
            for metric in MAXIMA
            if metric in measured.items
        }
        for metric, found in cells_of(predictions, places, scorings).items():
            cells.setdefault(metric, []).extend(found)
        not_measured[dataset] = dict(measured.not_measured)
        about = "" if dataset is None else f"{dataset}: "
        if "cider_d" in scorings:
            clips = len({row.example_id for row in captions})
            notes.append(about + _weights(clips, inputs.frequencies, frequencies))
        if inputs.spice is not None and spice_values is not None:
            notes.append(about + _given(inputs.spice, spice_values, captions))
        reasons = set(measured.not_measured.values())
        told = [reason for reason in reasons if not any(other in reason for other in reasons - {reason})]
        notes += [about + reason for reason in sorted(told)]  # SPIDEr's is that of SPICE, told once
    return CaptionCells(cells, not_measured, tuple(notes))


def _weights(clips: int, file: Path | None, frequencies: Frequencies | None) -> str:
    whence = f"of the references of the {clips} clips scored"
    if file is not None and frequencies is not None:
        whence = f"of {file.name} ({frequencies.documents} documents, sha256 {file_sha256(file)[:12]})"
    return (
        f"CIDEr weighs words by document frequencies {whence}; its intervals resample clips and hold these "
        "frequencies fixed"
    )


def _given(file: Path, values: Mapping[str, float], captions: Sequence[Prediction]) -> str:
    unused = len(values.keys() - {row.example_id for row in captions})
    others = f"; {unused} of its {len(values)} values are of no example here" if unused else ""
    return f"SPICE is as given by {file.name} (sha256 {file_sha256(file)[:12]}){others}"
