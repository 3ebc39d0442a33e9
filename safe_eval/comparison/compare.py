"""Compare: A − B for two models on the same examples, matched by id and condition → comparison.json."""

import itertools
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes
from safe_data.core.options_file import installed_versions
from safe_data.core.overwriting import write_all_new
from safe_data.core.phases import Phase, unseen
from safe_eval.arms.all_arms import Arms, all_arms, check_metrics
from safe_eval.arms.arm import cluster_field, make_arms
from safe_eval.arms.caption_arms import CaptionInputs
from safe_eval.arms.consultation import CONSULTATION_METRICS, Matches, both_say, consultation_arms
from safe_eval.arms.coverage import coverage_of
from safe_eval.arms.given_arms import is_given
from safe_eval.arms.protocols import fact_notes
from safe_eval.arms.questions import question_notes
from safe_eval.arms.replies import reference_notes
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.comparison.comparison_file import (
    EQUIVALENT,
    NOT_MEASURED,
    NOT_SHOWN,
    ComparisonFile,
    ComparisonProvenance,
    Difference,
    FlipRow,
    SideCoverage,
)
from safe_eval.comparison.comparison_notes import caption_notes, matching_notes
from safe_eval.comparison.differences import MatchedArms, difference_rows, flip_rows
from safe_eval.comparison.disagreement import (
    DifferingItem,
    DisagreementRow,
    Scorings,
    differing_csv,
    differing_items,
    disagreement_rows,
)
from safe_eval.comparison.given_of_both import given_of_both, sided
from safe_eval.comparison.margins import Margins, read_margins
from safe_eval.comparison.matching import Matched, match, matched_conditions
from safe_eval.comparison.read_answers import is_log
from safe_eval.comparison.sides import Side, files_of_sides, read_sides
from safe_eval.options import CompareOptions, Sampling
from safe_eval.predictions import partial_notes
from safe_eval.results.families import SameTest
from safe_eval.results.flips import FLIPS_FILE, Flip, flips_between, flips_csv
from safe_eval.results.given_scores import DISAGREEMENTS_FILE
from safe_eval.scoring.notes import few_clusters_notes
from safe_eval.statistics.multiplicity import adjusted_once, benjamini_hochberg

COMPARISON_FILE = "comparison.json"
_LIBRARIES = ("safe-hearing", "numpy", "scipy", "msgspec")

Sides = tuple[Side, Side]


@dataclass(frozen=True)
class _Results:
    """The results for one condition of A and one condition of B."""

    coverage: list[SideCoverage]
    differences: list[tuple[Difference, SameTest]]
    flips: list[FlipRow]
    flipped: list[Flip]
    differing: list[DifferingItem]
    disagreement: list[DisagreementRow]
    notes: list[str]


def compare_files(
    files: Sequence[Path],
    sampling: Sampling | None = None,
    options: CompareOptions | None = None,
    *,
    out: Path | None = None,
    force: bool = False,
    at: Phase = unseen,
) -> ComparisonFile:
    """Compare two models example by example; with `out`, write OUT/comparison.json.

    OUT/flips.csv and OUT/disagreements.csv are written beside it.

    `files` are A and B, predictions files or run folders; one is enough if both models are in it.

    `force` replaces another comparison that is there; `at` is told which phase of the work begins.

    Raises:
        InputError: see `read_sides`, `read_margins` and `match`; or no metric judges the answers.
    """
    options, sampling = options or CompareOptions(), sampling or Sampling()
    check_metrics(_requested(options.metric))
    margins = read_margins(options.margin)
    at("reading predictions")
    (side_a, rows_a), (side_b, rows_b) = read_sides(files, options)
    read = dict.fromkeys(itertools.chain(*files_of_sides(files)))
    whole = [path for path in read if not is_log(path)]
    notes = list(partial_notes(whole)) if options.allow_partial else []
    matched: list[Matched] = []
    results: list[_Results] = []
    for conditions in matched_conditions(side_a, side_b, *options.conditions):
        found, matches, ids_in_b = match(
            rows_a, rows_b, conditions, intersect=options.intersect, by=options.pair_by
        )
        matched.append(found)
        names = f"{side_a.model}/{conditions[0]}", f"{side_b.model}/{conditions[1]}"
        at(f"{names[0]} − {names[1]}")
        results.append(_compare(matches, names, side_a.seed, options, margins, sampling, ids_in_b))
    differences, family = _adjusted([row for result in results for row in result.differences])
    margins.check_named(row.metric for row in differences)
    same = _same(matched, differences)
    notes = [
        *matching_notes((side_a, side_b), matched, options),
        *notes,
        *(note for result in results for note in result.notes),
    ]
    comparison = ComparisonFile(
        a=side_a,
        b=side_b,
        matched=tuple(matched),
        coverage=tuple(row for result in results for row in result.coverage),
        rows=tuple(differences),
        flips=tuple(row for result in results for row in result.flips),
        flipped=tuple(flip for result in results for flip in result.flipped),
        disagreement=tuple(row for result in results for row in result.disagreement),
        family=family,
        margins={row.metric: row.margin for row in differences if row.margin is not None},
        decided_on=options.slice,
        same=same,
        decision=_decision(differences, options.slice, same=same) if options.margin else None,
        notes=tuple(dict.fromkeys(notes)),
        provenance=ComparisonProvenance(
            cluster=cluster_field(sided(matches)),
            seed=sampling.seed,
            resamples=sampling.resamples,
            confidence=sampling.confidence,
            protocol=options.protocol,
            python=platform.python_version(),
            versions=installed_versions(_LIBRARIES),
        ),
    )
    if out is not None:
        written = {
            out / FLIPS_FILE: flips_csv(comparison.flipped),
            out / DISAGREEMENTS_FILE: differing_csv(
                [item for result in results for item in result.differing]
            ),
            out / COMPARISON_FILE: json_bytes(comparison),
        }
        write_all_new(written, force=force)
    return comparison


