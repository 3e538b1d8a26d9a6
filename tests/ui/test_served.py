"""Another server's own models can be talked to: chosen by name, asked first where nobody chose, found once it is up.

The first half asks a tiny local server; the last test starts the real app beside `transformers serve`.
"""

import shutil
import socket
import time
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from finetune import bengali, models
from finetune.errors import BackendError
from finetune.inference import openai_server
from finetune.inference.backends import LocalBackend, Served
from finetune.inference.remote import RemoteBackend
from finetune.recipe import Generation, Recipe
from finetune.training import runs
from tests.inference import chat_server
from tests.inference.test_remote import BASE, TUNED, served  # noqa: F401 - a fixture
from tests.serving import running_app
from ui import endpoints, layout_parts, wording
from ui import served as served_names
from ui.compare import free_play
from ui.served import OWN, SERVER
from ui.services import DEMO, Services

REQUEST = SimpleNamespace(cookies={}, headers={}, session_hash="x")


@pytest.fixture
def server(monkeypatch):
    """A server with one model, which is asked for its list as often as somebody wants to know."""
    monkeypatch.setattr(openai_server, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(served_names, "FRESH", -1.0)
    for name in (openai_server.URL, openai_server.KEY):
        monkeypatch.delenv(name, raising=False)
    with chat_server.running() as started:
        yield started


def services_of(server, folder, model=None):
    return Services(folder / "home", RemoteBackend(server.address, model))


def offer(server, **parents):
    server.offered = {"data": [{"id": name, "parent": parent} for name, parent in parents.items()]}


def test_a_servers_own_models_can_be_chosen_and_of_the_runs_those_that_it_serves(server, tmp_path):
    services = services_of(server, tmp_path)
    there, elsewhere = (runs.create(services.home, Recipe.read(DEMO)) for _ in range(2))
    for run in (there, elsewhere):
        shutil.copytree(models.DEMO_ADAPTER, run.adapter)
    server.offered = {"data": [{"id": "org/llama"}, {"id": there.name, "parent": "org/llama"}]}
    assert services.answering() == [SERVER, f"{OWN}org/llama", there.name]
    assert services.adapter(f"{OWN}org/llama") == Served("org/llama")
    assert services.adapter(there.name) == there.adapter
    assert DEMO not in services.answering()
    assert {DEMO, there.name, elsewhere.name} == set(services.adapters())  # what can be evaluated and compared here


def test_where_nobody_has_chosen_the_demo_answers_that_it_serves_else_its_first_model(server, tmp_path):
    services = services_of(server, tmp_path)
    assert services.first == SERVER
    offer(server, one=None, two=None)
    assert services.adapter(SERVER) == Served("one")
    offer(server, tuned="one", one=None)
    assert services.adapter(SERVER) == Served("one")
    offer(server, one=None, demo="one")
    assert services.adapter(SERVER) == models.DEMO_ADAPTER
    offer(server, one=None, two=None)
    assert services_of(server, tmp_path, "two").adapter(SERVER) == Served("two")


def test_a_servers_own_models_are_asked_without_what_only_some_servers_know(server, tmp_path):
    services = services_of(server, tmp_path)
    assert services.generation(SERVER) == services.generation(f"{OWN}base") == Generation()


def test_an_app_without_another_server_asks_none(services):
    assert services.server is None and services.first == DEMO
    assert services.answering() == services.adapters()


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}/v1"


def test_a_server_that_is_down_is_one_sentence_and_what_it_offered_last_can_still_be_chosen(server, tmp_path):
    services = services_of(server, tmp_path)
    assert services.server.look() is None
    services.server._asked = RemoteBackend(free_address())
    error = services.server.look()
    assert error.key == "backend.unreachable"
    assert wording.error(error, "bn").endswith("সার্ভারটা চালু করুন, নয়তো ঠিকানাটা শুধরে নিন।")
    assert services.answering() == [SERVER, f"{OWN}base"]
    never_seen = Services(tmp_path / "other", RemoteBackend(free_address()))
    assert never_seen.answering() == [SERVER]
    with pytest.raises(BackendError) as caught:
        never_seen.adapter(SERVER)
    assert caught.value.key == "backend.unreachable"


