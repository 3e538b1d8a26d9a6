"""BERTScore of replies, where a multilingual encoder's weights are at hand; nothing is ever downloaded for it.

Zhang et al. 2020 (ICLR, "BERTScore: Evaluating Text Generation with BERT"): each token of one text is matched with the
token of the other that its context makes most alike. Without idf weights and without rescaling, so values lie high and
close together: compare sides, do not read them as shares. bert-score, the authors' package, has had no release since
2023. It knows more than overlap does, and no more of kindness.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune import bengali
from finetune.errors import ModelError

ENCODER = "google-bert/bert-base-multilingual-cased"

LAYER = 9
"""The layer of ENCODER that the authors found to agree best with people (`model2layers` in bert_score/utils.py)."""

MOST_TOKENS = 512
"""What mBERT can read; the rest of a longer text is not scored."""

NOT_RUN = "not run"
"""How results begin that say why it was not."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
WORDS = ("tokenizer.json", "vocab.txt")
"""Of each of these one file, beside `config.json`, is what an encoder needs."""

BATCH = 16
"""Replies encoded together with their references."""


def missing(encoder: str = ENCODER) -> str:
    """Why it cannot run, as results say it (`not run: …`), or "" where all its files are at hand.

    A download that was broken off leaves some of them; whether they are whole, only loading them tells.
    """
    from huggingface_hub import try_to_load_from_cache

    def there(name: str) -> bool:
        return (Path(encoder) / name).is_file() or isinstance(try_to_load_from_cache(encoder, name), str)

    if (Path(encoder) / "config.json").is_file():
        return ""
    if there("config.json") and any(map(there, WEIGHTS)) and any(map(there, WORDS)):
        return ""
    return f"{NOT_RUN}: the weights of {encoder} are not on this machine, and an evaluation downloads nothing"


def of_sides(
    sides: Sequence[Sequence[str]], references: Sequence[Sequence[str]], encoder: str = ENCODER
) -> tuple[list[list[float | None]], str]:
    """`of_replies` of each side, and ""; or nothing, and why it was not run: no evaluation ends for that."""
    import torch

    if reason := missing(encoder):
        return [], reason
    try:
        return [of_replies(replies, references, encoder) for replies in sides], ""
    except ModelError as error:
        return [], f"{NOT_RUN}: {error}"
    except torch.OutOfMemoryError:
        return [], f"{NOT_RUN}: there is no room for {encoder} beside what is in the card's memory"


def of_replies(
    replies: Sequence[str], references: Sequence[Sequence[str]], encoder: str = ENCODER, layer: int = LAYER
) -> list[float | None]:
    """F1 of each reply, at most 1, against its best reference; None without one. An empty reply scores 0.

    Raises ModelError where the encoder is not at hand (`missing`), or its files cannot be read.
    """
    if reason := missing(encoder):
        raise ModelError(
            f"BERTScore cannot run: the weights of {encoder} are not on this machine. Download them, or do without.",
            key="model.no_encoder",
            model=encoder,
            reason=reason,
        )
    embed = _Encoder(encoder, layer)
    found: list[float | None] = []
    for start in range(0, len(replies), BATCH):
        part = [
            (bengali.clean(reply), [text for text in map(bengali.clean, those) if text])
            for reply, those in zip(replies[start : start + BATCH], references[start : start + BATCH], strict=True)
        ]
        vectors = embed({text for reply, those in part for text in (reply, *those)})
        for reply, those in part:
            found.append(max((_f1(vectors[reply], vectors[text]) for text in those), default=None))
    return found


def signature(encoder: str = ENCODER, layer: int = LAYER) -> str:
    """What the figure depends on, in the manner of sacrebleu's signatures."""
    from importlib.metadata import version

    return f"F1, best reference|model:{encoder}|layer:{layer}|idf:no|rescaled:no|transformers:{version('transformers')}"


def _f1(said: Any, wanted: Any) -> float:
    """Greedy matching of two texts' unit vectors, of shapes (tokens of one, width) and (tokens of the other, width)."""
    if not len(said) or not len(wanted):
        return 0.0
    alike = said @ wanted.T
    precision, recall = float(alike.max(1).values.mean()), float(alike.max(0).values.mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


class _Encoder:
    """Texts to unit vectors, one for each token that is not a special one."""

    def __init__(self, name: str, layer: int) -> None:
        from transformers import AutoModel, AutoTokenizer

        from finetune import models

        with models.load_errors(name):
            self._tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True)
            self._model = AutoModel.from_pretrained(name, local_files_only=True).to(models.device()).eval()
        self._layer = layer

    def __call__(self, texts: set[str]) -> dict[str, Any]:
        import torch

        ordered = sorted(texts, key=lambda text: (len(text), text))
        encoded = self._tokenizer(
            ordered,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=MOST_TOKENS,
            return_special_tokens_mask=True,
        ).to(self._model.device)
        special = encoded.pop("special_tokens_mask").bool()
        with torch.inference_mode():
            hidden = self._model(**encoded, output_hidden_states=True).hidden_states[self._layer]
        unit = torch.nn.functional.normalize(hidden.float(), dim=-1).cpu()
        kept = (encoded["attention_mask"].bool() & ~special).cpu()
        return {text: vectors[mask] for text, vectors, mask in zip(ordered, unit, kept, strict=True)}
