"""The merged model answers as base and adapter do together, with transformers alone, chat format included."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from finetune import models
from finetune.data import prompts
from finetune.errors import ModelError, RunError
from finetune.recipe import Generation, Recipe, describe
from finetune.training import merging

FORMATS = describe("data.prompt_format")["choices"]

CONVERSATIONS = {
    "one question": [{"role": "user", "content": "  মন খারাপ।\nঘুম হয় না।  "}],
    "a conversation": [
        {"role": "user", "content": "কেমন আছেন?"},
        {"role": "assistant", "content": "ভালো। আপনি?\n\nবলুন।"},
        {"role": "user", "content": "'একা' \\n লাগে"},
    ],
    "a system prompt of its own": [
        {"role": "system", "content": " ছোট করে বলুন। "},
        {"role": "user", "content": "আচ্ছা"},
    ],
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo adapter merged into the demo base."""
    folder = tmp_path_factory.mktemp("merged") / "model"
    folder.mkdir()
    how = Recipe.read("demo").generation
    merging.merge_into(folder, "assets/demo/base", models.DEMO_ADAPTER, how, lambda line: None)
    return folder


# The chat format as a template


@pytest.mark.parametrize("conversation", CONVERSATIONS)
@pytest.mark.parametrize("name", FORMATS)
def test_the_template_gives_the_very_ids_that_training_and_chat_use(tiny_base, name, conversation):
    tokenizer = models.load_tokenizer(str(tiny_base))
    style = prompts.PromptFormat(name, 'Don\'t say "{{ x }}" \\ or {% y %}.\nবাংলায় বলুন।')
    tokenizer.chat_template = merging.chat_template(style)
    messages = CONVERSATIONS[conversation]
    made = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert made == prompts.encode_prompt(tokenizer, messages, style)


@pytest.mark.parametrize("name", FORMATS)
def test_without_a_place_for_the_reply_the_template_ends_with_the_last_message(tiny_base, name):
    tokenizer = models.load_tokenizer(str(tiny_base))
    style = prompts.PromptFormat(name)
    tokenizer.chat_template = merging.chat_template(style)
    messages = prompts.conversation("মন খারাপ।", "কী হয়েছে?")
    made = tokenizer.apply_chat_template(messages, return_dict=True)["input_ids"]
    assert made == prompts.encode_example(tokenizer, messages, style, 1000)[0]


# The merged model


def test_the_merged_demo_is_the_base_s_format_in_shards_with_all_that_transformers_needs(demo):
    assert {path.name for path in demo.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "prompt_format.json",
    }  # fmt: skip
    config = json.loads((demo / "config.json").read_text(encoding="utf-8"))
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config


def test_transformers_alone_gives_the_logits_and_the_greedy_reply_of_base_and_adapter(demo):
    tokenizer = AutoTokenizer.from_pretrained(demo)
    alone = AutoModelForCausalLM.from_pretrained(demo, dtype="auto").eval()
    assert alone.dtype == torch.bfloat16
    base, own_tokenizer = models.load_base("assets/demo/base", four_bit=False, dtype="float32")
    base_only = AutoModelForCausalLM.from_pretrained(models.DEMO_BASE, dtype=torch.float32).eval()
    together = PeftModel.from_pretrained(base, str(models.DEMO_ADAPTER)).eval()

    question = prompts.conversation("আজ অফিসে সবার সামনে বকা খেলাম, খুব খারাপ লাগছে।")
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    style = prompts.PromptFormat.load(models.DEMO_ADAPTER)
    assert inputs["input_ids"][0].tolist() == prompts.encode_prompt(own_tokenizer, question, style)

    with torch.inference_mode():
        merged, exact, plain = (model(**inputs).logits.float() for model in (alone.float(), together, base_only))
    rounding = (merged - exact).abs().max() / exact.std()
    learnt = (plain - exact).abs().max() / exact.std()
    assert rounding < 0.1  # the weights are rounded to 8 bits of mantissa once more, nothing else differs
    assert learnt > 10 * rounding  # so that a merge that forgot the adapter cannot pass

    settings = {"do_sample": False, "max_new_tokens": 60, "pad_token_id": tokenizer.pad_token_id}
    replies = [
        tokenizer.decode(model.generate(**inputs, **settings)[0, inputs["input_ids"].shape[1] :])
        for model in (alone, together)
    ]
    assert replies[0] == replies[1]
    assert replies[0].endswith("<|eot_id|>")