def _compare(
    matches: Matches,
    names: tuple[str, str],
    seed: int,
    options: CompareOptions,
    margins: Margins,
    sampling: Sampling,
    ids_in_b: Mapping[str, str],
) -> _Results:
    """Compare matched answers by every metric, or by the requested metric.

    Metrics in Java start slowly, so they are used only if requested by name.
    """
    captions = CaptionInputs(
        asked=_requested(options.metric), models=options.models, tokenizer=options.tokenizer
    )
    arms = all_arms(
        sided(matches), metrics=_requested(options.metric), captions=captions, protocol=options.protocol
    )
    scored: Mapping[str, Sequence[ScoredArm]] = arms.judged | arms.requested
    notes = [*few_clusters_notes(arms), *question_notes(arms.arms), *fact_notes(arms.scored)]
    notes += reference_notes(arms.judged)
    notes += caption_notes(arms.notes, options.metric)
    if options.metric in CONSULTATION_METRICS:
        saying, said = both_say(matches)
        scored = consultation_arms(make_arms(sided(saying)))
        notes += said
    given, cross, said = given_of_both(arms.given, matches)
    scored = {**scored, **given}
    notes += said
    if options.metric is not None and is_given(options.metric) and options.metric not in scored:
        raise InputError(
            f"{options.metric}: is not given by both sides; {'; '.join(said) or 'no row has it'}"
        )
    if options.metric is not None and options.metric not in scored:
        reasons = {of[options.metric]: None for of in arms.captions_not_measured.values()}
        raise InputError("; ".join(reasons))
    chosen = {metric: found for metric, found in scored.items() if options.metric in (None, metric)}
    margins.check_unit(list(chosen))
    matched = [MatchedArms(a, b, names) for a, b in itertools.chain(*map(_by_dataset, chosen.values()))]
    scorings = [Scorings(sides.a, sides.b, names) for sides in matched if sides.a.counts is None]
    scorings += [Scorings(a, b, names) for a, b in cross if options.metric is None]
    differing = [differing_items(sides, ids_in_b) for sides in scorings]
    return _Results(
        coverage=list(_coverage(arms)),
        differences=[
            row
            for sides in matched
            for row in difference_rows(sides, options.by, margins.of(sides.a.metric), sampling)
        ],
        flips=[row for sides in matched for row in flip_rows(sides, options.by)],
        flipped=[
            flip for sides in matched for flip in flips_between(sides.a, sides.b, seed=seed, names=names)
        ],
        differing=[item for items in differing for item in items],
        disagreement=[
            row
            for sides, items in zip(scorings, differing, strict=True)
            for row in disagreement_rows(sides, items)
        ],
        notes=notes,
    )


def _requested(metric: str | None) -> tuple[str, ...]:
    """The metric to request from the scorers; consultation and what others gave have none."""
    return () if metric is None or metric in CONSULTATION_METRICS or is_given(metric) else (metric,)


def _by_dataset(scored: Sequence[ScoredArm]) -> Iterator[tuple[ScoredArm, ScoredArm]]:
    """The arms of A and B on each dataset; a metric that judges one side judges the other too."""
    of_side = {(arm.key.dataset, arm.key.model): arm for arm in scored}
    for dataset in dict.fromkeys(dataset for dataset, _ in of_side):
        yield of_side[dataset, "A"], of_side[dataset, "B"]


def _coverage(arms: Arms) -> Iterator[SideCoverage]:
    for found in coverage_of(arms.arms, arms.outcomes):
        counts = msgspec.structs.asdict(found)
        side, _ = counts.pop("model"), counts.pop("seed")
        yield SideCoverage(side=side, **counts)


def _adjusted(found: Sequence[tuple[Difference, SameTest]]) -> tuple[list[Difference], int]:
    """The rows with p values adjusted over all tests, and the number of tests: repeats count once."""
    rows, tests = [row for row, _ in found], [test for _, test in found]
    p_values = [row.p_value for row in rows]
    family = len({test for row, test in found if row.p_value is not None})
    of_holm = adjusted_once(p_values, tests)
    of_bh = adjusted_once(p_values, tests, benjamini_hochberg)
    adjusted = [
        msgspec.structs.replace(row, holm_p=holm_p, benjamini_hochberg_p=bh_p, family=family)
        for row, holm_p, bh_p in zip(rows, of_holm, of_bh, strict=True)
    ]
    return adjusted, family


def _decision(rows: Sequence[Difference], slice_name: str, *, same: bool) -> str:
    """Equivalent only if every metric with a margin is, in every dataset and condition, on this slice.

    Where all answers are the same, there is no difference to find, however few they are.
    """
    deciding = [row for row in rows if row.slice == slice_name and row.margin is not None]
    if not deciding:
        slices = ", ".join(dict.fromkeys(row.slice for row in rows))
        raise InputError(f"no example is in the deciding slice {slice_name!r}; slices are {slices}")
    if same or all(row.equivalence == EQUIVALENT for row in deciding):
        return EQUIVALENT
    tested = [row for row in deciding if row.equivalence_low is not None]
    return NOT_SHOWN if any(row.equivalence != EQUIVALENT for row in tested) else NOT_MEASURED


def _same(matched: Sequence[Matched], rows: Sequence[Difference]) -> bool:
    """Whether A and B said the same everywhere, and score the same: consultation may still differ."""
    said = all(found.same_answers == found.matched for found in matched)
    return said and not any(row.gained or row.lost for row in rows)
