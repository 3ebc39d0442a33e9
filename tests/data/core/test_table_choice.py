"""One table is printed at a time where a format holds one; all of them go to files, one a table."""

import csv
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_data.core.table import Format, Table, csv_text
from safe_data.core.table_choice import TableChoice

MEANS = [
    Table(f"{name}: means", ("model", "mean"), [("safe", mean)], about={"metric": name}, name="metrics")
    for name, mean in (("accuracy", 0.5), ("cider", 1.25))
]
TABLES = [*MEANS, Table("coverage", ("model", "answered"), [("safe", 3)], name="coverage")]
NAMES = ("metrics", "seeds", "coverage")


@pytest.mark.parametrize(
    ("choice", "format", "words"),
    [
        (TableChoice(), "csv", "prints one table; choose it with --table (metrics, seeds, coverage)"),
        (TableChoice(table="metric"), "csv", "is no table of this command; did you mean 'metrics'?"),
        (TableChoice(table="x"), "markdown", "there are metrics, seeds, coverage"),
        (TableChoice(table="metrics"), "json", "--table: JSON is one document of all tables"),
    ],
)
def test_what_is_ambiguous_or_not_there_is_refused(choice: TableChoice, format: Format, words: str) -> None:
    with pytest.raises(InputError) as raised:
        choice.check(format, NAMES)
    assert words in str(raised.value)


def test_what_is_clear_is_not() -> None:
    TableChoice().check("text", NAMES)
    TableChoice(table="metrics").check("csv", NAMES)
    TableChoice(tables=Path("tables")).check("csv", NAMES)
    TableChoice().check("csv", NAMES[:1])


def test_tables_of_one_name_are_one() -> None:
    lines = TableChoice(table="metrics").lines(TABLES, "csv", None)
    assert lines == ["metric,model,mean", "accuracy,safe,0.5", "cider,safe,1.25"]
    assert "cider: means" in "\n".join(TableChoice(table="metrics").lines(TABLES, "markdown", None))
    assert TableChoice().lines(TABLES, "text", None, ["mine"]) == ["mine"]
    assert "mine" not in TableChoice(table="coverage").lines(TABLES, "text", None, ["mine"])


def test_a_table_without_rows_is_not_an_empty_one() -> None:
    with pytest.raises(InputError, match=r"--table seeds: holds nothing here; .* are metrics, coverage"):
        TableChoice(table="seeds").lines(TABLES, "csv", None)


def test_one_file_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choice = TableChoice(tables=tmp_path / "tables")
    choice.show(TABLES, "csv", None, [], [Path("scores.json")], force=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"wrote scores.json, {choice.tables}/metrics.csv and {choice.tables}/coverage.csv\n"
    with (tmp_path / "tables/metrics.csv").open() as file:
        assert [row["mean"] for row in csv.DictReader(file)] == ["0.5", "1.25"]
    assert choice.write(TABLES, force=False)  # the same again
    with pytest.raises(InputError, match=r"coverage\.csv: is there already"):
        choice.write([Table("coverage", ("model",), [("other",)], name="coverage")], force=False)


def test_csv_of_several_tables_is_refused() -> None:
    with pytest.raises(InputError, match="CSV holds one table; choose one of metrics, coverage"):
        csv_text(TABLES)
