"""The command whose answers need no language model: baselines."""

from pathlib import Path

from safe_data.core.phases import Phases
from safe_data.core.table import Format
from safe_data.core.table_choice import TableChoice
from safe_data.core.terminal import complain


def baselines(
    train: list[Path],
    *,
    on: tuple[Path, ...],
    out: Path,
    encoder: str | None = None,
    split: str = "train",
    on_split: str = "test",
    seed: int = 0,
    format: Format = "text",
    choice: TableChoice,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Answer questions about sounds without a language model: by chance, level, or a linear probe.

    chance, majority, shortcut (level, noise floor and length), shortcut-normalised (the same at peak 1) and
    probe (the stored embedding) are five models of one file, which `safe-eval score` scores like any other.

    Args:
        train: folders of built datasets to fit on, all together
        on: folder of a built dataset that is asked; several are asked one after the other
        out: file of predictions to write, as JSON Lines
        encoder: name of the stored embeddings that the probe reads (default: the only ones)
        split: split to fit on
        on_split: split that is asked; no group may be in both
        seed: seed of chance, whose draws follow from it and the example ids, and of the folds; 0 or more
        format: how the tables are printed
        force: replace another file, and other tables, that are there
        quiet: show no progress

    Examples:
        safe-eval baselines runs/mine/shards --on runs/mine/shards --out baselines.jsonl
        safe-eval baselines runs/avqa runs/vggsound --on runs/music --out baselines.jsonl --encoder clap
        safe-eval baselines shards --on shards --on-split val --out baselines.jsonl --format markdown
    """
    from safe_eval.baselines.baselines import baseline_predictions
    from safe_eval.text.baselines_text import (
        BASELINES_TABLES,
        baselines_lines,
        baselines_tables,
        note_lines,
    )

    choice.check(format, BASELINES_TABLES)
    with Phases("baselines", quiet=quiet) as at:
        found = baseline_predictions(
            train,
            on=on,
            out=out,
            encoder=encoder,
            split=split,
            on_split=on_split,
            seed=seed,
            force=force,
            at=at,
        )
    complain(note_lines(found))
    choice.show(baselines_tables(found), format, found, baselines_lines(found), [out], force=force)
