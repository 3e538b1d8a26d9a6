"""What would waste a training run, or make its result doubtful: the thresholds, and the findings they give.

It judges figures (`Evidence`). It does not measure them (`gate.py`) and knows neither rows nor tokenizers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from finetune.recipe import Recipe

MOST_TRUNCATED = 0.05
"""An example that is cut loses its `<|eot_id|>`; where that is more than a rarity, replies learn not to end."""

COVERED = 0.99
"""Share of examples that the advised max_length keeps whole: the last hundredth is often freak rows, and a
max_length made for them costs memory in every batch."""

MOST_DROPPED = 0.10
"""A corpus loses a few per cent to repeats and blanks; more than a tenth points to a wrong column or file."""

FEW_ROWS = 500
"""Training rows under which LoRA mostly memorises: some thirty updates of 16 rows already show it every one."""

FEW_PREFERENCES = 100
"""Training pairs of a preference file under which one pass is some twenty updates (4 pairs each): enough to lean the
voice towards what reviewers liked in these very replies, hardly more."""

LEAST_BENGALI = 0.9
"""Mean share of Bengali letters in replies. A name or an app in Latin letters costs a few hundredths; below nine
tenths whole sentences are in another script, and the model learns to switch."""

SHORT_REPLY = 20
"""Characters; four Bengali words or so. Where half of the replies are shorter, the column is seldom the right one."""

LARGEST_TOPIC = 0.5
"""Beyond half of the rows the corpus teaches one topic, and its evaluation loss speaks of that topic only."""

MOST_PASSES = 20
"""Passes over the rows. LoRA is trained with a handful; by twenty the replies are known by heart."""


@dataclass(frozen=True)
class Finding:
    """One thing to know before the run starts.

    `key` and `facts` let an interface say it in another language, as with errors; `message` is English.
    A blocking finding means that the run would fail or be wasted.
    """

    key: str
    facts: dict[str, object]
    message: str
    blocking: bool = False


@dataclass(frozen=True)
class Evidence:
    """The figures that findings rest on. Shares are 0 to 1, lengths are in tokens where not said otherwise."""

    rows: int
    """Rows of the source, and below how many of them cleaning dropped."""
    dropped: int
    train: int
    """Training rows of whose reply something is left at max_length (an estimate where only a sample was examined)."""
    held_out: int
    """Validation and test rows, and below how many of them ask what also stands in an earlier split."""
    repeated: int
    examined: int
    """Examples encoded, and of these below: longer than max_length; with the whole reply cut off."""
    truncated: int
    cut: int
    validation_learnt: int
    """Validation examples, of those examined, of whose reply something is left."""
    covering: int
    """The max_length that keeps COVERED of the examples whole."""
    longest: int
    bengali: float
    """Mean share of Bengali letters in the replies."""
    reply_characters: int
    """Half of the replies have at most so many characters."""
    topic: str
    """The most frequent topic ("" where rows name none), and its share of the rows."""
    topic_share: float


def judge(recipe: Recipe, evidence: Evidence) -> tuple[Finding, ...]:
    """Everything to know before a run by this recipe, what blocks it first."""
    found = [*_examples(recipe, evidence), *_amounts(recipe, evidence), *_texts(evidence)]
    return tuple(sorted(found, key=lambda finding: not finding.blocking))


def planned_updates(recipe: Recipe, train: int) -> int:
    """Updates of a run over `train` rows on one device, rounded up as transformers' Trainer does."""
    if recipe.training.max_steps > 0:
        return recipe.training.max_steps
    return math.ceil(recipe.training.num_train_epochs * math.ceil(train / recipe.effective_batch))


def _examples(recipe: Recipe, e: Evidence) -> Iterator[Finding]:
    """What max_length does to the examples."""
    max_length, covered = recipe.training.max_length, _percent(COVERED)
    limit = f"training.max_length ({max_length:,} tokens)"
    advice = f"Raise max_length; {e.covering:,} keeps {covered}% of the examples whole."
    if not e.train:
        yield Finding(
            "gate.all_cut",
            {"max_length": max_length, "needed": e.covering, "covered": covered},
            f"Every training prompt alone fills {limit}, so no reply would be learnt. {advice}",
            blocking=True,
        )
        return
    if not e.validation_learnt:
        yield Finding(
            "gate.validation_cut",
            {"max_length": max_length, "longest": e.longest},
            f"Every validation prompt alone fills {limit}, so nothing can be evaluated and the run would fail."
            f" Raise max_length; the longest example has {e.longest:,} tokens.",
            blocking=True,
        )
    if e.truncated > MOST_TRUNCATED * e.examined:
        percent = _percent(e.truncated / e.examined)
        yield Finding(
            "gate.truncated",
            {"percent": percent, "max_length": max_length, "needed": e.covering, "covered": covered},
            f"{percent}% of the examples are longer than {limit} and lose their end. {advice}",
        )
    if e.cut:
        yield Finding(
            "gate.some_cut",
            {"count": e.cut, "examined": e.examined, "max_length": max_length},
            f"Of {e.examined:,} examples, {e.cut:,} have a prompt that fills {limit}: nothing of their reply is left,"
            " and they are left out. Raise max_length, or shorten these questions.",
        )


