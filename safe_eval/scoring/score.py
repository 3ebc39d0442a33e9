"""Score: predictions → scores.json and items.parquet."""

import os
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, json_bytes
from safe_data.core.options_file import installed_versions
from safe_data.core.overwriting import check_same, check_same_hash, write_all_new
from safe_data.core.phases import Phase, unseen
from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.consultation import consultation_notes
from safe_eval.arms.coverage import coverage_by_condition, coverage_of
from safe_eval.arms.delivery import delivery_notes
from safe_eval.arms.pairs import pairing_notes
from safe_eval.arms.questions import question_notes
from safe_eval.arms.replies import reply_notes
from safe_eval.options import CORPUS, Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.results.aggregates import aggregate_rows
from safe_eval.results.calibration import calibration_notes, calibration_rows
from safe_eval.results.comparisons import comparison_rows
from safe_eval.results.flips import FLIPS_FILE, flips_csv, flips_of_models
from safe_eval.results.metrics import metric_rows
from safe_eval.results.retention import retention_rows
from safe_eval.results.seeds import seed_comparison_rows, seed_notes, seed_rows
from safe_eval.scorers.scorer import metrics_for
from safe_eval.scoring.items import ITEMS_FILE, writing_items
from safe_eval.scoring.scores import SCORES_FILE, PredictionsFile, Provenance, Scores, scored_hashes

_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")


def score_files(
    paths: Sequence[Path],
    sampling: Sampling | None = None,
    options: ScoreOptions | None = None,
    *,
    out: Path | None = None,
    force: bool = False,
    at: Phase = unseen,
) -> Scores:
    """Score predictions files together; with `out`, write scores.json, items.parquet and flips.csv into it.

    `at` is told which phase of the work begins.

    Raises:
        InputError: see `read_predictions` and `all_arms`; or `out` holds other scores, which only `force`
            replaces. Then nothing is written.
    """
    sampling, options = sampling or Sampling(), options or ScoreOptions()
    if out is not None and not force:
        _check_not_of_others(out, paths)
    arms, notes = read_arms(paths, options, at, force=force)
    at("intervals and differences")
    scores = scores_of(arms, sampling, options, paths, notes, out=out)
    if out is None:
        return scores
    at("writing items.parquet")
    with writing_items(out, arms) as items_sha256:
        made = msgspec.structs.replace(scores.provenance, items_sha256=items_sha256)
        scores = msgspec.structs.replace(scores, provenance=made)
        flips = flips_csv(list(flips_of_models(arms)))
        written = {out / FLIPS_FILE: flips, out / SCORES_FILE: json_bytes(scores)}
        check_same_hash(out / ITEMS_FILE, items_sha256, force=force)
        check_same(written, force=force)
    write_all_new(written, force=force)
    return scores


def _check_not_of_others(out: Path, paths: Sequence[Path]) -> None:
    """Refuse, before any work, to replace the scores of other predictions.

    Raises:
        InputError: the folder holds scores of other predictions, or a scores.json that cannot be read.
    """
    made = scored_hashes(out)
    if made is None or not all(path.is_file() for path in paths):  # a missing file is named when it is read
        return
    if sorted(made.values()) == sorted(map(file_sha256, paths)):
        return
    of = f"scores of other predictions ({', '.join(made)})" if made else "something else"
    raise InputError(
        f"{out / SCORES_FILE}: is there already, and holds {of}; name another --out, or add --force to "
        "replace it"
    )


def score_predictions(
    predictions: Sequence[Prediction], sampling: Sampling | None = None, options: ScoreOptions | None = None
) -> Scores:
    """Score predictions with every metric that judges any of them, and with the requested metrics.

    Raises:
        InputError: see `all_arms`.
    """
    options = options or ScoreOptions()
    return scores_of(_arms(predictions, options), sampling or Sampling(), options)


