"""A verdict in sentences that a person without statistics understands. It judges nothing that the figures do not.

Whether a rate is "clearly" on one side is read off its 95 % interval alone. No cut-off makes an agreement good or
bad: what people feel about a reply differs, and the usual labels ("substantial", "fair") were made for other work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from finetune.review.spoken import Spoken

FAULTS = ("cold", "lecture", "off_topic", "broken")
"""Reason chips that say what is wrong with the reply that was not chosen; all others praise the chosen one."""

APART = 0.2
"""Where AC1 exceeds alpha by so much of the way from luck (0) to full agreement (1), the report says why. Our choice;
the cause is in Gwet (2008), "Computing inter-rater reliability and its variance in the presence of high agreement"."""

Figures = Mapping[str, Any]


def headline(verdict: Figures, spoken: Spoken) -> str:
    """What came out and how sure it is, in two sentences or so."""
    names = {side: spoken.say(f"side.{side}") for side in ("tuned", "base")}
    if not verdict["votes"]:
        return spoken.say("headline.none")
    if verdict["win_rate"] is None:
        return spoken.say("headline.undecided", votes=verdict["votes"])
    rate = spoken.rate(verdict["win_rate"], verdict["decided"])
    count = {"wins": verdict["tuned_wins"], "decided": verdict["decided"], "rate": rate, **names}
    low, high, needed = verdict["low"], verdict["high"], verdict["needed"]["votes"]
    if low is None or high is None:
        return f"{spoken.say('headline.rate', **count)} {spoken.say('headline.few')}"
    told = spoken.say("headline.sure", low=spoken.share(low), high=spoken.share(high), **count)
    if low > 0.5:
        return f"{told} {spoken.say('headline.better', **names)}"
    if high < 0.5:
        return f"{told} {spoken.say('headline.worse', **names)}"
    if needed is None:
        return f"{told} {spoken.say('headline.open')}"
    return f"{told} {spoken.say('headline.early', needed=needed)}"


def basis(verdict: Figures, spoken: Spoken) -> list[str]:
    """What the rate rests on, what it is with ties counted as halves, and that repeats are not in it."""
    counts = ("votes", "prompts", "reviewers", "repeats")
    facts = {name: verdict[name] for name in counts} | {"tuned": spoken.say("side.tuned")}
    told = [spoken.say("basis", **facts)]
    net = verdict["net"]
    if net["rate"] is not None and verdict["ties"] + verdict["both_bad"]:
        told.append(spoken.say("basis.net", rate=spoken.share(net["rate"]), between=spoken.between(net), **facts))
    if verdict["repeats"]:
        told.append(spoken.say("basis.repeats", **facts))
    return told


def biases(verdict: Figures, spoken: Spoken) -> list[str]:
    """Whether place or length decided rather than the words, and the win rate at equal length."""
    told, position, length = [], verdict["position"], verdict["length"]
    if position["left_rate"] is not None:
        key = f"position.{_side_of_half(position)}"
        told.append(spoken.say(key, rate=spoken.share(position["left_rate"]), between=spoken.between(position)))
    if length["longer_rate"] is not None:
        key = f"length.{_side_of_half(length)}"
        told.append(spoken.say(key, rate=spoken.share(length["longer_rate"]), between=spoken.between(length)))
        told.append(_at_equal_length(verdict, spoken))
    return told


def agreement(verdict: Figures, spoken: Spoken) -> list[str]:
    """How far people agree with each other and with themselves, and what the two coefficients mean here."""
    told, found, within = [], verdict["agreement"], verdict["within"]
    alpha, ac1 = verdict["krippendorff_alpha"], verdict["gwet_ac1"]
    if found["observed"] is None:
        told.append(spoken.say("agreement.none"))
    else:
        counts = {"items": found["items"], "n": found["pairs"]}
        told.append(spoken.say("agreement.observed", rate=spoken.share(found["observed"]), **counts))
        told.append(spoken.say("agreement.chance", alpha=spoken.number(alpha, 2), ac1=spoken.number(ac1, 2)))
        if alpha is None:
            told.append(spoken.say("agreement.undefined"))
        elif ac1 is not None and ac1 - alpha >= APART:
            told.append(spoken.say("agreement.apart"))
        told.append(spoken.say("agreement.taste"))
    if within["rate"] is None:
        return [*told, spoken.say("within.none")]
    counts = {"same": within["same"], "of": within["of"]}
    return [*told, spoken.say("within", rate=spoken.share(within["rate"]), **counts)]


def reasons(verdict: Figures, spoken: Spoken) -> list[str]:
    """Why, in the reviewers' chips, the most frequent first: praise of the chosen side, faults of the other."""
    told = []
    for side, other in (("tuned", "base"), ("base", "tuned")):
        given = verdict["reasons"].get(side, {})
        names = {"side": spoken.say(f"side.{side}"), "other": spoken.say(f"side.{other}")}
        for key, wanted in (("reasons.praise", False), ("reasons.fault", True)):
            counted = {reason: n for reason, n in given.items() if n and (reason in FAULTS) is wanted}
            if counted:
                told.append(spoken.say(key, list=_counted(counted, spoken), **names))
    both = {reason: n for reason, n in verdict["reasons"].get("both", {}).items() if n}
    return [*told, *([spoken.say("reasons.both", list=_counted(both, spoken))] if both else [])]


def warnings(verdict: Figures, spoken: Spoken) -> list[str]:
    """What to bear in mind; in its own English where the language has no wording for it."""
    told = []
    for warning in verdict["warnings"]:
        facts = {name: value for name, value in warning.items() if name not in ("key", "text")}
        told.append(spoken.told(f"warning.{warning['key']}", warning["text"], **facts))
    return told


def _at_equal_length(verdict: Figures, spoken: Spoken) -> str:
    controlled = verdict["length"]["controlled"]
    if controlled is None or controlled["win_rate"] is None:
        return spoken.say("length.unknown")
    facts = {"rate": spoken.share(controlled["win_rate"]), "between": spoken.between(controlled)}
    told = spoken.say("length.controlled", tuned=spoken.say("side.tuned"), **facts)
    lost = _side_of_half(verdict) != "even" and _side_of_half(controlled) == "even"
    return f"{told} {spoken.say('length.part')}" if lost else told


def _side_of_half(figures: Figures) -> str:
    """`above` or `below` where the interval leaves one half out, else `even`."""
    low, high = figures["low"], figures["high"]
    if low is None or high is None:
        return "even"
    return "above" if low > 0.5 else "below" if high < 0.5 else "even"


def _counted(reasons: Mapping[str, int], spoken: Spoken) -> str:
    ordered = sorted(reasons.items(), key=lambda item: -item[1])
    return ", ".join(f"{spoken.told(f'reason.{reason}', reason)} ({spoken.number(n)})" for reason, n in ordered)
