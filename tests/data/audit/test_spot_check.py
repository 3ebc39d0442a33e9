"""A page on which a person marks pairs, and what it saves is read back."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from manifests import corpus_of, row, rows, write_dataset

from safe_data import cli
from safe_data.audit.annotations import read_annotations
from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.audit.facts.all_facts import compute_facts
from safe_data.audit.spot_check import PAGE, choose, write_spot_check
from safe_data.audit.suspicions import Suspicion, suspicions
from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards import manifest
from safe_data.sources.synthetic.faults_key import read_key
from safe_data.sources.synthetic.world import write_world


def saved(page: Path) -> dict[str, object]:
    found = re.search(r'id="saved">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    content: dict[str, object] = json.loads(found[1])
    return content


def test_half_is_drawn_at_random_and_the_rest_is_the_most_suspicious() -> None:
    corpus = corpus_of(manifest.table(rows(200)))
    suspected = [Suspicion(number, 1 - number / 1000, "odd") for number in range(0, 200, 3)]
    pairs = choose(corpus, suspected, 20, seed=0)
    assert len({pair.row for pair in pairs}) == 20
    drawn = {pair.row for pair in pairs if pair.chosen == "random"}
    assert len(drawn) == 10
    worst = sorted(one.row for one in suspected if one.row not in drawn)[:10]
    assert sorted(pair.row for pair in pairs if pair.chosen == "suspicious") == worst
    assert pairs == choose(corpus, suspected, 20, seed=0) != choose(corpus, suspected, 20, seed=1)


def test_where_little_is_suspicious_more_is_drawn_at_random() -> None:
    corpus = corpus_of(manifest.table([*rows(9), row(9, status="rejected"), row(10, has_audio=False)]))
    pairs = choose(corpus, [Suspicion(0, 1, "odd")], 20, seed=0)
    assert sorted(pair.row for pair in pairs) == list(range(9))


def test_what_the_page_saves_is_read_back(tmp_path: Path) -> None:
    corpus = open_corpus([str(write_dataset(tmp_path / "shards", rows(120)))])
    check = write_spot_check(corpus, tmp_path, 100)
    assert (check.random, check.suspicious) == (100, 0)
    content = saved(tmp_path / PAGE)
    pairs = content["pairs"]
    assert isinstance(pairs, list)
    annotations = [{**pair, "verdict": "mismatched" if not n else "aligned"} for n, pair in enumerate(pairs)]
    file = tmp_path / "annotations.json"
    whole = {name: content[name] for name in ("format_version", "datasets")}
    file.write_text(json.dumps({**whole, "annotations": annotations}))
    assert len(read_annotations(file, corpus).rows) == 100
    assert cli.main(["check", str(corpus.roots[0]), "--only", "alignment", "--annotations", str(file)]) == 0


def test_annotations_that_are_faulty_are_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_dataset(tmp_path / "shards", rows(4))
    (tmp_path / "bad.json").write_text("{}")
    for command in ("audit", "check"):
        assert cli.main([command, str(root), "--annotations", str(tmp_path / "bad.json")]) == 3
        assert "no annotations of a spot check" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 501])
def test_a_page_holds_a_bounded_number_of_pairs(tmp_path: Path, count: int) -> None:
    corpus = open_corpus([str(write_dataset(tmp_path / "shards", rows(4)))])
    with pytest.raises(InputError, match="from 1 to 500"):
        write_spot_check(corpus, tmp_path, count)


def test_a_sound_that_fits_no_label_around_it_is_suspicious(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=160, seed=2, faults={"mismatch": 6, "silent": 2})
    build_dataset(tmp_path / "world", str(tmp_path / "shards"), quiet=True)
    corpus: Corpus = open_corpus([str(tmp_path / "shards")])
    found, missed = suspicions(corpus)
    ids = corpus.manifest["id"].to_pylist()
    planted = {one.records[0] for one in read_key(tmp_path / "world").of("mismatch")}
    first = {ids[one.row] for one in found[:30]}
    assert len(planted & first) >= 4  # of 6; of 30 of 160 at random, one
    assert missed == []
    assert compute_facts(corpus, ["speech_agreement"])["speech_agreement"].applies is False


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_shows_one_pair_and_runs_nothing_but_its_script(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
    root = write_dataset(tmp_path / "shards", [row(index, label=hostile) for index in range(3)])
    write_spot_check(open_corpus([str(root)]), tmp_path, 3)
    page = (tmp_path / PAGE).read_text()
    assert "<img src=x" not in page
    assert page.count("<script") == 2
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    command = ["chromium", "--headless", "--no-sandbox", "--virtual-time-budget=2000", "--dump-dom"]
    shown = subprocess.run(
        [*command, f"file://{tmp_path / PAGE}"], capture_output=True, text=True, check=True
    )
    assert "0 of 3 marked" in shown.stdout
    assert len(re.findall(r'<article class="pair" id="pair-\d" hidden', shown.stdout)) == 2
