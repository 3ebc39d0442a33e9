"""replay: a model that repeats the answers of a predictions file."""

from collections.abc import Sequence
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_eval.models.model import Answer, Input, Model
from safe_eval.prediction import Prediction
from safe_eval.predictions import read_predictions
from safe_eval.run_options import ModelOptions


class Replay:
    """Answers by example and condition as a file does; what the file lacks is an error of that example."""

    def __init__(self, path: Path, rows: Sequence[Prediction], name: str) -> None:
        self.name, self.hears, self.sees = name, True, True
        self.facts = {"file_sha256": file_sha256(path)}
        self._by_name = {(row.dataset, row.example_id, row.condition, row.seed): row for row in rows}
        self._file = path.name

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """The answers that the file has.

        Raises:
            LookupError: it has none for an example, or an error.
        """
        return [self._answer(given) for given in inputs]

    def _answer(self, given: Input) -> Answer:
        asked = given.request
        if asked is None:
            raise LookupError("a replay needs to know which example is asked, and how")
        row = self._by_name.get((asked.dataset, given.example.id, asked.condition, asked.seed))
        if row is None:
            raise LookupError(
                f"{self._file} has no answer to {given.example.id!r} under {asked.condition}, "
                f"seed {asked.seed}"
            )
        if row.answer is None:
            raise LookupError(f"{self._file}: {row.error}")
        return Answer(
            row.answer,
            confidence=row.confidence,
            choice_probabilities=row.choice_probabilities,
            consulted=row.consulted,
            audio_tokens=row.audio_tokens,
            gate_score=row.gate_score,
            gate_ms=row.gate_ms,
            influence_kl=row.influence_kl,
            latency_ms=row.latency_ms,
        )


def load_replay(place: str, options: ModelOptions) -> Sequence[Model]:
    """The model of a file, of which `--arg model=NAME` picks one where it holds several.

    Raises:
        InputError: the file is no predictions file, or holds several models and none is picked.
    """
    options.check_args("replay:FILE", ("model",))
    path = Path(place)
    rows = read_predictions(path)
    found = sorted({row.model for row in rows})
    wanted = options.args.get("model", found[0] if len(found) == 1 else None)
    if wanted not in found:
        raise InputError(f"{path}: holds {', '.join(found)}; say which with --arg model=NAME")
    return [Replay(path, [row for row in rows if row.model == wanted], options.name or wanted)]
