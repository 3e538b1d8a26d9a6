"""finetune/review/feedback.py: only by consent, nothing that calls for care, and gone for good when taken back."""

import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from finetune.errors import ReviewError
from finetune.recipe import ROOT
from finetune.review import feedback as module
from finetune.review.feedback import CONSENT, FILE, LONGEST, Feedback, FeedbackStore, new_id
from finetune.review.votes import DISLIKED_FOR, LIKED_FOR
from ui.wording import LABELS

CRISIS, OBLIQUE = "আমি মরে যেতে চাই।", "আমি না থাকলে সবাই ভালো থাকবে।"
"""strong and soft."""


def said(*texts):
    """Messages of the person and the model in turn."""
    return tuple({"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts))


TALK = said("আজ মনটা ভালো নেই।", "কী হয়েছে, বলবেন?", "অফিসে কেউ কথা বলে না।")


def given(**more):
    """A like that the store takes."""
    fields = {"conversation": TALK, "reply": "সারাদিন চুপ করে থাকা কষ্টের।", "liked": True, "reasons": ("heard",)}
    return Feedback(**{"id": new_id(), "adapter": "demo", "consent": CONSENT, **fields, **more})


@pytest.fixture
def store(tmp_path):
    return FeedbackStore(tmp_path / FILE)


def on_disk(store):
    """Every byte of every file beside the store."""
    return b"".join(file.read_bytes() for file in store.path.parent.iterdir())


# what is kept


def test_what_was_given_comes_back_whole_with_its_time(store):
    like = given()
    choice = given(rejected="ডাক্তার দেখান।", reasons=())
    dislike = given(liked=False, reasons=("cold", "lecture"), conversation=TALK[:1], adapter="")
    assert [store.keep(one, TALK) for one in (like, choice, dislike)] == [True] * 3
    rows = FeedbackStore(store.path).rows()
    assert [replace(row, at="") for row in rows] == [like, choice, dislike]
    assert all(row.at.endswith("+00:00") for row in rows)


def test_the_same_click_twice_is_one_row_and_a_changed_mind_replaces_what_was_there(store):
    like = given()
    store.keep(like, TALK)
    store.keep(like, TALK)
    assert len(store.rows()) == 1
    store.keep(replace(like, liked=False, reasons=("cold",), reply="অন্য কথা।"), TALK)
    (row,) = store.rows()
    assert not row.liked and like.reply.encode() not in on_disk(store)


def test_texts_are_kept_in_one_form(store):
    store.keep(given(reply="  আমি\u200b  শুনছি \n"), TALK)
    assert store.rows()[0].reply == "আমি শুনছি"


def test_ids_are_not_to_be_guessed():
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000 and all(len(name) == 32 for name in ids)


def test_every_reason_has_its_words_on_the_page():
    assert all(f"review.reason.{one}" in LABELS for one in (*LIKED_FOR, *DISLIKED_FOR))


# consent


@pytest.mark.parametrize("consent", ["", "2020-01-01"])
def test_without_consent_to_the_present_text_nothing_is_kept(store, consent):
    one = given(consent=consent)
    with pytest.raises(ReviewError) as told:
        store.keep(one, TALK)
    assert told.value.key == "feedback.no_consent"
    assert store.rows() == [] and one.reply.encode() not in on_disk(store)


# care


@pytest.mark.parametrize("text", [CRISIS, OBLIQUE], ids=["strong", "soft"])
@pytest.mark.parametrize(
    "place", ["first message", "model's message", "last message", "reply", "rejected", "a later message", "left out"]
)
def test_where_any_turn_calls_for_care_nothing_is_kept(store, place, text):
    one, whole = given(), TALK
    turns = [message["content"] for message in TALK]
    if place in ("first message", "model's message", "last message"):
        turns[("first message", "model's message", "last message").index(place)] = text
        one = replace(one, conversation=said(*turns))
    elif place in ("reply", "rejected"):
        one = replace(one, **{place: text})
    elif place == "a later message":
        whole = [*TALK, {"role": "assistant", "content": one.reply}, {"role": "user", "content": text}]
    else:  # the model was not given it, as its answer was the fixed message
        whole = [{"role": "user", "content": text}, {"role": "assistant", "content": "আপনি একা নন।"}, *TALK]
    assert store.keep(one, whole) is False
    assert store.rows() == [] and text.encode() not in on_disk(store)


def test_what_was_kept_before_goes_when_the_conversation_turns_grave(store):
    like = given()
    assert store.keep(like, TALK)
    assert not store.keep(like, [*TALK, {"role": "user", "content": CRISIS}])
    assert store.rows() == [] and like.reply.encode() not in on_disk(store)


def test_a_screen_that_has_learnt_since_takes_out_what_it_finds_now(store, monkeypatch):
    old, other = given(reply="আগে এটা ধরা পড়ত না।"), given()
    store.keep(old, TALK)
    store.keep(other, TALK)
    assert store.screen_again() == 0
    monkeypatch.setattr(module.safety, "screen", lambda text: "soft" if text == old.reply else "none")
    assert store.screen_again() == 1
    assert [row.id for row in store.rows()] == [other.id] and old.reply.encode() not in on_disk(store)


# taking back


def test_what_is_taken_back_is_in_no_file_any_more(store):
    like = given(rejected="ডাক্তার দেখান।", reasons=())
    store.keep(like, TALK)
    texts = [text.encode() for text in like.texts()]
    assert all(text in on_disk(store) for text in texts)
    assert store.withdraw(like.id) is True
    assert not any(text in on_disk(store) for text in texts)
    assert store.rows() == [] and store.withdraw(like.id) is False


def test_taken_back_among_many_of_every_size_no_trace_stays_and_nothing_else_goes(store):
    """Rows share pages, move between them, and fill pages of their own: each way could leave its own remains."""
    draw = random.Random(5)

    def text():
        """Words of which none is in two texts, so that any one left behind tells of it; no screen reads Chinese."""
        signs = (chr(0x4E00 + draw.getrandbits(14)) for _ in range(5 * draw.choice((1, 9, 80, 600))))
        return " ".join(map("".join, zip(*[signs] * 5, strict=True)))

    rows = {name: given(id=name, reply=text()) for name in (new_id() for _ in range(60))}
    for row in rows.values():
        store.keep(row, TALK)
    names = draw.sample(list(rows), len(rows))
    former = [rows[name].reply for name in names[::3]]
    for name in names[::3]:
        rows[name] = replace(rows[name], reply=text())
        store.keep(rows[name], TALK)
    for name in names[:40]:
        assert store.withdraw(name)
    assert {row.id: row.reply for row in store.rows()} == {name: rows[name].reply for name in names[40:]}
    left = on_disk(store)
    gone = [word for reply in [*former, *(rows[name].reply for name in names[:40])] for word in reply.split()]
    assert len(gone) > 4_000 and [word for word in gone if word.encode() in left] == []


def test_no_trace_stays_while_another_process_has_the_file_open(store):
    """In WAL mode one would: the log is emptied when the last connection closes."""
    other = sqlite3.connect(store.path)
    other.execute("SELECT count(*) FROM feedback").fetchall()
    like = given()
    store.keep(like, TALK)
    store.withdraw(like.id)
    assert like.reply.encode() not in on_disk(store)
    other.close()


def test_an_id_that_was_taken_back_takes_nothing_any_more(store):
    late = given()
    assert store.withdraw(late.id) is False, "the click is still on its way"
    assert store.keep(late, TALK) is False
    assert store.rows() == [] and late.reply.encode() not in on_disk(store)


@pytest.mark.parametrize("id", ["", "%", "x" * 32, "0" * 31])
def test_what_is_no_id_takes_nothing_back(store, id):
    store.keep(given(), TALK)
    assert store.withdraw(id) is False and len(store.rows()) == 1


# what is no feedback


@pytest.mark.parametrize(
    "more",
    [
        {"id": "like-1"},
        {"conversation": ()},
        {"conversation": TALK[:2]},
        {"conversation": (TALK[0], TALK[2])},
        {"conversation": ({"role": "system", "content": "নিয়ম"}, TALK[0])},
        {"conversation": said(" ")},
        {"reply": " \u200b"},
        {"rejected": ""},
        {"liked": False, "reasons": (), "rejected": "অন্যটা"},
        {"reasons": ("cold",)},
        {"liked": False},
        {"reasons": ("আমার নাম মিতা",)},
    ],
    ids=str,
)
def test_what_is_no_feedback_is_refused(store, more):
    with pytest.raises(ReviewError) as told:
        store.keep(given(**more), TALK)
    assert told.value.key == "feedback.no_feedback" and store.rows() == []


def test_a_book_is_not_kept(store):
    with pytest.raises(ReviewError) as told:
        store.keep(given(reply="ক" * LONGEST), TALK)
    assert told.value.key == "feedback.too_long" and told.value.facts["length"] > LONGEST


def test_no_error_repeats_what_was_said(store):
    for more in ({"reasons": ("গোপন কথা",)}, {"reply": "গোপন কথা " * LONGEST}, {"consent": "গোপন কথা"}):
        with pytest.raises(ReviewError) as told:
            store.keep(given(**more), TALK)
        assert "গোপন" not in str(told.value) + repr(told.value.facts)


# the file


def test_a_commit_waits_for_the_disk_and_for_its_folder(store):
    with store._writing() as db:
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 3  # EXTRA


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_the_file_is_for_the_account_of_the_app_alone(store):
    store.keep(given(), TALK)
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_file_of_a_newer_version_is_left_alone(store):
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(ReviewError, match="newer version"):
        FeedbackStore(store.path)


def test_what_is_no_database_is_told_in_a_sentence_and_left_as_it_is(tmp_path):
    file = tmp_path / FILE
    file.write_bytes(b"id,reply\n" * 500)
    with pytest.raises(ReviewError) as caught:
        FeedbackStore(file)
    assert caught.value.key == "feedback.file" and caught.value.facts["file"] == FILE
    assert file.read_bytes() == b"id,reply\n" * 500


def test_many_threads_give_and_take_back_at_once(store):
    kept, lock = [], threading.Lock()

    def go():
        mine = FeedbackStore(store.path)  # as another process would
        for number in range(10):
            one = given()
            mine.keep(one, TALK)
            if number % 2:
                assert mine.withdraw(one.id)
            else:
                with lock:
                    kept.append(one.id)

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.id for row in store.rows()) == sorted(kept) and len(kept) == 30


WRITER = """
import sys
from pathlib import Path
from tests.review.test_feedback import TALK, given
from finetune.review.feedback import FeedbackStore
store = FeedbackStore(Path(sys.argv[1]))
while True:
    stays, goes = given(), given(reply="GONE-" + __import__("uuid").uuid4().hex)
    store.keep(stays, TALK)
    print("kept", stays.id, flush=True)
    store.keep(goes, TALK)
    store.withdraw(goes.id)
    print("gone", goes.id, goes.reply, flush=True)
"""


def test_what_was_acknowledged_holds_after_kill_9(store, tmp_path):
    outputs = [tmp_path / name for name in ("one.txt", "two.txt")]
    writers = []
    for file in outputs:
        with file.open("wb") as out:
            writers.append(subprocess.Popen([sys.executable, "-c", WRITER, str(store.path)], cwd=ROOT, stdout=out))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(file.stat().st_size < 2000 for file in outputs):
        time.sleep(0.02)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    lines = [line.split() for file in outputs for line in file.read_text().split("\n")[:-1]]
    for file in outputs:
        file.unlink()
    ids = {row.id for row in FeedbackStore(store.path).rows()}
    kept, gone = ([line for line in lines if line[0] == what] for what in ("kept", "gone"))
    assert len(kept) > 20 and len(gone) > 20
    assert {line[1] for line in kept} <= ids
    assert not {line[1] for line in gone} & ids
    assert len(ids) <= len(kept) + 2 * len(writers), "beyond those, only what each had in hand"
    left = on_disk(store)
    assert not any(line[2].encode() in left for line in gone)


def test_a_row_reads_as_plain_json_and_text_in_any_tool(store):
    store.keep(given(), TALK)
    row = sqlite3.connect(store.path).execute("SELECT conversation, reasons, reply FROM feedback").fetchone()
    assert json.loads(row[0]) == list(TALK) and json.loads(row[1]) == ["heard"] and row[2] == given().reply
