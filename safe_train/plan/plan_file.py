"""Plan files: a plan as YAML, by the name of one that comes with SAFE or by its path."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.files import write_bytes
from safe_data.core.options_file import plain, settings_from
from safe_data.core.yaml_file import read_yaml
from safe_train.experiments.all_experiments import EXPERIMENTS
from safe_train.experiments.experiment import Experiment
from safe_train.settings.plan import PlanConfig

PLANS = Path(__file__).parents[1] / "configs" / "plans"
PLAN_FILE = "plan.yaml"  # in the folder of a run


def read_plan(name: str | Path) -> PlanConfig:
    """The plan of this name, or in this file.

    Raises:
        InputError: there is no such plan, or an option of it or of an experiment is unknown or refused.
    """
    file = Path(name)
    if not file.is_file():
        file = PLANS / f"{name}.yaml"
    if not file.is_file():
        known = sorted(one.stem for one in PLANS.glob("*.yaml"))
        raise InputError(
            f"{name}: is neither a file nor a plan; {did_you_mean(str(name), known, f'there are {known}')}"
        )
    _, content = read_yaml(file)
    if not isinstance(content, dict):
        raise InputError(f"{file}: is no plan; write its options, one `name: value` a line")
    try:
        plan: PlanConfig = _made(PlanConfig, content, "")
        for one in (*plan.experiments, *plan.leave_out):
            if one not in EXPERIMENTS:
                known = list(EXPERIMENTS)
                raise InputError(f"experiment {one!r}: {did_you_mean(one, known, f'there are {known}')}")
        for experiment in EXPERIMENTS.values():
            settings_of(plan, experiment)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    return plan


def settings_of(plan: PlanConfig, experiment: Experiment) -> Any:
    """The options of an experiment: the plan's over its defaults.

    Raises:
        InputError: an option is unknown, or refused.
    """
    return _made(experiment.settings, plan.experiments.get(experiment.name) or {}, f"{experiment.name}.")


def write_plan(plan: PlanConfig, out: Path) -> Path:
    """Write a plan as YAML, from which `read_plan` makes the same."""
    import yaml

    content = yaml.safe_dump(plain(asdict(plan)), sort_keys=False, allow_unicode=True)
    return write_bytes(out / PLAN_FILE, content.encode())


def _made(kind: Any, given: dict[str, Any], place: str) -> Any:
    known = kind.__dataclass_fields__
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known, f"there are {', '.join(known)}")
            raise InputError(f"{place}{name}: is no option; {hint}")
    try:
        return settings_from(kind, given)
    except (TypeError, ValueError) as error:
        raise InputError(f"{place or 'the plan'}: {error}") from None
