"""Forgeries: each entry of a run's files is changed, and every change is refused or changes no verdict."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_rows import answers, good_run, row

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.json_document import document_of
from safe_eval.judging.chain import read_verdict
from safe_eval.judging.verdict import Verdict, decide, sealed
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.report.run_folder import read_results
from safe_eval.scoring.items import COLUMNS, item_faults
from safe_eval.scoring.recheck import TOLERANCE, Rechecked, recheck
from safe_eval.scoring.said_and_found import differences
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import read_scores

Json = Any
Path_ = tuple[str | int, ...]
QUICK = Sampling(resamples=100)
CRITERIA = """
leaves_out: [{slice: all}, {dataset: sounds}]
criteria:
  - {name: helps, metric: vqa_accuracy, slice: audio, condition: safe/full, against: safe/mute_audio,
     bound: ">= 0.05"}
  - {name: beyond_chance, metric: vqa_accuracy, slice: audio, condition: safe/full, against: safe/mute_audio,
     use: ci_low, bound: "> 0"}
  - {name: covered, metric: coverage, bound: "== 1"}
"""


def made_rows() -> list[Prediction]:
    """Rows that fill every table: seeds, confidences, distributions, consultation and classes."""
    rows = []
    noisy = answers("safe", "snr_10db", lambda clip, hears: clip % 3 > 0, clips=12)
    for one in (*good_run(12), *noisy):
        right = one.answer == "yes"
        facts = {"confidence": 0.8 if right else 0.3, "choice_probabilities": {"yes": 0.7, "no": 0.3}}
        if one.model == "safe":
            facts["consulted"] = bool(one.needs_audio)
        rows.append(msgspec.structs.replace(one, **facts))
    rows += [msgspec.structs.replace(one, seed=1) for one in rows if one.model == "safe"]
    about = {"dataset": "sounds", "task": "classify", "model": "safe"}
    for i in range(8):
        asked = {"references": ("ab"[i % 2],), "group": f"s{i}", **about}
        rows.append(row(f"k{i}", "ab"[i % 3 == 0], **asked))
        rows.append(row(f"k{i}", "a", **{**asked, "model": "base"}))
    return rows


def make_run(run: Path, rows: list[Prediction], criteria: str = CRITERIA) -> Path:
    write_predictions(run / "predictions.jsonl", rows)
    score_files([run / "predictions.jsonl"], QUICK, out=run)
    (run / "criteria.yaml").write_text(criteria, "utf-8")
    return run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(tmp_path_factory.mktemp("made") / "run", made_rows())
    decide(run, run / "criteria.yaml")
    return run


@pytest.fixture(scope="module")
def found(made: Path) -> Rechecked:
    return recheck(made)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "run")


def entries(tree: Json, path: Path_ = ()) -> Iterator[Path_]:
    """The place of every value in a JSON document, whole objects and lists too."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from entries(value, (*path, key))


def at(tree: Json, path: Path_) -> Json:
    for key in path:
        tree = tree[key]
    return tree