def test_a_server_without_models_is_one_sentence(server, tmp_path):
    server.offered = {"data": []}
    with pytest.raises(BackendError) as caught:
        services_of(server, tmp_path).adapter(SERVER)
    assert caught.value.key == "backend.no_model"


def test_the_chooser_says_why_there_is_nobody_and_offers_the_models_once_the_server_is_up(server, tmp_path):
    services = services_of(server, tmp_path)
    with gr.Blocks() as page:
        chooser = layout_parts.adapter_chooser(services)
    assert chooser.value == SERVER
    loaded, ticked = page.fns.values()
    assert loaded.fn is ticked.fn
    up, services.server._asked = services.server._asked, RemoteBackend(free_address())
    dropdown, clock = loaded.fn(REQUEST)
    assert "সাড়া দিচ্ছে না" in dropdown.info and clock.active
    services.server._asked = up
    dropdown, clock = ticked.fn(REQUEST)
    assert dropdown.info == "" and not clock.active
    assert [value for _, value in dropdown.choices] == [SERVER, f"{OWN}base"]
    assert dropdown.choices[1][0] == "base"


def test_free_play_takes_the_first_of_several_models_for_the_base(server, tmp_path):
    services = services_of(server, tmp_path)
    offer(server, one=None, two=None)
    server.by_model = {name: chat_server.Answer(chat_server.said(f"{name}।")) for name in ("one", "two")}
    *_, last = free_play.compare(services, "মন ভালো নেই।", f"{OWN}two", [0, 0.9, 8, 1], "bn")
    assert last == ("one।", "two।")


def test_other_programs_ask_the_server_where_they_name_nobody(server, tmp_path):
    services = services_of(server, tmp_path)
    with gr.Blocks() as page:
        endpoints.add(services)
    chat = next(one.fn for one in page.fns.values() if one.api_name == "chat")
    assert list(chat(REQUEST, "মন ভালো নেই।"))[-1] == "আমি শুনছি।"
    assert server.asked[0]["model"] == "base" and "repetition_penalty" not in server.asked[0]


def test_a_local_backend_has_no_server(tmp_path):
    assert Services(tmp_path, LocalBackend("nowhere")).server is None


def test_an_app_that_started_before_its_server_says_so_and_answers_once_that_is_up(tmp_path, monkeypatch):
    address = free_address()
    monkeypatch.setenv("SHOHOMORMI_BACKEND_URL", address)
    with running_app(tmp_path) as app:
        client = Client(app.address, verbose=False)
        with pytest.raises(AppError) as caught:
            client.predict("মন ভালো নেই।", api_name="/chat")
        assert "সাড়া দিচ্ছে না" in str(caught.value)
        with chat_server.running(int(address.rsplit(":", 1)[1].split("/")[0])):
            time.sleep(served_names.FRESH)
            assert client.predict("মন ভালো নেই।", api_name="/chat") == "আমি শুনছি।"


def test_the_real_app_streams_the_replies_of_a_real_servers_own_models(served, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("SHOHOMORMI_BACKEND_URL", served.address)
    monkeypatch.delenv("SHOHOMORMI_BACKEND_MODEL", raising=False)
    asked = {"temperature": 0, "max_new_tokens": 24}
    with running_app(tmp_path) as app:
        client = Client(app.address, verbose=False)
        job = client.submit("পরীক্ষার ফল খারাপ হয়েছে।", **asked, api_name="/chat")
        first = job.result()
        assert bengali.script_share(first) > 0.9 and len(job.outputs()) >= 1
        replies = {
            name: client.predict("পরীক্ষার ফল খারাপ হয়েছে।", adapter=f"{OWN}{name}", **asked, api_name="/chat")
            for name in (BASE, TUNED)
        }
        assert first in replies.values() and replies[BASE] != replies[TUNED]
        with pytest.raises(AppError) as caught:
            client.predict("পরীক্ষার ফল খারাপ হয়েছে।", adapter=DEMO, api_name="/chat")
        assert BASE in str(caught.value)
