"""Replies stream as whole letters, stop when told, raise where they are read, and never block the next one."""

import math
import os
import shutil
import threading
import unicodedata
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune import bengali, models
from finetune.data import corpus
from finetune.data.prompts import IGNORED, PromptFormat, conversation, encode_example
from finetune.errors import BackendError, ModelError
from finetune.inference import backends, decoding
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side, cleaned, replies, reply
from finetune.inference.graphemes import TokenText
from finetune.recipe import Data, Generation
from tests.conftest import make_adapter

SHORT = Generation(max_new_tokens=12, temperature=0)
SAID = conversation("পরীক্ষার ফল খারাপ হয়েছে, কাউকে বলতে পারছি না।")
TEXT = "ক্ষুধার্ত শিশুটি স্বপ্নে উঁকি দিয়ে বলল: “দুঃখ কোরো না, আঁধার কাটবেই।”"


class Pieces:
    """A tokenizer whose tokens are the given bytes, whatever letters they cut in two."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def decode(self, ids: list[int], skip_special_tokens: bool) -> str:
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")


def written(pieces: list[bytes], end: bool = True) -> list[str]:
    """What TokenText gives out for one token a piece."""
    writer = TokenText(Pieces(pieces))
    shown = [writer.add(number) for number in range(len(pieces))]
    return shown + [writer.end()] if end else shown


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """The result of a piece of work in a thread of its own, which must not hang."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert results, "the call hangs or failed"
    return results[0]


@pytest.fixture(scope="module")
def backend(tiny_base: Path) -> LocalBackend:
    """The tiny base, resident."""
    made = LocalBackend(str(tiny_base), four_bit=False)
    made.load()
    return made


# TokenText


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("first", [1, 2])
def test_letters_split_over_tokens_come_out_whole_and_complete_however_they_are_cut(first, size):
    raw = TEXT.encode()
    pieces = [raw[:first], *(raw[i : i + size] for i in range(first, len(raw), size))]
    shown = written(pieces)
    assert [letter for piece in shown for letter in bengali.graphemes(piece)] == bengali.graphemes(TEXT)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_reply_cut_off_anywhere_ends_without_half_a_letter(size):
    raw = TEXT.encode()
    for end in range(1, len(raw) + 1):
        text = "".join(written([raw[i : min(i + size, end)] for i in range(0, end, size)]))
        assert bengali.broken_graphemes(text) == []
        assert TEXT.startswith(text)
        assert not text.endswith(bengali.VIRAMA)


def test_text_comes_as_soon_as_the_next_letter_begins():
    assert written(["ভা".encode(), "লো".encode(), " আ".encode(), "ছি".encode(), "।".encode()], end=False) == [
        "",
        "ভা",
        "লো ",
        "আ",
        "ছি",
    ]


def test_a_second_half_of_a_conjunct_is_waited_for():
    assert written(["ক".encode(), "্".encode(), "ষ".encode(), "মা".encode()]) == ["", "", "", "ক্ষ", "মা"]


def test_bytes_that_are_no_letter_are_dropped_and_do_not_hold_up_what_follows():
    pieces = [b"\xff"] * 9 + ["ভালো ".encode(), "আছি".encode(), b" "]
    shown = written(pieces, end=False)
    assert "".join(shown) == "ভালো আছি"


def test_an_ended_row_adds_nothing():
    writer = TokenText(Pieces([]))
    assert (writer.add(None), writer.end()) == ("", "")


def test_real_answers_survive_a_real_tokenizer_that_does_not_know_their_words(tiny_base, real_data):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    rows = corpus.clean_rows(Data(source=str(real_data / "chatterbot_bengali.csv"), min_bengali=0), corpus.Report())
    answers = [row["answer"] for row in rows]
    assert len(answers) > 100
    for answer in answers:
        writer = TokenText(tokenizer)
        shown = [writer.add(token) for token in tokenizer.encode(answer)] + [writer.end()]
        assert [g for piece in shown for g in bengali.graphemes(piece)] == bengali.graphemes(answer)


# LocalBackend


def test_the_base_is_loaded_on_first_use_and_once(tiny_base):
    backend = LocalBackend(str(tiny_base), four_bit=False)
    assert not backend.loaded
    reply(backend, Side(SAID, None, replace(SHORT, max_new_tokens=1)))
    assert backend.loaded
    resident = backend._decoder
    backend.load()
    assert backend._decoder is resident


