"""What a run answers while it learns: the weights of that moment speak, and training goes on as if nobody had asked."""

import json
import random

import numpy as np
import pytest
import torch

from finetune.data.prompts import PromptFormat, conversation, encode_prompt, stop_ids
from finetune.inference import adapters
from finetune.inference.decoding import Decoder, Request
from finetune.inference.graphemes import TokenText
from finetune.models import load_base
from finetune.recipe import Generation
from finetune.training import metrics, runs, samples, trainer
from tests.conftest import kept_environment, write_csv
from tests.training.test_trainer import recipe

ASKED = ["খুব একা লাগে।", "আজ প্রথম বেতন পেলাম, মায়ের জন্য শাড়ি কিনব!", "রাতে কী রাঁধব?"]
TOKENS = 12


def line(step: int, reply: str, prompt: str = "কেমন আছেন?", eval_loss: float | None = 1.5) -> dict:
    return {"step": step, "eval_loss": eval_loss, "prompt": prompt, "reply": reply}


# Written and read back


def test_lines_come_back_in_the_order_written_and_bengali_stays_readable(tmp_path):
    samples.write(tmp_path, 0, 2.5, "কেমন আছেন?", "ভালো।\nআপনি?")
    samples.write(tmp_path, 5, float("nan"), "কেমন আছেন?", "")
    assert samples.read(tmp_path) == [line(0, "ভালো।\nআপনি?", eval_loss=2.5), line(5, "", eval_loss=None)]
    assert "ভালো" in (tmp_path / "samples.jsonl").read_text(encoding="utf-8")


def test_of_many_answers_the_first_and_the_latest_are_given():
    told = samples.timeline([line(step, f"উত্তর {step}") for step in range(10)], most=3)["কেমন আছেন?"]
    assert [answer.step for answer in told] == [0, 8, 9]
    assert told[1].parts == (("উত্তর", False), (" 8", True))  # compared with the one before, which is not given


def test_a_run_without_samples_has_no_lines(tmp_path):
    assert samples.read(tmp_path) == []


def test_a_last_line_cut_in_the_middle_of_a_letter_waits_and_what_follows_it_is_read(tmp_path):
    samples.write(tmp_path, 0, 2.5, "কেমন আছেন?", "ভালো।")
    whole = json.dumps(line(5, "ভালো আছি।"), ensure_ascii=False).encode()
    with (tmp_path / "samples.jsonl").open("ab") as file:
        file.write(whole[: whole.index("আছি".encode()) + 1])  # the process was killed here
    assert [entry["step"] for entry in samples.read(tmp_path)] == [0]
    samples.write(tmp_path, 5, 1.5, "কেমন আছেন?", "ভালো আছি।")
    assert samples.read(tmp_path) == [line(0, "ভালো।", eval_loss=2.5), line(5, "ভালো আছি।")]


# The timeline


def test_a_timeline_has_each_prompt_s_answers_by_step():
    told = samples.timeline([line(0, "ক"), line(0, "খ", "আর?"), line(5, "গ", eval_loss=None), line(5, "ঘ", "আর?")])
    assert list(told) == ["কেমন আছেন?", "আর?"]
    assert [(a.step, a.eval_loss, a.reply) for a in told["কেমন আছেন?"]] == [(0, 1.5, "ক"), (5, None, "গ")]
    assert samples.timeline([]) == {}


def test_where_a_resumed_run_answered_again_the_later_answer_counts():
    told = samples.timeline([line(0, "ক"), line(10, "পুরোনো"), line(5, "খ"), line(10, "নতুন")])
    assert [(a.step, a.reply) for a in told["কেমন আছেন?"]] == [(0, "ক"), (5, "খ"), (10, "নতুন")]


def test_what_a_resumed_run_has_given_up_and_not_answered_again_is_left_out():
    told = samples.timeline([line(0, "ক"), line(5, "খ"), line(10, "পুরোনো"), line(5, "খ")])
    assert [(a.step, a.reply) for a in told["কেমন আছেন?"]] == [(0, "ক"), (5, "খ")]
    assert told["কেমন আছেন?"][1].changed


