"""finetune/review/report.py: one page that needs nothing else, from verdicts by hand and from the real one."""

import re
import string
import unicodedata
from html.parser import HTMLParser

import pytest

from finetune.review import report
from finetune.review.verdict import verdict as counted
from tests.review.verdicts import FACTS, NONE, full, one_slice
from ui.wording_review import REPORT, report_words

EVIL = "<img src=x onerror=alert(1)>{0.__class__}\"'&"
VOID = {"meta", "br", "img", "link"}


class Nesting(HTMLParser):
    """Collects tags and text, and fails where an element is closed that is not the one open."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.said = [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.said.append(data)


def page(verdict, language="bn", facts=FACTS):
    return report.page(verdict, report_words(language), facts, language)


@pytest.mark.parametrize("language", ["bn", "en"])
@pytest.mark.parametrize("verdict", [full(), NONE, full(ratings={}, slices={}, by_reviewer=[])])
@pytest.mark.parametrize("facts", [FACTS, {}])
def test_a_page_is_well_nested_and_fetches_and_runs_nothing(verdict, language, facts):
    made = page(verdict, language, facts)
    tags = Nesting(made).tags
    assert ("html", {"lang": language}) in tags
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
    assert not any(name in attributes for _, attributes in tags for name in ("src", "srcset", "onload", "onclick"))
    assert "url(" not in made and "@import" not in made and "default-src 'none'" in made
    assert all(attributes["href"].startswith("#") for _, attributes in tags if "href" in attributes)


def test_in_bengali_every_figure_is_in_bengali_digits():
    # A fingerprint, a set's name and the names of coefficients are no figures; the real page has Latin letters there.
    said = " ".join(Nesting(page(full(warnings=[]), facts={})).said).replace("AC1", "")
    assert not re.findall(r"[0-9]+", said)


def test_every_figure_of_a_picture_is_in_a_table_too():
    made = page(full(), "en")
    tables = " ".join(re.findall(r"<table.*?</table>", made))
    for shown in ("143", "48\u00a0%", "88\u00a0%", "74\u00a0% to 100\u00a0%", "+1.2 (+0.9 to +1.5)", "2.9 (120)"):
        assert shown in tables


def test_who_was_compared_how_and_with_what_proof_is_on_the_page():
    said = "".join(Nesting(page(full(), "en")).said)
    for part in ("ডেমো অ্যাডাপ্টার", "ab12ab12ab12", "temperature 0.7", "demo-1a2b3c4d", "012301230123 · 456745674567"):
        assert part in said
    assert "ab12ab12ab12a" not in said
    assert "No proof" in "".join(Nesting(page(full(), "en", FACTS | {"proof": None})).said)


def test_the_two_sides_are_called_by_the_names_of_what_was_compared():
    facts = FACTS | {"names": {"base": "step 100", "tuned": "step 200"}}
    made = page(full(), "en", facts)
    assert "preferred the reply of step 200" in made and "step 100 is better" in made
    assert "the fine-tuned model" not in made


def test_reviewers_are_numbers_and_never_names():
    made = page(full(), "bn")
    assert "পাঠক ১" in made and "পাঠক ৫" in made
    assert "রুমানা" not in made and "a1b2c3" not in made


def test_whatever_people_wrote_is_text_on_the_page_and_no_markup():
    verdict = full(
        slices={"topic": [one_slice(EVIL, 10, 40, 0.1, 8), one_slice("b", 10, 40, 0.1, 8)]},
        reasons={"tuned": {EVIL: 3}},
        ratings={EVIL: full()["ratings"]["empathy"]},
        warnings=[{"key": EVIL, "text": EVIL}],
    )
    facts = {
        "title": EVIL, "set_id": EVIL, "date": EVIL, "names": {"base": EVIL, "tuned": EVIL}, "settings": {EVIL: EVIL},
        "fingerprints": {"base": EVIL, "tuned": EVIL}, "proof": {"kind": "replies", "base": EVIL, "tuned": EVIL},
    }  # fmt: skip
    parsed = Nesting(page(verdict, "en", facts))
    assert "img" not in {tag for tag, _ in parsed.tags}
    assert EVIL in "".join(parsed.said)


def test_a_dimension_with_one_value_only_has_no_picture():
    one = {"script": [one_slice("bengali", 143, 200, 0.07, 60)], "length": full()["slices"]["length"]}
    made = page(full(slices=one), "en")
    assert "<h3>Length of the message</h3>" in made and "<h3>Script</h3>" not in made


def test_the_headline_points_to_the_warnings_where_there_are_some():
    assert 'href="#bear-in-mind"' in page(full()) and 'id="bear-in-mind"' in page(full())
    assert "bear-in-mind" not in page(full(warnings=[]))


def test_the_sections_for_the_app_hold_the_same_pictures_and_no_head():
    made = report.sections(full(), report_words("bn"), "bn", FACTS["names"])
    Nesting(made)
    assert made.startswith('<div class="verdict-plots" lang="bn">') and "<style" not in made
    assert re.findall(r"<svg.*?</svg>", made) == re.findall(r"<svg.*?</svg>", page(full()))
    assert "ডেমো অ্যাডাপ্টার" in made


def vote(n, reviewer, choice, **more):
    left = "tuned" if n % 2 else "base"
    return {"prompt_id": f"p{n}", "reviewer": reviewer, "choice": choice, "left": left, **more}


@pytest.mark.parametrize("language", ["bn", "en"])
def test_the_real_verdict_of_some_votes_becomes_a_page(language):
    choices = ("tuned", "tuned", "base", "both_good", "tuned", "both_bad")
    lines = [
        vote(
            n, reviewer, choices[(n + offset) % 6], set_id="s", topic="শোক" if n % 2 else "আনন্দ", care=n % 5 == 0,
            ratings={"empathy": {"base": 2 + n % 3, "tuned": 3 + n % 3}}, reasons=["warm", "cold"],
            base_characters=80 + n, tuned_characters=120 - n,
        )
        for n in range(24) for offset, reviewer in enumerate(("asha", "rafi", "mitu"))
    ]  # fmt: skip
    lines += [vote(n, "asha", "tuned", set_id="s", repeat=True) for n in range(3)]
    verdict = counted(lines)
    said = "".join(Nesting(page(verdict, language)).said)
    assert {"bn": "২৪টি কথার উত্তর পড়েছেন ৩ জন", "en": "messages: 24; reviewers: 3"}[language] in said
    assert {"bn": "আন্তরিক", "en": "warm"}[language] in said
    assert "asha" not in said


@pytest.mark.parametrize("lines", [[], [vote(1, "asha", "tuned")], [vote(1, "asha", "both_good")]])
def test_the_real_verdict_of_hardly_any_votes_becomes_a_page(lines):
    Nesting(page(counted(lines), "bn", {}))


def test_every_warning_of_the_real_verdict_has_words_in_bengali():
    lines = [vote(n, "asha", "tuned" if n % 2 else "base", set_id="s") for n in range(9)]  # always the left side
    lines += [vote(n, "asha", "both_bad", set_id="s", repeat=True) for n in range(6)]
    lines.append(vote(8, "asha", "tuned", set_id="s", unblinded=True))
    found = counted(lines)["warnings"]
    assert len(found) >= 4
    assert [f"warning.{one['key']}" for one in found if f"warning.{one['key']}" not in REPORT] == []


def test_both_languages_of_every_word_take_the_same_facts_and_the_bengali_is_nfc():
    def facts(template):
        return {name for _, name, _, _ in string.Formatter().parse(template) if name}

    # Where one language repeats a name and the other does not, no fact may be one that only it is given.
    extra = {"headline.better": {"tuned"}, "headline.worse": {"tuned", "base"}}
    for key, (bn, en) in REPORT.items():
        assert facts(bn) ^ facts(en) <= extra.get(key, set()), key
        assert bn == unicodedata.normalize("NFC", bn), key
