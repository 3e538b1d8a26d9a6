"""The real app in a process of its own, asked over HTTP as other programs would: chat, compare, training.

The tests run in this order, on one app: a run that is stopped, a run that finishes, and at last a look at the log.
"""

import json
import time

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from finetune import bengali
from finetune.inference import safety
from finetune.recipe import Recipe
from tests.serving import running_app
from ui import wording
from ui.sent import LONGEST_TEXT, MOST_TURNS
from ui.services import BROWSER_KEY, PRIVATE_KEY, kept_secret

MESSAGE = "নতুন শহরে এসে সন্ধ্যা হলেই ভীষণ একা লাগে।"
CRISIS = "আমি আর বাঁচতে চাই না, সব শেষ।"
PROMPT = "পরীক্ষায় ফেল করেছি, বাবা কথা বলছেন না।"
RAW = "এই কথাটা আর কেউ যেন না পড়ে"
EARLIER = "গত সপ্তাহে প্রিয় মানুষটা দূরে চলে গেছে।"

SMALL = {
    "training.max_steps": 4,
    "training.eval_steps": 2,
    "training.save_steps": 2,
    "training.eval_rows": 8,
    "training.per_device_train_batch_size": 2,
}
"""Settings with which the demo recipe ends in seconds."""

LONGEST_RUN = 240
"""Seconds before a test gives a run up; on a quiet machine it takes fifteen."""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def client(app):
    return Client(app.address, verbose=False)


def wait_until(client, run, arrived):
    """The first status of a run that fits; fails where the run ends or takes too long before."""
    end = time.monotonic() + LONGEST_RUN
    while time.monotonic() < end:
        status = client.predict(run, api_name="/training_status")
        if arrived(status):
            return status
        assert status["state"] not in ("finished", "stopped", "failed"), status
        time.sleep(0.3)
    raise AssertionError(f"{run} took too long: {status}")


def ends_properly(text):
    return text.endswith(("।", "?", "!"))


def test_a_reply_streams_in_and_ends_with_the_end_of_a_sentence(client):
    job = client.submit(MESSAGE, temperature=0, api_name="/chat")
    reply = job.result()
    grown = job.outputs()
    assert len(grown) >= 3
    assert all(after.strip().startswith(before.strip()) for before, after in zip(grown, grown[1:], strict=False))
    assert ends_properly(reply)
    assert bengali.REPLACEMENT not in reply
    assert bengali.script_share(reply) > 0.98


def test_the_history_is_part_of_what_is_answered(client):
    history = [{"role": "user", "content": EARLIER}, {"role": "assistant", "content": "কষ্টটা বুঝতে পারছি।"}]
    alone = client.predict(MESSAGE, temperature=0, api_name="/chat")
    after = client.predict(MESSAGE, history, temperature=0, api_name="/chat")
    assert ends_properly(after)
    assert after != alone


def test_equal_seeds_give_equal_replies_and_other_seeds_others(client):
    replies = [client.predict(MESSAGE, temperature=1.0, seed=seed, api_name="/chat") for seed in (5, 5, 6)]
    assert replies[0] == replies[1] != replies[2]


def test_a_direct_crisis_phrase_gets_the_fixed_message_at_once_and_needs_no_model(client):
    """No adapter of that name exists: had the model been asked, there would be an error."""
    job = client.submit(CRISIS, adapter="deleted-001", api_name="/chat")
    told = job.result()
    assert told.startswith(safety.message("bn"))
    assert all(line.number in told for line in safety.helplines())
    assert set(job.outputs()) == {told}


def test_base_and_tuned_answer_the_same_prompt_differently_and_both_properly(client):
    job = client.submit(PROMPT, api_name="/compare")
    base, tuned = job.result()
    assert base != tuned
    assert ends_properly(base) and ends_properly(tuned)
    assert len(job.outputs()) >= 3


def test_a_comparison_can_be_repeated_exactly(client):
    first, second = (client.predict(PROMPT, seed=11, api_name="/compare") for _ in range(2))
    assert first == second


