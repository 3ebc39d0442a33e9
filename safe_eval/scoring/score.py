"""Score: predictions → scores.json and items.parquet."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.core.files import file_sha256, json_bytes
from safe_data.core.options_file import installed_versions
from safe_data.core.overwriting import check_not_read, check_same, check_same_hash, write_all_new
from safe_data.core.phases import Phase, unseen
from safe_eval.arms.all_arms import Arms, all_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.coverage import coverage_by_condition, coverage_of
from safe_eval.arms.delivery import deliveries
from safe_eval.choice_references import settled
from safe_eval.options import CORPUS, Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.results.aggregates import OWN_AGGREGATES, aggregate_rows
from safe_eval.results.calibration import CALIBRATION_METRICS, calibration_rows
from safe_eval.results.comparisons import comparison_rows
from safe_eval.results.contradiction import contradiction_rows
from safe_eval.results.deferral import DEFERRAL_METRICS, deferral_rows
from safe_eval.results.domains import domain_tables
from safe_eval.results.flips import FLIPS_FILE, flips_csv, flips_of_models
from safe_eval.results.frontiers import frontier_notes, frontier_rows, frontiers_of
from safe_eval.results.gates import GATE_MEASURES, gate_rows
from safe_eval.results.given_scores import (
    DISAGREEMENTS_FILE,
    disagreements,
    disagreements_csv,
    given_rows,
)
from safe_eval.results.half_gain import half_gain_rows
from safe_eval.results.hurts import hurt_rows
from safe_eval.results.irrelevance import irrelevance_rows
from safe_eval.results.latency import LATENCIES, latency_rows
from safe_eval.results.lomo import lomo_rows
from safe_eval.results.lomo_agreement import lomo_agreement_rows
from safe_eval.results.metrics import metric_rows
from safe_eval.results.noise_curve import noise_rows
from safe_eval.results.priors import prior_rows
from safe_eval.results.prompts import prompt_rows
from safe_eval.results.retention import retention_rows
from safe_eval.results.seed_aggregates import seed_aggregate_rows, seed_calibration_rows
from safe_eval.results.seeds import seed_comparison_rows, seed_rows
from safe_eval.results.separation import separation_rows
from safe_eval.results.shrinkage import shrinkage_rows
from safe_eval.results.spread import spread_notes, spread_rows
from safe_eval.results.telling import telling_items, typical_errors
from safe_eval.scoring.items import ITEMS_FILE, writing_items
from safe_eval.scoring.notes import notes_of
from safe_eval.scoring.other_split import prior_file, prior_notes, read_other_split
from safe_eval.scoring.scores import (
    SCORES_FILE,
    PredictionsFile,
    Provenance,
    Scores,
    named_file,
    scored_hashes,
)

_UNASKED = (*OWN_AGGREGATES, *CALIBRATION_METRICS, *DEFERRAL_METRICS, *LATENCIES, *GATE_MEASURES)
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

    Where rows give scores of other harnesses, disagreements.csv is written too. `at` is told which phase of
    the work begins.

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
        if arms.given or (out / DISAGREEMENTS_FILE).exists():  # none is left of older scores
            written[out / DISAGREEMENTS_FILE] = disagreements_csv(list(disagreements(arms)))
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
    predictions, faults = settled(predictions, "row {}".format)
    raise_row_errors(faults, "predictions")
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
    if options.write_df is not None:
        check_not_read([options.write_df], paths)
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
    coverage = coverage_of(arms.arms, arms.outcomes, arms.worded.several)
    other_split = None if options.prior is None else read_other_split(options.prior, arms.arms)
    about_rules = spread_notes(arms) if options.spread else ()
    frontiers = frontiers_of(arms)
    irrelevance = tuple(irrelevance_rows(arms, sampling))
    domains, domain_differences = domain_tables(arms, sampling)
    about_prior = () if other_split is None else prior_notes(other_split, arms.arms)
    return Scores(
        coverage=coverage_by_condition(coverage),
        cells=tuple(coverage),
        metrics=(*metric_rows(arms, sampling), *calibration_rows(arms, sampling)),
        comparisons=tuple(comparison_rows(arms, sampling)),
        aggregates=tuple(aggregate_rows(arms, sampling)),
        seeds=(
            *seed_rows(arms, sampling),
            *seed_aggregate_rows(arms, sampling),
            *seed_calibration_rows(arms, sampling),
        ),
        seed_comparisons=tuple(seed_comparison_rows(arms, sampling)),
        prompts=tuple(prompt_rows(arms, sampling)),
        retention=tuple(retention_rows(arms, sampling)),
        priors=tuple(prior_rows(arms, sampling, other_split)),
        spread=tuple(spread_rows(arms, sampling)) if options.spread else (),
        lomo=tuple(lomo_rows(arms, sampling)),
        lomo_agreement=tuple(lomo_agreement_rows(arms, sampling)),
        separation=tuple(separation_rows(arms, sampling)),
        irrelevance=irrelevance,
        contradiction=tuple(contradiction_rows(arms, sampling)),
        noise_curve=tuple(noise_rows(arms, sampling)),
        half_gain=tuple(half_gain_rows(arms, sampling)),
        domains=domains,
        domain_differences=domain_differences,
        hurts=tuple(hurt_rows(arms, sampling)),
        typical_errors=tuple(typical_errors(arms)),
        telling=tuple(telling_items(arms)),
        latency=tuple(latency_rows(arms, sampling)),
        delivery=tuple(deliveries(arms.arms)),
        deferral=tuple(deferral_rows(arms, sampling)),
        shrinkage=tuple(shrinkage_rows(arms, sampling)),
        frontiers=tuple(frontier_rows(frontiers, sampling)),
        gates=tuple(gate_rows(arms, sampling, irrelevance)),
        given_scores=tuple(given_rows(arms, sampling)),
        notes=(*notes, *notes_of(arms), *frontier_notes(frontiers), *about_rules, *about_prior),
        provenance=Provenance(
            predictions=tuple(named_file(path, out) for path in paths),
            rows=arms.rows,
            cluster=arms.cluster,
            baseline=arms.pairing.baseline,
            pairs=options.pairs,
            prompt=options.prompt,
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            partial=bool(notes),
            metrics=options.metric,
            protocol=options.protocol,
            spread=options.spread,
            prior=None if options.prior is None else named_file(prior_file(options.prior), out),
            java="meteor" in arms.judged or ("spice" in arms.judged and options.spice is None),
            frequencies=None if (file := _frequencies(options)) is None else named_file(file, out),
            spice=None if options.spice is None else named_file(options.spice, out),
            models={
                name: _model(source, sha256, out) for name, (source, sha256) in arms.caption_models.items()
            },
            tokenizer=options.tokenizer,
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )


def _arms(predictions: Sequence[Prediction], options: ScoreOptions, *, force: bool = False) -> Arms:
    captions = _captions(options, force)
    _check_asked(options.metric)
    return all_arms(
        predictions,
        metrics=options.metric,
        captions=captions,
        protocol=options.protocol,
        baseline=options.baseline,
        pairs=options.pairs,
        prompt=options.prompt,
    )


def _check_asked(metrics: Sequence[str]) -> None:
    """Refuse to be asked for numbers that only depend on what the rows hold."""
    unasked = [name for name in metrics if name in _UNASKED]
    if unasked:
        raise InputError(
            f"--metric {unasked[0]}: is computed unasked wherever the rows allow it; leave the option out"
        )


def _captions(options: ScoreOptions, force: bool) -> CaptionInputs:
    return CaptionInputs(
        _frequencies(options),
        options.write_df,
        options.spice,
        asked=options.metric,
        models=options.models,
        tokenizer=options.tokenizer,
        force=force,
    )


def _frequencies(options: ScoreOptions) -> Path | None:
    return None if options.df == CORPUS else Path(options.df)


def _model(source: str, sha256: str, out: Path | None) -> PredictionsFile:
    """A model by its hash: an id on the hub, or a directory with its path relative to that of the scores."""
    folder = Path(source).expanduser()
    if out is None or not folder.is_dir():
        return PredictionsFile(source, sha256)
    relative = Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix()
    return PredictionsFile(folder.name, sha256, relative)