def test_what_is_new_in_an_answer_is_marked_word_by_word_and_nothing_is_in_the_first():
    first, second, third = samples.timeline(
        [line(0, "সময় লাগে। ঠিক হবে।"), line(5, "বুঝতে সময় লাগে।\nঠিক হবে।"), line(9, "বুঝতে সময় লাগে।\nঠিক হবে।")]
    )["কেমন আছেন?"]
    assert (first.changed, first.parts) == (False, (("সময় লাগে। ঠিক হবে।", False),))
    assert (second.changed, second.parts) == (True, (("বুঝতে", True), (" সময় লাগে।\nঠিক হবে।", False)))
    assert (third.changed, [new for _, new in third.parts]) == (False, [False])


@pytest.mark.parametrize("reply", ["সময় লাগে।", "", "একেবারে অন্য কথা"])
def test_an_answer_s_parts_are_the_whole_answer(reply):
    answer = samples.timeline([line(0, "সময় লাগে। ঠিক হবে।"), line(5, reply)])["কেমন আছেন?"][1]
    assert "".join(text for text, _ in answer.parts) == reply
    assert answer.changed


# Answering


@pytest.fixture(scope="module")
def tuned(tiny_base, tiny_adapter):
    """The tiny base with its adapter as PEFT holds it in training, and the tokenizer."""
    from peft import PeftModel

    base, tokenizer = load_base(str(tiny_base), four_bit=False, dtype="float32", attention="eager")
    return PeftModel.from_pretrained(base, tiny_adapter, is_trainable=True), tokenizer


def chat(base_folder, adapter_folder) -> list[str]:
    """What the chat's own decoder answers, greedily, one prompt at a time."""
    base, tokenizer = load_base(str(base_folder), four_bit=False, dtype="float32")
    adapter = adapter_folder and adapters.read(adapter_folder, torch.float32, "cpu")
    decoder, texts = Decoder(base), []
    for text in ASKED:
        ids = encode_prompt(tokenizer, conversation(text), PromptFormat())
        request = Request(ids, adapter, Generation(temperature=0, max_new_tokens=TOKENS))
        writer = TokenText(tokenizer)
        pieces = [writer.add(token) for (token,) in decoder.generate([request], stop_ids(tokenizer))]
        texts.append("".join([*pieces, writer.end()]).strip())
    return texts


def test_prompts_of_different_lengths_answered_together_are_answered_as_the_chat_answers_each(
    tuned, tiny_base, tiny_adapter
):
    told = samples.answers(*tuned, ASKED, PromptFormat(), TOKENS)
    assert told == chat(tiny_base, tiny_adapter)
    assert len(set(told)) == len(ASKED) and all(told)


def test_no_reply_is_longer_than_asked_and_no_prompt_asks_nothing(tuned):
    model, tokenizer = tuned
    (reply,) = samples.answers(model, tokenizer, ASKED[:1], PromptFormat(), 2)
    assert len(tokenizer.encode(reply, add_special_tokens=False)) <= 2
    assert samples.answers(model, tokenizer, [], PromptFormat(), 2) == []


def test_neither_the_base_s_own_sampling_settings_nor_a_random_state_decide_a_reply(tuned):
    model, tokenizer = tuned
    before = samples.answers(model, tokenizer, ASKED, PromptFormat(), TOKENS)
    own = model.generation_config
    kept = own.to_dict()
    own.update(do_sample=True, temperature=5.0, top_p=0.9, repetition_penalty=3.0)  # as Llama 3.1's file has some
    torch.manual_seed(99)
    try:
        assert samples.answers(model, tokenizer, ASKED, PromptFormat(), TOKENS) == before
    finally:
        own.update(**{name: kept.get(name) for name in ("do_sample", "temperature", "top_p", "repetition_penalty")})


def states() -> list:
    return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]


