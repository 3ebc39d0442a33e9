"""Small data: can a base be taught by few clips to tell speech from other sounds, and by which recipe?

    OUT/world, splits, shards, backbone    made once, and shared by all arms
    OUT/arms/ARM/                          `safe-train finetune` of each arm
    OUT/small_data.json                    the whole result
    OUT/small_data.md, small_data.csv      its tables, the decision and the recipe to scale
    OUT/wrong.csv                          the clips that an arm gets wrong with every seed

It is the plan's small-data study. Every part is used again if it is there, so a run that was killed goes on.
"""

import time
from pathlib import Path

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.core.files import write_bytes, write_json
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.options_file import TRAIN, write_options
from safe_data.core.terminal import say
from safe_data.encoders.inference import one_thread
from safe_data.sources.synthetic.speakers import find_speaker
from safe_data.sources.synthetic.world import write_world
from safe_data.sources.synthetic.worlds import SPEECH
from safe_data.splitting.divide import Wanted
from safe_data.splitting.split import SPLITS_CSV, Together, read_corpus, split_corpus, write_split
from safe_eval.judging.verdict import EXIT_CODES
from safe_eval.options import Sampling
from safe_train.experiments.small_data_arms import (
    DEV,
    FRACTIONS,
    MLP,
    REFERENCE,
    Arm,
    Size,
    config_of,
    find_size,
)
from safe_train.experiments.small_data_decision import choose_targets, compare
from safe_train.experiments.small_data_result import (
    ArmRow,
    Outcomes,
    SmallDataResult,
    arm_row,
    decide,
    outcomes_of,
    slices_of,
    wrong_of,
)
from safe_train.experiments.small_data_text import study_csv, study_markdown, wrong_csv
from safe_train.finetune.finetune import run_finetune
from safe_train.toy.backbone import pretrain

RESULT, TABLE, CSV, WRONG = "small_data.json", "small_data.md", "small_data.csv", "wrong.csv"
DATA_SEED = 0


@interrupted_by_sigterm()
def run_small_data(
    out: Path,
    *,
    size: str = "small",
    speaker: str = "auto",
    own_size: Size | None = None,
    quiet: bool = False,
) -> SmallDataResult:
    """Make the clips, train and judge each arm, and decide; `own_size` is used in place of a named one.

    Raises:
        InputError: there is no such size or speaker, or a folder holds something else.
        KeyboardInterrupt: the run was stopped by Ctrl-C or SIGTERM; the same call goes on.
    """
    chosen_size = own_size or find_size(size)
    speaks = find_speaker(speaker)
    for name in (RESULT, TABLE, CSV, WRONG):  # a run that is stopped must not leave results of an earlier one
        (out / name).unlink(missing_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    write_options(out, "safe-train small-data", {"out": out, "size": size, "speaker": speaker}, TRAIN)
    with one_thread():
        _make(out, chosen_size, speaker, quiet=quiet)
        found = [_train(out, arm, chosen_size, quiet=quiet) for arm in chosen_size.arms]
    result = judge(size, speaks, [one for one, _ in found], [row for _, row in found])
    write_bytes(out / TABLE, study_markdown(result, chosen_size).encode())
    write_bytes(out / CSV, study_csv(result))
    write_bytes(out / WRONG, wrong_csv(result))
    write_json(out / RESULT, result)
    return result


def judge(
    size: str, speaker: str, found: list[Outcomes], rows: list[ArmRow], sampling: Sampling | None = None
) -> SmallDataResult:
    """What the arms show together.

    Raises:
        InputError: two arms did not answer the same clips.
    """
    sampling = sampling or Sampling()
    reference = found[0]
    ids = [row.example_id for row in reference.rows]
    for one in found:
        if [row.example_id for row in one.rows] != ids:
            raise InputError(f"{one.arm.name} and {reference.arm.name} answered other clips; train again")
    scores = {one.arm.name: one.scores for one in found}
    pairs = [(name, reference.arm.name) for name in list(scores)[1:]]
    chosen = choose_targets(
        (MLP, scores[MLP]),
        (REFERENCE, scores[REFERENCE]),
        reference.is_speech,
        reference.groups,
        sampling,
    )
    decision, statement = decide(chosen, [row for row in rows if row.arm in (MLP, REFERENCE)])
    return SmallDataResult(
        size=size,
        speaker=speaker,
        decision=decision,
        statement=statement,
        chosen=chosen,
        arms=tuple(rows),
        compared=compare(pairs, scores, reference.groups, sampling),
        slices=tuple(one for arm in found if arm.arm.name in (MLP, REFERENCE) for one in slices_of(arm)),
        wrong=tuple(one for arm in found for one in wrong_of(arm)),
        confidence=sampling.confidence,
        resamples=sampling.resamples,
    )


def exit_code(result: SmallDataResult) -> int:
    """0 go, 1 no-go, 2 not measured."""
    return EXIT_CODES[result.decision]


def _make(out: Path, size: Size, speaker: str, *, quiet: bool) -> None:
    """The clips, their splits by group, the shards, and a toy that knows the words."""
    started = time.monotonic()
    write_world(out / "world", clips=size.clips, seed=DATA_SEED, world=SPEECH, speaker=speaker)
    corpus = read_corpus(out / "world", None)
    wanted = Wanted(("train", "test"), FRACTIONS, DEV, None, DATA_SEED)
    table, report = split_corpus(corpus, wanted, Together(stratify="label"))
    write_split(corpus, table, report, out / "splits", metadata=False, force=True)
    build_dataset(
        out / "world", out / "shards", name="speech", splits=out / "splits" / SPLITS_CSV, quiet=quiet
    )
    splits = ", ".join(f"{part.name} {part.units}" for part in report.splits)
    _say(f"{size.clips} clips of {report.groups} groups ({splits})", started)
    started = time.monotonic()
    pretrain(out / "backbone", seed=DATA_SEED, recipe=size.recipe)
    _say("a toy vision-language model that knows the words", started)


def _train(out: Path, arm: Arm, size: Size, *, quiet: bool) -> tuple[Outcomes, ArmRow]:
    """Fine-tune an arm on its seeds."""
    started = time.monotonic()
    found = run_finetune(
        config_of(
            arm,
            size,
            shards=out / "shards",
            backbone=out / "backbone",
            out=out / "arms" / arm.name,
            quiet=quiet,
        )
    )
    outcomes = outcomes_of(arm, found.answered.rows)
    fitted = {one.seed: one.temperature for one in found.answered.choices}
    temperatures = [fitted.get(seed) for seed in arm.seeds]
    parameters = found.answered.trained_parameters
    row = arm_row(outcomes, found.verdict, temperatures, parameters, Sampling())
    _say(f"{arm.name}: {len(arm.seeds)} seeds, balanced accuracy {row.balanced_accuracy:.3f}", started)
    return outcomes, row


def _say(text: str, started: float) -> None:
    say([f"{text} ({time.monotonic() - started:.0f} s)"], flush=True)
