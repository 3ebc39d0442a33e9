"""Data Docs: what came of a check as Great Expectations' own pages, for those whose tools link to them.

Great Expectations puts some values into its pages as they are, so every text is escaped before it gets there.
The pages load style sheets from the network; index.html of `--out` needs none.

Source: great-expectations/great_expectations, issues 11907 and 11909, on values that were not escaped.
"""

import html
import re
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from safe_data.audit.judged import Judged
from safe_data.audit.rule_results import RuleResult
from safe_data.core.errors import InputError
from safe_data.core.files import explaining
from safe_data.core.terminal import printable

INDEX = "index.html"
LONGEST_NAME = 80
_SITE = "safe"
_RUN = "check"
_TIME = "1970-01-01T00:00:00+00:00"  # the same results give the same pages


def write_data_docs(judged: Judged, folder: Path, *, force: bool) -> Path:
    """Write a page per suite and an index, and return its path; rules that do not apply are left out.

    Raises:
        InputError: the folder holds something, and `force` is not set; or it cannot be written.
    """
    with explaining(folder):
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is no folder; name another --data-docs")
        if folder.is_dir() and any(folder.iterdir()) and not force:
            raise InputError(f"{folder}: holds something already; name another --data-docs, or add --force")
        context = _context(folder)
        for number, (suite, results) in enumerate(groupby(judged.results, attrgetter("suite"))):
            if shown := [result for result in results if result.applies]:
                _add(context, _file_name(suite, number), shown)
        context.build_data_docs(site_names=[_SITE])
    return folder / INDEX


def escaped_for_page(value: Any) -> Any:
    """A value with every text in it escaped, for HTML and for the `$name` of Great Expectations' templates.

    >>> escaped_for_page({"value_set": ["<b>$x", 1]})
    {'value_set': ['&lt;b&gt;&#36;x', 1]}
    """
    if isinstance(value, str):
        lines = [printable(line) for line in value.split("\n")]
        return html.escape(" ".join(lines)).replace("$", "&#36;")
    if isinstance(value, dict):
        return {escaped_for_page(name): escaped_for_page(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped_for_page(inner) for inner in value]
    return value


def _file_name(suite: str, number: int) -> str:
    """The name of a suite as its pages may be called: a path in it would lead out of the folder."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", suite)[:LONGEST_NAME]
    return safe if safe == suite else f"{safe}_{number}"


def _context(folder: Path) -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder.resolve()),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    config = DataContextConfig(
        config_version=4,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={_SITE: site},
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def _add(context: Any, title: str, results: list[RuleResult]) -> None:
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run = RunIdentifier(run_name=_RUN, run_time=_TIME)
    context.suites.add(ExpectationSuite(name=title))
    holds = [bool(result.success) for result in results]
    found = ExpectationSuiteValidationResult(
        success=all(holds),
        results=[_shown(result) for result in results],
        suite_name=title,
        statistics={
            "evaluated_expectations": len(holds),
            "successful_expectations": sum(holds),
            "unsuccessful_expectations": len(holds) - sum(holds),
            "success_percent": 100 * sum(holds) / len(holds),
        },
        meta={"run_id": run, "active_batch_definition": {"data_asset_name": title}},
    )
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(title), run, title)
    context.validation_results_store.set(key, found)


def _shown(result: RuleResult) -> Any:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    config = ExpectationConfiguration(
        type=result.expectation,
        kwargs=escaped_for_page(result.arguments or {}),
        description=escaped_for_page(f"{result.label}: {result.name}, {result.bound}; {result.description}"),
        meta={},
    )
    reason = escaped_for_page(result.exception)
    raised = {
        "raised_exception": result.success is None,
        "exception_message": reason,
        "exception_traceback": reason,
    }
    return ExpectationValidationResult(
        success=bool(result.success),
        expectation_config=config,
        result=_observed(result),
        exception_info=raised,
    )


def _observed(result: RuleResult) -> dict[str, Any]:
    if result.success is None:
        return {}
    whats = [f"{one.what}: {' = '.join(one.records)}" for one in result.offenders]
    total, count = result.among or len(whats), len(whats)
    return {
        "observed_value": escaped_for_page(result.seen),
        "element_count": total,
        "unexpected_count": count,
        "unexpected_percent": 100 * count / total if total else 0.0,
        "partial_unexpected_list": escaped_for_page(whats),
    }
