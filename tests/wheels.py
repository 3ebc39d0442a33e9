"""`make wheels`: does SAFE work for somebody who installs it, without extras and with each extra alone?

Builds the wheel, installs it in fresh environments with the versions of constraints.txt, and types the
commands of README.md and those below in a folder outside the checkout. A command whose extra is not installed
must end with exit code 3 and one line that says how to install it. Prints a line per check; exits with 1 if
any fails.

The Python that runs this file gets an environment per extra. Each other Python that pyproject.toml names, if
it is on this machine, gets one without extras and one with all of them that bring no torch: the build that
constraints.txt pins is small on the former only, and brings gigabytes of CUDA elsewhere.

    python tests/wheels.py              # every environment
    python tests/wheels.py gx captions  # those with these extras; `core` is the one without any
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from desk import LOCAL, readme_commands

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PACKAGES = ("safe_data", "safe_eval", "safe_train")
PROGRAMS = ("safe-data", "safe-eval", "safe-train")
EXTRAS = tuple(extra for extra in PROJECT["optional-dependencies"] if extra != "dev")
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
BAD_INPUT = 3  # the exit code
AT_ONCE = 2  # environments; the machines that this runs on have two cores
LIMIT_SECONDS = 600

# What README does not show. These need no extra, and are typed where there is none.
CORE_COMMANDS = """
    safe-data info runs/mine/shards --format json
    safe-data info runs/mine/shards --croissant
    safe-data split runs/mine/shards runs/splits --stratify label --merge-duplicates
    safe-data verify runs/mine/shards
    safe-data sample runs/sample
    safe-data synth runs/faulty --clips 120 --faults leakage=2,near_duplicate=8,silent=1
    safe-eval validate predictions.jsonl
    safe-eval compare predictions.jsonl predictions.jsonl --model-a safe --model-b base --condition-a full
    safe-eval calibrate --dev dev.jsonl --test predictions.jsonl --model safe
    safe-eval power --difference 0.05
    safe-eval annotate predictions.jsonl --sample 10 --out labels.csv
    safe-eval baselines runs/mine/shards --on runs/mine/shards --out baselines.jsonl
"""
# These need an extra, or are what such a command needs; they are typed in every environment.
EXTRA_COMMANDS = """
    safe-data build my_folder runs/ray --engine ray --workers 2
    safe-data build corpora/hub runs/hub --source hub
    safe-data add-encoder runs/mine/shards clap:laion/clap-htsat-unfused
    safe-data add-encoder runs/mine/shards whisper:openai/whisper-tiny
    safe-eval score predictions.jsonl --out runs/reported
    safe-eval verdict runs/reported --criteria demo
    safe-eval report runs/reported
    safe-eval view runs/scored --export runs/view
    safe-eval --completion bash
    safe-train demo --out runs/demo
    safe-train real --out runs/real
"""
# What no command fails without: a call that needs an extra, and what it prints.
EXTRA_CALLS = {
    "speech": (
        "import numpy; from safe_data.audit.speech import Listener, speech_finder; "
        "print(speech_finder()(numpy.zeros(16_000, numpy.float32)), Listener().knows('a dog'))",
        "False True",
    ),
    "faiss": (
        "import numpy; from safe_data.audit.alike.neighbours import indexed_pairs; "
        "vectors = numpy.eye(64, dtype=numpy.float32); vectors[63] = vectors[0]; "
        "found = indexed_pairs(vectors, 0.9); print({*zip(found.left.tolist(), found.right.tolist())})",
        "{(0, 63)}",
    ),
}
TORCH = {"train", "speech", "explain"}  # the extras that bring it


class Environment(NamedTuple):
    """Which Python, and which extras."""

    version: str
    python: Path
    extras: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.version} {','.join(self.extras) or 'core'}"


class Outcome(NamedTuple):
    """What was checked, how long it took, and what is wrong with it; empty if nothing is."""

    title: str
    seconds: float
    fault: str


class Desk(NamedTuple):
    """An installed environment and the folder in which its user types."""

    environment: Environment
    bin: Path
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; nothing of the checkout is on its path."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        own = {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
        own |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VIRTUAL_ENV": str(self.bin.parent)}
        return subprocess.run(
            [self.bin / words[0], *words[1:]],
            cwd=self.folder,
            env=inherited | own,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
        )


def main(chosen: list[str]) -> int:
    """Check every environment, or those with the chosen extras; 1 if anything is wrong."""
    pythons = interpreters()
    for version in sorted(set(supported()) - set(pythons)):
        print(f"{version}: not on this machine, not checked")
    wanted = [one for one in environments(pythons) if not chosen or {*chosen} & {*(one.extras or ("core",))}]
    faults = 0
    with tempfile.TemporaryDirectory(prefix="safe-wheels-") as folder:
        wheel = build_wheel(Path(folder))
        faults += report("wheel", [contents(wheel)])
        with ThreadPoolExecutor(AT_ONCE) as pool:
            done = pool.map(lambda one: check_environment(one, wheel, Path(folder)), wanted)
            for environment, outcomes in zip(wanted, done, strict=True):
                faults += report(environment.name, outcomes)
    print(f"make wheels: {len(wanted)} environments, {faults or 'no'} faults")
    return 1 if faults or not wanted else 0


def report(name: str, outcomes: list[Outcome]) -> int:
    """Print a line per outcome; how many are faults."""
    for outcome in outcomes:
        print(f"{name:10} {outcome.seconds:6.1f} s  {'FAIL' if outcome.fault else 'ok':4}  {outcome.title}")
        if outcome.fault:
            print("    " + outcome.fault.strip().replace("\n", "\n    "))
    sys.stdout.flush()
    return sum(bool(outcome.fault) for outcome in outcomes)


def supported() -> list[str]:
    """The Python versions that pyproject.toml names."""
    return [match[1] for line in PROJECT["classifiers"] if (match := re.search(r"Python :: (3\.\d+)$", line))]


def interpreters() -> dict[str, Path]:
    """The supported Pythons of this machine: this one, those on the PATH, and those that pyenv keeps."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {HERE: Path(sys.executable)}
    for version in supported():
        on_path = shutil.which(f"python{version}")
        kept = [bin / f"python{version}" for bin in sorted(pyenv.glob(f"{version}.*/bin"))]
        for python in [*([Path(on_path)] if on_path else []), *kept]:
            works = subprocess.run([python, "-c", "import ensurepip, ssl"], capture_output=True)
            if works.returncode == 0:  # the shim of a Python that is not chosen does not
                found.setdefault(version, python)
    return found


