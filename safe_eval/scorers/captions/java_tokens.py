"""Java tokens: the tokens of Java's own PTBTokenizer, one process for all captions of a call.

Source: pycocoevalcap/tokenizer/ptbtokenizer.py, with the jar that it ships.
"""

import re
import subprocess
import tempfile
from collections.abc import Sequence

from safe_data.core.errors import InputError, install_extra
from safe_eval.scorers.captions.java import find_jar, find_java
from safe_eval.scorers.captions.tokens import PUNCTUATION, refuse_line_separators

JAR = ("tokenizer", "stanford-corenlp-3.4.1.jar")
_CLASS = "edu.stanford.nlp.process.PTBTokenizer"
_SURROGATES = re.compile("[\ud800-\udfff]")
_LIMIT_SECONDS = 3600


def why_no_java_tokens() -> str | None:
    """Why Java's tokenizer cannot run here, and what to install; None if it can."""
    if find_java() is None:
        return "there is no java on the PATH; install a Java runtime, 8 or later"
    if find_jar(*JAR) is None:
        return f"{JAR[-1]} of pycocoevalcap is not installed; {install_extra('captions')}"
    return None


def java_tokens(captions: Sequence[str], *, keep_punctuation: bool = False) -> list[str]:
    """The tokens of each caption by Java, joined by single spaces, as `tokens.tokenize` gives them.

    Raises:
        InputError: Java or its jar is missing or fails, or a caption holds a line separator. A line feed is
            allowed and counts as a space.
    """
    if (reason := why_no_java_tokens()) is not None:
        raise InputError(f"--tokenizer java: {reason}, or leave --tokenizer at own")
    refuse_line_separators(captions)
    if not captions:
        return []
    lines = _run(_SURROGATES.sub("\x01", "\n".join(text.replace("\n", " ") for text in captions)))
    if len(lines) < len(captions):
        raise InputError(
            f"--tokenizer java: {JAR[-1]} gave {len(lines)} lines for {len(captions)} captions; "
            "leave --tokenizer at own"
        )
    return [
        " ".join(
            token for token in line.split(" ") if token and (keep_punctuation or token not in PUNCTUATION)
        )
        for line in lines[: len(captions)]
    ]


def _run(text: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".txt") as file:
        file.write(text)
        file.flush()
        command = [str(find_java()), "-Dfile.encoding=UTF-8", "-cp"]
        command += [str(find_jar(*JAR)), _CLASS, "-preserveLines", "-lowerCase", file.name]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=_LIMIT_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            raise InputError(
                f"--tokenizer java: {JAR[-1]} failed ({error}); check that `java -version` works, or leave "
                "--tokenizer at own"
            ) from None
    return done.stdout.decode("utf-8").split("\n")
