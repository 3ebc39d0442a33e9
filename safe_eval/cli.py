"""safe-eval: predictions → scores → verdict → report."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from safe_data import command

SUMMARY = "Score predictions, judge the scores, and write the report."


def score(
    predictions: list[Path],
    *,
    out: Path,
    seed: int = 0,
    confidence: float = 0.95,
    resamples: int = 10_000,
) -> None:
    """Score predictions files and write OUT/scores.json.

    Args:
        predictions: JSON Lines or Parquet files, scored together
        out: folder for scores.json
        seed: seed of the bootstrap
        confidence: of the intervals, between 0.5 and 1
        resamples: how many times the clusters are drawn
    """
    from safe_eval.score import score_files, write_scores
    from safe_eval.statistics import Sampling
    from safe_eval.tables import scores_table

    sampling = Sampling(confidence=confidence, resamples=resamples, seed=seed)
    scores = score_files(predictions, sampling, out)
    written = write_scores(scores, out)
    _say([*scores_table(scores), "", f"wrote {written}"])


def verdict(run: Path, *, criteria: Path) -> int:
    """Judge RUN/scores.json and write RUN/verdict.json: 0 go, 1 no-go, 2 not measured.

    Args:
        run: folder with predictions.jsonl and scores.json
        criteria: YAML file of criteria, or the name of a shipped one, such as demo
    """
    from safe_eval.tables import verdict_table
    from safe_eval.verdict import EXIT_CODES, VERDICT_FILE, decide

    decided = decide(run, criteria)
    _say([*verdict_table(decided), f"wrote {run / VERDICT_FILE}"])
    return EXIT_CODES[decided.decision]


def report(run: Path, *, shards: Path | None = None, out: Path | None = None) -> None:
    """Write one self-contained HTML page about a run.

    Args:
        run: folder with predictions.jsonl, scores.json and verdict.json
        shards: the dataset's folder, to show pictures and sounds
        out: the page (default: RUN/report.html)
    """
    from safe_eval.report import write_report

    _say([f"wrote {write_report(run, shards=shards, out=out)}"])


def _say(lines: Iterable[str]) -> None:
    """Print lines; names from a predictions file must not steer the terminal."""
    for line in lines:
        print("".join(letter if letter.isprintable() else "?" for letter in line))


COMMANDS: dict[str, command.Command] = {"score": score, "verdict": verdict, "report": report}


def main(argv: Sequence[str] | None = None) -> int:
    """Run safe-eval; returns the exit code."""
    return command.run("safe-eval", SUMMARY, COMMANDS, argv)
