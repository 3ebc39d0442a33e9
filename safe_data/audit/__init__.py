"""What is true of a dataset: facts in numbers, each with the records that caused it."""

from safe_data.audit.facts import FACTS, Fact, Offender, compute_facts
from safe_data.audit.findings import Finding, exit_code

__all__ = ["FACTS", "Fact", "Finding", "Offender", "compute_facts", "exit_code"]
