"""Every sentence exists in both languages, and every error of `finetune` can be said in Bengali."""

import ast
import hashlib
import string
import unicodedata
from functools import cache

import pytest

from finetune.data import corpus
from finetune.errors import DataError, FinetuneError, Problem, RecipeError, RunError
from finetune.recipe import ROOT, Recipe
from finetune.review.feedback import CONSENT
from ui import wording

EVERY_PAIR = {**wording.LABELS, **wording.SENTENCES}


def placeholders(template):
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@cache
def calls(folder):
    """Every call in a folder's Python files, with the file it stands in."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.append((path.relative_to(ROOT), node))
    return found


def name_of(call):
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def keys_in(node):
    """The keys that an expression may give: a text, or one that is completed by a reason for dropping a row."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        return [node.values[0].value + reason for reason in corpus.REASONS]
    return []


def raised(folder):
    """(place, key, names of the facts given) of every error that a folder's code makes and gives a key."""
    found = []
    for path, call in calls(folder):
        facts = {keyword.arg for keyword in call.keywords} - {"key"}
        made = [keyword.value for keyword in call.keywords if keyword.arg == "key"]
        if name_of(call) == "Problem" and len(call.args) > 1:
            made = [call.args[1]]
        elif not name_of(call).endswith("Error"):
            continue
        found += [(f"{path}:{call.lineno}", key, facts) for node in made for key in keys_in(node) if key]
    return found


def texts_in(folder):
    """Every text constant in a folder's code."""
    return {
        node.value
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "wording.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_the_search_for_errors_finds_those_that_are_known_to_be_there():
    keys = {key for _, key, _ in raised("finetune")}
    assert {"data.columns", "data.none_left.empty", "run.running", "recipe.range", "model.gated"} <= keys
    assert len(keys) > 30


def named(value):
    """A part of a test's name that is the same in every process, which sets as they are printed are not."""
    return " ".join(sorted(value)) if isinstance(value, set | frozenset) else value


@pytest.mark.parametrize(("place", "key", "facts"), raised("finetune") + raised("ui"), ids=named)
def test_an_error_has_a_bengali_sentence_that_needs_only_the_facts_given_where_it_is_raised(place, key, facts):
    assert key in wording.ERRORS_BN, place
    assert placeholders(wording.ERRORS_BN[key]) <= facts, place


@pytest.mark.parametrize("key", ["run.died", "run.interrupted"])
def test_an_error_that_only_a_status_holds_has_a_bengali_sentence_without_facts(key):
    assert key in texts_in("finetune")
    assert placeholders(wording.ERRORS_BN[key]) == set()


def test_no_bengali_sentence_is_kept_for_an_error_that_nothing_raises():
    known = texts_in("finetune") | texts_in("ui") | {key for _, key, _ in raised("finetune")}
    assert set(wording.ERRORS_BN) - known == set()


@pytest.mark.parametrize("key", EVERY_PAIR)
def test_a_text_exists_in_both_languages_with_the_same_facts(key):
    bengali, english = EVERY_PAIR[key]
    assert bengali.strip() and english.strip()
    assert placeholders(bengali) == placeholders(english)


def test_who_changes_the_text_of_consent_changes_its_version_too():
    texts = [*wording.LABELS["chat.consent"], *wording.LABELS["chat.consent.info"]]
    assert {CONSENT: hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]} == {"2026-11-29.2": "53a64d6fc5018d1e"}


def test_texts_are_in_the_one_unicode_form():
    texts = [text for pair in EVERY_PAIR.values() for text in pair]
    texts += [*wording.ERRORS_BN.values(), *wording.EXAMPLES]
    assert [text for text in texts if not unicodedata.is_normalized("NFC", text)] == []