def _amounts(recipe: Recipe, e: Evidence) -> Iterator[Finding]:
    """How many rows there are for what the recipe asks."""
    preferences = recipe.training.objective == "dpo"
    if e.dropped > MOST_DROPPED * e.rows:
        percent = _percent(e.dropped / e.rows)
        where = "" if preferences else ", and whether the question and answer columns are the right ones"
        yield Finding(
            "gate.dropped_preferences" if preferences else "gate.dropped",
            {"dropped": e.dropped, "rows": e.rows, "percent": percent},
            f"{e.dropped:,} of {e.rows:,} rows ({percent}%) are dropped. Look at the list of dropped rows{where}.",
        )
    if e.repeated:
        yield Finding(
            "gate.repeated",
            {"count": e.repeated, "held_out": e.held_out},
            f"{e.repeated:,} of the {e.held_out:,} validation and test questions also stand in another split, so the"
            " evaluation would look better than the model is. Set data.group to true.",
        )
    if not e.train:
        return
    batch = recipe.effective_batch
    if e.train < batch:
        yield Finding(
            "gate.batch",
            {"train": e.train, "batch": batch},
            f"One update takes {batch:,} examples, but there are only {e.train:,} training rows. Add rows, or lower"
            " training.per_device_train_batch_size or training.gradient_accumulation_steps.",
            blocking=True,
        )
    elif preferences and e.train < FEW_PREFERENCES:
        yield Finding(
            "gate.few_preferences",
            {"train": e.train, "wanted": FEW_PREFERENCES},
            f"There are only {e.train:,} preferences to train on; with fewer than {FEW_PREFERENCES:,} the model mostly"
            " learns these very pairs. Let reviewers judge more if you can.",
        )
    elif not preferences and e.train < FEW_ROWS:
        yield Finding(
            "gate.few_rows",
            {"train": e.train, "wanted": FEW_ROWS},
            f"There are only {e.train:,} training rows; with fewer than {FEW_ROWS:,} a model mostly learns them by"
            " heart. Add rows if you can.",
        )
    updates = planned_updates(recipe, e.train)
    by_steps = recipe.training.max_steps > 0
    passes = updates * batch / e.train if by_steps else recipe.training.num_train_epochs
    if passes > MOST_PASSES:
        yield Finding(
            "gate.many_passes",
            {"train": e.train, "passes": round(passes)},
            f"The run passes over the same {e.train:,} rows {passes:,.0f} times and would learn them by heart. Lower"
            f" training.{'max_steps' if by_steps else 'num_train_epochs'}, or add rows.",
        )
    warmup = recipe.training.warmup_steps
    if warmup >= updates and recipe.training.lr_scheduler_type != "constant":  # which has no warm-up
        yield Finding(
            "gate.warmup",
            {"warmup": warmup, "updates": updates, "advised": updates // 10},
            f"The learning rate rises for {warmup:,} updates, but the run has only {updates:,}, so it never reaches its"
            f" peak. Lower training.warmup_steps to about {updates // 10:,}.",
        )


def _texts(e: Evidence) -> Iterator[Finding]:
    """What the replies and topics are like."""
    if e.bengali < LEAST_BENGALI:
        percent = _percent(e.bengali)
        yield Finding(
            "gate.little_bengali",
            {"percent": percent},
            f"Only {percent}% of the letters in a reply are Bengali, on average, and the model would learn to mix in"
            " the same way. Raise data.min_bengali, or mend these replies.",
        )
    if e.reply_characters < SHORT_REPLY:
        yield Finding(
            "gate.short_replies",
            {"characters": e.reply_characters},
            f"Half of the replies have {e.reply_characters} characters or fewer, and the model would answer as"
            " curtly. See whether the answer column is the right one.",
        )
    if e.topic and e.topic_share > LARGEST_TOPIC:
        percent = _percent(e.topic_share)
        yield Finding(
            "gate.one_topic",
            {"percent": percent, "topic": e.topic},
            f"{percent}% of the rows have the topic {e.topic}, so the model would learn little about others. Add rows"
            " on other topics.",
        )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0")