def test_a_direct_crisis_phrase_gets_the_fixed_message_on_both_sides(client):
    base, tuned = client.predict(CRISIS, api_name="/compare")
    assert base == tuned
    assert safety.message("bn") in base


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"training.learning_rate": -1}, "শেখার হার: -১ চলবে না"),
        ({"training.no_such_setting": 1}, "training.no_such_setting: এই নামে কোনো সেটিং নেই"),
        ({"data.source": "/etc/passwd"}, "ডেটার উৎস: "),
        ({"tracking.report_to": "wandb"}, "ট্র্যাকার: "),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_sentence_and_leaves_no_run_behind(client, app, settings, said):
    with pytest.raises(AppError) as caught:
        client.predict("demo", settings, api_name="/start_training")
    assert str(caught.value).startswith(said)
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)
    assert list(app.home.glob("runs/*")) == []


@pytest.mark.parametrize("endpoint", ["/chat", "/compare"])
def test_an_adapter_that_does_not_exist_is_one_clear_sentence(client, endpoint):
    with pytest.raises(AppError) as caught:
        client.predict(MESSAGE, adapter="nobody-001", api_name=endpoint)
    assert str(caught.value).startswith("nobody-001 নামে কোনো রান নেই।")


def called(app, endpoint, sent):
    """What a plain HTTP call is answered with: its status, or how its events end. gradio_client would fill in what is
    missing and so never makes such a call; any other program may."""
    body, kind = json.dumps({"data": sent}), {"content-type": "application/json"}  # httpx itself writes no NaN
    begun = httpx.post(f"{app.address}/gradio_api/call/{endpoint}", content=body, headers=kind, timeout=60)
    if begun.status_code != 200:
        return begun.status_code, begun.text
    event = f"{app.address}/gradio_api/call/{endpoint}/{begun.json()['event_id']}"
    with httpx.stream("GET", event, timeout=60) as answer:
        *_, last, data = answer.read().decode().strip().splitlines()
    return last, data.removeprefix("data: ")


REST = ["demo", 0, 0.9, 8, 1]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ([{"text": RAW}, [], *REST], "sent.no_text"),
        ([None, [], *REST], "sent.no_text"),
        ([" \n", [], *REST], "compare.empty"),
        (["ক" * (LONGEST_TEXT + 1), [], *REST], "sent.too_long"),
        ([RAW, RAW, *REST], "sent.no_history"),
        ([RAW, [[RAW, RAW]], *REST], "sent.no_history"),
        ([RAW, [RAW, [[RAW, {"no": "role"}]]], *REST], "sent.no_history"),
        ([RAW, [{"role": "user<|eot_id|>", "content": RAW}], *REST], "sent.no_history"),
        ([RAW, [{"role": "system", "content": RAW}], *REST], "sent.no_history"),
        ([RAW, [{"role": "user", "content": [{"type": "image", "url": RAW}]}], *REST], "sent.no_history"),
        ([RAW, [{"role": "user", "content": RAW}] * (MOST_TURNS + 1), *REST], "sent.too_long"),
        ([RAW, [], [RAW], 0, 0.9, 8, 1], "sent.no_name"),
        ([RAW, [], RAW * 100, 0, 0.9, 8, 1], "sent.no_name"),
        ([RAW, [], "../../etc", 0, 0.9, 8, 1], "run.unknown"),
    ],
)
def test_whatever_is_sent_to_the_chat_that_is_no_conversation_is_one_sentence_that_says_what_is(app, sent, key):
    before = len(app.printed())
    event, answer = called(app, "chat", sent)
    assert event == "event: error"
    told = json.loads(answer)["error"]
    assert told.startswith(wording.ERRORS_BN[key].partition("{")[0].replace("{{", "{"))
    assert RAW not in told and "\n" not in told and "Traceback" not in told
    assert "ERROR" not in app.printed()[before:] and RAW not in app.printed()[before:]


