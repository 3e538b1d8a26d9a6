"""What the privacy page promises, and that it is so: its sentences are true where the app runs; nothing phones home."""

import re
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio_client import Client

from finetune.inference.remote import RemoteBackend
from finetune.review.feedback import CONSENT, Feedback, new_id
from tests.serving import running_app
from ui import layout, privacy, wording
from ui.privacy import Situation
from ui.services import Services

HERE = SimpleNamespace(url=SimpleNamespace(scheme="http"), headers={"host": "127.0.0.1:7860"})


def asked_from(scheme, host, **headers):
    return SimpleNamespace(url=SimpleNamespace(scheme=scheme), headers={"host": host, **headers})


def found(services, request=HERE, *, share=False):
    return privacy.situation(services, SimpleNamespace(share=share), request)


def keys_of(now):
    return {key for keys in privacy.sections(now).values() for key in keys}


def test_at_home_everything_stays_and_no_password_is_set(services, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert found(services) == Situation()
    assert keys_of(Situation()) >= {"privacy.chat.here", "privacy.train.open", "privacy.place.computer"}


def test_another_server_that_answers_is_named_without_its_path_or_its_user(tmp_path):
    services = Services(tmp_path, RemoteBackend("http://models.example:8000/v1"))
    now = found(services)
    assert now.server == "models.example"
    assert "privacy.chat.here" not in keys_of(now)
    told = privacy.page_html(now, "en")
    assert "another server: models.example" in told and "/v1" not in told
    assert "models.example" in privacy.page_html(now, "bn")


def test_a_password_a_space_and_a_public_link_change_what_is_said(services, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "mita/<b>shohomormi</b>")
    services.password = "x"
    now = found(services, share=True)
    assert keys_of(now) >= {"privacy.train.locked", "privacy.place.space", "privacy.review.account"}
    assert "privacy.place.shared" in keys_of(now)
    assert not keys_of(now) & {"privacy.train.open", "privacy.place.computer"}
    assert "mita/&lt;b&gt;" in privacy.page_html(now, "bn")


@pytest.mark.parametrize(
    ("request_", "plain"),
    [
        (HERE, False),
        (asked_from("http", "localhost:7860"), False),
        (asked_from("http", "[::1]:7860"), False),
        (asked_from("http", "192.168.0.7:7860"), True),
        (asked_from("http", "models.example"), True),
        (asked_from("https", "models.example"), False),
        (asked_from("http", "models.example", **{"x-forwarded-proto": "https"}), False),
        (asked_from("http", "models.example", **{"x-forwarded-proto": "https,http"}), False),
    ],
)
def test_a_connection_that_others_could_read_is_said_to_be_one(services, request_, plain):
    assert found(services, request_).plain is plain


@pytest.mark.parametrize("language", wording.LANGUAGES)
@pytest.mark.parametrize("now", [Situation(), Situation("models.example", True, "mita/space", True, True)])
def test_every_sentence_can_be_said_and_no_fact_is_left_open(now, language):
    told = privacy.page_html(now, language)
    assert f'lang="{language}"' in told
    assert told.count("<li>") == len(keys_of(now))
    assert not re.search(r"[{}]", told)


def test_every_sentence_of_the_page_is_true_of_some_app():
    said = keys_of(Situation()) | keys_of(Situation("models.example", True, "mita/space", True, True))
    known = {key for key in wording.SENTENCES if key.startswith("privacy.") and key.count(".") == 2}
    assert known == said


def test_what_was_given_for_teaching_is_taken_back_before_the_browser_forgets_which_it_was(services):
    given = Feedback(new_id(), ({"role": "user", "content": "মন খারাপ।"},), "কেন?", True, (), None, "demo", CONSENT)
    assert services.feedback.keep(given, [])
    with gr.Blocks() as page:
        privacy.build(services, page)
    (withdraw,) = [one for one in page.fns.values() if one.name == "withdrawn"]
    assert withdraw.fn([[given.id, "আলাপ"]], SimpleNamespace(cookies={}, headers={})) == []
    assert "মন খারাপ" not in "".join(
        file.read_text(encoding="utf-8", errors="replace") for file in services.home.rglob("*") if file.is_file()
    )
    following = [one for one in page.fns.values() if one.js]
    assert [one.js for one in following] == [privacy.FORGET]


def test_gradio_is_told_to_keep_nothing_and_to_tell_nobody(services):
    page = layout.build(services)
    assert page.analytics_enabled is False  # without it Gradio also asks for no newer version
    settings = layout.launch_settings()
    assert settings["run_history"] is False
    assert "share" not in settings


WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        place = arguments[1]
    elif event == "socket.getaddrinfo":
        place = arguments[0]
    else:
        return
    os.write(SEEN, f"{place!r}\\n".encode())

SEEN = os.open(os.environ["SHOHOMORMI_SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(watch)
"""
"""Run by Python before anything else of the app: writes down every address and every name that it asks for."""

WORDS = "বেগুনি রঙের ঘুড়িটা হারিয়ে মন খারাপ"


def test_the_app_asks_no_other_machine_for_anything_and_writes_down_no_word_of_a_chat(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    seen = tmp_path / "seen.txt"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SHOHOMORMI_SEEN", str(seen))
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    with running_app(tmp_path) as app:
        client = Client(app.address, verbose=False)
        assert client.predict(WORDS, api_name="/chat")
        with pytest.raises(Exception, match="."):  # an error must not bring them into the log either
            client.predict(WORDS, [], "demo", -7.0, api_name="/chat")
        printed = app.printed()
    places = set(seen.read_text(encoding="utf-8").splitlines())
    assert any("127.0.0.1" in place for place in places)  # the app's own check that it answers
    own = ("('127.0.0.1'", "('::1'", "'127.0.0.1'", "'localhost'", "'0.0.0.0'", "None", "'/", "b'")
    assert [place for place in places if not place.startswith(own)] == []
    kept = [file for file in app.home.rglob("*") if file.is_file()]
    assert kept and not [file for file in kept if WORDS.encode() in file.read_bytes()]
    assert WORDS not in printed and "127.0.0.1 -" not in printed