def test_a_base_that_was_unloaded_is_gone_from_memory_and_answers_again_as_before(tiny_base, tiny_adapter):
    backend, side = LocalBackend(str(tiny_base), four_bit=False), Side(SAID, tiny_adapter, SHORT)
    before = reply(backend, side)
    gone = weakref.ref(backend._decoder)
    assert backend.unload()
    assert not backend.loaded and gone() is None
    assert backend.fit(side) == (replace(side, messages=cleaned(SAID)), 0)
    assert reply(backend, side) == before


def test_unloading_waits_for_the_reply_in_hand_which_ends_whole(tiny_base):
    backend, side = LocalBackend(str(tiny_base), four_bit=False), Side(SAID, None, SHORT)
    whole = reply(backend, side)
    stream = backend.stream([side])
    begun = next(stream)[0]
    assert backend.unload(wait=False) is False and backend.loaded
    waiting = threading.Thread(target=backend.unload, daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive() and backend.loaded
    assert (begun + "".join(piece for (piece,) in stream)).strip() == whole
    waiting.join(10)
    assert not waiting.is_alive() and not backend.loaded


def test_what_was_lent_ends_the_reply_in_hand_and_no_other_begins_until_it_is_back(tiny_base):
    backend, side = LocalBackend(str(tiny_base), four_bit=False), Side(SAID, None, SHORT)
    whole = reply(backend, side)
    stream = backend.stream([side])
    begun = next(stream)[0]
    backend.lend(lambda: BackendError("Later."))
    assert (begun + "".join(piece for (piece,) in stream)).strip() == whole
    for use in (backend.load, lambda: reply(backend, side), lambda: backend.first_logits([side])):
        with pytest.raises(BackendError, match="Later."):
            use()
    assert backend.unload(wait=False)
    with pytest.raises(BackendError, match="Later."):
        backend.fit(side)
    assert not backend.loaded
    backend.lend(None)
    assert reply(backend, side) == whole


def test_a_stream_gives_one_piece_for_each_side_and_they_add_up_to_the_replies(backend, tiny_adapter):
    sides = [Side(SAID, None, SHORT), Side(SAID, tiny_adapter, SHORT), Side(conversation("কেমন আছেন?"), None, SHORT)]
    steps = list(backend.stream(sides))
    assert {len(pieces) for pieces in steps} == {3}
    assert all(any(pieces) for pieces in steps)
    assert len(steps) > 3
    assert ["".join(column).strip() for column in zip(*steps, strict=True)] == replies(backend, sides)


def test_a_reply_is_all_that_its_tokens_say_up_to_the_last_letter(backend, tiny_base):
    from transformers import AutoTokenizer

    side = Side(SAID, None, SHORT)
    ids = [step[0] for step in backend.tokens([side])]
    text = unicodedata.normalize("NFC", AutoTokenizer.from_pretrained(tiny_base).decode(ids).replace("\ufffd", ""))
    assert reply(backend, side) == bengali.trim_unfinished(text).strip()


def test_nothing_asked_gives_nothing(backend):
    assert list(backend.stream([])) == []
    assert replies(backend, []) == []


@pytest.mark.parametrize("four_bit", [False, True])
def test_the_base_s_reply_is_the_same_with_a_tuned_reply_beside_it_and_the_tuned_one_differs(
    tiny_base, tiny_adapter, four_bit
):
    backend = LocalBackend(str(tiny_base), four_bit=four_bit)
    sampled = Generation(max_new_tokens=12, temperature=1.0, seed=5)
    base, tuned = replies(backend, [Side(SAID, None, sampled), Side(SAID, tiny_adapter, sampled)])
    assert replies(backend, [Side(SAID, None, sampled)] * 2) == [base, base]
    assert tuned != base


def test_two_adapters_answer_together_on_one_base(backend, tiny_base, tiny_adapter, tmp_path):
    other = make_adapter(tiny_base, tmp_path, seed=5)
    together = replies(backend, [Side(SAID, tiny_adapter, SHORT), Side(SAID, other, SHORT)])
    swapped = replies(backend, [Side(SAID, other, SHORT), Side(SAID, tiny_adapter, SHORT)])
    assert together == swapped[::-1]
    assert together[0] != together[1]


def test_the_two_adapters_used_last_stay_in_memory_and_no_more(backend, tiny_base, tmp_path):
    folders = [make_adapter(tiny_base, tmp_path / str(seed), seed=seed) for seed in range(3)]
    brief = replace(SHORT, max_new_tokens=1)
    for number in (0, 1, 0, 2):
        reply(backend, Side(SAID, folders[number], brief))
    assert [folder for folder, _ in backend._adapters] == [folders[0], folders[2]]
    three = replies(backend, [Side(SAID, folder, SHORT) for folder in folders])
    assert three == [reply(backend, Side(SAID, folder, SHORT)) for folder in folders]
    assert len(backend._adapters) == 2


def test_tokens_alone_come_from_slots_and_a_cache_of_their_own(tiny_base, tiny_adapter):
    from finetune.inference.static_decoding import StaticDecoder

    backend = LocalBackend(str(tiny_base), four_bit=False)
    model, _ = models.load_base(str(tiny_base), four_bit=False)
    backend.load()
    sides = [Side(SAID, None, SHORT), Side(SAID, tiny_adapter, SHORT)]
    wanted = list(backend.tokens(sides))
    backend._decoder = StaticDecoder(model)
    assert list(backend.tokens(sides, alone=True)) == wanted
    assert backend._decoder._slots is None and not backend._decoder._passes
    list(backend.tokens(sides))
    assert backend._decoder._slots is not None and backend._decoder._passes


def test_an_adapter_that_was_trained_anew_is_read_anew(backend, tiny_base, tiny_adapter, tmp_path):
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))
    before = reply(backend, Side(SAID, folder, SHORT))
    make_adapter(tiny_base, folder, seed=5)
    os.utime(folder / "adapter_model.safetensors", (1, 1))
    assert reply(backend, Side(SAID, folder, SHORT)) != before