@pytest.mark.parametrize("value", ["hot", [1], {"a": 1}, True, 1e308, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("place", [3, 4, 5, 6])
def test_a_setting_of_a_chat_that_cannot_be_is_one_sentence_too(app, place, value):
    sent = [MESSAGE, [], *REST]
    sent[place] = value
    event, answer = called(app, "chat", sent)
    told = json.loads(answer)["error"] if event == "event: error" else ""
    assert told != wording.sentence("busy", "bn") and "\n" not in told and "Error" not in told
    assert told or value in (True, float("inf"))


def test_half_characters_blank_turns_and_no_history_at_all_do_not_keep_a_message_from_its_answer(app):
    for history in (None, [{"role": "user", "content": ""}], [{"role": "assistant", "content": [{"text": "আচ্ছা।"}]}]):
        assert called(app, "chat", ["\ud800" + MESSAGE, history, *REST])[0] == "event: complete"


@pytest.mark.parametrize("endpoint", ["chat", "compare", "vote", "next_pair"])
@pytest.mark.parametrize(
    "sent", [[RAW], [[RAW]] * 9, RAW, {"a": RAW}, None], ids=["few", "many", "text", "object", "nothing"]
)
def test_a_call_by_plain_http_that_does_not_fit_quotes_nothing_in_its_answer_or_in_the_log(app, endpoint, sent):
    before = len(app.printed())
    status, answer = called(app, endpoint, sent)
    assert status in ("event: error", 422)
    if status != 422:  # which is for the call alone, and says to whoever sent it what of it is wrong
        assert RAW not in json.loads(answer)["error"] and "Traceback" not in answer
    assert RAW not in app.printed()[before:] and "Traceback" not in app.printed()[before:]


def test_the_private_secret_is_in_nothing_that_the_app_sends(app):
    """Whoever holds it could be any reviewer who logs in; the other one is the browsers' and goes to everybody."""
    private, browsers = (kept_secret(app.home, name) for name in (PRIVATE_KEY, BROWSER_KEY))
    places = ["", "config", "review", "privacy", "config?page=review", "config?page=privacy", "gradio_api/info",
              "gradio_api/openapi.json", *(f"gradio_api/file={app.home / name}" for name in (PRIVATE_KEY, BROWSER_KEY)),
              f"gradio_api/file={app.home / 'votes.sqlite3'}"]  # fmt: skip
    answers = {place: httpx.get(f"{app.address}/{place}", timeout=60) for place in places}
    assert all(private not in answer.text for answer in answers.values())
    assert [place for place, answer in answers.items() if browsers in answer.text and "config" in place]
    assert {answer.status_code for place, answer in answers.items() if "file=" in place} == {403}
    assert private not in app.printed() and browsers not in app.printed()


def test_a_second_run_waits_for_the_first_which_saves_what_it_has_when_it_is_stopped(client, app):
    long = {**SMALL, "training.max_steps": 5000, "training.eval_steps": 2500, "training.save_steps": 2500}
    run = client.predict("demo", long, api_name="/start_training")
    second = client.predict("demo", SMALL, api_name="/start_training")
    status = wait_until(client, run, lambda status: status["step"] >= 1)
    assert (status["state"], status["total_steps"], status["position"]) == ("training", 5000, 0)
    status = client.predict(second, api_name="/training_status")
    assert (status["state"], status["position"]) == ("queued", 1)
    assert client.predict(second, api_name="/stop_training") == second  # at once: it has learnt nothing yet
    assert client.predict(second, api_name="/training_status")["state"] == "stopped"
    assert client.predict(run, api_name="/stop_training") == run
    status = wait_until(client, run, lambda status: status["state"] == "stopped")
    assert 1 <= status["step"] < 5000
    assert {folder.name for folder in app.home.glob("runs/*")} == {run, second}
    assert ends_properly(client.predict(MESSAGE, adapter=run, api_name="/chat"))


def test_a_run_trains_to_its_end_and_its_adapter_can_be_talked_to(client, app):
    run = client.predict("demo", SMALL, api_name="/start_training")
    status = wait_until(client, run, lambda status: status["state"] == "finished")
    assert (status["step"], status["total_steps"], status["error"]) == (4, 4, "")
    assert {"step", "epoch", "loss", "eval_loss", "learning_rate", "tokens", "elapsed_s"} <= set(status["metrics"])
    folder = app.home / "runs" / run
    assert Recipe.read(folder / "recipe.yaml").training.max_steps == 4
    assert {path.name for path in (folder / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "prompt_format.json",
    }
    base, tuned = client.predict(PROMPT, adapter=run, api_name="/compare")
    assert ends_properly(base) and ends_properly(tuned)
    with pytest.raises(AppError) as caught:
        client.predict(run, api_name="/stop_training")
    assert str(caught.value) == f"{run} এখন চলছে না।"


def test_nothing_that_was_written_stands_in_what_the_app_printed(app, client):
    printed = app.printed()
    assert app.address in printed  # else nothing was caught
    for text in (MESSAGE, CRISIS, PROMPT, EARLIER, client.predict(MESSAGE, temperature=0, api_name="/chat")):
        for part in text.split("।"):
            assert not part.strip() or part.strip() not in printed
    assert "Traceback" not in printed
