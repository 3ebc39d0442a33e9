"""The commands by which people label answers: annotate draws a table, agreement judges the scorer by it."""

from pathlib import Path

from safe_data.core.terminal import say
from safe_eval.options import Sampling


def annotate(
    run: Path,
    *,
    sample: int = 100,
    seed: int = 0,
    out: Path | None = None,
    notes: Path | None = None,
    allow_partial: bool = False,
    force: bool = False,
) -> None:
    """Write a table of answers for a person to label right or wrong, blind to model and score.

    Args:
        run: run folder, with the predictions where its scores.json says; or a predictions file
        sample: number of answers to draw, in proportion to condition and question type; 1 or more
        seed: seed of the draw, 0 or more
        out: file of the table (default: annotations.csv in the run folder, or beside the predictions)
        notes: file of notes, as `safe-eval view` writes it: each different answer to a noted item comes
            first, with its note, beside those drawn
        allow_partial: leave out a last line that was cut off, instead of refusing the file
        force: replace a table that is there, with the labels it may hold

    Examples:
        safe-eval annotate runs/mine --sample 100
        safe-eval annotate predictions.jsonl --sample 50 --seed 1 --out labels/mine.csv
        safe-eval annotate runs/mine --notes runs/mine/notes.json
    """
    from safe_eval.annotation.annotate import draw_sample
    from safe_eval.text.annotation_text import sample_lines

    drawn = draw_sample(
        run, sample=sample, seed=seed, out=out, notes=notes, allow_partial=allow_partial, force=force
    )
    say(sample_lines(*drawn))


def agreement(table: Path, *, sampling: Sampling) -> None:
    """Compare a labelled table with the scorer: share of agreement and Cohen's kappa, with intervals.

    Args:
        table: labelled table as annotate wrote it, with its key file beside it; or the run folder it is in

    Examples:
        safe-eval agreement runs/mine
        safe-eval agreement labels/mine.csv --confidence 0.99
    """
    from safe_eval.annotation.annotate import label_agreement
    from safe_eval.text.annotation_text import agreement_lines

    say(agreement_lines(label_agreement(table, sampling)))
