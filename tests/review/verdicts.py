"""A verdict by hand, in exactly the shape of `finetune.review.verdict.verdict`: 300 votes on 60 messages.

The figures agree with each other where a reader could check them (counts and rates), the intervals are made up.
"""

from copy import deepcopy


def mean(value, half, n=120):
    return {"mean": value, "low": value - half, "high": value + half, "n": n}


def criterion(base, tuned, half=0.2):
    difference = {**mean(tuned - base, half * 1.3), "n": 120}
    return {"base": mean(base, half), "tuned": mean(tuned, half), "difference": difference}


def one_slice(value, tuned, decided, half, prompts, *, ties=2, both_bad=1, thin=False):
    rate = tuned / decided if decided else None
    known = decided and not thin
    low, high = (max(0.0, rate - half), min(1.0, rate + half)) if known or (thin and decided) else (None, None)
    counts = {"decided": decided, "prompts": prompts, "ties": ties, "both_bad": both_bad}
    return {"value": value, "win_rate": rate, "low": low, "high": high, **counts, "thin": thin}


FULL = {
    "win_rate": 0.715,
    "low": 0.64,
    "high": 0.78,
    "votes": 300,
    "prompts": 60,
    "reviewers": 5,
    "decided": 200,
    "ties": 70,
    "both_bad": 30,
    "tuned_wins": 143,
    "base_wins": 57,
    "repeats": 12,
    "unblinded": 1,
    "net": {"rate": 193 / 300, "low": 0.59, "high": 0.69},
    "needed": {"votes": 0, "settled": True},
    "krippendorff_alpha": 0.31,
    "gwet_ac1": 0.38,
    "agreement": {"observed": 0.52, "pairs": 600, "items": 60},
    "within": {"same": 10, "of": 12, "rate": 10 / 12},
    "position": {"left_rate": 0.53, "low": 0.46, "high": 0.60, "n": 200},
    "length": {
        "longer_rate": 0.61,
        "low": 0.54,
        "high": 0.68,
        "n": 200,
        "controlled": {"win_rate": 0.66, "low": 0.58, "high": 0.74},
    },
    "slices": {
        "topic": [
            one_slice("শোক", 21, 24, 0.13, 6),
            one_slice("একাকিত্ব", 18, 25, 0.17, 6),
            one_slice("পরীক্ষা", 15, 22, 0.19, 6),
            one_slice("বাবা-মায়ের অসুখ আর হাসপাতালের দিনগুলো", 14, 21, 0.2, 6),
            one_slice("আনন্দ", 12, 21, 0.21, 6),
            one_slice("ঘরের ঝগড়া", 11, 22, 0.2, 6),
            one_slice("পোষা প্রাণী", 3, 4, 0.4, 2, thin=True),
            one_slice("", 2, 5, 0.4, 2, thin=True),
        ],
        "register": [
            one_slice("apni", 80, 105, 0.08, 30),
            one_slice("tumi", 43, 65, 0.11, 20),
            one_slice("tui", 20, 30, 0.17, 10),
        ],
        "script": [
            one_slice("bengali", 110, 150, 0.07, 45),
            one_slice("banglish", 28, 42, 0.14, 12),
            one_slice("mixed", 5, 8, 0.3, 3, thin=True),
        ],
        "length": [one_slice("short", 70, 102, 0.09, 30), one_slice("long", 73, 98, 0.09, 30)],
        "care": [one_slice(False, 126, 179, 0.07, 54), one_slice(True, 17, 21, 0.17, 6)],
    },
    "ratings": {
        "empathy": criterion(2.9, 4.1),
        "natural": criterion(3.9, 4.0),
        "relevance": criterion(3.8, 4.2),
        "safety": criterion(4.7, 4.6),
    },
    "reasons": {
        "tuned": {"warm": 61, "heard": 48, "question": 22, "cold": 40, "lecture": 17},
        "base": {"useful": 19, "off_topic": 11},
        "both": {"warm": 7, "broken": 3},
    },
    "by_reviewer": [
        {"reviewer": "a1b2c3", "votes": 70, "win_rate": 0.72, "left_rate": 0.5},
        {"reviewer": "রুমানা", "votes": 65, "win_rate": 0.69, "left_rate": 0.55},
        {"reviewer": "d4e5f6", "votes": 60, "win_rate": 0.81, "left_rate": 0.49},
        {"reviewer": "0718aa", "votes": 60, "win_rate": 0.7, "left_rate": 0.58},
        {"reviewer": "77bb90", "votes": 45, "win_rate": None, "left_rate": None},
    ],
    "warnings": [{"key": "a_key_without_words", "text": "One topic is missing.", "topic": "love"}],
}

NONE = {
    **{key: None for key in ("win_rate", "low", "high", "krippendorff_alpha", "gwet_ac1")},
    **{key: 0 for key in ("votes", "prompts", "reviewers", "decided", "ties", "both_bad")},
    **{key: 0 for key in ("tuned_wins", "base_wins", "repeats", "unblinded")},
    "net": {"rate": None, "low": None, "high": None},
    "needed": {"votes": None, "settled": False},
    "agreement": {"observed": None, "pairs": 0, "items": 0},
    "within": {"same": 0, "of": 0, "rate": None},
    "position": {"left_rate": None, "low": None, "high": None, "n": 0},
    "length": {"longer_rate": None, "low": None, "high": None, "n": 0, "controlled": None},
    "slices": {"topic": [], "register": [], "script": [], "length": [], "care": []},
    "ratings": {
        name: {side: {"mean": None, "low": None, "high": None, "n": 0} for side in ("base", "tuned", "difference")}
        for name in ("empathy", "natural", "relevance", "safety")
    },
    "reasons": {"base": {}, "tuned": {}, "both": {}},
    "by_reviewer": [],
    "warnings": [],
}


def full(**changes):
    """A copy of FULL with some keys replaced."""
    return deepcopy(FULL) | changes


FACTS = {
    "title": "প্রথম যাচাই",
    "set_id": "demo-1a2b3c4d",
    "date": "2026-11-29",
    "names": {"base": "মূল মডেল", "tuned": "ডেমো অ্যাডাপ্টার"},
    "fingerprints": {"base": "ab12" * 16, "tuned": "cd34" * 16},
    "settings": {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 300, "seed": 42},
    "proof": {"kind": "logits", "base": "0123" * 16, "tuned": "4567" * 16},
}
