"""All models by the word before the colon of `--model`. To add one, write a file and add a line here.

Another package may offer models as well: an entry point of the group `safe_eval.models` names a function like
those here, as safe_train's does for `safe:CHECKPOINT`.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from safe_data.core.errors import InputError, did_you_mean, install_extra
from safe_eval.models.model import Model
from safe_eval.run_options import ModelOptions

GROUP = "safe_eval.models"

Load = Callable[[str, ModelOptions], Sequence[Model]]  # what stands behind the colon, and how to ask

# Each is loaded when it is named: one of them needs torch, and another one a client.
MODELS = {
    "transformers": "safe_eval.models.transformers_model:load_transformers",
    "openai": "safe_eval.models.endpoint:load_endpoint",
    "replay": "safe_eval.models.replay:load_replay",
    "python": "safe_eval.models.callable:load_callable",
}


def load_models(spec: str, options: ModelOptions) -> Sequence[Model]:
    """Load what a spec such as `openai:http://localhost:8000/v1#toy` names; mostly one model.

    `safe:CHECKPOINT` gives two, the checkpoint and its base.

    Raises:
        InputError: the kind is unknown, or the model cannot be loaded.
    """
    kind, colon, place = spec.partition(":")
    known = model_kinds()
    if kind not in known:
        hint = did_you_mean(kind, known, f"choose from {', '.join(f'{name}:' for name in known)}")
        raise InputError(f"model {spec!r}: is of no known kind; {hint}")
    if not colon or not place:
        raise InputError(f"model {spec!r}: says not which; write {kind}:WHICH")
    return known[kind]()(place, options)


def model_kinds() -> dict[str, Callable[[], Load]]:
    """How to get the function that loads a model, by the word that names its kind."""
    own = {name: _later(place) for name, place in MODELS.items()}
    offered = {point.name: _offered(point) for point in entry_points(group=GROUP)}
    return {**offered, **own}  # ours may not be replaced


def _offered(point: EntryPoint) -> Callable[[], Load]:
    def load() -> Load:
        try:
            function: Load = point.load()
        except ModuleNotFoundError as error:
            missing = f"needs {error.name}, which is not installed"
            raise InputError(f"model {point.name}: {missing}; for safe: {install_extra('train')}") from None
        return function

    return load


def _later(place: str) -> Callable[[], Load]:
    module, _, name = place.partition(":")

    def load() -> Load:
        function: Load = getattr(import_module(module), name)
        return function

    return load
