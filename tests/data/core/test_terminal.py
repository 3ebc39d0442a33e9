"""Text from strangers cannot control the terminal, and a note about files does not mix with parsed output."""

from pathlib import Path

import pytest

from safe_data.core.terminal import escaped, printable, say, wrote


def test_control_characters_are_replaced() -> None:
    assert printable("clip\x1b]0;owned\x07\r\n") == "clip�]0;owned���"
    assert printable("right\u202eleft") == "right�left"
    assert printable("Größe – 東京 ×") == "Größe – 東京 ×"


def test_a_name_can_be_found_by_its_escapes() -> None:
    assert escaped("a\x1b\n\udc80\u202eé") == r"a\x1b\n\udc80\u202eé"


def test_lines_are_printed_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    say(["a\x1b[2J", "", "b"])
    assert capsys.readouterr().out == "a�[2J\n\nb\n"


def test_what_was_written_is_said_beside_a_format_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    wrote([Path("scores.json"), Path("items.parquet")])
    assert capsys.readouterr().out == "wrote scores.json and items.parquet\n"
    wrote([Path("scores.json")], "csv")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "wrote scores.json\n")
