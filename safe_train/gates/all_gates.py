"""All gates: the kinds there are, and how to make a gate again from gate.json and its weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from safe_data.core.errors import InputError, did_you_mean
from safe_train.gates.gate import Gate
from safe_train.gates.heuristics import ALWAYS, HEURISTICS, NEVER, ThresholdGate
from safe_train.gates.learned import SEEN, BudgetGate, chance_of
from safe_train.gates.network import FIRST, Weights, network_from


@dataclass(frozen=True)
class Recipe:
    """What a gate is made of beside its weights; gate.json says it."""

    kind: str
    features: tuple[str, ...]
    threshold: float | None
    tokens: int
    budgets: tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of gate: what it sees, how it is made again, and the command that fits it.

    `hidden` is whether the network that is fitted has a hidden layer, None for a gate without a network.
    """

    make: Callable[[Recipe, Weights], Gate]
    about: str
    features: tuple[str, ...] = ()
    hidden: bool | None = None
    fitted_by: str = "safe-train gate fit"

    @property
    def learned(self) -> bool:
        """Whether it has weights."""
        return self.hidden is not None


def _heuristic(recipe: Recipe, _: Weights) -> Gate:
    """A gate that cuts a score of the base's state at a threshold."""
    sees = recipe.kind not in (ALWAYS, NEVER)
    return ThresholdGate(
        recipe.kind, HEURISTICS[recipe.kind], _threshold(recipe), recipe.tokens, needs_state=sees
    )


def _classifier(recipe: Recipe, weights: Weights) -> Gate:
    """A gate that cuts the chance that hearing corrects the answer."""
    network = network_from(weights, hidden=bool(GATES[recipe.kind].hidden), outputs=1)
    score = chance_of(network, recipe.features)
    return ThresholdGate(recipe.kind, score, _threshold(recipe), recipe.tokens)


def _chooser(recipe: Recipe, weights: Weights) -> Gate:
    """A gate that chooses among several budgets."""
    outputs = len(recipe.budgets)
    network = network_from(weights, hidden=FIRST in weights, outputs=outputs)
    return BudgetGate(recipe.kind, recipe.features, network, recipe.budgets)


# A gate that is new needs a line here, and a test. An oracle is none: it looks at the answers.
GATES: Mapping[str, Kind] = {
    ALWAYS: Kind(_heuristic, "listens to every question"),
    NEVER: Kind(_heuristic, "listens to none"),
    "entropy": Kind(_heuristic, "listens where the base's first token has much entropy"),
    "confidence": Kind(_heuristic, "listens where the likeliest first token is not likely"),
    "margin": Kind(_heuristic, "listens where the second likeliest token is close"),
    "linear": Kind(_classifier, "a logistic regression", SEEN, hidden=False),
    "mlp": Kind(_classifier, "a network with one hidden layer", SEEN, hidden=True),
    "policy": Kind(_chooser, "the policy of stage B", SEEN, hidden=True, fitted_by="safe-train stage-b"),
    "student": Kind(
        _chooser, "the small gate of stage C", SEEN, hidden=False, fitted_by="safe-train stage-c"
    ),
}
FITTED_HERE = tuple(name for name, kind in GATES.items() if kind.fitted_by == "safe-train gate fit")


def make_gate(recipe: Recipe, weights: Weights) -> Gate:
    """The gate that this recipe and these weights are of.

    Raises:
        InputError: there is no such kind, or its weights do not fit.
    """
    if recipe.kind not in GATES:
        hint = did_you_mean(recipe.kind, GATES, f"gates are {', '.join(GATES)}")
        raise InputError(f"kind={recipe.kind!r}: is no gate of this version; {hint}")
    if not GATES[recipe.kind].learned and weights:
        raise InputError(f"kind={recipe.kind!r}: has no weights, and {', '.join(sorted(weights))} are given")
    return GATES[recipe.kind].make(recipe, weights)


def _threshold(recipe: Recipe) -> float:
    if recipe.threshold is None:
        raise InputError(f"kind={recipe.kind!r}: has no threshold; fit it again")
    return recipe.threshold
