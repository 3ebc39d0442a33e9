"""Recheck: compute the scores of a run again from its predictions, and compare all that its files say.

What was computed here is what a verdict judges. Its scores.json must say the same, up to the last digits.
"""

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, first_errors
from safe_data.core.json_document import Json, document_of, read_document
from safe_data.core.phases import Phase, unseen
from safe_eval.arms.all_arms import Arms
from safe_eval.options import CORPUS, CaptionModels, Sampling, ScoreOptions
from safe_eval.scorers.captions.caption_scores import JAVA_METRICS
from safe_eval.scoring.items import ITEMS_FILE, item_faults
from safe_eval.scoring.said_and_found import differences
from safe_eval.scoring.score import read_arms, scores_of
from safe_eval.scoring.scores import (
    SCORES_FILE,
    PredictionsFile,
    Provenance,
    Scores,
    file_of,
    prior_of,
    read_scores,
    score_again,
    scored_files,
)

TOLERANCE = 1e-6  # other releases of NumPy and SciPy may round the last digits differently


@dataclass(frozen=True)
class Rechecked:
    """The scores of a run as its predictions give them here, and what its files say beside that."""

    scores: Scores  # computed here; scores.json says the same, up to TOLERANCE
    arms: Arms
    scores_sha256: str  # of scores.json
    notes: tuple[str, ...]  # what scores.json says and nothing here can check


def check_scores(run: Path, at: Phase = unseen) -> Scores:
    """The scores of a run, computed again; see `recheck`.

    `at` is told which phase of the work begins.

    Raises:
        InputError: see `recheck`.
    """
    return recheck(run, at).scores


def recheck(run: Path, at: Phase = unseen) -> Rechecked:
    """Score a run's predictions again in the same way, and check that scores.json and items.parquet agree.

    `at` is told which phase of the work begins.

    Raises:
        InputError: see `read_scores`; or a file says what the predictions do not give, all reported at once.
    """
    said = read_scores(run)
    data = (run / SCORES_FILE).read_bytes()
    arms, found = _again(run, said, at)
    faults = list(differences(document := read_document(data), document_of(found), TOLERANCE))
    notes = tuple(_unchecked(said, found, document))
    if faults:
        raise InputError(*_complaint(run, said, faults, notes))
    at("checking items.parquet")
    _check_items(run, said, arms)
    return Rechecked(found, arms, hashlib.sha256(data).hexdigest(), notes)


def _again(run: Path, said: Scores, at: Phase) -> tuple[Arms, Scores]:
    """Score as the provenance says; of items.parquet, which is checked apart, the hash is kept."""
    made, files = said.provenance, scored_files(run, said)
    names = [field.name for field in dataclasses.fields(CaptionModels)]
    models = {name: _source(run, made.models[name]) for name in names if name in made.models}
    sounds = models.pop("sounds", None)
    options = ScoreOptions(
        metric=_asked(said),
        protocol=made.protocol,
        spread=made.spread,
        prior=None if made.prior is None else prior_of(file_of(run, made.prior)),
        df=CORPUS if made.frequencies is None else str(file_of(run, made.frequencies)),
        spice=None if made.spice is None else file_of(run, made.spice),
        tokenizer=made.tokenizer,
        models=CaptionModels(**models, sounds=None if sounds is None else Path(sounds)),
        baseline=made.baseline,
        pairs=made.pairs,
        prompt=made.prompt,
        allow_partial=made.partial,
    )
    sampling = Sampling(confidence=made.confidence, resamples=made.resamples, seed=made.seed)
    arms, notes = read_arms(files, options, at)
    for name, (source, sha256) in arms.caption_models.items():
        if name not in made.models or sha256 != made.models[name].sha256:
            raise InputError(
                f"{run / SCORES_FILE}: was computed with another --{name} than {source} is now; "
                f"score again: {score_again(run, said)}"
            )
    at("intervals and differences")
    found = scores_of(arms, sampling, options, files, notes, out=run)
    provenance = msgspec.structs.replace(
        found.provenance, items_sha256=made.items_sha256, metrics=made.metrics
    )
    return arms, msgspec.structs.replace(found, provenance=provenance)


def _asked(said: Scores) -> tuple[str, ...]:
    """The metrics to ask for. Java runs only for those that the scores hold, not to explain the others."""
    held = {row.metric for row in said.metrics}
    asked = [name for name in said.provenance.metrics if name not in JAVA_METRICS or name in held]
    return tuple(dict.fromkeys([*asked, *(name for name in JAVA_METRICS if name in held)]))


def _source(run: Path, file: PredictionsFile) -> str:
    """The directory of a model where it was when the run was scored, or its id on the hub."""
    return file.name if file.path is None else str((run / file.path).resolve())


def _check_items(run: Path, said: Scores, arms: Arms) -> None:
    """The items.parquet of the scores, which the report shows, must hold what the predictions give."""
    if said.provenance.items_sha256 is None and not (run / ITEMS_FILE).is_file():
        return
    faults = list(item_faults(run, said.provenance.items_sha256, arms, TOLERANCE))
    if faults:
        lines = [f"{run / ITEMS_FILE}: does not hold what the predictions give", *first_errors(faults)]
        raise InputError(*lines, f"score them again: {score_again(run, said)}")


def _unchecked(said: Scores, found: Scores, document: Json) -> list[str]:
    """What no computation here can prove or refute, for a reader to know."""
    notes = []
    made, here = _versions(said.provenance), _versions(found.provenance)
    differing = [name for name in dict.fromkeys([*here, *made]) if made.get(name) != here.get(name)]
    if differing:
        scored, judged = (
            " and ".join(f"{name} {of.get(name, 'unnamed')}" for name in differing) for of in (made, here)
        )
        notes.append(f"scored with {scored}, judged with {judged}")
    reasons = {row.why_not for row in found.aggregates}
    for reason in dict.fromkeys(row["why_not"] for row in document.get("aggregates", ())):
        if reason is not None and reason not in reasons:
            notes.append(f"scores.json says, and nothing here can check it: {reason}")
    return notes


def _versions(made: Provenance) -> dict[str, str]:
    return {"python": made.python, **made.versions}


def _complaint(run: Path, said: Scores, faults: list[str], notes: tuple[str, ...]) -> list[str]:
    what = "1 entry is not what its predictions give"
    if len(faults) > 1:
        what = f"{len(faults)} entries are not what its predictions give"
    lines = [f"{run / SCORES_FILE}: {what}", *first_errors(faults), *notes]
    return [*lines, f"score them again: {score_again(run, said)}"]