def test_both_sides_of_a_pair_are_asked_in_the_adapter_s_prompt_format(backend, tiny_adapter, tmp_path):
    folder = Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))
    PromptFormat("reference", "আপনি একজন সহমর্মী বন্ধু।").save(folder)
    usual = replies(backend, [Side(SAID, None, SHORT), Side(SAID, tiny_adapter, SHORT)])
    other = replies(backend, [Side(SAID, None, SHORT), Side(SAID, folder, SHORT)])
    assert usual[0] != other[0]
    assert usual[1] != other[1]


def test_decomposed_letters_and_invisible_signs_are_asked_as_the_model_learnt_them(backend):
    typed = "ভয় লাগে, বড় একা\u200b  লাগে"
    assert cleaned(conversation(typed))[0] == {"role": "user", "content": bengali.clean(typed)}
    assert reply(backend, Side(conversation(typed), None, SHORT)) == reply(
        backend, Side(conversation(bengali.clean(typed)), None, SHORT)
    )


def test_earlier_turns_change_the_reply(backend):
    turns = [*conversation("মন খারাপ।", "কী হয়েছে, বলবেন?"), *conversation("চাকরিটা চলে গেল।")]
    assert reply(backend, Side(turns, None, SHORT)) != reply(backend, Side(turns[-1:], None, SHORT))


def test_the_seed_decides_a_sampled_reply(backend):
    one, again, other = (
        reply(backend, Side(SAID, None, Generation(max_new_tokens=12, temperature=1.0, seed=seed)))
        for seed in (1, 1, 2)
    )
    assert one == again != other


def test_closing_a_stream_lets_the_next_one_begin(backend):
    stream = backend.stream([Side(SAID, None, SHORT)])
    next(stream)
    stream.close()
    assert within(20, lambda: reply(backend, Side(SAID, None, SHORT)))


def test_a_second_stream_waits_until_the_first_is_done_and_then_writes(backend):
    first = backend.stream([Side(SAID, None, SHORT)])
    next(first)
    got = threading.Event()
    second = threading.Thread(target=lambda: (next(backend.stream([Side(SAID, None, SHORT)])), got.set()), daemon=True)
    second.start()
    assert not got.wait(0.2)
    list(first)
    assert got.wait(20)


