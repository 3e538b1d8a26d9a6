"""The command `bench`: what each of its benches measures, and that no option is taken and then ignored."""

import json
import math

import pytest

from finetune import bench, bench_decoding, bench_training
from tests.test_bench_decoding import SMALL
from tests.test_main import invoke, refused


@pytest.fixture
def short(monkeypatch):
    """Replies of few tokens: what they take means nothing here."""
    monkeypatch.setattr(bench, "TOKENS", 6)
    monkeypatch.setattr(bench, "SETTINGS", bench.replace(bench.SETTINGS, max_new_tokens=6))


@pytest.fixture
def tiny(monkeypatch):
    """A model of random weights in a shape that is quick anywhere."""
    monkeypatch.setattr(bench_decoding.memory, "shape", lambda name: SMALL)


def measured(*arguments: object) -> dict:
    result = invoke("bench", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_chat_on_the_demo_model_tells_first_token_and_rate_of_ours_and_of_the_peer(short):
    found = measured("chat", "--peer", "transformers", "--repeats", 1)
    theirs = found["peers"]["transformers"]
    for side in (found, theirs):
        assert side["first_token_ms"] > 0 and side["tokens_per_second"] > 0
    assert (found["tokens"], found["repeats"]) == (6, 1)
    assert found["times_the_peer"] == found["tokens_per_second"] / theirs["tokens_per_second"]


def test_pair_on_the_demo_model_tells_the_ratio_of_ours_and_of_the_peer(short):
    found = measured("pair", "--peer", "transformers", "--repeats", 1)
    theirs = found["peers"]["transformers"]
    for side in (found, theirs):
        assert side["ratio"] == side["pair_s"] / side["reply_s"]
    assert theirs["ratio"] > 1 and found["times_the_peer"] == theirs["pair_s"] / found["pair_s"]


def test_chat_and_pair_without_a_peer_speak_to_people(short):
    told = invoke("bench", "chat", "--repeats", 1).stdout
    assert "tokens_per_second: " in told and "peer" not in told
    assert invoke("bench", "pair", "--repeats", 1).stdout.startswith("ratio: ")


@pytest.mark.parametrize("what", ["chat", "pair"])
def test_with_a_shape_chat_and_pair_are_those_of_that_shape_and_not_the_demo_s(what, tiny, monkeypatch):
    monkeypatch.setattr(bench, "_of_demo", None)
    found = measured(what, "--shape", "llama-3.1-8b", "--peer", "transformers", "--repeats", 1)
    assert found["shape"] == "llama-3.1-8b" and found["tokens"] == bench_decoding.USUAL.tokens
    key = "tokens_per_second" if what == "chat" else "ratio"
    assert all(math.isfinite(one[key]) and one[key] > 0 for one in (found, found["peers"]["transformers"]))


def test_a_part_of_a_shape_that_fails_is_told_in_one_line(tiny, monkeypatch):
    monkeypatch.setattr(bench_decoding, "build", lambda dimensions: None)
    assert "The bench failed at chat" in refused("bench", "chat", "--shape", "llama-3.1-8b")


def test_decode_is_given_its_peers_and_its_repeats(monkeypatch):
    asked = []

    def decode(shape, load, peers):
        asked.append((shape, load.repeats, peers))
        return {"parts": {}, "ratio": None, "machine": "", "date": ""}

    monkeypatch.setattr(bench_decoding, "decode", decode)
    for arguments in ([], ["--peer", "transformers", "--repeats", 2, "--shape", "llama-3.1-8b"], ["--peer", "none"]):
        assert invoke("bench", "decode", *arguments).exit_code == 0
    assert asked == [(None, 3, None), ("llama-3.1-8b", 2, ["transformers"]), (None, 3, [])]


def test_train_is_given_its_peers_and_its_folder_and_has_transformers_by_default(monkeypatch, tmp_path):
    asked = []

    def train(shape, peers, tell, folder):
        asked.append((shape, tuple(peers), folder))
        tell("ours: 5 tokens/s")
        return {"ways": [], "ratio": None, "ratio_to_best": None, "machine": "", "matrix_tflops": 1.0, "date": ""}

    monkeypatch.setattr(bench_training, "train", train)
    monkeypatch.setattr(bench, "find_spec", lambda name: object())
    for arguments in ([], ["--peer", "unsloth", "--peer", "transformers"], ["--peer", "none", "--folder", tmp_path]):
        done = invoke("bench", "train", *arguments)
        assert done.exit_code == 0 and "ours: 5 tokens/s" in done.stderr and "ours: 5" not in done.stdout
    assert asked == [
        (None, ("transformers",), None),
        (None, ("unsloth", "transformers"), None),
        (None, (), tmp_path),
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chatter"], "'chatter' is not known; choose one of chat, pair, train, decode"),
        (["decode", "--peer", "vllm"], "decode has no peer 'vllm'"),
        (["pair", "--peer", "unsloth"], "pair has no peer 'unsloth' here; choose transformers or none"),
        (["chat", "--peer", "unsloth"], "add --shape llama-3.1-8b"),
        (["decode", "--peer", "unsloth"], "unsloth is not installed"),
        (["train", "--peer", "none", "--peer", "transformers"], "none means that there is no peer"),
        (["train", "--repeats", "3"], "--repeats"),
        (["decode", "--folder", "kept"], "only train keeps what it has measured"),
        (["train", "--folder", ""], "no folder to write into"),
        (["train", "--folder", "README.md"], "'README.md' is no folder to write into"),
        (["train", "--shape", ""], "--shape"),
        (["chat", "--shape", "llama-9-900b"], "The dimensions of llama-9-900b are not known"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_bench_has_no_use_for_is_refused_before_anything_is_measured(arguments, said, monkeypatch):
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    assert said in refused("bench", *arguments)
