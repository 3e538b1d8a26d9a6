"""Pre-train the demo base: a small Llama that answers in correct, flat, informational Bengali.

Two steps, because the machine with the GPU may lack the libraries that the first one needs:

    python -m finetune.demo.base tokens FOLDER   # here: compose, train the tokenizer, encode
    python -m finetune.demo.base train FOLDER    # on a GPU: needs torch and transformers only

It leaves `base/` (tokenizer, config, weights in shards under 10 MB) and `base/training.json`.
"""

from __future__ import annotations

import json
import math
import random
import sys
import time
from pathlib import Path

SEED = 20261124
LENGTH = 512
CONVERSATIONS = 60_000
WARM_TASKS = 24_000
WRITING_TASKS = 20_000
HELD_OUT_CONVERSATIONS = 400
PROSE_REPEATS = 8
SHAPE = {
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "intermediate_size": 1024,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
STEPS = 2000
BATCH = 128
PEAK_RATE = 1.5e-3
WARMUP = 200
WEIGHT_DECAY = 0.1
DROPOUT = 0.2
SHARD = "9MB"
HELD_OUT = ("flat_validation", "flat_test", "warm_validation")
"""Texts that are never trained on: flat ones to choose the number of steps by and to report, and the corpus'
validation replies, which show how far the base is from what the adapter has to learn."""


def tokens(folder: Path) -> None:
    """Compose the text, train the tokenizer on it, and write token ids as `tokens.npz`."""
    import numpy

    from finetune.data.prompts import PromptFormat, conversation, encode_example
    from finetune.demo import corpus, pretraining, tokenizer

    base = folder / "base"
    base.mkdir(parents=True, exist_ok=True)
    encoder = tokenizer.train(pretraining.tokenizer_texts(), base)
    style, longest = PromptFormat(), LENGTH
    rows = pretraining.all_rows()
    sides = [[row for row in rows if row.side == side] for side in range(3)]
    end = encoder.convert_tokens_to_ids("<|end_of_text|>")

    train: list[list[int]] = []
    for text in pretraining.prose():
        train += [[encoder.bos_token_id, *encoder.encode(text, add_special_tokens=False), end]] * PROSE_REPEATS
    talk = pretraining.FlatTalk(sides[0], SEED)
    warm, writing = pretraining.WarmTalk(rows, SEED), pretraining.Writing(SEED)
    for source, number in ((talk, CONVERSATIONS), (warm, WARM_TASKS), (writing, WRITING_TASKS)):
        for _ in range(number):
            ids, _ = encode_example(encoder, source.conversation(), style, longest)
            train.append(ids)
    held_out = {name: [] for name in HELD_OUT}
    for name, side in (("flat_validation", 1), ("flat_test", 2)):
        talk = pretraining.FlatTalk(sides[side], SEED + 1, exchange=False)
        talk.general = []
        for _ in range(HELD_OUT_CONVERSATIONS):
            question, answer = talk.turn(talk.rng.choice(talk.rows))
            ids, labels = encode_example(encoder, conversation(question, answer), style, longest)
            held_out[name].append((ids, labels, len(answer)))
    kept, rng = corpus.kept_for_test(rows), random.Random(SEED)
    for row in sides[1][:HELD_OUT_CONVERSATIONS]:
        answer = corpus.reply(row, kept, rng)
        ids, labels = encode_example(encoder, conversation(row.question, answer), style, longest)
        held_out["warm_validation"].append((ids, labels, len(answer)))
    numpy.savez_compressed(
        folder / "tokens.npz",
        train=numpy.array([i for ids in train for i in ids], dtype=numpy.uint16),
        train_lengths=numpy.array([len(ids) for ids in train], dtype=numpy.uint16),
        **{
            f"{name}_ids": numpy.array([i for ids, _, _ in h for i in ids], numpy.uint16)
            for name, h in held_out.items()
        },
        **{f"{name}_labels": numpy.array([i for _, x, _ in h for i in x], numpy.int32) for name, h in held_out.items()},
        **{f"{name}_lengths": numpy.array([len(ids) for ids, _, _ in h], numpy.uint16) for name, h in held_out.items()},
        **{f"{name}_characters": numpy.array([n for _, _, n in h], numpy.int32) for name, h in held_out.items()},
        vocabulary=len(encoder),
        special=numpy.array([encoder.bos_token_id, encoder.eos_token_id, encoder.pad_token_id, end]),
    )
    print(f"{len(train):,} documents, {sum(map(len, train)):,} tokens, vocabulary {len(encoder):,}")


def train(folder: Path, steps: int = STEPS, shape: dict = SHAPE, dropout: float = DROPOUT) -> None:
    """Pre-train on packed documents and save the model; attention stays inside each document."""
    import numpy
    import torch
    import torch.nn.functional as F
    from transformers import LlamaConfig, LlamaForCausalLM

    data = numpy.load(folder / "tokens.npz")
    bos, eot, pad, end = (int(i) for i in data["special"])
    torch.manual_seed(SEED)
    rng = numpy.random.default_rng(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = LlamaConfig(
        vocab_size=int(data["vocabulary"]),
        tie_word_embeddings=True,
        max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        rms_norm_eps=1e-5,
        bos_token_id=bos,
        eos_token_id=[eot, end],
        pad_token_id=pad,
        dtype="bfloat16",
        **shape,
    )
    model = LlamaForCausalLM(config).to(device=device, dtype=torch.float32)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f}M parameters", flush=True)
    stream, lengths = torch.from_numpy(data["train"].astype(numpy.int64)), data["train_lengths"].astype(numpy.int64)
    starts = numpy.concatenate([[0], numpy.cumsum(lengths)[:-1]])
    held = {name: _held_out(data, name, device) for name in HELD_OUT}
    _drop_out(model, dropout)

    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}],
        lr=PEAK_RATE,
        betas=(0.9, 0.95),
        fused=device == "cuda",
    )
    log, began = [], time.perf_counter()
    queue = iter(())
    for step in range(steps + 1):
        if step % 100 == 0 or step == steps:
            bits = {name: round(_bits_per_character(model, held[name]), 4) for name in HELD_OUT}
            log.append({"step": step, "bits_per_character": bits})
            print(step, log[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
        if step == steps:
            break
        rate = PEAK_RATE * min(1, (step + 1) / WARMUP) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        ids = torch.full((BATCH, LENGTH), pad)
        labels = torch.full((BATCH, LENGTH), -100)
        positions = torch.zeros((BATCH, LENGTH), dtype=torch.int64)
        document = torch.zeros((BATCH, LENGTH), dtype=torch.int64)
        for row in range(BATCH):
            filled, number = 0, 0
            while filled < LENGTH:
                nxt = next(queue, None)
                if nxt is None:
                    queue = iter(rng.permutation(len(lengths)))
                    continue
                take = min(int(lengths[nxt]), LENGTH - filled)
                number += 1
                piece = stream[starts[nxt] : starts[nxt] + take]
                ids[row, filled : filled + take] = piece
                labels[row, filled + 1 : filled + take] = piece[1:]
                positions[row, filled : filled + take] = torch.arange(take)
                document[row, filled : filled + take] = number
                filled += take
        ids, labels, positions, document = (t.to(device, non_blocking=True) for t in (ids, labels, positions, document))
        causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=device).tril()
        mask = causal & (document[:, None, :, None] == document[:, None, None, :])
        with torch.autocast(device, dtype=torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False).logits
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 50 == 0:
            log.append({"step": step, "loss": round(loss.item(), 4)})
    model.to(torch.bfloat16).save_pretrained(folder / "base", max_shard_size=SHARD)
    summary = {
        "seed": SEED,
        "parameters": sum(p.numel() for p in model.parameters()),
        "tokens": int(lengths.sum()),
        "documents": len(lengths),
        "steps": steps,
        "batch_tokens": BATCH * LENGTH,
        "seconds": round(time.perf_counter() - began, 1),
        "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
        "torch": torch.__version__,
        "log": log,
    }
    (folder / "base" / "training.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")


def _drop_out(model, share: float) -> None:  # noqa: ANN001
    """Dropout on what each block adds, which transformers' Llama leaves out; only while training."""
    import torch.nn.functional as F

    def hook(module, inputs, output):  # noqa: ANN001
        return F.dropout(output, share, training=module.training)

    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(hook)
        layer.mlp.down_proj.register_forward_hook(hook)
    model.model.embed_tokens.register_forward_hook(hook)


def _held_out(data, name: str, device: str):  # noqa: ANN001
    import torch

    lengths = data[f"{name}_lengths"].astype(int)
    ids = torch.from_numpy(data[f"{name}_ids"].astype("int64")).split(lengths.tolist())
    labels = torch.from_numpy(data[f"{name}_labels"].astype("int64")).split(lengths.tolist())
    pad = torch.nn.utils.rnn.pad_sequence
    return (
        pad(ids, batch_first=True).to(device),
        pad(labels, batch_first=True, padding_value=-100).to(device),
        int(data[f"{name}_characters"].sum()),
    )


def _bits_per_character(model, held) -> float:  # noqa: ANN001
    """Bits per character of the held-out flat answers, their end token included."""
    import torch
    import torch.nn.functional as F

    ids, labels, characters = held
    total = 0.0
    model.eval()
    with torch.no_grad(), torch.autocast(ids.device.type, dtype=torch.bfloat16):
        for i in range(0, len(ids), 100):
            logits = model(input_ids=ids[i : i + 100], use_cache=False).logits[:, :-1].float()
            total += F.cross_entropy(logits.flatten(0, 1), labels[i : i + 100, 1:].flatten(), reduction="sum").item()
    model.train()
    return total / math.log(2) / characters


if __name__ == "__main__":
    {"tokens": tokens, "train": train}[sys.argv[1]](Path(sys.argv[2]))
