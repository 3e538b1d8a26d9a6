"""The listener's intents: what each is told by, what is not one, and how the measuring counts."""

import unicodedata

import pytest

from finetune.review import listener


def told(reply):
    return {name for name, there in listener.intents(reply).items() if there}


@pytest.mark.parametrize(
    ("reply", "intent"),
    [
        ("কোন কথাটা এখনও কানে বাজছে?", "question"),
        ("এমন দিনে খারাপ লাগাটাই স্বাভাবিক।", "acknowledge"),
        ("আপনি একা নন।", "console"),
        ("একদম ঠিক বলেছেন।", "agree"),
        ("আপনি পারবেন।", "encourage"),
        ("খবরটা শুনে খুব খারাপ লাগল।", "sympathise"),
        ("চাইলে একটা কাগজে লিখে রাখতে পারেন।", "suggest"),
        ("অনেক শুভকামনা!", "wish"),
    ],
)
def test_each_intent_is_told_by_its_words_and_no_other_with_it(reply, intent):
    assert told(reply) == {intent}
    assert told(unicodedata.normalize("NFD", reply)) == {intent}


@pytest.mark.parametrize("reply", ["বিড়াল গড়ে বারো থেকে পনেরো বছর বাঁচে।", "ঈদ মুসলমানদের প্রধান ধর্মীয় উৎসব।", "", "।?"])
def test_flat_facts_and_no_words_are_no_intent(reply):
    assert told(reply) - {"question"} == set()


def test_a_proposal_put_as_a_question_is_a_suggestion():
    assert told("ওকে একটা চিঠি লিখলে কেমন হয়?") == {"suggest"}


def test_a_reply_has_the_intents_of_all_its_sentences_and_none_reaches_over_two():
    assert told("অভিনন্দন! প্রথম দিনটা কেমন কাটল?") == {"wish", "question"}
    assert "console" in told("আপনি একা নন।") and "console" not in told("আপনি একা। নন তো।")


def test_a_full_stop_parts_sentences_so_that_one_does_not_cancel_its_neighbour():
    assert told("খবরটা শুনে খুব খারাপ লাগল. আপনার কেন এমন মনে হলো?") == {"sympathise", "question"}
    assert "console" in told("আপনি একা নন.") and "console" not in told("আপনি একা. নন তো.")


def test_the_lexicon_has_these_eight_intents_with_a_guide_each():
    raw = listener.yaml.safe_load((listener.FOLDER / "listener_intents.yaml").read_text(encoding="utf-8"))
    assert tuple(raw["intents"]) == listener.INTENTS
    assert all(one["guide"] and one["says"] for one in raw["intents"].values())


@pytest.mark.parametrize(
    ("phrase", "sentence", "fits"),
    [
        ("মন … ভারী", "মন ভারী", True),
        ("মন … ভারী", "মন আজ এক দুই তিন ভারী", True),
        ("মন … ভারী", "মন আজ এক দুই তিন চার ভারী", False),
        ("মন*", "মনটা", True),
        ("মন", "মনটা", False),
        ("*বেই ।", "কাঁদবেই", True),
        ("*বেই ।", "কাঁদবেই তো", False),
        ("^ আহা", "আহা, থাক", True),
        ("^ আহা", "বলি আহা", False),
        ("আমি|তুমি শুনছি", "তুমি শুনছি", True),
        ("<who> শুনছি", "আমরা শুনছি", True),
    ],
)
def test_phrases_are_read_as_the_head_of_the_lexicon_explains(phrase, sentence, fits):
    pattern = listener._pattern([phrase], {"who": "আমি|আমরা"})
    assert bool(pattern.search(listener._marked(sentence))) is fits


def test_measuring_counts_tagged_told_and_right_lines_of_one_part(tmp_path):
    lines = tmp_path / "lines.tsv"
    tagged = ["# a head", "held\tquestion\tকেন?", "held\t-\tকবে?", "held\tquestion,wish\tবলুন তো", "seen\tquestion\tকে?"]
    lines.write_text("\n".join(tagged) + "\n", encoding="utf-8")
    found = listener.measured(lines)
    assert found["question"] == listener.Found(tagged=2, told=2, right=1)
    assert (found["question"].precision, found["question"].recall) == (1 / 2, 1 / 2)
    assert found["wish"] == listener.Found(tagged=1, told=0, right=0)
    assert found["wish"].precision is None and found["agree"].recall is None
    assert listener.table(found)[1].split() == ["question", "2", "2", "0.50", "0.50"]
    assert listener.table(found)[-1].split() == ["wish", "1", "0", "-", "0.00"]


def test_every_tagged_line_names_a_part_and_known_intents_and_stands_once():
    lines = [line for line in listener.LINES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    read = [line.split("\t") for line in lines]
    assert {len(fields) for fields in read} == {3}
    assert {part for part, _, _ in read} == {"seen", "held"}
    assert {tag for _, tags, _ in read for tag in tags.split(",")} == {*listener.INTENTS, "-"}
    assert len({text for _, _, text in read}) == len(read)
