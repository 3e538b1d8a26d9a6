"""A server's replies come as a local model's do: whole letters, all sides at once, ended by a stop, errors in words.

The first half talks to `transformers serve` with the demo model, started once on the CPU; the second, to a tiny local
server (`chat_server.py`), for what a real one does not do on demand.
"""

import os
import socket
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from finetune import bengali, models
from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import BackendError
from finetune.inference import openai_server, remote
from finetune.inference.backends import LocalBackend, Side, replies, reply
from finetune.inference.openai_server import Timeouts
from finetune.inference.remote import RemoteBackend, from_environment, served_name
from finetune.recipe import Generation
from finetune.training import merging
from tests.inference.chat_server import Answer, ChatServer, refusal, running, said

SHORT = Generation(max_new_tokens=24, temperature=0)
SAID = conversation("পরীক্ষার ফল খারাপ হয়েছে, কাউকে বলতে পারছি না।")
BASE, TUNED = "shohomormi/base", "shohomormi/tuned"
LONGEST_START = 90
"""Seconds; far more than a start takes, for tests may share their machine."""


# transformers serve


@dataclass(frozen=True)
class Served:
    """A real server: its address, and the folders of the two models that it serves."""

    address: str
    base: Path
    tuned: Path

    def backend(self) -> RemoteBackend:
        """The base, and the merged demo model in the place of an adapter; loading them falls into the first reply."""
        return RemoteBackend(self.address, BASE, adapters=lambda folder: TUNED, timeouts=Timeouts(first=300))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`transformers serve` with the demo's base and its merged model, both under our chat format, in 32 bits."""
    from transformers.utils.import_utils import is_serve_available

    if not is_serve_available():
        pytest.skip("`transformers serve` needs the openai package: pip install -r requirements-test.txt")
    home = tmp_path_factory.mktemp("served")
    base, tuned = (_cached(home / "hub", name) for name in (BASE, TUNED))
    for file in models.DEMO_BASE.iterdir():
        (base / file.name).symlink_to(file)
    (base / "chat_template.jinja").unlink()
    (base / "chat_template.jinja").write_text(merging.chat_template(PromptFormat()), encoding="utf-8")
    merging.merge_into(tuned, str(models.DEMO_BASE), models.DEMO_ADAPTER, Generation(), tell=lambda line: None)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home / "serve.log"
    command = [Path(sys.executable).with_name("transformers"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as printed:
        child = subprocess.Popen(
            [*command, "--device", "cpu", "--dtype", "float32"],
            env={**os.environ, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub"), "HF_HUB_OFFLINE": "1"},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + LONGEST_START
        while not _healthy(port):
            assert child.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-3000:]
            time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}", base, tuned)
    finally:
        child.kill()
        child.wait()


def _cached(hub: Path, name: str) -> Path:
    """A new folder in which the Hub's cache would keep a model's files."""
    repository, commit = hub / f"models--{name.replace('/', '--')}", "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    return repository / "snapshots" / commit


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_real_server_lists_its_models_and_wants_to_be_told_which_of_several(served):
    assert sorted(RemoteBackend(served.address).models()) == [BASE, TUNED]
    with pytest.raises(BackendError) as raised:
        RemoteBackend(served.address).load()
    assert raised.value.key == "backend.which_model"
    assert BASE in str(raised.value) and TUNED in str(raised.value)


def test_a_real_server_says_what_the_same_model_says_here(served, monkeypatch):
    import torch

    monkeypatch.setattr(models, "compute_dtype", lambda wanted="auto": torch.float32)
    local = LocalBackend(str(served.base), four_bit=False)
    asked = Side([*conversation("মন খারাপ।", "কী হয়েছে, বলবেন?"), *SAID], None, SHORT)
    assert reply(served.backend(), asked) == reply(local, asked) != ""


def test_base_and_tuned_answer_together_on_a_real_server(served):
    backend = served.backend()
    sides = [Side(SAID, None, SHORT), Side(SAID, models.DEMO_ADAPTER, SHORT)]
    steps = list(backend.stream(sides))
    assert {len(pieces) for pieces in steps} == {2}
    assert all(any(pieces) for pieces in steps) and len(steps) > 3
    base, tuned = ("".join(column).strip() for column in zip(*steps, strict=True))
    assert base and tuned and base != tuned
    assert tuned == reply(RemoteBackend(served.address, TUNED), Side(SAID, None, SHORT))


@pytest.mark.parametrize("most", range(1, 8))
def test_every_piece_from_a_real_server_is_whole_wherever_the_reply_is_cut_off(served, most):
    asked = Side(conversation("হ্যাঁ, ক্ষমা চাই"), None, Generation(max_new_tokens=most, temperature=0))
    steps = [pieces[0] for pieces in served.backend().stream([asked])]
    assert [bengali.broken_graphemes(piece) for piece in steps] == [[]] * len(steps)
    text = "".join(steps)
    assert bengali.graphemes(text) == [letter for piece in steps for letter in bengali.graphemes(piece)]
    assert not text.endswith(bengali.VIRAMA)


def test_a_real_server_can_be_stopped_and_answers_the_next(served):
    long = Side(SAID, None, Generation(max_new_tokens=400, temperature=0))
    stop, shown = threading.Event(), ""
    for (piece,) in served.backend().stream([long], stop):
        shown += piece
        stop.set()
    assert shown and len(shown) < len(reply(served.backend(), long))


def test_a_real_server_without_the_model_says_so_in_words(served):
    with pytest.raises(BackendError) as raised:
        reply(RemoteBackend(served.address, "nobody/nothing"), Side(SAID, None, SHORT))
    assert raised.value.key == "backend.failed"


def test_a_real_server_is_not_asked_for_an_adapter_that_it_does_not_list(served):
    with pytest.raises(BackendError) as raised:
        reply(RemoteBackend(served.address, BASE), Side(SAID, models.DEMO_ADAPTER, SHORT))
    assert raised.value.key == "backend.unknown_adapter"
    assert raised.value.facts["adapter"] == "demo"


# A server that does as it is told


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """It offers `base` and, as vLLM does, the adapter `demo`; no waiting between tries, nothing in the environment."""
    monkeypatch.setattr(openai_server, "WAITS", (0.0, 0.0))
    for name in (remote.URL, remote.MODEL, openai_server.KEY):
        monkeypatch.delenv(name, raising=False)
    with running() as started:
        started.offered = {"data": [{"id": "base", "parent": None}, {"id": "demo", "parent": "base"}]}
        yield started
    assert not [thread for thread in threading.enumerate() if thread.name == "remote-engine"]


def test_the_only_base_is_asked_for_with_our_system_prompt_and_settings(server):
    how = Generation(max_new_tokens=7, temperature=0.3, top_p=0.8, seed=11)
    reply(RemoteBackend(server.address), Side(SAID, None, how))
    assert server.asked == [
        {
            "model": "base",
            "messages": [{"role": "system", "content": PromptFormat().system_prompt}, *SAID],
            "stream": True,
            "max_tokens": 7,
            "temperature": 0.3,
            "top_p": 0.8,
            "seed": 11,
        }
    ]


def test_a_repetition_penalty_goes_along_only_where_there_is_one(server):
    reply(RemoteBackend(server.address), Side(SAID, None, replace(SHORT, repetition_penalty=1.2)))
    assert server.asked[0]["repetition_penalty"] == 1.2


def test_messages_go_out_as_the_model_learnt_them_and_text_comes_back_in_nfc(server):
    typed = unicodedata.normalize("NFD", "ভয় লাগে, কোথায়\u200b যাব?")
    server.answers = [Answer(said(*unicodedata.normalize("NFD", "কোথায়"), "?"))]
    assert reply(RemoteBackend(server.address), Side(conversation(typed), None)) == unicodedata.normalize(
        "NFC", "কোথায়?"
    )
    assert server.asked[0]["messages"][1]["content"] == bengali.clean(typed) != typed


def test_a_system_message_of_the_conversation_stays_the_only_one(server):
    own = {"role": "system", "content": "ছোট করে বলুন।"}
    reply(RemoteBackend(server.address), Side([own, *SAID], None))
    assert server.asked[0]["messages"] == [own, *SAID]


def test_both_sides_of_a_pair_get_the_adapter_s_system_prompt_and_each_its_model(server, tmp_path):
    folder = tmp_path / "demo" / "adapter"
    folder.mkdir(parents=True)
    PromptFormat(system_prompt="আপনি একজন সহমর্মী বন্ধু।").save(folder)
    server.by_model = {"base": Answer(said("ঠিক আছে।")), "demo": Answer(said("শুনছি।"))}
    sides = [Side(SAID, None), Side(SAID, folder)]
    assert replies(RemoteBackend(server.address), sides) == ["ঠিক আছে।", "শুনছি।"]
    assert {asked["messages"][0]["content"] for asked in server.asked} == {"আপনি একজন সহমর্মী বন্ধু।"}


def test_an_adapter_is_called_by_its_run_its_checkpoint_or_its_folder():
    assert served_name(models.DEMO_ADAPTER) == "demo"
    assert served_name(Path("runs/first/adapter")) == "first"
    assert served_name(Path("runs/first/checkpoints/checkpoint-40")) == "first-checkpoint-40"
    assert served_name(Path("downloads/kindly")) == "kindly"


def test_an_adapter_that_is_not_on_offer_is_refused_before_anything_is_asked(server):
    with pytest.raises(BackendError, match="no adapter first, but: base, demo") as raised:
        replies(RemoteBackend(server.address), [Side(SAID, None), Side(SAID, Path("runs/first/adapter"))])
    assert raised.value.key == "backend.unknown_adapter"
    assert server.asked == []


def test_what_is_on_offer_is_asked_once(server):
    backend = RemoteBackend(server.address, "base")
    for _ in range(2):
        reply(backend, Side(SAID, None))
    assert server.lists == 0
    for _ in range(2):
        reply(backend, Side(SAID, models.DEMO_ADAPTER))
    assert server.lists == 1


def test_a_server_without_a_base_wants_to_be_told_the_model(server):
    server.offered = {"data": []}
    with pytest.raises(BackendError) as raised:
        reply(RemoteBackend(server.address), Side(SAID, None))
    assert raised.value.key == "backend.which_model"


def test_nothing_asked_gives_nothing(server):
    assert list(RemoteBackend(server.address).stream([])) == []
    assert server.lists == 0


def test_a_side_does_not_wait_for_another_s_text(server):
    server.by_model = {"base": Answer(then="hang"), "demo": Answer(said("শুনছি।"))}
    stream = RemoteBackend(server.address).stream([Side(SAID, None), Side(SAID, models.DEMO_ADAPTER)])
    text = ""
    while text != "শুনছি।":
        base, tuned = next(stream)
        assert base == ""
        text += tuned
    stream.close()
    assert server.left.acquire(timeout=10)


def test_more_sides_than_go_at_once_are_all_answered_each_its_own(server, monkeypatch):
    monkeypatch.setattr(remote, "AT_ONCE", 2)
    names = [f"run-{number}" for number in range(9)]
    server.offered = {"data": [{"id": name} for name in names]}
    server.by_model = {name: Answer(said(f"{name} ", "শুনছি।")) for name in names}
    sides = [Side(SAID, Path("runs", name, "adapter")) for name in names]
    assert replies(RemoteBackend(server.address), sides) == [f"{name} শুনছি।" for name in names]


def test_a_reply_cut_at_its_length_ends_without_half_a_letter(server):
    server.answers = [Answer(said("ভালো ক", "্", "\ufffd", finish="length"))]
    assert "".join(piece for (piece,) in RemoteBackend(server.address).stream([Side(SAID, None)])) == "ভালো ক"


def test_what_came_before_a_break_is_given_out_to_its_last_letter(server):
    server.answers = [Answer(said("আমি ", "শুনছি", finish=None), then="break")]
    shown = ""
    with pytest.raises(BackendError) as raised:
        for (piece,) in RemoteBackend(server.address).stream([Side(SAID, None)]):
            shown += piece
    assert raised.value.key == "backend.broke_off"
    assert shown == "আমি শুনছি"


def test_a_side_that_fails_ends_the_other(server):
    server.by_model = {"base": Answer(then="hang"), "demo": refusal(500)}
    with pytest.raises(BackendError) as raised:
        replies(RemoteBackend(server.address), [Side(SAID, None), Side(SAID, models.DEMO_ADAPTER)])
    assert raised.value.key == "backend.failed"
    assert server.left.acquire(timeout=10)


@pytest.mark.parametrize("parts", [[], said("আমি ", "শুনছি", finish=None)], ids=["before any text", "in the middle"])
def test_a_stop_closes_the_connection_though_the_server_is_silent(server, parts):
    server.answers = [Answer(parts, then="hang")]
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    shown = "".join(piece for (piece,) in RemoteBackend(server.address).stream([Side(SAID, None)], stop))
    assert shown == ("আমি শুনছি" if parts else "")
    assert server.left.acquire(timeout=10)


def test_a_stop_closes_the_connection_though_nobody_reads_and_only_the_letter_begun_comes_after_it(server):
    gate, stop = threading.Event(), threading.Event()
    parts = [*said("আমি ", "শুন", finish=None), *said("ছি, বলুন", finish=None)[1:]]
    server.answers = [Answer(parts, then="hang", gate=gate)]
    stream = RemoteBackend(server.address).stream([Side(SAID, None)], stop)
    shown = ""
    while shown != "আমি শু":
        shown += next(stream)[0]
    gate.set()
    time.sleep(0.2)  # what comes now is read from the network before the stop, and by nobody here
    stop.set()
    assert server.left.acquire(timeout=10)
    assert list(stream) == [["ন"]]


def test_a_stop_set_beforehand_asks_nothing(server):
    stop = threading.Event()
    stop.set()
    assert list(RemoteBackend(server.address, "base").stream([Side(SAID, None)], stop)) == []
    assert server.asked == []


def test_closing_a_stream_closes_its_connections(server):
    server.answers = [Answer(said("আমি ", "শুনছি", finish=None), then="hang")]
    stream = RemoteBackend(server.address).stream([Side(SAID, None), Side(SAID, None)])
    next(stream)
    stream.close()
    assert server.left.acquire(timeout=10) and server.left.acquire(timeout=10)


def test_many_streams_at_once_are_not_mixed_up(server):
    names = [f"run-{number}" for number in range(20)]
    server.offered = {"data": [{"id": name} for name in names]}
    server.by_model = {name: Answer(said(*f"{name} শুনছি।")) for name in names}
    backend, got = RemoteBackend(server.address), {}
    threads = [
        threading.Thread(target=lambda name=name: got.update({name: reply(backend, Side(SAID, Path(name, "adapter")))}))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == {name: f"{name} শুনছি।" for name in names}


def test_any_other_exception_is_raised_where_the_stream_is_read(server, monkeypatch):
    with pytest.raises(ZeroDivisionError):
        reply(RemoteBackend(server.address, adapters=lambda folder: 1 / 0), Side(SAID, models.DEMO_ADAPTER))

    def no_loop(work: object) -> None:
        work.close()
        raise OSError("too many open files")

    monkeypatch.setattr(remote.asyncio, "run", no_loop)
    with pytest.raises(OSError, match="too many"):
        reply(RemoteBackend(server.address), Side(SAID, None))


def test_loading_finds_the_server_and_the_model(server):
    backend = RemoteBackend(server.address.removesuffix("/v1"))
    assert (backend.loaded, backend.model) == (False, None)
    backend.load()
    assert (backend.loaded, backend.model, backend.address) == (True, "base", server.address)
    assert backend.models() == ["base", "demo"]


def test_loading_says_where_no_server_is():
    backend = RemoteBackend("http://127.0.0.1:9", timeouts=Timeouts(first=0.2))
    with pytest.raises(BackendError):
        backend.load()
    assert not backend.loaded


def test_the_environment_names_the_engine_and_the_model(server, monkeypatch):
    assert from_environment() is None
    monkeypatch.setenv(remote.URL, f"{server.address} ")
    assert (from_environment().address, from_environment().model) == (server.address, None)
    monkeypatch.setenv(remote.MODEL, "base")
    monkeypatch.setenv(openai_server.KEY, "s3cret")
    backend = from_environment()
    assert backend.model == "base"
    assert reply(backend, Side(SAID, None)) == "আমি শুনছি।"
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(backend) + repr(vars(backend)) + repr(vars(backend._server))


def test_a_long_conversation_is_cut_before_it_is_sent():
    long = [message for n in range(600) for message in conversation(f"{n} নম্বর কথা", "শুনছি।")] + SAID
    side, left_out = RemoteBackend("http://localhost:1", "m").fit(Side(long, None, SHORT))
    assert left_out > 0 and side.messages == long[2 * left_out :]
    assert sum(len(message["content"]) for message in side.messages) <= 4096 - SHORT.max_new_tokens
