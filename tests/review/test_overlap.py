"""chrF++, BLEU and ROUGE of Bengali: known answers, and the two artefacts of published figures, made and avoided."""

import unicodedata

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF

from finetune.review import overlap

SENTENCE = "বাবা নেই, বাড়িটা খালি। “একা লাগে” বলেছিলেন—তাই না?"
HARD = [SENTENCE, "ভালো।", "র‍্যাব আর হৃদয়", "আজ ২৫।", "হ্যাঁ\nশুনছি", "OSU-তে খেলা দেখেছেন?"]


@pytest.mark.parametrize("text", HARD)
def test_identical_replies_have_the_full_score_in_every_metric(text):
    for reply in (text, unicodedata.normalize("NFD", text), f" {text}\n"):
        assert overlap.of_reply(reply, [text]) == pytest.approx({"chrf": 100, "rouge1": 1, "rouge2": 1, "rougeL": 1})
        whole = overlap.of_replies([reply], [[text]])
        assert (whole["chrf"], whole["bleu"]) == pytest.approx((100, 100))


def test_composed_and_decomposed_letters_are_the_same_letters():
    assert "\u09df" in "\u09ac\u09df\u09b8" and overlap.words("\u09ac\u09df\u09b8") == overlap.words("বয়স")
    assert overlap.of_reply("\u09ac\u09df\u09b8 কত", ["বয়স কত"])["rouge1"] == 1


def test_rouge_is_what_is_worked_out_by_hand():
    """Four words against three of them: P = 1, R = 3/4; one pair of two and of three; a common subsequence of 3."""
    found = overlap.of_reply("আমি ভালো আছি।", ["আমি আজ ভালো আছি।"])
    assert [found[name] for name in overlap.ROUGE] == pytest.approx([6 / 7, 2 / 5, 6 / 7])


def test_rouge_is_that_of_the_librarys_own_example():
    """https://github.com/google-research/google-research/tree/master/rouge: P 6/8, R 6/9; subsequence P 5/8, R 5/9."""
    found = overlap.of_reply("The quick brown dog jumps on the log.", ["The quick brown fox jumps over the lazy dog"])
    assert (found["rouge1"], found["rougeL"]) == pytest.approx((12 / 17, 10 / 17))


def test_chrf_is_what_is_worked_out_by_hand():
    """One of two letters, no pair, no word: precision and recall are (1/2 + 0 + 0) / 3."""
    assert overlap.of_reply("কখ", ["কগ"])["chrf"] == pytest.approx(100 / 6)