def test_a_stop_is_heeded_while_another_stream_is_being_written_and_takes_nothing_from_it(backend):
    first = backend.stream([Side(SAID, None, SHORT)])
    shown = [next(first)]
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    waiting = threading.Thread(target=lambda: list(backend.stream([Side(SAID, None, SHORT)], stop)), daemon=True)
    waiting.start()
    waiting.join(2)
    assert not waiting.is_alive()
    shown += first
    assert "".join(piece for (piece,) in shown) == reply(backend, Side(SAID, None, SHORT))


def test_what_fits_is_reckoned_while_another_stream_is_being_written(backend):
    stream = backend.stream([Side(SAID, None, SHORT)])
    next(stream)
    assert within(2, lambda: backend.fit(Side(SAID, None, SHORT)))[1] == 0
    stream.close()


def test_a_set_stop_event_ends_the_stream_and_the_next_call_works(backend):
    stop = threading.Event()
    whole = "".join(pieces[0] for pieces in backend.stream([Side(SAID, None, SHORT)]))
    shown = ""
    for pieces in backend.stream([Side(SAID, None, SHORT)], stop):
        shown += pieces[0]
        stop.set()
    assert shown and len(shown) < len(whole)
    assert whole.startswith(shown)
    assert reply(backend, Side(SAID, None, SHORT)) == whole.strip()


def test_a_stop_event_set_beforehand_gives_no_text(backend):
    stop = threading.Event()
    stop.set()
    assert list(backend.stream([Side(SAID, None, SHORT)], stop)) == []


def test_a_base_that_cannot_be_loaded_is_told_to_the_caller_and_the_next_call_tries_again(tiny_base, tmp_path):
    folder = tmp_path / "base"
    backend = LocalBackend(str(folder), four_bit=False)
    with pytest.raises(ModelError):
        reply(backend, Side(SAID, None, SHORT))
    assert not backend.loaded
    shutil.copytree(tiny_base, folder)
    assert within(30, lambda: reply(backend, Side(SAID, None, SHORT)))


def test_an_exception_in_the_middle_of_a_reply_reaches_the_reader_and_the_next_call_works(backend, monkeypatch):
    tokens = iter(range(300, 303))
    monkeypatch.setattr(decoding.Sampler, "all", lambda *_: [next(tokens, None) or 1 / 0])
    with pytest.raises(ZeroDivisionError):
        list(backend.stream([Side(SAID, None, SHORT)]))
    monkeypatch.undo()
    assert within(20, lambda: reply(backend, Side(SAID, None, SHORT)))


def test_a_missing_adapter_is_told_and_the_next_call_works(backend, tmp_path):
    with pytest.raises(ModelError, match="no adapter"):
        replies(backend, [Side(SAID, None, SHORT), Side(SAID, tmp_path / "gone", SHORT)])
    assert within(20, lambda: reply(backend, Side(SAID, None, SHORT)))


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ({"hidden_size": 32}, "q_proj"),
        ({"num_hidden_layers": 3}, "q_proj"),
        ({"hidden_size": 32}, "k_proj"),
        ({"intermediate_size": 96}, "down_proj"),
        ({"intermediate_size": 96}, "up_proj"),
    ],
    ids=str,
)
def test_an_adapter_of_another_base_is_refused_in_words_and_the_next_call_works(backend, tmp_path, shape, target):
    from transformers import LlamaConfig, LlamaForCausalLM

    usual = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2}
    config = LlamaConfig(vocab_size=64, num_attention_heads=4, num_key_value_heads=2, **{**usual, **shape})
    LlamaForCausalLM(config).save_pretrained(tmp_path / "other-base")
    folder = make_adapter(tmp_path / "other-base", tmp_path / "adapter", target_modules=[target])
    with pytest.raises(BackendError, match="other-base"):
        reply(backend, Side(SAID, folder, SHORT))
    assert within(20, lambda: reply(backend, Side(SAID, None, SHORT)))


def test_every_real_line_is_answered_without_a_crash_or_a_replacement_sign(backend, tiny_adapter, real_data):
    lines = sorted((real_data / "banglaemotion_test.txt").read_text(encoding="utf-8").splitlines(), key=len)
    assert len(lines) > 900
    brief = Generation(max_new_tokens=3, temperature=1.0)
    for start in range(0, len(lines), 64):
        part = lines[start : start + 64]
        sides = [Side(conversation(line), tiny_adapter if i % 2 else None, brief) for i, line in enumerate(part)]
        texts = replies(backend, sides)
        assert len(texts) == len(part)
        assert not [text for text in texts if bengali.REPLACEMENT in text]


