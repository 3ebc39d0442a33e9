"""Run Great Expectations: rules and tables in, its results out. Only this file imports it.

It writes no folder and sends no telemetry. Each result is tied to its rule by position, so that a rule which
Great Expectations drops is noticed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from safe_data.audit.facts.fact import MOST_OFFENDERS
from safe_data.audit.suites import Expectation
from safe_data.core.errors import raise_row_errors, require_extra

Result = dict[str, Any]


def validate(
    rules: Sequence[Expectation],
    looks_at: Sequence[str],
    tables: Mapping[str, pa.Table],
) -> list[Result | None]:
    """The result of each rule on the table at which it looks; None where there is no result.

    Raises:
        InputError: Great Expectations is not installed, or cannot read a rule.
    """
    require_extra("the check", "gx", "great_expectations", "pandas")
    import great_expectations as gx

    built = _build(rules)
    source = _context().data_sources.add_pandas("safe")
    results: list[Result | None] = [None] * len(rules)
    for name, table in tables.items():
        chosen = [built[position] for position, at in enumerate(looks_at) if at == name]
        if not chosen:
            continue
        frame = table.to_pandas()
        whole = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        answer = whole.get_batch({"dataframe": frame}).validate(
            gx.ExpectationSuite(name=name, expectations=chosen),
            result_format={"result_format": "BASIC", "partial_unexpected_count": MOST_OFFENDERS},
        )
        for result in answer.to_json_dict()["results"]:
            results[result["expectation_config"]["meta"]["position"]] = result
    return results


def _context() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        config_version=4,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _build(rules: Sequence[Expectation]) -> list[Any]:
    """Make Great Expectations' objects; a suite must write out every argument that affects the result."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import get_expectation_impl

    built, errors = [], []
    for position, rule in enumerate(rules):
        where = f"{rule.type} ({rule.description})"
        try:
            kind = get_expectation_impl(rule.type)
            marks: Result = {"severity": rule.severity, "meta": {"position": position}}
            built.append(kind(**rule.kwargs, **marks))
        except ExpectationNotFoundError:
            errors.append(f"{where}: Great Expectations has no such type; mind the spelling")
        except (TypeError, ValueError) as error:
            errors.append(f"{where}: {error}")
        else:
            if defaults := sorted(set(kind.success_keys) - set(rule.kwargs)):
                errors.append(f"{where}: write out {', '.join(defaults)}; a default may change unseen")
    raise_row_errors(errors, "suites")
    return built