def test_every_label_and_sentence_that_the_page_names_exists():
    missing = []
    for path, call in calls("ui"):
        known = {"label": wording.LABELS, "sentence": wording.SENTENCES, "say": wording.SENTENCES}.get(name_of(call))
        if known is None or path.name == "wording.py" or not call.args or not isinstance(call.args[0], ast.Constant):
            continue
        if call.args[0].value not in known:
            missing.append((str(path), call.args[0].value))
    assert missing == []


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_every_state_of_a_run_can_be_said(language):
    from finetune.training import runs

    for state in (*runs.ACTIVE, *runs.ENDED):
        assert wording.sentence(f"status.{state}", language)


def test_figures_in_a_bengali_sentence_are_written_with_bengali_digits():
    assert wording.sentence("status.steps", "bn", step=65, total=1300) == "ধাপ ৬৫ / ১,৩০০"
    assert wording.sentence("status.steps", "en", step=65, total=1300) == "step 65 of 1,300"


def test_a_name_with_figures_in_it_keeps_them_for_it_must_be_found_again():
    assert wording.digits("demo-001", "bn") == "demo-001"
    assert wording.digits("আমার ফাইল2.csv", "bn") == "আমার ফাইল2.csv"


def test_an_error_is_told_in_bengali_with_its_facts():
    problem = DataError("…", key="data.columns", file="মন.csv", lacking="Questions", found="q, a")
    told = wording.error(problem, "bn")
    assert "মন.csv ফাইলে Questions নামে কলাম নেই" in told
    assert "q, a" in told


def test_an_error_is_told_in_english_by_its_own_message():
    assert wording.error(RunError("demo-001 is not running.", key="run.not_running", run="demo-001"), "en") == (
        "demo-001 is not running."
    )


def test_an_error_without_a_bengali_sentence_is_told_by_its_own_message_rather_than_not_at_all():
    assert wording.error(FinetuneError("The disk is full.", key="nobody.knows"), "bn") == "The disk is full."


def test_braces_in_what_a_person_typed_do_not_disturb_the_sentence():
    problem = RunError("…", key="run.unknown", run="{run} {0}", known="demo-001")
    assert wording.error(problem, "bn") == "{run} {0} নামে কোনো রান নেই। আছে: demo-001।"


def test_all_problems_of_a_recipe_are_told_one_a_line_with_the_names_that_the_page_shows():
    with pytest.raises(RecipeError) as caught:
        Recipe.read("demo").with_settings({"adapter.r": 0, "training.save_steps": 7})
    evaluated = wording.digits(Recipe.read("demo").training.eval_steps, "bn")
    assert wording.error(caught.value, "bn").splitlines() == [
        "অ্যাডাপ্টারের র‍্যাঙ্ক (r): ০ চলবে না, ১ থেকে ৫১২-এর মধ্যে একটা মান দিন।",
        f"কয় ধাপ পরপর সংরক্ষণ: সংরক্ষণের ধাপ (৭) যাচাইয়ের ধাপের ({evaluated}) গুণিতক হতে হবে।",
    ]


def test_a_problem_of_a_recipe_without_a_bengali_sentence_is_told_in_english():
    problem = RecipeError({"data.source": Problem("cannot be set here.", "")})
    assert wording.error(problem, "bn") == f"{wording.label('data.source', 'bn')}: cannot be set here."


def test_a_problem_of_a_setting_that_no_recipe_has_is_told_with_the_name_that_was_given():
    problem = RecipeError({"data.sourse": Problem("no such setting.", "recipe.unknown")})
    assert wording.error(problem, "bn") == "data.sourse: এই নামে কোনো সেটিং নেই।"


def test_an_error_that_a_status_kept_is_told_again_from_its_key_and_facts():
    facts = {"file": "মন.csv"}
    assert wording.told("data.empty", facts, "মন.csv is empty.", "bn").startswith("মন.csv ফাইলটা খালি।")
    assert wording.told("data.empty", facts, "মন.csv is empty.", "en") == "মন.csv is empty."


def test_the_examples_are_questions_that_no_crisis_screen_stops():
    from finetune.inference import safety

    assert [safety.screen(text) for text in wording.EXAMPLES] == ["none"] * len(wording.EXAMPLES)