def test_another_sign_typed_for_the_danda_costs_nothing():
    assert overlap.of_reply("আমি আছি৷", ["আমি আছি।"]) == {"chrf": 100.0, "rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}


def test_a_danda_is_no_part_of_the_word_before_it():
    """Orders of letters 1 to 3 and of words 1: P = (3/4 + 2/3 + 1/2 + 1/2) / 4, R = 1, F2 = 5PR / (4P + R)."""
    precision = (3 / 4 + 2 / 3 + 1 / 2 + 1 / 2) / 4
    found = overlap.of_reply("আছি।", ["আছি"])
    assert found["chrf"] == pytest.approx(100 * 5 * precision / (4 * precision + 1))
    assert found["chrf"] > CHRF(word_order=2).sentence_score("আছি।", ["আছি"]).score
    assert found["rouge1"] == 1


def test_bleu_is_what_is_worked_out_by_hand():
    """Precisions 4/5, 3/4, 2/3 and 1/2 at equal length: their geometric mean."""
    found = overlap.of_replies(["ক খ গ ঘ ঙ"], [["ক খ গ ঘ চ"]])
    assert found["bleu"] == pytest.approx(100 * 0.2**0.25)


def test_bleu_adds_up_counts_before_it_divides():
    """Both replies together: 4+5 of 5+5 words, 3+4 of 4+4 pairs, 2+3 of 3+3 and 1+2 of 2+2."""
    found = overlap.of_replies(["ক খ গ ঘ ঙ", "ক খ গ ঘ চ"], [["ক খ গ ঘ চ"], ["ক খ গ ঘ চ"]])
    assert found["bleu"] == pytest.approx(100 * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** 0.25)


def test_an_english_tokenizer_scores_bengali_zero_and_ours_does_not():
    """ROUGE-0 of published work: rouge_score's default tokenizer keeps [a-z0-9] only."""
    artefact = RougeScorer(["rouge1"]).score(SENTENCE, SENTENCE)["rouge1"].fmeasure
    assert artefact == 0
    assert overlap.of_reply(SENTENCE, [SENTENCE])["rouge1"] == 1
    longer, count = f"{SENTENCE} আবার।", len(overlap.words(SENTENCE))  # other words, so that rouge_score is asked
    assert overlap.of_reply(longer, [SENTENCE])["rouge1"] == pytest.approx(2 * count / (2 * count + 1))


def test_a_latin_header_alone_scores_one_by_an_english_tokenizer_and_not_by_ours():
    """ROUGE-1.0 of published work: of prompt and reply together only the header "### Instruction" was compared."""
    reply, reference = "### Instruction: বিড়াল বারো বছর বাঁচে।", "### Instruction: আপনি একা নন, শুনছি।"
    artefact = RougeScorer(["rouge1", "rougeL"]).score(reference, reply)
    assert [one.fmeasure for one in artefact.values()] == [1, 1]
    assert overlap.of_reply(reply, [reference])["rouge1"] == pytest.approx(2 / 10)  # 1 of 5 words on both sides


def test_each_figure_is_against_the_best_of_all_references():
    near, far = "আমি আজ ভালো আছি।", "বিড়াল বাঁচে।"
    alone = overlap.of_reply("আমি ভালো আছি।", [near])
    assert overlap.of_reply("আমি ভালো আছি।", [far, near, ""]) == alone
    assert overlap.of_reply("আমি ভালো আছি।", [near, "আমি ভালো আছি।"])["rouge2"] == 1


def test_rows_may_have_different_numbers_of_references():
    replies = ["আমি আজ ভালো আছি আপা।", "শুনছি, বলুন তো কী হলো?"]
    wanted = [["শুনছি।", "আমি আজ ভালো আছি আপা।"], ["শুনছি, বলুন তো কী হলো?"]]
    found = overlap.of_replies(replies, wanted)
    assert (found["chrf"], found["bleu"]) == pytest.approx((100, 100))
    assert "nrefs:var" in found["signatures"]["bleu"]


def test_signatures_say_how_overlap_was_counted():
    signatures = overlap.of_replies(["ভালো"], [["ভালো"]])["signatures"]
    assert set(signatures) == {"chrf", "bleu", "rouge"}
    assert "nc:6|nw:2" in signatures["chrf"]  # chrF++
    assert "tok:intl" in signatures["bleu"]
    assert all("version:" in signature and "NFC" in signature for signature in signatures.values())


def test_an_empty_reply_scores_nothing_and_a_reply_without_references_has_no_score():
    assert set(overlap.of_reply("", ["ভালো আছি।"]).values()) == {0}
    for references in ([], [""], ["।"]):
        assert set(overlap.of_reply("ভালো আছি।", references).values()) == {None}
        assert overlap.of_replies(["ভালো আছি।"], [references]) == {"chrf": None, "bleu": None, "signatures": {}}


def test_replies_without_references_do_not_count_in_the_whole():
    assert overlap.of_replies(["ভালো আছি।", "কিছু"], [["ভালো আছি।"], []])["chrf"] == pytest.approx(100)


@pytest.mark.parametrize(("wanted", "ratio"), [(["ক খ গ ঘ"], 0.75), (["ক খ গ ঘ", "ক খ", "ক"], 1.5), (["ক খ গ।"], 1)])
def test_the_length_ratio_is_to_the_nearest_reference_and_to_the_shorter_of_two_as_near(wanted, ratio):
    assert overlap.length_ratio("ক খ গ।", wanted) == ratio


def test_without_a_reference_there_is_no_length_ratio():
    assert overlap.length_ratio("ক", ["।"]) is None


def test_marks_are_no_words_and_an_apostrophe_inside_a_word_parts_none():
    assert overlap.words("“ভালো” — আছি… না? দু’জন OK") == ["ভালো", "আছি", "না", "দু’জন", "ok"]
    assert overlap.parted("“ভালো”—আছি।\nদু’জন") == "“ ভালো ” — আছি । দু’জন"
