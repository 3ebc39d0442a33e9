"""Penn Treebank tokens by Java, as pycocoevalcap runs it: one process for all captions."""

import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from shutil import which

JAR = Path("tokenizer", "stanford-corenlp-3.4.1.jar")
# What pycocoevalcap takes out afterwards; brackets are named in capitals there, and so stay.
_REMOVED = {"''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--"}
_REMOVED |= {"...", ";"}


def missing() -> str | None:
    """Why Java's tokens cannot be had here; None where they can."""
    if which("java") is None:
        return "no java on the path"
    return None if _jar() is not None else "no stanford-corenlp-3.4.1.jar of pycocoevalcap"


def tokenize(captions: Sequence[str]) -> list[str]:
    """The tokens of every caption, joined by spaces, from a file that is written for Java to read."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("\n".join(caption.replace("\n", " ") for caption in captions))
        file.flush()
        command = ["java", "-Dfile.encoding=UTF-8", "-cp", str(_jar())]
        command += ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", file.name]
        done = subprocess.run(command, capture_output=True, check=True)
    lines = done.stdout.decode("utf-8").split("\n")[: len(captions)]
    return [" ".join(word for word in line.rstrip().split(" ") if word not in _REMOVED) for line in lines]


def _jar() -> Path | None:
    found = find_spec("pycocoevalcap")
    places = found.submodule_search_locations if found else None
    return next((path for place in places or () if (path := Path(place, JAR)).is_file()), None)
