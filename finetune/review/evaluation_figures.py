"""From replies and costs to the result of an evaluation: every figure of both sides, their difference, topics.

Each figure is a mean over questions with its 95 % interval, questions nearly alike drawn together, and the difference
is taken question by question. It counts nothing itself: what a figure is stands in `scores.py` and `bits.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.data.leakage import Leakage
from finetune.review import bertscore, bits, scores

SIDES = ("base", "tuned")

BETTER = {
    **dict.fromkeys(("bits_per_character", "bits_per_byte", "repetition", "intruding_script", "english_drift"), -1),
    **dict.fromkeys(("broken", "truncated", "copied", "empty"), -1),
    **dict.fromkeys(("chrf", "rouge1", "rouge2", "rougeL", "bertscore", "script_share", "finished", "on_the_point"), 1),
}
"""Where more (1) or less (-1) is better; of a figure that is not here, such as length, neither can be said."""

FEWEST_OF_TOPIC = 8
"""Groups of near-identical questions from which a topic stands by itself: intervals are drawn over groups, and twenty
wordings of one question are one. The rest is `OTHERS` together."""

MOST_TOPICS = 32
"""EmpatheticDialogues has as many emotions; a corpus with titles for topics would have thousands."""

OTHERS = ""

Line = Mapping[str, Any]


def figures(
    order: Mapping[str, Any], replies: Sequence[Line], costs: Sequence[Line], found: Leakage
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The result, and each question's own figures; `replies` and `costs` are the run's lines, in the same order.

    Result: `first_line` says what was found of leakage. `base` and `tuned` hold plain figures over all replies, and
    `intervals` by side each figure that is a mean over questions as `{"mean", "low", "high", "n"}`; `difference` is
    tuned less base in the same form. `base.chrf` pools all replies' counts, as published chrF does, while
    `intervals.base.chrf.mean` is the mean over replies, which has an interval.
    """
    groups, seed = [line["group"] for line in replies], order["seed"]
    rows = {side: [_row(line, side) for line in replies] for side in SIDES}
    each = {side: [scores.of_reply(row) for row in rows[side]] for side in SIDES}
    whole = {side: scores.of_replies(rows[side], each[side]) for side in SIDES}
    signatures = whole["base"].pop("signatures")
    said = [[row.reply for row in rows[side]] for side in SIDES]
    alike, lacking = bertscore.of_sides(said, [row.references for row in rows["base"]])
    for side, values in zip(SIDES, alike, strict=False):
        each[side] = [{**one, "bertscore": value} for one, value in zip(each[side], values, strict=True)]
    texts = [text for line in replies for text in line["references"]]
    paid = {side: [cost for line in costs for cost in line[side]] for side in SIDES}
    tokens = [count for line in costs for count in line["tokens"]]
    of_text = [line["group"] for line in replies for _ in line["references"]]

    intervals = {side: _bits(paid[side], texts, of_text, seed) for side in SIDES}
    difference = _bits([b - a for a, b in zip(*(paid[side] for side in SIDES), strict=True)], texts, of_text, seed)
    for name in each["base"][0]:
        values = {side: [one[name] for one in each[side]] for side in SIDES}
        for side in SIDES:
            intervals[side][name] = scores.intervals(values[side], groups, seed, scores.kind(name), scores.scale(name))
        difference[name] = scores.paired(
            values["base"], values["tuned"], groups, seed, scores.kind(name), scores.scale(name)
        )
    saved = scores.shown(bits.saved(paid["base"], paid["tuned"], of_text, seed))
    plain = {side: _plain(whole[side], intervals[side], bits.per_token(paid[side], texts, tokens)) for side in SIDES}
    return {
        "first_line": found.sentence(),
        **{key: order[key] for key in ("name", "split", "prompts", "references", "largest_group")},
        "leakage": found.to_dict(),
        "bits_saved": saved["mean"],
        "saved": saved,
        **plain,
        "intervals": intervals,
        "difference": difference,
        "topics": _topics(replies, costs, each, seed),
        "signatures": signatures,
        "settings": order["settings"],
        **{key: order[key] for key in ("adapter", "fingerprint", "resident", "format")},
        "bertscore": lacking or bertscore.signature(),
    }, [
        {"id": line["id"], **{side: {**_own_bits(line, cost, side), **each[side][at]} for side in SIDES}}
        for at, (line, cost) in enumerate(zip(replies, costs, strict=True))
    ]


def _row(line: Line, side: str) -> scores.Row:
    return scores.Row(
        line["question"],
        tuple(line["references"]),
        line[side],
        line[f"{side}_ended"],
        line[f"{side}_broken"],
        line["topic"],
    )