def read_arms(
    paths: Sequence[Path],
    options: ScoreOptions,
    at: Phase = unseen,
    *,
    force: bool = False,
) -> tuple[Arms, tuple[str, ...]]:
    """Read predictions files into the table of all arms, with a note on each partial line that was left out.

    `force` replaces a file of document frequencies.

    Raises:
        InputError: see `read_predictions` and `all_arms`.
    """
    if not paths:
        raise InputError("no predictions file given")
    at("reading predictions")
    predictions = read_predictions(*paths, allow_partial=options.allow_partial)
    notes = tuple(partial_notes(paths)) if options.allow_partial else ()
    at(f"{len(predictions)} answers")
    return _arms(predictions, options, force=force), notes


def scores_of(
    arms: Arms,
    sampling: Sampling,
    options: ScoreOptions,
    paths: Sequence[Path] = (),
    notes: Sequence[str] = (),
    *,
    out: Path | None = None,
) -> Scores:
    """Make the content of scores.json from the arms; its notes begin with `notes`."""
    coverage = coverage_of(arms.arms, arms.outcomes)
    return Scores(
        coverage=coverage_by_condition(coverage),
        cells=tuple(coverage),
        metrics=(*metric_rows(arms, sampling), *calibration_rows(arms, sampling)),
        comparisons=tuple(comparison_rows(arms, sampling)),
        aggregates=tuple(aggregate_rows(arms, sampling)),
        seeds=tuple(seed_rows(arms, sampling)),
        seed_comparisons=tuple(seed_comparison_rows(arms, sampling)),
        retention=tuple(retention_rows(arms, sampling)),
        notes=(*notes, *_notes(arms)),
        provenance=Provenance(
            predictions=tuple(_file(path, out) for path in paths),
            rows=sum(len(arm.rows) for arm in arms.arms),
            cluster=arms.cluster,
            baseline=arms.pairing.baseline,
            pairs=options.pairs,
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            partial=bool(notes),
            metrics=options.metric,
            java="meteor" in arms.judged or ("spice" in arms.judged and options.spice is None),
            frequencies=None if (file := _frequencies(options)) is None else _file(file, out),
            spice=None if options.spice is None else _file(options.spice, out),
            tokenizer=options.tokenizer,
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )


def _arms(predictions: Sequence[Prediction], options: ScoreOptions, *, force: bool = False) -> Arms:
    captions = _captions(options, force)
    return all_arms(
        predictions,
        metrics=options.metric,
        captions=captions,
        baseline=options.baseline,
        pairs=options.pairs,
    )


def _captions(options: ScoreOptions, force: bool) -> CaptionInputs:
    return CaptionInputs(
        _frequencies(options),
        options.write_df,
        options.spice,
        java=not options.no_java,
        tokenizer=options.tokenizer,
        force=force,
    )


def _frequencies(options: ScoreOptions) -> Path | None:
    return None if options.df == CORPUS else Path(options.df)


def _file(path: Path, out: Path | None) -> PredictionsFile:
    """A file by its hash, with its path relative to the folder of the scores if it lies elsewhere."""
    relative = None
    if out is not None and path.resolve().parent != out.resolve():
        relative = Path(os.path.relpath(path.resolve(), out.resolve())).as_posix()
    return PredictionsFile(path.name, file_sha256(path), relative)


def _notes(arms: Arms) -> Iterator[str]:
    """What a reader of the numbers must know."""
    few = _few_references(arms)
    if few:
        yield (
            f"{few} examples have 2 or 3 references: the official VQA accuracy gives even a perfect "
            "answer 1/3 or 2/3 there"
        )
    if arms.cluster != "group":
        yield f"no row has a 'group', so each {arms.cluster} counts as one cluster"
    yield from arms.notes
    yield from pairing_notes(arms.pairing, arms.arms)
    yield from question_notes(arms.arms)
    yield from seed_notes(arms)
    yield from reply_notes(arms.arms)
    yield from delivery_notes(arms.arms)
    yield from consultation_notes(arms.arms)
    yield from calibration_notes(arms)


def _few_references(arms: Arms) -> int:
    """The number of examples with 2 or 3 references that VQA accuracy judges."""
    few = {
        row.example_id
        for arm in arms.arms
        for task, at in arm.tasks.items()
        if metrics_for(arm.key.dataset, task) == ("vqa_accuracy",)
        for row in map(arm.rows.__getitem__, at.tolist())
        if len(row.references) in (2, 3)
    }
    return len(few)
