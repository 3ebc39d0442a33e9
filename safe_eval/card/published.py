"""Published: the run that a card is about, proved from its predictions, and its names elsewhere."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from safe_data.core.errors import InputError
from safe_eval.judging.verdict import VERDICT_FILE, Verdict
from safe_eval.options import CardOptions
from safe_eval.report.run_folder import read_results
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.scores import SCORES_FILE, PredictionsFile, Scores

UNNAMED = "unnamed"  # in place of a dataset that the predictions do not name
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_HUB_NAME = re.compile(rf"{_PART}/{_PART}")
_MODEL_ID = re.compile(rf"({_PART}/)?{_PART}")
_DEFAULT_TASK = "default"  # what the Hub calls the only task of a dataset


@dataclass(frozen=True)
class HubDataset:
    """A dataset on the Hugging Face Hub, and the task in its eval.yaml."""

    id: str
    task_id: str


@dataclass(frozen=True)
class Published:
    """A run, with the verdict if it has one, and what its datasets and models are called elsewhere."""

    run: Path
    scores: Scores
    verdict: Verdict | None
    made: datetime  # when the answers were made, as far as known
    hub: Mapping[str, HubDataset]  # by the name of the dataset
    model_ids: Mapping[str, str]  # by the name of the model
    options: CardOptions

    @property
    def datasets(self) -> list[str | None]:
        """The datasets, in the order of the scores."""
        return list(dict.fromkeys(arm.dataset for arm in self.scores.cells))

    @property
    def models(self) -> list[str]:
        """The models, in the order of the scores."""
        return list(dict.fromkeys(arm.model for arm in self.scores.cells))

    @property
    def proof(self) -> str:
        """The hashes of the predictions that every number was computed from."""
        return ", ".join(f"{file.name} sha256:{file.sha256}" for file in self.scores.provenance.predictions)

    def model_id(self, model: str) -> str:
        """The id that a model is published under; its name where none was given."""
        return self.model_ids.get(model, model)


def read_published(run: Path, options: CardOptions) -> Published:
    """Read a run, and score its predictions again: what is published must follow from them.

    Raises:
        InputError: see `check_scores` and `read_results`; or an option names no dataset or model of the run,
            no Hub id, or no date.
    """
    scores = check_scores(run)
    verdict = read_results(run).verdict if (run / VERDICT_FILE).is_file() else None
    published = Published(
        run=run,
        scores=scores,
        verdict=verdict,
        made=_made(run, options.date),
        hub={name: _hub_dataset(given) for name, given in _pairs("hub", options.hub)},
        model_ids=_model_ids(options.model_id),
        options=options,
    )
    _check_known("hub", published.hub, [name_of(dataset) for dataset in published.datasets])
    _check_known("model-id", published.model_ids, published.models)
    _check_apart(published)
    return published


def name_of(dataset: str | None) -> str:
    """The name of a dataset, or `unnamed`."""
    return UNNAMED if dataset is None else dataset


def file_names(names: Sequence[str]) -> dict[str, str]:
    """A name that is safe in a path for each name, no two alike even where case is ignored.

    >>> file_names(["safe", "org/safe", "../safe"])
    {'safe': 'safe', 'org/safe': 'org-safe', '../safe': 'safe-5f48ceb4'}
    """
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        plain = re.sub(r"[^A-Za-z0-9._]+", "-", name).strip("-.")[:80]
        if not plain or plain.lower() in map(str.lower, found.values()):
            plain = f"{plain}-{sha256(name.encode()).hexdigest()[:8]}".strip("-")
        found[name] = plain
    return found


def hashes(files: Sequence[PredictionsFile]) -> list[str]:
    """One line of Markdown per file: its name and its hash."""
    return [f"- `{file.name.replace('`', '')}` sha256 `{file.sha256}`" for file in files]


def _made(run: Path, given: str | None) -> datetime:
    if given is None:
        return datetime.fromtimestamp(int((run / SCORES_FILE).stat().st_mtime), UTC)
    try:
        made = datetime.fromisoformat(given)
    except ValueError:
        raise InputError(
            f"date {given!r} is no ISO 8601 date; write 2026-11-26 or 2026-11-26T12:00:00Z"
        ) from None
    return made if made.tzinfo else datetime.combine(made.date(), made.time(), UTC)


def _pairs(option: str, given: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        name, equals, value = text.rpartition("=")
        if not (name and equals and value):
            raise InputError(f"--{option} {text!r} is no NAME=ID, such as {_EXAMPLES[option]}")
        pairs.append((name, value))
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"--{option} names {name!r} twice; give it one id")
    return pairs


_EXAMPLES = {"hub": "music_avqa=org/music-avqa:test", "model-id": "safe=org/safe-7b"}


def _model_ids(given: Sequence[str]) -> dict[str, str]:
    found = dict(_pairs("model-id", given))
    for name, model_id in found.items():
        if not _MODEL_ID.fullmatch(model_id):
            raise InputError(
                f"--model-id {name}={model_id}: {model_id!r} is no id of the Hub, which is ORG/NAME"
            )
    return found


def _check_apart(published: Published) -> None:
    """Two models under one id would be one model to every reader."""
    by_id: dict[str, str] = {}
    for model in published.models:
        first = by_id.setdefault(published.model_id(model), model)
        if first != model:
            raise InputError(
                f"--model-id: {first!r} and {model!r} would both be {published.model_id(model)!r}; "
                "give each its own id"
            )


def _hub_dataset(given: str) -> HubDataset:
    found, _, task = given.partition(":")
    if not _HUB_NAME.fullmatch(found):
        raise InputError(f"--hub {given!r} is no dataset of the Hub, which is ORG/NAME or ORG/NAME:TASK")
    return HubDataset(found, task or _DEFAULT_TASK)


def _check_known(option: str, given: Mapping[str, object], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(
                f"--{option} names {name!r}, which is not in this run; there are {', '.join(known)}"
            )
