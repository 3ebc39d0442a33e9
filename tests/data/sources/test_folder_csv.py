"""A fault in metadata.csv costs the row that has it, however quotes and lines are broken."""

import random
import time
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.folder import read


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ([b"a,x.png,,more"], {2: "has more cells than the header has columns, from 'more' on; quote cells"}),
        ([b"a,x.png"], {2: "has 2 cells, and the header has 3 columns; leave a cell empty, not out"}),
        ([b"a,x.png,[{"], {2: "examples is not JSON: Input data was truncated"}),
        ([b"a,x.png,[NaN]"], {2: "examples is not JSON: NaN is not JSON; write null for a missing number"}),
        ([b"a,\xff.png,"], {2: "byte 0xff is not UTF-8; save it as UTF-8"}),
        ([b'a,"x.png,', b"b,y.png,", b'c,"z".png,', b"d,z.png,"], {2: "not CSV: ", 4: "not CSV: "}),
        ([b'a,"x', b"", b"c,y.png,"], {2: "not CSV: a quote is not closed; close quotes"}),
        (
            [b'a,x.png,"[]', b"b,y.png,", b'c,z.png,"[]"', b'd,z.png,"'],
            {2: "not CSV: a quote", 5: "not CSV: "},
        ),
        ([b'a,"x.png', b'b",y.png,,', b"c,y.png,"], {2: "has more cells than", 3: "has more cells than"}),
    ],
)
def test_a_bad_line_of_csv_is_rejected_alone(
    lines: list[bytes], faults: dict[int, str], tmp_path: Path
) -> None:
    whole = [b"id,image_file_name,examples", *lines, b"last,z.png,"]
    (tmp_path / "metadata.csv").write_bytes(b"\r\n".join(whole) + b"\r\n")
    entries = list(read(tmp_path))
    reasons = [entry.reason for entry in entries if isinstance(entry, Rejected)]
    assert len(reasons) == len(faults)
    for reason, (line, fault) in zip(reasons, faults.items(), strict=True):
        assert reason.startswith(f"faulty row: metadata.csv:{line}: {fault}")
    good = [entry.id for entry in entries if isinstance(entry, Record)]
    wanted = [line[:1].decode() for number, line in enumerate(lines, 2) if line and number not in faults]
    assert good == [*wanted, "last"]


def test_a_cell_of_many_lines_is_read_and_open_quotes_take_bounded_time(tmp_path: Path) -> None:
    cell = "[\n" + '{""a, b"": ""c""},\n' * 500 + "1]"
    header, good = "id,image_file_name,metadata\n", 'a,a.png,"{""a"": ' + cell + '}"\n'
    (tmp_path / "metadata.csv").write_text(header + good, encoding="utf-8")
    (record,) = read(tmp_path)
    assert isinstance(record, Record)
    assert len(record.metadata["a"]) == 501
    (tmp_path / "metadata.csv").write_text(header + good + 'b,"x ""\n' * 6_000, encoding="utf-8")
    start = time.process_time()
    entries = list(read(tmp_path))
    assert [isinstance(entry, Record) for entry in entries] == [True] + [False] * 6_000
    assert time.process_time() - start < 4


def test_a_changed_byte_costs_one_row_of_csv_at_most(tmp_path: Path) -> None:
    """The seed is fixed: 100 changes of a byte that has a meaning in CSV."""
    rng = random.Random(0)
    lines = [
        f'c{n},i/{n}.png,"a, ""b""",g\r\n' if n % 3 else f'c{n},i/{n}.png,"x\ny",g\r\n' for n in range(9)
    ]
    whole = "".join(["id,image_file_name,label,group\r\n", *lines]).encode()
    wanted = {f"c{number}": f"i/{number}.png" for number in range(9)}
    for _ in range(100):
        at = rng.randrange(len(whole.partition(b"\n")[0]) + 1, len(whole))
        changed = whole[:at] + rng.choice([b'"', b"\n", b",", b"\xff"]) + whole[at + rng.randrange(2) :]
        (tmp_path / "metadata.csv").write_bytes(changed)
        entries = list(read(tmp_path))
        good = {entry.id: entry.image for entry in entries if isinstance(entry, Record)}
        assert len(wanted.keys() & good.keys()) >= 8
        assert len({entry.id for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("id,image_file_nam", "unknown field 'image_file_nam'; did you mean 'image_file_name'?"),
        ("id,zzz,image_file_name", "unknown field 'zzz'; put facts of your own under 'metadata'"),
        ("id,label", "has no column file_name, image_file_name or audio_file_name; name the medium"),
        (",id,image_file_name", "column 1 has no name; write the file without an index"),
        ("id,id,image_file_name", "column 'id' is there twice"),
        ("id;image_file_name", "has one column, 'id;image_file_name'; put commas between the columns"),
        ("id,ima\xffge", "its header is not CSV: byte 0xff is not UTF-8; save it as UTF-8"),
        ('id,"image', "its header is not CSV: "),
    ],
)
def test_wrong_columns_refuse_the_folder_once(header: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_bytes((header + "\n" + "a,b\n" * 9).encode("latin-1"))
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path}/metadata.csv: {message}")
    assert "\n" not in str(caught.value)
