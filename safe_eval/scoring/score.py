"""Score: predictions → scores.json and items.parquet."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.options_file import installed_versions
from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.consultation import consultation_notes
from safe_eval.arms.coverage import coverage_by_condition, coverage_of
from safe_eval.arms.delivery import deliveries, delivery_notes
from safe_eval.arms.pairs import pairing_notes
from safe_eval.arms.questions import question_notes
from safe_eval.arms.replies import reply_notes
from safe_eval.options import CORPUS, Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.results.aggregates import aggregate_rows
from safe_eval.results.calibration import calibration_notes, calibration_rows
from safe_eval.results.comparisons import comparison_rows
from safe_eval.results.flips import flips_of_models, write_flips
from safe_eval.results.latency import latency_rows
from safe_eval.results.lomo import lomo_rows
from safe_eval.results.metrics import metric_rows
from safe_eval.results.retention import retention_rows
from safe_eval.results.seeds import seed_comparison_rows, seed_notes, seed_rows
from safe_eval.scorers.scorer import metrics_for
from safe_eval.scoring.items import write_items
from safe_eval.scoring.scores import Provenance, Scores, named_file, write_scores

_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")


def score_files(
    paths: Sequence[Path],
    sampling: Sampling | None = None,
    options: ScoreOptions | None = None,
    *,
    out: Path | None = None,
) -> Scores:
    """Score predictions files together; with `out`, write scores.json, items.parquet and flips.csv into it.

    Raises:
        InputError: see `read_predictions` and `all_arms`; then nothing is written.
    """
    sampling, options = sampling or Sampling(), options or ScoreOptions()
    arms, notes = read_arms(paths, options)
    scores = scores_of(arms, sampling, options, paths, notes, out=out)
    if out is None:
        return scores
    made = msgspec.structs.replace(scores.provenance, items_sha256=file_sha256(write_items(out, arms)))
    write_flips(out, list(flips_of_models(arms)))
    scores = msgspec.structs.replace(scores, provenance=made)
    write_scores(scores, out)
    return scores


def score_predictions(
    predictions: Sequence[Prediction], sampling: Sampling | None = None, options: ScoreOptions | None = None
) -> Scores:
    """Score predictions with every metric that judges any of them, and with the requested metrics.

    Raises:
        InputError: see `all_arms`.
    """
    options = options or ScoreOptions()
    return scores_of(_arms(predictions, options), sampling or Sampling(), options)


def read_arms(paths: Sequence[Path], options: ScoreOptions) -> tuple[Arms, tuple[str, ...]]:
    """Read predictions files into the table of all arms, with a note on each partial line that was left out.

    Raises:
        InputError: see `read_predictions` and `all_arms`.
    """
    if not paths:
        raise InputError("no predictions file given")
    predictions = read_predictions(*paths, allow_partial=options.allow_partial)
    notes = tuple(partial_notes(paths)) if options.allow_partial else ()
    return _arms(predictions, options), notes


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
        lomo=tuple(lomo_rows(arms, sampling)),
        latency=tuple(latency_rows(arms, sampling)),
        delivery=tuple(deliveries(arms.arms)),
        notes=(*notes, *_notes(arms)),
        provenance=Provenance(
            predictions=tuple(named_file(path, out) for path in paths),
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
            frequencies=None if (file := _frequencies(options)) is None else named_file(file, out),
            spice=None if options.spice is None else named_file(options.spice, out),
            tokenizer=options.tokenizer,
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )


def _arms(predictions: Sequence[Prediction], options: ScoreOptions) -> Arms:
    captions = _captions(options)
    return all_arms(
        predictions,
        metrics=options.metric,
        captions=captions,
        baseline=options.baseline,
        pairs=options.pairs,
    )


def _captions(options: ScoreOptions) -> CaptionInputs:
    return CaptionInputs(
        _frequencies(options),
        options.write_df,
        options.spice,
        java=not options.no_java,
        tokenizer=options.tokenizer,
    )


def _frequencies(options: ScoreOptions) -> Path | None:
    return None if options.df == CORPUS else Path(options.df)


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
