"""Table choice: which of its tables a command prints, and the folder for CSV files of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.overwriting import write_all_new
from safe_data.core.table import Format, Table, csv_text, names_of, render
from safe_data.core.terminal import say, wrote


@dataclass(frozen=True)
class TableChoice:
    """What is printed of several tables, and where all of them are written."""

    table: str | None = None
    """print this table alone, by its name; csv needs it where there are several"""
    tables: Path | None = None
    """folder to write every table to, as NAME.csv"""

    def check(self, format: Format, names: Sequence[str]) -> None:
        """Refuse, before any work, a table that a command never makes, and CSV of several tables at once.

        Raises:
            InputError: see above, with the names of the tables; or a table is chosen of a JSON document.
        """
        listed = ", ".join(names)
        if self.table is not None and format == "json":
            raise InputError("--table: JSON is one document of all tables; leave one of the two out")
        if self.table is not None and self.table not in names:
            hint = did_you_mean(self.table, names, f"there are {listed}")
            raise InputError(f"--table {self.table}: is no table of this command; {hint}")
        if format == "csv" and self.table is None and self.tables is None and len(names) > 1:
            raise InputError(
                f"--format csv prints one table; choose it with --table ({listed}), or write all of them to "
                "files with --tables FOLDER"
            )

    def show(
        self,
        tables: Sequence[Table],
        format: Format,
        document: object,
        text: Iterable[str],
        written: Sequence[Path] = (),
        *,
        force: bool,
    ) -> None:
        """Print a result, write its tables, and say which files were written, with those written before.

        Raises:
            InputError: see `lines` and `write`.
        """
        lines = self.lines(tables, format, document, text)
        files = [*written, *self.write(tables, force=force)]  # before a reader of the lines goes away
        say(lines)
        if files:
            wrote(files, format)

    def lines(
        self, tables: Sequence[Table], format: Format, document: object, text: Iterable[str] | None = None
    ) -> list[str]:
        """What is printed: see `render`.

        Raises:
            InputError: the table was not made, because nothing was measured that it would hold.
        """
        if self.table is None:
            if format == "csv" and self.tables is not None and len(names_of(tables)) > 1:
                return []  # all of them are in files
            return render(tables, format, document, text)
        chosen = [found for found in tables if found.name == self.table]
        if not chosen:
            there = ", ".join(names_of(tables))
            raise InputError(f"--table {self.table}: holds nothing here; the tables with rows are {there}")
        return render(chosen, format, document)

    def write(self, tables: Sequence[Table], *, force: bool) -> list[Path]:
        """Write each table to FOLDER/NAME.csv, if a folder was named; return the paths.

        Raises:
            InputError: a file is there with other content, and `force` is not set.
        """
        if self.tables is None:
            return []
        texts = {
            self.tables / f"{name}.csv": csv_text([table for table in tables if table.name == name]).encode()
            for name in names_of(tables)
        }
        return write_all_new(texts, force=force)
