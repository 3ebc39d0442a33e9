"""The command that shows items in a browser: view."""

from pathlib import Path

from safe_data.core.terminal import say


def view(
    runs: list[Path],
    *,
    shards: Path | None = None,
    port: int = 0,
    notes: Path | None = None,
    export: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Show every item of one or several runs in a browser: flips, filters, media as they were sent, notes.

    The page is served on this machine alone, under an address that nobody can guess, and reads the runs.
    Ctrl-C stops it.

    Args:
        runs: folders that score wrote to, also of other harnesses' logs
        shards: folder of the dataset, to hear and see what was sent (default: RUN/shards if it is there)
        port: port to listen at (default: a free one)
        notes: file of notes about items (default: notes.json in the first run's folder)
        export: write the same as static files into this folder, for any web server; or, if it ends in .html,
            as one file of at most 5,000 items, which opens from disk
        force: replace an export that is there
        quiet: print the address alone

    Examples:
        safe-eval view runs/mine
        safe-eval view runs/mine runs/theirs --shards shards/avqa
        safe-eval view runs/mine --export pages/mine.html
    """
    from safe_eval.viewer.serving import view_runs

    written = view_runs(runs, shards=shards, port=port, notes=notes, export=export, force=force, quiet=quiet)
    if written is not None:
        say([f"wrote {written}"])
