"""SPICE, by the jar of pycocoevalcap with Stanford CoreNLP beside it, and SPIDEr.

Source: Anderson et al. 2016, "SPICE: Semantic Propositional Image Caption Evaluation"; Liu et al. 2017,
"Improved Image Captioning via Policy Gradient Optimization of SPIDEr", section 3: the mean of
SPICE and CIDEr-D. The jar needs CoreNLP 3.6.0, which no package contains. SPICE values computed elsewhere can
be read from a file instead.
"""

import csv
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.scorers.captions.corpus import check_captions
from safe_eval.scorers.captions.java import find_jar, find_java, missing

_ID = "example_id"
MODELS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
_LIMIT_SECONDS, _LIMIT_SECONDS_PER_CAPTION = 600.0, 2.0


class _All(msgspec.Struct):
    f: float | None


class _Categories(msgspec.Struct):
    all: _All = msgspec.field(name="All")


class _Item(msgspec.Struct):
    image_id: int
    scores: _Categories


def spice(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> Float[ndarray, " candidates"] | str:
    """SPICE of each candidate in [0, 1], or why it is not measured. Takes minutes and up to 8 GB of memory.

    Raises:
        InputError: see `index`.
    """
    check_captions(candidates, references, range(len(references)))
    jar, java = find_jar("spice", "spice-1.0.jar"), find_java()
    if jar is None or java is None:
        return missing("SPICE", jar) or ""
    jars_missing = [name for name in MODELS if find_jar("spice", "lib", name) is None]
    if jars_missing:
        return (
            f"SPICE is not measured: {' and '.join(jars_missing)} are not there; put them, from CoreNLP "
            "3.6.0 of nlp.stanford.edu, into spice/lib of pycocoevalcap, or give SPICE values made elsewhere"
        )
    with tempfile.TemporaryDirectory() as folder:
        request, reply = Path(folder, "captions.json"), Path(folder, "scores.json")
        rows = [
            {"image_id": i, "test": candidate, "refs": list(texts)}
            for i, (candidate, texts) in enumerate(zip(candidates, references, strict=True))
        ]
        request.write_bytes(msgspec.json.encode(rows))
        command = [java, "-Xmx8G", "-jar", str(jar), str(request), "-out", str(reply), "-subset", "-silent"]
        limit_seconds = _LIMIT_SECONDS + _LIMIT_SECONDS_PER_CAPTION * len(candidates)
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=limit_seconds)
            return read_spice(reply.read_bytes(), len(candidates))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            said = str(error).partition("\n")[0]
            return f"SPICE is not measured: {jar.name} failed ({said}); it was made for Java 8"


def read_spice(reply: bytes, candidates: int) -> Float[ndarray, " candidates"]:
    """The F score of each candidate in the jar's reply.

    Raises:
        ValueError: the reply has another format, or a candidate has no score.
    """
    scores = {item.image_id: item.scores.all.f for item in msgspec.json.decode(reply, type=list[_Item])}
    values = [scores.get(i) for i in range(candidates)]
    known = [value for value in values if value is not None]
    if len(known) < candidates:
        raise ValueError(f"{candidates - len(known)} captions have no score")
    return np.array(known)


def spider(
    cider_d: Float[ndarray, " candidates"], spice: Float[ndarray, " candidates"]
) -> Float[ndarray, " candidates"]:
    """SPIDEr of each candidate, in [0, 5.5].

    >>> spider(np.array([1.0, 0.5]), np.array([0.2, 0.1])).tolist()
    [0.6, 0.3]
    """
    means: Float[ndarray, " candidates"] = (cider_d + spice) / 2
    return means


def read_spice_values(path: Path) -> dict[str, float | tuple[float, ...]]:
    """Read SPICE values by example id: JSON `{"id": 0.21}`, or CSV with the columns example_id and spice.

    In JSON, an example with several candidate captions has a list of values, in the order of its candidates.

    Raises:
        InputError: the file does not exist, has another format or no values; an id is repeated, or a value is
            not a number in [0, 1].
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of SPICE values")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8: {error}") from None
    pairs = _csv_pairs(path, text) if path.suffix == ".csv" else _json_pairs(path, text)
    if not pairs:
        raise InputError(f"{path}: holds no SPICE values")
    values: dict[str, float | tuple[float, ...]] = {}
    errors = []
    for name, value in pairs:
        listed = [_number(one) for one in value] if isinstance(value, list) else [_number(value)]
        numbers = tuple(number for number in listed if number is not None)
        if name in values:
            errors.append(f"{name!r}: is given twice; keep one")
        if not numbers or len(numbers) < len(listed):
            errors.append(f"{name!r}: SPICE value {value!r} is not a number in [0, 1]")
        values[name] = numbers if isinstance(value, list) else numbers[0] if numbers else 0.0
    raise_row_errors([f"{path.name}: {error}" for error in errors], str(path))
    return values


def _json_pairs(path: Path, text: str) -> list[tuple[str, object]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}; CSV files end in .csv") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise InputError(f'{path}: expected one object of numbers by example id, {{"clip-1": 0.21}}')
    return pairs


def _csv_pairs(path: Path, text: str) -> list[tuple[str, object]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        names: Sequence[str] = rows.fieldnames or ()
        if _ID not in names or "spice" not in names:
            raise InputError(f"{path}: has the columns {', '.join(names)}; expected example_id and spice")
        return [(str(row[_ID]), row["spice"]) for row in rows]
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num} is not CSV: {error}") from None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