def environments(pythons: Mapping[str, Path]) -> Iterator[Environment]:
    """The largest first, so that two at a time end together."""
    for extras in [("train",), *((extra,) for extra in EXTRAS if extra != "train"), ()]:
        yield Environment(HERE, pythons[HERE], extras)
    for version, python in pythons.items():
        if version != HERE:
            yield Environment(version, python, ())
            yield Environment(version, python, tuple(extra for extra in EXTRAS if extra not in TORCH))


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the checkout."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contents(wheel: Path) -> Outcome:
    """Is every file of the packages, and every committed suite, in the wheel?"""
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file()]
    names = {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}
    names |= {f"safe_data/expectations/{file.name}" for file in (ROOT / "expectations").glob("*.json")}
    missing = sorted(names - packed)
    assert {"safe_eval/criteria/demo.yaml", "safe_eval/report/page.html.j2", "safe_train/py.typed"} <= names
    return Outcome(f"{wheel.name} holds {len(names)} files", 0.0, ", ".join(missing) and f"lacks {missing}")


def check_environment(environment: Environment, wheel: Path, folder: Path) -> list[Outcome]:
    """Install an environment, check all that its user can do, and remove it."""
    place = folder / environment.name.replace(" ", "-").replace(",", "-")
    started = time.monotonic()
    fault = install(environment, wheel, place / "venv")
    outcomes = [Outcome("pip install", time.monotonic() - started, fault)]
    if not fault:
        desk = Desk(environment, place / "venv" / "bin", place / "desk")
        outcomes += check_desk(desk)
    shutil.rmtree(place, ignore_errors=True)
    return outcomes