def test_the_merged_model_samples_and_stops_as_the_recipe_says(demo):
    model = AutoModelForCausalLM.from_pretrained(demo)
    how, settings = Recipe.read("demo").generation, model.generation_config
    assert (settings.do_sample, settings.temperature, settings.top_p, settings.max_new_tokens) == (
        True, how.temperature, how.top_p, how.max_new_tokens,
    )  # fmt: skip
    assert set(settings.eos_token_id) == prompts.stop_ids(AutoTokenizer.from_pretrained(demo))


def test_a_recipe_without_chance_makes_a_model_without_chance(tiny_base, tiny_adapter, tmp_path):
    merging.merge_into(tmp_path, str(tiny_base), tiny_adapter, Generation(temperature=0.0), lambda line: None)
    assert AutoModelForCausalLM.from_pretrained(tmp_path).generation_config.do_sample is False


# What it needs, and what it refuses


def test_the_size_of_a_model_is_known_from_its_configuration_alone():
    config = AutoConfig.from_pretrained(models.DEMO_BASE)
    assert merging.weights_size(config) == 12_587_904 * 2  # as assets/demo/base/model.safetensors.index.json has it


def test_it_says_beforehand_what_memory_and_disk_it_needs(tiny_base, tiny_adapter, tmp_path):
    said = []
    merging.merge_into(tmp_path, str(tiny_base), tiny_adapter, Generation(), said.append)
    assert "GB of memory" in said[0] and "GB of disk" in said[0]


@pytest.mark.parametrize(
    ("short", "key"), [("psutil.virtual_memory", "export.memory"), ("shutil.disk_usage", "export.disk")]
)
def test_too_little_memory_or_disk_is_told_before_anything_is_loaded(
    tiny_base, tiny_adapter, tmp_path, monkeypatch, short, key
):
    class Nothing:
        available = free = 0

    monkeypatch.setattr(short, lambda *_: Nothing)
    monkeypatch.setattr("psutil.swap_memory", lambda: Nothing)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", None)
    with pytest.raises(RunError) as refused:
        merging.merge_into(tmp_path, str(tiny_base), tiny_adapter, Generation(), lambda line: None)
    assert refused.value.key == key


def copy_with_config(base: Path, folder: Path, **changes: object) -> str:
    for path in base.iterdir():
        (folder / path.name).symlink_to(path)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps({**config, **changes}), encoding="utf-8")
    return str(folder)


def test_a_base_that_is_itself_quantised_is_refused_with_the_way_out(tiny_base, tiny_adapter, tmp_path):
    quantised = copy_with_config(
        tiny_base, tmp_path, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}
    )
    with pytest.raises(RunError, match="quantised copy.*16-bit original.*load_in_4bit"):
        merging.merge_into(tmp_path, quantised, tiny_adapter, Generation(), lambda line: None)


def test_an_adapter_whose_training_diverged_is_refused(tiny_base, tiny_adapter, tmp_path):
    from safetensors.torch import load_file, save_file

    (tmp_path / "adapter").mkdir()
    for path in tiny_adapter.iterdir():
        (tmp_path / "adapter" / path.name).write_bytes(path.read_bytes())
    tensors = load_file(tiny_adapter / "adapter_model.safetensors")
    tensors[next(iter(tensors))][0, 0] = float("nan")
    save_file(tensors, tmp_path / "adapter" / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(RunError, match="diverged.*learning_rate"):
        merging.merge_into(tmp_path, str(tiny_base), tmp_path / "adapter", Generation(), lambda line: None)


def test_a_base_that_is_gone_is_told_as_such(tiny_adapter, tmp_path):
    with pytest.raises(ModelError, match="There is no model in"):
        merging.merge_into(tmp_path, "/nowhere/base", tiny_adapter, Generation(), lambda line: None)
