"""BERTScore with a tiny BERT of random weights: what matching gives, and that nothing runs without weights."""

import pytest

from finetune.errors import ModelError
from finetune.review import bertscore

REPLIES = ["আপনি একা নন।", "বাবা নেই, চেয়ারটা খালি।", ""]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a BERT of 2 layers, 32 wide, whose words are single letters."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("tiny-bert")
    letters = sorted({letter for text in [*REPLIES, "শুনছি।"] for letter in text if not letter.isspace()})
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {name: number for number, name in enumerate(names)}
    BertTokenizer(vocab=vocabulary, do_lower_case=False).save_pretrained(folder)
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(names), initializer_range=0.5, **sizes)).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def score(encoder):
    """F1 by the last layer of the tiny BERT."""
    return lambda replies, references: bertscore.of_replies(replies, references, encoder, layer=2)


def test_a_reply_that_is_its_reference_scores_one_whatever_stands_beside_it(score):
    found = score(REPLIES[:2], [["শুনছি।", REPLIES[0]], [f" {REPLIES[1]}"]])
    assert found == pytest.approx([1, 1], abs=1e-5)


def test_the_best_reference_counts_and_batches_change_nothing(score):
    one, other = score([REPLIES[0]], [["শুনছি।"]])[0], score([REPLIES[0]], [["বাবা নেই।"]])[0]
    assert 0 < one < 1 and one != other
    both = score([REPLIES[0]] * 20, [["শুনছি।", "বাবা নেই।"]] * 19 + [["শুনছি।"]])
    assert both == pytest.approx([max(one, other)] * 19 + [one], abs=1e-4)


def test_without_a_reference_there_is_no_score_and_an_empty_reply_scores_nothing(score):
    assert score([REPLIES[0], ""], [["", " "], ["শুনছি।"]]) == [None, 0.0]


def test_a_download_that_was_broken_off_is_no_encoder(monkeypatch):
    import huggingface_hub

    for there in ({"model.safetensors"}, {"model.safetensors", "config.json"}, {"tokenizer.json", "config.json"}):
        monkeypatch.setattr(
            huggingface_hub, "try_to_load_from_cache", lambda _, name, there=there: name if name in there else None
        )
        assert bertscore.missing("owner/encoder").startswith("not run")


def test_an_encoder_whose_files_cannot_be_read_or_that_has_no_room_is_told_and_not_raised(tmp_path, monkeypatch):
    import torch

    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"half of it")
    found, reason = bertscore.of_sides([REPLIES], [["শুনছি।"]] * 3, str(tmp_path))
    assert found == [] and reason.startswith("not run: ")

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(bertscore, "of_replies", full)
    assert bertscore.of_sides([REPLIES], [["শুনছি।"]] * 3, str(tmp_path))[1].startswith("not run: there is no room")


def test_the_marks_around_a_text_are_not_matched(encoder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(encoder)
    vectors = bertscore._Encoder(encoder, 2)(set(REPLIES))
    for text in REPLIES:
        assert len(vectors[text]) == len(tokenizer(text)["input_ids"]) - 2  # [CLS] and [SEP]


def test_matching_is_what_is_worked_out_by_hand():
    """Of two tokens one is met (1), one half-met (0.6); the reference's only token is met."""
    import torch

    said, wanted = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0]])
    assert bertscore._f1(said, wanted) == pytest.approx(2 * 0.8 * 1 / 1.8)


def test_without_weights_it_says_so_and_does_not_run():
    absent = "nobody/nothing"
    assert bertscore.missing(absent).startswith("not run: the weights of nobody/nothing are not on this machine")
    with pytest.raises(ModelError) as refusal:
        bertscore.of_replies(["ক"], [["ক"]], absent)
    assert refusal.value.key == "model.no_encoder"


def test_a_folder_with_a_model_is_at_hand(encoder):
    assert bertscore.missing(encoder) == ""
    assert "layer:9|idf:no" in bertscore.signature()