def install(environment: Environment, wheel: Path, place: Path) -> str:
    """Make an environment with the wheel; what went wrong, or nothing.

    torch is named beside the wheel, so that the build pinned in constraints.txt is the only one considered.
    """
    pins = ROOT / "constraints.txt"
    torch = re.search(r"^torch==\S+$", pins.read_text("utf-8"), re.MULTILINE)
    extras = f"[{','.join(environment.extras)}]" if environment.extras else ""
    wanted = [f"{wheel}{extras}", *([torch[0]] if torch and TORCH & {*environment.extras} else [])]
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([environment.python, "-m", "venv", place], [*pip, "--no-compile", "-c", pins, *wanted]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return done.stdout + done.stderr
    return ""


def check_desk(desk: Desk) -> list[Outcome]:
    """Type every command that a user of this environment may type."""
    (desk.folder / "runs").mkdir(parents=True)
    models = ["models"] if "train" in desk.environment.extras else []
    prepared = desk.run("python", str(ROOT / "tests" / "desk.py"), ".", *models)
    if prepared.returncode:
        return [Outcome("the desk", 0.0, prepared.stdout + prepared.stderr)]
    outcomes = [check_origin(desk)]
    more = EXTRA_COMMANDS if desk.environment.extras else CORE_COMMANDS + EXTRA_COMMANDS
    refused: set[str] = set()
    for words in [*readme_commands(), *map(shlex.split, more.split("\n"))]:
        if not words or words[0] not in PROGRAMS:
            continue
        if not can_run(desk, words):
            outcomes.append(check_refusal(desk, words))
            named = [word for word in words if word.startswith("runs/")]
            refused |= {word for word in named if not (desk.folder / word).exists()}
        elif not refused.intersection(words):  # what a refused command would have made cannot be looked at
            outcomes.append(check_command(desk, words))
    outcomes.append(check_meteor(desk))
    outcomes += [check_call(desk, extra) for extra in EXTRA_CALLS]
    return outcomes if desk.environment.extras else [*outcomes, *check_help(desk)]


def check_origin(desk: Desk) -> Outcome:
    """Do the packages come from the environment, and not from the checkout?"""
    done = desk.run("python", "-c", f"import {', '.join(PACKAGES)}; print(safe_eval.__file__)")
    return Outcome("import", 0.0, "" if done.stdout.startswith(str(desk.bin.parent)) else said(done))


def check_command(desk: Desk, words: list[str]) -> Outcome:
    """Does a command work where its extras are installed?"""
    started = time.monotonic()
    typed = [LOCAL.get(word, word) for word in words]
    typed += ["--steps", "2"] if typed[1] == "stage-a" else []
    done = desk.run(*typed)
    fault = "" if done.returncode == 0 and "Traceback" not in done.stderr else said(done)
    return Outcome(shlex.join(typed), time.monotonic() - started, fault)


def check_refusal(desk: Desk, words: list[str]) -> Outcome:
    """Does a command whose extras are missing end with one line that says how to install them?"""
    started = time.monotonic()
    extras = needs(words)
    done = desk.run(*words)
    lines = done.stderr.splitlines()
    named = done.returncode == BAD_INPUT and len(lines) == 1 and lines[0].endswith(not_installed(extras))
    return Outcome(f"{shlex.join(words)} → {extras}", time.monotonic() - started, "" if named else said(done))


def can_run(desk: Desk, words: list[str]) -> bool:
    extras = {*desk.environment.extras}
    # What draws the viewer's charts is what the report needs.
    return {*filter(None, needs(words).split(","))} <= extras | ({"report"} if "view" in extras else set())


def needs(words: list[str]) -> str:
    """The extras that a command needs, as the message about them names them."""
    if words[0] == "safe-train":
        return {"demo": "train,gx,report", "real": "train,gx,report,real"}.get(words[1], "train")
    if any(word.startswith(("clap:", "whisper:")) for word in words):
        return "train"
    if "ray" in words or "hub" in words:
        return "ray" if "ray" in words else "hub"
    return {"check": "gx", "report": "report", "view": "view", "--completion": "completion"}.get(words[1], "")


def not_installed(extras: str) -> str:
    """How a message about missing extras ends."""
    return f"not installed; run pip install '.[{extras}]' in the SAFE project folder"


def check_meteor(desk: Desk) -> Outcome:
    """Is METEOR measured where pycocoevalcap is, and its absence explained where it is not?"""
    started = time.monotonic()
    done = desk.run("safe-eval", "score", "captions.jsonl", "--out", "runs/captions", "--metric", "meteor")
    text = " ".join(done.stdout.split())  # notes are wrapped
    if "captions" in desk.environment.extras:
        title, right = "METEOR is measured", "METEOR is not measured" not in text
    else:
        title = "METEOR → captions"
        right = f"METEOR is not measured: pycocoevalcap is {not_installed('captions')}" in text
    fault = "" if done.returncode == 0 and "meteor" in text and right else said(done)
    return Outcome(title, time.monotonic() - started, fault)


def check_call(desk: Desk, extra: str) -> Outcome:
    """Does the call of an extra work where it is installed, and name it where it is not?"""
    started = time.monotonic()
    call, printed = EXTRA_CALLS[extra]
    done = desk.run("python", "-c", call)
    if extra in desk.environment.extras:
        title, right = f"the call of {extra}", done.stdout.strip() == printed
    else:
        title, right = f"the call → {extra}", done.stderr.strip().endswith(not_installed(extra))
    return Outcome(title, time.monotonic() - started, "" if right else said(done))


def check_help(desk: Desk) -> Iterator[Outcome]:
    """Does every program and every command explain itself, and show its options as YAML?"""
    for program, package in zip(PROGRAMS, PACKAGES, strict=True):
        listed = desk.run("python", "-c", f"from {package}.cli import COMMANDS; print(*COMMANDS)")
        typed = [[program, "--help"]]
        for command in listed.stdout.split():
            typed += [[program, command, "--help"], [program, command, "--print_config"]]
        started = time.monotonic()
        wrong = [said(done) for words in typed if (done := desk.run(*words)).returncode or done.stderr]
        if not listed.stdout.split():
            wrong.append(said(listed))
        yield Outcome(
            f"{program}: --help and --print_config of {(len(typed) - 1) // 2} commands",
            time.monotonic() - started,
            "\n".join(wrong),
        )


def said(done: subprocess.CompletedProcess[str]) -> str:
    typed = shlex.join(map(str, done.args))
    return f"{typed}\nexit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
