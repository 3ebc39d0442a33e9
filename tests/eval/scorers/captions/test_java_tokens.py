"""`--tokenizer java`: the same scores by Java's own tokens, and what is said where Java is not."""

from pathlib import Path

import pytest
from made_captions import caption

from safe_data.core.errors import InputError
from safe_eval.cli import main
from safe_eval.predictions import write_predictions
from safe_eval.scorers.captions.java_tokens import java_tokens, why_no_java_tokens
from safe_eval.scorers.captions.tokens import tokenize
from safe_eval.scoring.recheck import check_scores
from safe_eval.scoring.scores import read_scores

JAVA = pytest.mark.skipif(why_no_java_tokens() is not None, reason="needs Java and pycocoevalcap")
CAPTIONS = [
    "A dog doesn't bark on Ridge Rd.",
    "The £5 sign (here) reads “C++”…",
    "two\nlines, \ud83d and no. 2",
    "",
    "It's a T.V.",
]


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    file = tmp_path / "p.jsonl"
    write_predictions(
        file,
        [
            caption(f"c{i}", text.replace("\ud83d", ""), text.replace("\ud83d", ""), "a dog barks")
            for i, text in enumerate(CAPTIONS)
        ],
    )
    return file


@JAVA
@pytest.mark.parametrize("keep", [False, True])
def test_both_give_the_same_tokens(keep: bool) -> None:
    assert java_tokens(CAPTIONS, keep_punctuation=keep) == tokenize(CAPTIONS, keep_punctuation=keep)
    assert java_tokens([]) == []


@JAVA
def test_scores_are_the_same_and_say_who_cut_the_captions(predictions: Path, tmp_path: Path) -> None:
    command = ["score", str(predictions), "--resamples", "100", "--out"]
    assert main([*command, str(tmp_path / "own")]) == 0
    assert main([*command, str(tmp_path / "java"), "--tokenizer", "java"]) == 0
    own, java = read_scores(tmp_path / "own"), check_scores(tmp_path / "java")
    assert {row.metric for row in own.metrics} >= {"cider_d", "bleu_4", "rouge_l"}
    assert own.metrics == java.metrics
    assert (own.provenance.tokenizer, java.provenance.tokenizer) == ("own", "java")
    note = "made: captions were cut into tokens by Java's PTBTokenizer 3.4.1"
    assert set(java.notes) - set(own.notes) == {note}


def test_without_java_the_command_says_what_to_install(
    predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    command = ["score", str(predictions), "--out", str(tmp_path / "run"), "--tokenizer", "java"]
    assert main(command) == 3
    assert (
        "--tokenizer java: there is no java on the PATH; install a Java runtime, 8 or later, or leave "
        "--tokenizer at own"
    ) in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_java_that_fails_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "java"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    if why_no_java_tokens() is not None:
        pytest.skip("needs pycocoevalcap")
    with pytest.raises(
        InputError, match=r"--tokenizer java: stanford-corenlp-3\.4\.1\.jar failed .*exit status 1"
    ):
        java_tokens(["a dog"])
    with pytest.raises(InputError, match=r"captions\[0\]: holds a carriage return"):
        java_tokens(["a\rdog"])
