"""Tables in every format as they are printed, and names that would break a format."""

import csv
import dataclasses
import io
import json

import pytest

from safe_data.core import numerals
from safe_data.core.errors import InputError
from safe_data.core.table import Format, Table, render
from safe_data.core.terminal import say

MEANS = Table(
    "Means on clotho",
    ("model", "mean", "p", "n"),
    [("base", 0.5, None, 1200), ("safe_2", 0.51249, 0.0004, 80)],
    write={"p": numerals.p_value},
    about={"dataset": "clotho"},
)
COUNTS = Table("Errors", ("condition", "errors"), [("full", 0)])
HOSTILE = Table("x|y & z", ("name", "value"), [("=1+1", -0.25), ("a_b|[c](d)\n<b>%", None), ("[1]", True)])


def shown(format: Format, *tables: Table) -> str:
    return "\n".join(render(tables, format))


def test_text() -> None:
    assert (
        shown("text", MEANS, COUNTS)
        == """\
Means on clotho
  model    mean        p     n
  base    0.500        –  1200
  safe_2  0.512  < 0.001    80

Errors
  condition  errors
  full            0"""
    )


def test_markdown() -> None:
    assert (
        shown("markdown", MEANS, COUNTS)
        == """\
**Means on clotho**

| model  |  mean |          p |    n |
| ------ | ----: | ---------: | ---: |
| base   | 0.500 |          – | 1200 |
| safe_2 | 0.512 | &lt; 0.001 |   80 |

**Errors**

| condition | errors |
| --------- | -----: |
| full      |      0 |"""
    )


def test_latex() -> None:
    assert (
        shown("latex", MEANS)
        == r"""\begin{table}  % needs \usepackage{booktabs}
  \caption{Means on clotho}
  \begin{tabular}{lrrr}
    \toprule
    model & mean & p & n \\
    \midrule
    base & 0.500 & -- & 1200 \\
    safe\_2 & 0.512 & $<$ 0.001 & 80 \\
    \bottomrule
  \end{tabular}
\end{table}"""
    )


def test_csv_has_every_digit_and_what_the_title_says() -> None:
    other = dataclasses.replace(MEANS, about={"dataset": "vqav2"}, rows=[("base", 0.25, None, 7)])
    assert (
        shown("csv", MEANS, other)
        == """\
dataset,model,mean,p,n
clotho,base,0.5,,1200
clotho,safe_2,0.51249,0.0004,80
vqav2,base,0.25,,7"""
    )


def test_csv_is_one_table() -> None:
    named = [dataclasses.replace(MEANS, name="means"), dataclasses.replace(COUNTS, name="errors")]
    with pytest.raises(InputError, match="CSV holds one table; choose one of means, errors"):
        render(named, "csv")


def test_json_keeps_every_character_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    strange = "no-break\u00a0 zero\u200b line\u2028 \x1b[2J \n \U000e0001 sound é 音"
    lines = render([], "json", {strange: strange})
    say(lines)
    said = capsys.readouterr().out
    assert json.loads(said) == {strange: strange}
    assert "é 音" in said


def test_json_is_the_document() -> None:
    assert json.loads("\n".join(render([MEANS], "json", {"n": 3, "nan": float("nan")}))) == {
        "n": 3,
        "nan": None,
    }
    assert json.loads(shown("json", COUNTS)) == {
        "tables": [{"title": "Errors", "columns": ["condition", "errors"], "rows": [["full", 0]]}]
    }


def test_a_command_may_design_its_text() -> None:
    assert render([MEANS], "text", None, iter(["my own"])) == ["my own"]
    assert render([MEANS], "markdown", None, ["my own"]) == render([MEANS], "markdown")


def test_hostile_names_stay_in_their_cells() -> None:
    assert r"| a_b\|[c]\(d) &lt;b>% |" in shown("markdown", HOSTILE)
    latex = shown("latex", HOSTILE)
    assert r"\caption{x|y \& z}" in latex
    assert r"    a\_b|[c](d) $<$b$>$\% & -- \\" in latex
    assert r"    {}[1] & yes \\" in latex  # after \\ a bracket would be the space to leave
    rows = list(csv.DictReader(io.StringIO(shown("csv", HOSTILE))))
    assert [row["name"] for row in rows] == ["'=1+1", "a_b|[c](d) <b>%", "[1]"]
    assert rows[0]["value"] == "-0.25"


def test_text_fits_80_columns_and_never_cuts_a_number() -> None:
    table = Table("wide", ("name", "other", "n"), [("n" * 90, "o" * 30, 123456)])
    lines = render([table], "text")
    assert max(map(len, lines)) == 80
    assert lines[-1].endswith("123456")
    assert "…" in lines[-1]


def test_no_rows_and_no_tables() -> None:
    assert shown("markdown", Table("none", ("a", "b"), [])).splitlines()[-1] == "| --- | --- |"
    assert [render([], format) for format in ("text", "markdown", "latex")] == [[], [], []]


def test_a_row_must_have_its_columns() -> None:
    with pytest.raises(ValueError, match="'wrong': a row does not have the columns a, b"):
        Table("wrong", ("a", "b"), [(1,)])