def _bits(paid: Sequence[float], texts: Sequence[str], groups: Sequence[object], seed: int) -> dict[str, Any]:
    return {
        "bits_per_character": scores.shown(bits.per_character(paid, texts, groups, seed)),
        "bits_per_byte": scores.shown(bits.per_byte(paid, texts, groups, seed)),
    }


def _plain(whole: Mapping[str, Any], intervals: Mapping[str, Any], per_token: Mapping[str, Any]) -> dict[str, Any]:
    """A side's figures as numbers; `ended`: the share of replies that end as a sentence does."""
    likelihood = {name: intervals[name]["mean"] for name in ("bits_per_character", "bits_per_byte")}
    figures = {name: value for name, value in whole.items() if name not in ("rows", "signatures")}
    return {**likelihood, **figures, "ended": whole["finished"], "per_token": dict(per_token)}


def _own_bits(line: Line, cost: Line, side: str) -> dict[str, float | None]:
    """Bits per character of one question's references."""
    return {"bits_per_character": bits.per_character(cost[side], line["references"]).value}


def _topics(
    replies: Sequence[Line], costs: Sequence[Line], each: Mapping[str, Sequence[Any]], seed: int
) -> list[dict[str, Any]]:
    """By topic the differences of bits per character and chrF++, most questions first, what is left over last."""
    places: dict[str, list[int]] = {}
    for at, line in enumerate(replies):
        places.setdefault(line["topic"], []).append(at)
    ordered = sorted(places, key=lambda topic: (-len(places[topic]), topic))
    kinds = {topic: len({replies[at]["group"] for at in mine}) for topic, mine in places.items()}
    kept = [topic for topic in ordered if topic and kinds[topic] >= FEWEST_OF_TOPIC][:MOST_TOPICS]
    if not kept:
        return []
    rest = sorted(at for topic in ordered if topic not in kept for at in places[topic])
    found = []
    for topic, mine in [*((topic, places[topic]) for topic in kept), (OTHERS, rest)]:
        if not mine:
            continue
        texts = [text for at in mine for text in replies[at]["references"]]
        of_text = [replies[at]["group"] for at in mine for _ in replies[at]["references"]]
        paid = [[cost for at in mine for cost in costs[at][side]] for side in SIDES]
        chrf = [[each[side][at]["chrf"] for at in mine] for side in SIDES]
        found.append(
            {
                "topic": topic,
                "prompts": len(mine),
                "bits_per_character": scores.shown(bits.difference(*paid, texts, of_text, seed)),
                "chrf": scores.paired(*chrf, [replies[at]["group"] for at in mine], seed, scale=scores.scale("chrf")),
            }
        )
    return found


def table(result: Mapping[str, Any]) -> list[str]:
    """The result as lines for a terminal, leakage first."""
    lines = [
        result["first_line"],
        f"{result['prompts']:,} questions of {result['name']}'s {result['split']} split, {result['references']:,}"
        f" references, answered greedily by {result['resident']}; 95 % intervals in brackets",
        f"tuned needs {_share(result['saved'])} fewer bits per character than base",
        f"{'':20}{'base':>28}{'tuned':>28}{'difference':>30}",
    ]
    intents = next(name for name in result["difference"] if name.startswith(scores.INTENT))
    for name, difference in result["difference"].items():
        if name == intents:
            lines.append(scores.DIAGNOSTIC)
        sides = "".join(f"{_shown(result['intervals'][side][name]):>28}" for side in SIDES)
        lines.append(f"{name:20}{sides}{_shown(difference, '+'):>30}")
    if result["bertscore"].startswith(bertscore.NOT_RUN):
        lines.append(f"{'bertscore':20}{result['bertscore']}")
    for name in ("chrf", "bleu", "distinct1", "distinct2", "distinct", "commonest_opener"):
        pooled = "".join(f"{_number(result[side][name]):>28}" for side in SIDES)
        lines.append(f"{'all, ' + name:20}{pooled}")
    for name in ("bits_per_character", "perplexity_per_token"):  # the one never without the other
        both = "".join(f"{_number(result[side]['per_token'][name]):>28}" for side in SIDES)
        lines.append(f"{name:20}{both}")
    warning = result["base"]["per_token"]["warning"]
    signatures = {**result["signatures"]}
    if not result["bertscore"].startswith(bertscore.NOT_RUN):
        signatures["bertscore"] = result["bertscore"]
    return [*lines, f"note: {warning}", *(f"{name}: {one}" for name, one in signatures.items())]


def _shown(figure: Mapping[str, Any], sign: str = "") -> str:
    if figure["low"] is None:
        return _number(figure["mean"], sign)
    return f"{_number(figure['mean'], sign)} [{_number(figure['low'], sign)}, {_number(figure['high'], sign)}]"


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.3f}"


def _share(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['mean']:.1%}"
    return f"{figure['mean']:.1%} [{figure['low']:.1%}, {figure['high']:.1%}]"
