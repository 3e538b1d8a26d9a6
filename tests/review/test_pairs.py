"""A pair is one prompt, answered twice in the same way but for the adapter."""

import threading
from pathlib import Path

import pytest

from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import BackendError, ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side, reply
from finetune.recipe import Generation
from finetune.review import pairs, prompt_sets
from finetune.review.contestants import Contestant

SETTINGS = Generation(max_new_tokens=10, temperature=0.9, seed=8)
PROMPT = "বাবার কথা খুব মনে পড়ে।"
BASE = Contestant("base")
FAR = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")


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


def test_all_rows_of_a_batch_are_asked_at_once_and_both_sides_of_a_pair_alike_but_for_the_adapter():
    prompts = prompt_sets.pasted("ঘুম আসে না।\nমনটা ভালো নেই।\nচাকরি পেয়েছি!").prompts
    backend = ScriptedBackend("শুনছি।")
    made = pairs.written(prompts, (BASE, Contestant("x", Path("adapter"))), SETTINGS, (backend, backend))
    (asked,) = backend.asked
    assert [side.adapter for side in asked] == [None] * 3 + [Path("adapter")] * 3
    assert [(side.messages, side.settings) for side in asked[:3]] == [(s.messages, s.settings) for s in asked[3:]]
    assert [pair.seed for pair in made] == [side.settings.seed for side in asked[:3]]
    assert len({pair.seed for pair in made}) == 3
    assert all(side.settings.temperature == SETTINGS.temperature for side in asked)


def test_a_prompt_s_seed_hangs_on_nothing_but_the_prompt_and_the_set_s_seed():
    one, other = prompt_sets.pasted("ঘুম আসে না।\nমনটা ভালো নেই।").prompts
    assert pairs.seed_of(one, 8) == pairs.seed_of(one, 8) != pairs.seed_of(one, 9)
    assert pairs.seed_of(one, 8) != pairs.seed_of(other, 8)


def test_a_model_elsewhere_is_told_the_system_prompt_that_the_adapter_learnt_with(tmp_path):
    style = PromptFormat("official", "তুমি একজন পুরোনো বন্ধু।")
    style.save(tmp_path)
    backends = ScriptedBackend("এক।"), ScriptedBackend("দুই।")
    assert pairs.matched([PROMPT], (Contestant("x", tmp_path), FAR), [SETTINGS], backends) == [("এক।", "দুই।")]
    here, there = (backend.asked[0][0].messages for backend in backends)
    assert here == conversation(PROMPT)
    assert there == [{"role": "system", "content": style.system_prompt}, *conversation(PROMPT)]


def test_two_adapters_make_no_pair_unless_one_format_fits_both(tmp_path):
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, name in zip(folders, ("official", "reference", "official"), strict=True):
        folder.mkdir()
        PromptFormat(name).save(folder)
    a, b, c = (Contestant(f"run:{folder.name}", folder) for folder in folders)
    assert pairs.format_of((a, c)) == pairs.format_of((BASE, a)) == PromptFormat("official")
    assert pairs.format_of((b, BASE)) == PromptFormat("reference")
    assert pairs.format_of((BASE, FAR)) == PromptFormat()
    with pytest.raises(ReviewError) as caught:
        pairs.matched([PROMPT], (a, b), [SETTINGS], (ScriptedBackend("এক।"),) * 2)
    assert (caught.value.key, caught.value.facts) == ("review.two_formats", {"base": "a", "tuned": "b"})


def test_batches_hold_prompts_of_like_length_and_no_more_than_the_machine_can_take(backend):
    prompts = [prompt_sets.described("ক" * length) for length in (30, 4000, 10, 20, *range(40, 56))]
    on_cpu, elsewhere = (pairs.batches(prompts, (one, one)) for one in (backend, ScriptedBackend()))
    assert [len(batch) for batch in on_cpu] == [8, 8, 3, 1]
    assert [len(batch) for batch in elsewhere] == [16, 3, 1]
    lengths = [len(prompt.text) for batch in on_cpu for prompt in batch]
    assert lengths == sorted(len(prompt.text) for prompt in prompts)
    assert pairs.batches(prompts[::-1], (backend, backend)) == on_cpu
    long = [prompt_sets.described("ক" * 2000 + letter) for letter in "কখগঘঙ"]
    assert [len(batch) for batch in pairs.batches(long, (backend, backend))] == [3, 2]
