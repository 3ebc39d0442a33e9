"""The commands that write what others read: report an HTML page, card the files of other formats."""

from pathlib import Path

from safe_data.core.terminal import say, wrote
from safe_eval.options import CardOptions


def report(
    runs: list[Path],
    *,
    shards: Path | None = None,
    out: Path | None = None,
    baseline: str | None = None,
    force: bool = False,
) -> None:
    """Write one self-contained HTML page about a run, or about several side by side.

    Of several runs, the items of the later ones are compared with those of the first.

    Args:
        runs: folders with scores.json, items.parquet and verdict.json
        shards: folder of the dataset, to show pictures and sounds (default: RUN/shards if it is there)
        out: file of the page (default: RUN/report.html); needed for several runs; a summary of the same name
            ends in .md
        baseline: model that the others are compared with (default: that of the scores; of several runs, the
            model of the same name in the first)
        force: replace another report that is there

    Examples:
        safe-eval report runs/mine
        safe-eval report runs/mine --shards shards/audiocaps --out pages/mine.html
        safe-eval report runs/mine runs/theirs --out pages/both.html
    """
    from safe_eval.report.report import write_report

    page = write_report(*runs, shards=shards, out=out, baseline=baseline, force=force)
    wrote([page, page.with_suffix(".md")])


def card(run: Path, *, options: CardOptions, out: Path | None = None, force: bool = False) -> None:
    """Write the scores of a run for others: Hugging Face, Every Eval Ever, JUnit, GitHub.

    Args:
        run: folder that score wrote to; its predictions are scored again first, so that every number follows
        out: folder of the card (default: RUN/card)
        force: replace another card that is there

    Examples:
        safe-eval card runs/mine
        safe-eval card runs/mine --hub music_avqa=ORG/NAME:TASK --model-id safe=ORG/safe-7b --date 2026-11-26
    """
    from safe_eval.card.card import write_card

    written = write_card(run, options, out=out, force=force)
    say([*(f"wrote {path}" for path in written.files), *(f"note: {note}" for note in written.notes)])