# What the scores are made of


@pytest.mark.parametrize("side", ["base", "tuned"])
def test_answer_bits_are_what_the_last_reply_and_its_end_cost_the_model(tiny_base, tiny_adapter, monkeypatch, side):
    import torch
    from peft import PeftModel

    monkeypatch.setattr(models, "compute_dtype", lambda wanted="auto": torch.float32)
    judge, tokenizer = models.load_base(str(tiny_base), four_bit=False)
    if side == "tuned":
        judge = PeftModel.from_pretrained(judge, tiny_adapter)
    turns = [
        conversation("খুব একা লাগে।", "আপনি একা নন।"),
        [*conversation("বাবা নেই।", "শুনছি।"), *conversation("চেয়ারটা খালি।", "চেয়ারটা খালি, তবু বাবার কথা মনে করিয়ে দেয়।")],
    ]
    wanted = []
    for turn in turns:
        ids, labels = encode_example(tokenizer, turn, PromptFormat(), 2048)
        with torch.inference_mode():
            chances = judge(torch.tensor([ids])).logits[0].log_softmax(-1)
        cost = [-float(chances[place - 1, label]) for place, label in enumerate(labels) if label != IGNORED]
        wanted.append(sum(cost) / math.log(2))
    backend = LocalBackend(str(tiny_base), four_bit=False)
    assert backend.answer_bits(turns, tiny_adapter if side == "tuned" else None) == pytest.approx(wanted, rel=1e-3)


def test_tokens_go_on_past_the_end_of_a_reply_only_where_that_is_asked(backend, monkeypatch):
    whole = list(backend.tokens([Side(SAID, None, SHORT)], ignore_end=True))
    assert len(whole) == SHORT.max_new_tokens
    monkeypatch.setattr(backends, "stop_ids", lambda tokenizer: {whole[5][0]})
    assert list(backend.tokens([Side(SAID, None, SHORT)])) == whole[: whole.index(whole[5])]
    assert list(backend.tokens([Side(SAID, None, SHORT)], ignore_end=True)) == whole


# ScriptedBackend


def test_a_scripted_backend_says_its_pieces_on_every_side_and_remembers_what_it_was_asked(tiny_adapter):
    backend = ScriptedBackend("আমি ", "শুনছি।")
    sides = [Side(SAID, None), Side(SAID, tiny_adapter)]
    assert list(backend.stream(sides)) == [["আমি ", "আমি "], ["শুনছি।", "শুনছি।"]]
    assert replies(backend, sides) == ["আমি শুনছি।", "আমি শুনছি।"]
    assert backend.asked == [sides, sides]
    assert backend.loaded


def test_a_scripted_exception_is_raised_after_the_text_before_it():
    stream = ScriptedBackend("আমি ", BackendError("busy")).stream([Side(SAID, None)])
    assert next(stream) == ["আমি "]
    with pytest.raises(BackendError, match="busy"):
        next(stream)


def test_a_scripted_backend_obeys_stop():
    stop = threading.Event()
    stream = ScriptedBackend("আমি ", "শুনছি।").stream([Side(SAID, None)], stop)
    assert next(stream) == ["আমি "]
    stop.set()
    assert list(stream) == []


def test_a_long_conversation_is_cut_by_whole_turns_to_what_the_base_can_take(backend):
    turns = [message for n in range(20) for message in conversation(f"{n}: " + 12 * SAID[0]["content"], "শুনছি, বলুন।")]
    long = [*turns, *SAID]
    side, left_out = backend.fit(Side(long, None, SHORT))
    assert left_out > 0 and side.messages == long[2 * left_out :]
    window = min(4096, backend._decoder.longest)
    size = len(backends.encode_prompt(backend._tokenizer, side.messages, PromptFormat()))
    more = len(backends.encode_prompt(backend._tokenizer, long[2 * (left_out - 1) :], PromptFormat()))
    assert size <= window - SHORT.max_new_tokens < more
    assert len(reply(backend, side)) > 0


def test_a_short_conversation_is_given_whole(backend):
    assert backend.fit(Side(SAID, None, SHORT)) == (Side(cleaned(SAID), None, SHORT), 0)
