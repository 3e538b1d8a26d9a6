"""A language model as judge of pairs, over an OpenAI-compatible server, and how far it agrees with people.

Nothing here runs unless somebody asks for it. Each pair is asked about twice, the replies having changed places, and a
pair is decided only where both answers name the same reply: a judge that likes a place decides nothing that way, and
how much it likes one is counted. An answer that is not one of the three words asked for is counted as unread, never
guessed at.

It is no substitute for reviewers. Judges prefer long replies and those of their own kin (Zheng et al. 2023, Judging
LLM-as-a-Judge with MT-Bench and Chatbot Arena, section 3.3), and none is known to judge Bengali empathy well; so
agreement with the votes of the blind review stands beside every figure. What needs care is not sent anywhere.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finetune import bengali
from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.inference.backends import Backend, Side, replies
from finetune.recipe import Generation
from finetune.review import agreement, durable, statistics
from finetune.review.evaluation import ORDER, Evaluation
from finetune.review.judge_questions import LANGUAGES, Language
from finetune.review.pair_sets import PairSet
from finetune.training.metrics import read_lines

FILE = "judgements.jsonl"
"""Where judgements lie, in the folder of the set or of the evaluation."""

RESULT = "judged.json"
"""Beside them: what the latest ones came to."""

CHOICES = ("tuned", "base", "tie")
TIE = "tie"
PAIRS_AT_ONCE = 16
"""Pairs whose requests are made together, two each: as many as `remote.AT_ONCE` lets through."""

HOW = Generation(max_new_tokens=12, temperature=0.0)
"""One word is asked for; a few tokens more are for servers that begin with a line break or set it in bold."""

FEWEST_SHARED = 15
"""Pairs that both judge and people have judged, below which no coefficient is given: it would be noise."""

_MARKS = re.compile(r"[\s*_`\"'“”‘’().:।!,-]+")


@dataclass(frozen=True)
class Item:
    """One pair to judge; `id` is the prompt's, by which votes of people are found."""

    id: str
    question: str
    base: str
    tuned: str