def test_answering_leaves_random_states_gradients_and_every_module_s_mode_as_they_were(tuned):
    model, tokenizer = tuned
    model.train()
    frozen = next(module for name, module in model.named_modules() if name.endswith("mlp"))
    frozen.eval()
    modes, before = [module.training for module in model.modules()], states()
    samples.answers(model, tokenizer, ASKED, PromptFormat(), 4)
    assert [module.training for module in model.modules()] == modes
    assert states() == before
    assert all(parameter.grad is None for parameter in model.parameters()) and torch.is_grad_enabled()


def test_what_draws_random_numbers_or_fails_while_undisturbed_leaves_no_trace(tuned):
    model, _ = tuned
    model.train()
    before = states()
    with pytest.raises(RuntimeError), samples.undisturbed(model):
        assert not any(module.training for module in model.modules()) and not torch.is_grad_enabled()
        random.random(), np.random.rand(), torch.rand(1)
        raise RuntimeError
    assert states() == before
    assert all(module.training for module in model.modules())


# In a run


@pytest.fixture(scope="module")
def asked_and_unasked(tiny_base, tmp_path_factory) -> tuple[runs.Run, runs.Run]:
    """Two runs with dropout of four steps, one of which answers while it learns."""
    home = tmp_path_factory.mktemp("samples")
    csv, made = write_csv(home / "corpus.csv"), []
    for name, texts in (("asked", ASKED), ("unasked", [])):
        steps = {"max_steps": 4, "load_best_model_at_end": False, "sample_prompts": texts}
        wanted = recipe(tiny_base, csv, **steps).with_settings({"adapter.lora_dropout": 0.2})
        made.append(runs.create(home, wanted, name))
        with kept_environment():
            trainer.train(made[-1])
    return made[0], made[1]


def test_a_run_that_answers_learns_exactly_what_one_that_does_not_learns(asked_and_unasked):
    asked, unasked = (metrics.read(run.folder)[0] for run in asked_and_unasked)
    for key in ("loss", "grad_norm", "eval_loss"):
        assert metrics.series(asked, key) == metrics.series(unasked, key)
        assert metrics.series(asked, key)[0]


def test_every_evaluation_answers_every_prompt_beside_its_loss(asked_and_unasked):
    run, _ = asked_and_unasked
    steps, losses = metrics.series(metrics.read(run.folder)[0], "eval_loss")
    assert steps == [0, 2, 4]
    told = samples.timeline(samples.read(run.folder))
    assert list(told) == ASKED
    for answers in told.values():
        assert [(a.step, a.eval_loss) for a in answers] == list(zip(steps, losses, strict=True))
    assert any(a.changed for answers in told.values() for a in answers)


def test_the_first_answers_are_the_base_s_and_the_last_the_adapter_s(asked_and_unasked, tiny_base):
    run, _ = asked_and_unasked
    told = samples.timeline(samples.read(run.folder))
    base, tuned = chat(tiny_base, None), chat(tiny_base, run.adapter)
    assert base != tuned
    for text, first, last in zip(ASKED, base, tuned, strict=True):
        shown = told[text][0].reply, told[text][-1].reply
        assert first.startswith(shown[0]) and last.startswith(shown[1])  # the run's recipe wants shorter ones
        assert all(shown)


def test_a_run_without_prompts_answers_nothing(asked_and_unasked):
    _, run = asked_and_unasked
    assert not (run.folder / "samples.jsonl").exists()


def test_neither_prompts_nor_replies_are_printed_for_a_log_to_keep(tiny_base, tiny_csv, tmp_path, capfd):
    run = runs.create(tmp_path, recipe(tiny_base, tiny_csv, max_steps=1, sample_prompts=ASKED[:1]))
    with kept_environment():
        trainer.train(run)
    printed = "".join(capfd.readouterr())
    assert "adapter saved" in printed
    for entry in samples.read(run.folder):
        assert entry["reply"] and entry["reply"] not in printed and entry["prompt"] not in printed
