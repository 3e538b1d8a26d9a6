"""A pair is one prompt, answered twice in the same way but for the adapter."""

import threading
from pathlib import Path

import pytest

from finetune.data.prompts import conversation
from finetune.errors import BackendError
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side, reply
from finetune.recipe import Generation
from finetune.review import pairs

SETTINGS = Generation(max_new_tokens=10, temperature=0.9, seed=8)
PROMPT = "বাবার কথা খুব মনে পড়ে।"


@pytest.fixture(scope="module")
def backend(tiny_base: Path) -> LocalBackend:
    """The tiny base in four bits, as the page holds it."""
    return LocalBackend(str(tiny_base))


def test_the_sides_of_a_pair_differ_in_the_adapter_alone():
    base, tuned = pairs.sides(PROMPT, Path("adapter"), SETTINGS)
    assert (base.adapter, tuned.adapter) == (None, Path("adapter"))
    assert base.messages == tuned.messages == [{"role": "user", "content": PROMPT}]
    assert base.settings == tuned.settings == SETTINGS


def test_a_pair_s_stream_grows_and_ends_with_both_whole_replies(backend, tiny_adapter):
    seen = list(pairs.stream(backend, PROMPT, tiny_adapter, SETTINGS))
    assert len(seen) > 2
    for (base, tuned), (later_base, later_tuned) in zip(seen, seen[1:], strict=False):
        assert later_base.startswith(base) and later_tuned.startswith(tuned)
        assert len(later_base) + len(later_tuned) > len(base) + len(tuned)
    whole = pairs.batch(backend, [PROMPT], tiny_adapter, SETTINGS)[0]
    assert (seen[-1][0].strip(), seen[-1][1].strip()) == whole


def test_base_is_base_and_tuned_is_not(backend, tiny_adapter):
    base, tuned = pairs.batch(backend, [PROMPT], tiny_adapter, SETTINGS)[0]
    assert base == reply(backend, Side(conversation(PROMPT), None, SETTINGS))
    assert tuned != base


def test_a_batch_keeps_the_order_of_its_prompts(backend, tiny_adapter):
    prompts = [PROMPT, "কাল মায়ের অপারেশন, খুব ভয় করছে। কী করব?", "বন্ধু নেই।"]
    together = pairs.batch(backend, prompts, tiny_adapter, Generation(max_new_tokens=1, temperature=0))
    alone = [pairs.batch(backend, [p], tiny_adapter, Generation(max_new_tokens=1, temperature=0))[0] for p in prompts]
    assert together == alone
    assert len({pair for pair in together}) == 3


def test_no_prompts_give_no_pairs(backend, tiny_adapter):
    assert pairs.batch(backend, [], tiny_adapter, SETTINGS) == []


def test_scripted_pieces_are_added_up_on_both_sides():
    backend = ScriptedBackend("আমি ", "শুনছি।")
    assert list(pairs.stream(backend, PROMPT, Path("adapter"), SETTINGS)) == [
        ("আমি ", "আমি "),
        ("আমি শুনছি।", "আমি শুনছি।"),
    ]
    assert backend.asked == [pairs.sides(PROMPT, Path("adapter"), SETTINGS)]


def test_an_error_after_some_text_reaches_the_reader_of_a_pair():
    stream = pairs.stream(ScriptedBackend("আমি ", BackendError("memory")), PROMPT, Path("adapter"), SETTINGS)
    assert next(stream) == ("আমি ", "আমি ")
    with pytest.raises(BackendError, match="memory"):
        next(stream)


def test_stop_ends_a_pair():
    stop = threading.Event()
    stop.set()
    assert list(pairs.stream(ScriptedBackend("আমি"), PROMPT, Path("adapter"), SETTINGS, stop)) == []