@dataclass(frozen=True)
class Items:
    """Pairs to judge, and how many were left out: `care` goes to no other machine, `same` holds nothing to choose."""

    items: tuple[Item, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What the judge said of a pair: with base first, then with tuned first; None where its answer was no answer."""

    id: str
    base_first: str | None
    tuned_first: str | None

    @property
    def choice(self) -> str | None:
        """`tuned` or `base` where it said so both times, else `tie`; None where an answer was unread."""
        if None in (self.base_first, self.tuned_first):
            return None
        return self.base_first if self.base_first == self.tuned_first else TIE


def of_set(found: PairSet) -> Items:
    """The pairs of a set of Compare."""
    return _items((pair.prompt.id, pair.prompt.text, pair.base, pair.tuned, pair.prompt.care) for pair in found.pairs)


def of_evaluation(found: Evaluation) -> Items:
    """The replies of an evaluation."""
    return _items((one.id, one.question, one.base, one.tuned, False) for one in found.replies)


def judge(
    items: Items,
    backend: Backend,
    name: str,
    file: Path,
    language: str = "en",
    stop: threading.Event | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Judgement, ...]:
    """Judge what is not judged yet; each judgement so far, in the items' order.

    name: the judge's own, which with the texts and the words of the question says whether a line of `file` holds for a
    pair. A batch is on disk before the next is asked. `report` gets pairs done and pairs in all. Ends early once `stop`
    is set. ReviewError for a language that no question is written in; BackendError where the server fails, what was
    judged by then being kept.
    """
    if language not in LANGUAGES:
        raise ReviewError(
            f"The judge cannot be asked in {language[:20]!r}. Choose one of {', '.join(LANGUAGES)}.",
            key="judge.language",
            language=language[:20],
            known=", ".join(LANGUAGES),
        )
    words = LANGUAGES[language]
    keys = {item.id: _key(item, name, words) for item in items.items}
    lines, whole = read_lines(file)
    known = {line["key"]: line for line in lines}
    waiting = [item for item in items.items if keys[item.id] not in known]
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        opened.truncate(whole)  # without the half line of a killed process
        for start in range(0, len(waiting), PAIRS_AT_ONCE):
            report(len(items.items) - len(waiting) + start, len(items.items))
            made = _asked(waiting[start : start + PAIRS_AT_ONCE], backend, words, stop)
            if stop is not None and stop.is_set():
                break
            for one in made:
                line = {"key": keys[one.id], **asdict(one)}
                opened.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                known[line["key"]] = line
            opened.flush()
            os.fsync(opened.fileno())
    found = [known[keys[item.id]] for item in items.items if keys[item.id] in known]
    report(len(found), len(items.items))
    return tuple(Judgement(line["id"], line["base_first"], line["tuned_first"]) for line in found)


def save(folder: Path, result: Mapping[str, Any]) -> None:
    """Keep what the judgements came to: `figures` with the judge's name as `judge`, and whose replies were judged."""
    kept = {**result, "fingerprint": _fingerprint(folder)}
    durable.replace(folder / RESULT, json.dumps(kept, ensure_ascii=False, indent=1) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """What was saved there; None where nothing was, another adapter answered then, or the file is damaged."""
    try:
        kept = dict(json.loads((folder / RESULT).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return kept if kept.get("fingerprint") == _fingerprint(folder) else None


def _fingerprint(folder: Path) -> str | None:
    """The adapter of the evaluation that lies in a folder; None in that of a set of pairs, whose name says it."""
    return Evaluation.open(folder).order["fingerprint"] if (folder / ORDER).is_file() else None


def figures(
    items: Items, judgements: Sequence[Judgement], votes: Iterable[Mapping[str, Any]] = (), seed: int = 0
) -> dict[str, Any]:
    """What the judge's answers come to, and `agreement` with people's votes on the same pairs.

    votes: standing votes as an export of the blind review holds them. `win_rate` is tuned's among decided pairs with
    its interval; `inconsistent` pairs are those of the ties where the places decided; `first_rate` is how often an
    answer that names a reply names the first one (0.5: no liking for a place), `longer_rate` how often a decided pair
    goes to the longer reply. None where there is nothing to reckon with.
    """
    read = [one for one in judgements if one.choice is not None]
    counts = Counter(one.choice for one in read)
    decided = [one for one in read if one.choice != TIE]
    won = statistics.rate([float(one.choice == "tuned") for one in decided], [one.id for one in decided], seed)
    named = [(one.base_first, "base") for one in read] + [(one.tuned_first, "tuned") for one in read]
    first = [choice == place for choice, place in named if choice != TIE]
    by_id = {item.id: item for item in items.items}
    lengths = [(one.choice, len(by_id[one.id].tuned) - len(by_id[one.id].base)) for one in decided]
    longer = [(choice == "tuned") == (more > 0) for choice, more in lengths if more]
    return {
        "pairs": len(items.items),
        "judged": len(judgements),
        "left_out": dict(items.left_out),
        "unread": len(judgements) - len(read),
        **{choice: counts[choice] for choice in CHOICES},
        "inconsistent": sum(one.base_first != one.tuned_first for one in read),
        "win_rate": won.value,
        "low": won.low,
        "high": won.high,
        "first_rate": sum(first) / len(first) if first else None,
        "longer_rate": sum(longer) / len(longer) if longer else None,
        "agreement": agreement_with(read, votes),
    }


def agreement_with(judgements: Iterable[Judgement], votes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How far the judge and people say the same, and how far people do among themselves, on tuned, base or tie.

    Of a pair that several people judged the most frequent choice stands for them, a tie where there is no one such.
    Coefficients are None below FEWEST_SHARED shared pairs. Repeats, and votes after a reveal, do not count.
    """
    people: dict[str, dict[str, str]] = {}
    for vote in votes:
        if not (vote.get("repeat") or vote.get("unblinded") or vote.get("undone")):
            choice = vote["choice"] if vote["choice"] in CHOICES else TIE
            people.setdefault(str(vote["prompt_id"]), {}).setdefault(str(vote["reviewer"]), choice)
    shared = {
        one.id: {"judge": one.choice, "people": _most(people[one.id].values())}
        for one in judgements
        if one.id in people and one.choice is not None
    }
    enough = len(shared) >= FEWEST_SHARED
    return {
        "shared": len(shared),
        "observed": agreement.observed(shared)["observed"],
        "krippendorff_alpha": agreement.krippendorff_alpha(shared, CHOICES) if enough else None,
        "gwet_ac1": agreement.gwet_ac1(shared, CHOICES) if enough else None,
        "people": agreement.observed({name: people[name] for name in shared}),
    }


def table(result: Mapping[str, Any]) -> list[str]:
    """The figures, with the judge's name as `judge`, as lines for a terminal."""

    def share(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    told, left_out = result["agreement"], result["left_out"]
    return [
        f"{result['judge']} prefers tuned in {share(result['win_rate'])} of decided pairs (95 %: {share(result['low'])}"
        f" to {share(result['high'])})",
        f"pairs {result['judged']}: tuned {result['tuned']}, base {result['base']}, ties {result['tie']}, of which"
        f" {result['inconsistent']} changed with the places; unread {result['unread']}",
        f"first place named {share(result['first_rate'])}, longer reply preferred {share(result['longer_rate'])}",
        f"agrees with people on {share(told['observed'])} of {told['shared']} shared pairs; people among themselves on"
        f" {share(told['people']['observed'])}",
        *(f"left out, {reason}: {number}" for reason, number in left_out.items()),
    ]


def _items(rows: Iterable[tuple[str, str, str, str, bool]]) -> Items:
    kept, left_out = [], Counter()
    for name, question, base, tuned, care in rows:
        if base.strip() == tuned.strip():
            left_out["same"] += 1
        elif care or any(safety.screen(text) != "none" for text in (question, base, tuned)):
            left_out["care"] += 1
        else:
            kept.append(Item(name, question, base, tuned))
    return Items(tuple(kept), dict(left_out))


def _asked(
    items: Sequence[Item], backend: Backend, words: Language, stop: threading.Event | None
) -> tuple[Judgement, ...]:
    """Both questions about each item, all together."""
    sides = [
        _side(item.question, first, second, words)
        for item in items
        for first, second in ((item.base, item.tuned), (item.tuned, item.base))
    ]
    said = replies(backend, sides, stop)
    return tuple(
        Judgement(item.id, _read(one, words, ("base", "tuned")), _read(other, words, ("tuned", "base")))
        for item, one, other in zip(items, said[::2], said[1::2], strict=True)
    )


def _side(question: str, first: str, second: str, words: Language) -> Side:
    def fenced(text: str) -> str:
        return text.replace("<<<", "").replace(">>>", "")  # no text may end its own quotation

    asked = words.message.format(question=fenced(question), first=fenced(first), second=fenced(second))
    return Side([{"role": "system", "content": words.system}, {"role": "user", "content": asked}], None, HOW)


def _read(answer: str, words: Language, places: tuple[str, str]) -> str | None:
    """The choice that an answer's first line names; None where it is none of the three words."""
    line = next((line for line in bengali.clean(answer).split("\n") if line.strip()), "")
    said = _MARKS.sub("", line).casefold()
    meant = dict(zip((bengali.clean(word).casefold() for word in words.answers), (*places, TIE), strict=True))
    return meant.get(said)


def _key(item: Item, name: str, words: Language) -> str:
    parts = [name, asdict(words), asdict(item)]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]


def _most(choices: Iterable[str]) -> str:
    """The most frequent choice, a tie where two are."""
    ordered = Counter(choices).most_common(2)
    return TIE if len(ordered) > 1 and ordered[0][1] == ordered[1][1] else ordered[0][0]