def forgeries(value: Json) -> list[Json]:
    """Other values in place of a value: near ones, and null."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 0.01 * abs(value) - 0.0001, None]
    if isinstance(value, str):
        return [value + "x", "", None]
    if value is None:
        return [0.5, "x"]
    if isinstance(value, list):
        return [
            [*value, *value[-1:]] if value else ["x"],
            value[:-1] if value else [0],
            [*value[1:], *value[:1]],
        ]
    return [value | {"added": 1}, dict(list(value.items())[1:])]


def all_forgeries(tree: Json) -> Iterator[tuple[Path_, Json]]:
    """The document with each of its entries changed, and with each left out; put right after each."""
    for path in list(entries(tree)):
        holder, key = at(tree, path[:-1]), path[-1]
        value = holder[key]
        for other in forgeries(value):
            if other != value or type(other) is not type(value):
                holder[key] = other
                yield path, tree
                holder[key] = value
        if isinstance(holder, list):
            del holder[key]
            yield path, tree
            holder.insert(key, value)
        else:
            rest = dict(holder)
            del holder[key]
            yield path, tree
            holder.clear()
            holder.update(rest)  # in their order


def pieces(document: Json) -> Iterator[Json]:
    """A document cut into its rows, so that thousands of forgeries are compared in a second."""
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from ({key: [one]} for one in value)
        else:
            yield {key: value}


def test_every_entry_of_scores_json_is_compared(found: Rechecked) -> None:
    """But for who scored: other versions are noted, and where a file lies is no claim."""
    document = document_of(found.scores)
    tables = (
        "cells metrics comparisons aggregates seeds seed_comparisons retention lomo separation noise_curve "
        "half_gain hurts telling"
    )
    for table in tables.split():
        assert document[table], table
    tried, passed = 0, set()
    for piece in pieces(document):
        assert list(differences(piece, piece, TOLERANCE)) == []
        for path, forged in all_forgeries(copy.deepcopy(piece)):
            tried += 1
            if not list(differences(forged, piece, TOLERANCE)):
                passed.add(path[:2])
    assert tried > 5000
    assert passed == {("provenance", "python"), ("provenance", "versions")}


def test_rows_repeated_left_out_and_moved_are_found(found: Rechecked) -> None:
    document = document_of(found.scores)
    for table, rows in document.items():
        if not isinstance(rows, list) or len(rows) < 2:
            continue
        for forged in ([*rows, rows[0]], rows[1:], rows[::-1]):
            said = document | {table: forged}
            assert list(differences(said, document, TOLERANCE)), table


def rewrite(run: Path, name: str, change: Callable[[Json], None]) -> None:
    document = json.loads((run / name).read_text("utf-8"))
    change(document)
    (run / name).write_text(json.dumps(document), "utf-8")


def set_at(*path: str | int, to: Json) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        at(document, path[:-1])[path[-1]] = to

    return change


def repeat_a_cell(document: Json) -> None:
    document["cells"].append(document["cells"][0] | {"answered": 24})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (repeat_a_cell, r"cells made base full 0: 2 rows, the predictions give 1"),
        (
            set_at("cells", 0, "expected", to=23),
            "cells made base full 0: expected is 23, the predictions give 24",
        ),
        (set_at("notes", to=["all is well"]), "the note 'all is well': the predictions give no such note"),
        (
            set_at("provenance", "cluster", to="record_id"),
            "provenance cluster is 'record_id', the predictions",
        ),
        (set_at("provenance", "items_sha256", to="0" * 64), r"items\.parquet: is not the file"),
        (set_at("provenance", "seed", to=5), "the predictions give"),
        (set_at("provenance", "confidence", to=0.9), r"confidence is 0\.95, the predictions give 0\.9"),
        (set_at("provenance", "predictions", 0, "name", to="other.jsonl"), "no such file|names other"),
        (set_at("praise", to="good"), "praise: the predictions give no such entry"),
    ],
)
def test_the_verdict_refuses_forged_scores(run: Path, change: Callable[[Json], None], words: str) -> None:
    rewrite(run, "scores.json", change)
    with pytest.raises(InputError, match=words):
        decide(run, run / "criteria.yaml")


def test_a_repeated_key_is_refused(run: Path) -> None:
    path = run / "scores.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"rows":', '"rows": 1, "rows":', 1), "utf-8")
    with pytest.raises(InputError, match="is not a scores file: has the key 'rows' twice"):
        decide(run, run / "criteria.yaml")


def test_another_file_does_not_lend_its_name(run: Path) -> None:
    """The name of a file that lies elsewhere is the name of that file."""
    elsewhere = shutil.copytree(run, run.parent / "elsewhere") / "forged.jsonl"
    (elsewhere.parent / "predictions.jsonl").rename(elsewhere)
    (run / "predictions.jsonl").unlink()
    rewrite(
        run, "scores.json", set_at("provenance", "predictions", 0, "path", to="../elsewhere/forged.jsonl")
    )
    with pytest.raises(InputError, match=r"predictions\.jsonl: the predictions give no such row"):
        decide(run, run / "criteria.yaml")


def test_versions_are_noted_and_change_nothing(run: Path) -> None:
    rewrite(run, "scores.json", set_at("provenance", "versions", "numpy", to="1.0"))
    verdict = decide(run, run / "criteria.yaml", force=True)
    assert verdict.decision == "go"
    assert verdict.notes[0].startswith("scored with numpy 1.0, judged with numpy 2")


def test_a_forgery_within_the_tolerance_moves_no_verdict(tmp_path: Path) -> None:
    """The interval ends 0.0000002 below the bound, and 0.0000005 more in the file would be a go."""
    rows = [
        *answers("safe", "full", lambda clip, needs_audio: clip < 8),
        *answers("safe", "mute_audio", lambda clip, needs_audio: clip < 5),
    ]
    first = make_run(tmp_path / "first", rows)
    document = json.loads((first / "scores.json").read_text("utf-8"))
    (low,) = [one["ci_low"] for one in document["comparisons"] if one["slice"] == "audio"]
    bound = low + 2e-7
    run = make_run(tmp_path / "run", rows, CRITERIA.replace('bound: "> 0"', f'bound: "> {bound:.9f}"'))

    def forge(document: Json) -> None:
        (hears,) = [one for one in document["comparisons"] if one["slice"] == "audio"]
        hears["ci_low"] = low + 5e-7

    rewrite(run, "scores.json", forge)
    verdict = decide(run, run / "criteria.yaml", force=True)
    assert [(one.name, one.ci_low, one.decision) for one in verdict.criteria[:2]] == [
        ("helps", low, "go"),
        ("beyond_chance", low, "no-go"),
    ]


@pytest.mark.parametrize("name", COLUMNS)
def test_every_column_of_the_items_is_compared(run: Path, found: Rechecked, name: str) -> None:
    path = run / "items.parquet"
    stored = pq.ParquetFile(path)
    groups = [stored.read_row_group(number) for number in range(stored.num_row_groups)]
    kind = groups[0].schema.field(name).type
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    with pq.ParquetWriter(path, stored.schema_arrow) as writer:
        for number, group in enumerate(groups):
            values = group[name].to_pylist()
            if number == 0:
                values[0] = other_than(values[0], value_type)
            place = group.column_names.index(name)
            column = pa.array(values, value_type).cast(kind)
            writer.write_table(group.set_column(place, name, column), row_group_size=group.num_rows)
    (fault,) = item_faults(run, file_sha256(path), found.arms, TOLERANCE)
    assert f": {name} is " in fault


def other_than(value: Any, kind: "pa.DataType") -> Any:
    if pa.types.is_boolean(kind):
        return not value
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return (value or 0) + 0.001 if pa.types.is_floating(kind) else value + 1
    return ["other"] if pa.types.is_list(kind) else "other"


def test_items_that_are_no_table_are_bad_input(run: Path) -> None:
    (run / "items.parquet").write_bytes(b"PAR1 and nothing else")
    sha256 = file_sha256(run / "items.parquet")
    rewrite(run, "scores.json", set_at("provenance", "items_sha256", to=sha256))
    with pytest.raises(InputError, match=r"items\.parquet: is no table of items: "):
        decide(run, run / "criteria.yaml")


def test_every_entry_of_verdict_json_is_sealed(run: Path) -> None:
    scores, document = read_scores(run), json.loads((run / "verdict.json").read_text("utf-8"))
    assert read_verdict(run, scores).decision == "go"
    tried = 0
    for path, forged in all_forgeries(document):
        (run / "verdict.json").write_text(json.dumps(forged), "utf-8")
        tried += 1
        try:
            read_verdict(run, scores)
        except InputError:
            continue
        pytest.fail(f"{path} was forged unseen")
    assert tried > 200


def test_a_verdict_may_be_written_otherwise_and_say_the_same(run: Path) -> None:
    rewrite(run, "verdict.json", lambda _: None)
    assert read_verdict(run, read_scores(run)).decision == "go"
    text = (run / "verdict.json").read_text("utf-8")
    (run / "verdict.json").write_text(
        text.replace('"decision":', '"decision": "no-go", "decision":', 1), "utf-8"
    )
    with pytest.raises(InputError, match="has the key 'decision' twice"):
        read_verdict(run, read_scores(run))


def resealed(run: Path, **fields: Any) -> Verdict:
    """A verdict with other fields and new hashes of its own, as a forger who knows them would write it."""
    verdict = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict)
    verdict = sealed(msgspec.structs.replace(verdict, **fields))
    (run / "verdict.json").write_bytes(msgspec.json.encode(verdict))
    return verdict


def test_new_hashes_do_not_mend_a_broken_chain(run: Path) -> None:
    scores = read_scores(run)
    honest = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict)
    (first, *others), replace = honest.criteria, msgspec.structs.replace
    forged: list[tuple[dict[str, Any], str]] = [
        ({"decision": "no-go"}, "says no-go, its criteria say go"),
        ({"scores_sha256": "0" * 64}, r"judges other scores than the scores\.json next to it"),
        ({"predictions": ()}, r"names other predictions than scores\.json"),
        ({"items_sha256": None}, r"names another items\.parquet than scores\.json"),
        ({"criteria": tuple(others)}, "judges other criteria than it says were asked for"),
        ({"criteria": (replace(first, bound=">= 0"), *others)}, "judges other criteria than it says"),
        (
            {"criteria": (replace(first, value=0.01), *others)},
            r"says go of 'helps', whose number does not meet",
        ),
        (
            {"criteria": (replace(first, value=None), *others)},
            r"says go of 'helps', whose number does not meet",
        ),
        (
            {"criteria_file": replace(honest.criteria_file, sha256="0" * 64)},
            r"rests on another criteria\.yaml",
        ),
    ]
    for fields, words in forged:
        resealed(run, **{"criteria": honest.criteria, **fields})
        with pytest.raises(InputError, match=words):
            read_verdict(run, scores)
        (run / "verdict.json").write_bytes(msgspec.json.encode(honest))
    assert read_verdict(run, scores) == honest


def test_the_chain_is_broken_by_each_file_that_changes(run: Path) -> None:
    for name, words in {
        "predictions.jsonl": r"was computed from another predictions\.jsonl",
        "scores.json": r"judges other scores than the scores\.json",
        "items.parquet": r"items\.parquet: is not the file that was written with its scores\.json",
        "criteria.yaml": r"rests on another criteria\.yaml than the one here",
    }.items():
        honest = (run / name).read_bytes()
        (run / name).write_bytes(honest + b"\n")
        with pytest.raises(InputError, match=words):
            read_results(run)
        (run / name).write_bytes(honest)
    assert [(link.role, link.state) for link in read_results(run).chain] == [
        (role, "as it was") for role in ("predictions", "scores", "items", "criteria", "verdict")
    ]


def test_a_file_that_is_not_here_is_not_compared_and_the_chain_says_so(run: Path) -> None:
    (run / "predictions.jsonl").unlink()
    (run / "criteria.yaml").unlink()
    states = {link.name: link.state for link in read_results(run).chain}
    assert states["predictions.jsonl"] == states["criteria.yaml"] == "not here, so not compared"
    assert states["scores.json"] == "as it was"


def test_a_verdict_of_an_earlier_version_is_judged_again(run: Path) -> None:
    def older(document: Json) -> None:
        for name in set(document) - {"decision", "criteria", "scores_sha256", "criteria_file"}:
            del document[name]

    rewrite(run, "verdict.json", older)
    with pytest.raises(
        InputError, match=r"has no hash of itself: an earlier version wrote it.*judge the scores"
    ):
        read_results(run)
