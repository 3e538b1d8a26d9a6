"""Fixtures that several test files share: a tiny model, a tiny adapter, a tiny corpus, the real data.

Everything here is made on the spot from `tests/rows.py`; nothing is downloaded.
"""

import contextlib
import csv
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that asks the network fails at once instead of waiting

from finetune.data.prompts import PromptFormat
from finetune.recipe import ROOT
from tests.rows import ROWS

LONGEST = ("test_trials.py", "test_real_input.py", "ui/test_http.py", "review/test_evaluating.py")
"""Files that take longest, the longest first: `make test` runs several files at a time, and none of these should be
what all others are waited for at the end."""

COLUMNS = ["Topics", "Question-Title", "Questions", "Answers"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first; the order within a file stays."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@contextlib.contextmanager
def kept_environment() -> Iterator[None]:
    """While it lasts, variables may be set for libraries and children; afterwards they are as before."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Llama of random weights (2 layers, 64 wide) and its own Bengali tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from finetune.demo import tokenizer

    folder = tmp_path_factory.mktemp("tiny-base")
    torch.set_num_threads(1)  # at this size a second thread only waits for the first
    trained = tokenizer.train([text for row in ROWS for text in row[2:]], folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(trained),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        initializer_range=0.2,  # so that the layers, not the embedding alone, decide about the next token
        bos_token_id=trained.bos_token_id,
        eos_token_id=trained.eos_token_id,
        pad_token_id=trained.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_adapter(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real PEFT adapter on the tiny base whose B matrices are random, so that it changes every logit."""
    return make_adapter(tiny_base, tmp_path_factory.mktemp("tiny-adapter"))


def make_adapter(base: Path, folder: Path, *, seed: int = 11, **lora: object) -> Path:
    """Save a LoRA adapter of random, non-zero matrices for a base; `lora` changes PEFT's LoraConfig."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    every = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    settings = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": every, **lora}
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), LoraConfig(**settings))
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=random) * 0.1)
    model.save_pretrained(str(folder))
    PromptFormat().save(folder)
    return folder


def write_csv(path: Path) -> Path:
    """The thirty rows of `tests/rows.py` as a CSV with the real corpus' columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    return path


@pytest.fixture
def tiny_csv(tmp_path: Path) -> Path:
    """The tiny corpus in a folder of the test's own."""
    return write_csv(tmp_path / "corpus.csv")


@pytest.fixture
def real_data() -> Path:
    """The folder with real Bengali text beside the checkout; the test is skipped where it is missing."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    return folder
