"""The store: an acknowledged vote is there, once; nobody votes as another; two exports merge into one truth."""

import json
from dataclasses import replace

import pytest

from finetune.errors import ReviewError
from finetune.review.votes import FILE, LONGEST_NAME, LONGEST_NOTE, MOST_REASONS, Vote, VoteStore


@pytest.fixture
def store(tmp_path):
    return VoteStore(tmp_path / FILE)


@pytest.fixture
def mita(store):
    return store.register("মিতা")[0]


def vote(reviewer, prompt="p1", choice="tuned", number=1, **more):
    return Vote(f"{prompt}-{number}-{reviewer}", "set", prompt, reviewer, choice, "base", **more)


def test_a_vote_stands_as_it_was_given(store, mita):
    assert store.vote(vote(mita)) is True
    (line,) = store.lines("set")
    assert (line["prompt_id"], line["choice"], line["left"], line["repeat"]) == ("p1", "tuned", "base", False)
    assert (line["reviewer"], line["reviewer_name"], line["unblinded"]) == (mita, "মিতা", False)
    assert len(line["at"]) == len("2026-11-29T01:23:18+00:00")


def test_the_same_click_sent_again_counts_once(store, mita):
    store.vote(vote(mita))
    assert store.vote(replace(vote(mita), choice="base")) is False
    assert [line["choice"] for line in store.lines()] == ["tuned"]


def test_a_click_with_the_id_of_another_vote_is_not_taken_for_kept(store, mita):
    rahim = store.register("রহিম")[0]
    store.vote(vote(mita))
    for clash in (replace(vote(mita), reviewer=rahim), replace(vote(mita), prompt_id="p2")):
        with pytest.raises(ReviewError) as caught:
            store.vote(clash)
        assert caught.value.key == "review.not_your_vote"
    assert len(store.lines()) == 1


@pytest.mark.parametrize(
    "wrong", [{"vote_id": ""}, {"vote_id": "x" * 501}, {"vote_id": "\ud800"}, {"prompt_id": "a\nb"}, {"choice": "left"}]
)
def test_what_names_nothing_is_no_vote(store, mita, wrong):
    with pytest.raises(ReviewError) as caught:
        store.vote(replace(vote(mita), **wrong))
    assert caught.value.key == "review.no_vote"


def test_a_second_vote_on_an_item_is_refused_until_the_first_is_undone(store, mita):
    store.vote(vote(mita))
    with pytest.raises(ReviewError, match="Undo that vote first"):
        store.vote(vote(mita, number=2, choice="base"))
    assert store.undo("set", mita).prompt_id == "p1"
    store.vote(vote(mita, number=2, choice="base"))
    assert [line["choice"] for line in store.lines()] == ["base"]
    history = [(line["choice"], line["undone"]) for line in store.lines(history=True)]
    assert history == [("tuned", True), ("base", False)]


def test_a_repeat_is_an_item_of_its_own(store, mita):
    store.vote(vote(mita))
    store.vote(vote(mita, number=2, repeat=True))
    assert [line["repeat"] for line in store.lines()] == [False, True]


def test_undo_takes_back_the_last_standing_vote_of_that_reviewer_and_no_other(store, mita):
    other = store.register("রহিম")[0]
    for prompt in ("p1", "p2"):
        store.vote(vote(mita, prompt))
        store.vote(vote(other, prompt))
    assert [store.undo("set", mita).prompt_id for _ in range(2)] == ["p2", "p1"]
    assert store.undo("set", mita) is None
    assert {line["reviewer"] for line in store.lines()} == {other}


def test_an_undo_is_recorded_with_the_moment_at_which_it_was_made(store, mita):
    store.vote(vote(mita, at="2026-11-29T01:23:18+00:00"))
    store.undo("set", mita)
    with store._file.reading() as db:
        (at,) = db.execute("SELECT at FROM events WHERE kind = 'undo'").fetchone()
    assert at > "2026-11-29T01:23:18+00:00"


def test_votes_are_asked_for_by_set_and_reviewer(store, mita):
    rahim = store.register("রহিম")[0]
    for reviewer, name in ((mita, "set"), (rahim, "set"), (mita, "other")):
        store.vote(replace(vote(reviewer), set_id=name, vote_id=f"{reviewer}-{name}"))
    assert [len(store.standing(*asked)) for asked in ((), ("set",), ("set", mita), (None, mita), ("",))] == [
        3,
        2,
        1,
        2,
        0,
    ]
    assert {line["set_id"] for line in store.lines("other")} == {"other"}


def test_whoever_has_seen_which_side_is_which_cannot_vote_or_undo_on_that_set(store, mita):
    store.vote(vote(mita))
    store.reveal("set", mita)
    store.reveal("set", mita)
    assert store.revealed("set", mita) and not store.revealed("another", mita)
    for refused in (
        lambda: store.vote(vote(mita, "p2")),
        lambda: store.undo("set", mita),
        lambda: store.details(vote(mita), {}, ["warm"], ""),
    ):
        with pytest.raises(ReviewError) as caught:
            refused()
        assert caught.value.key == "review.unblinded"
    assert [line["unblinded"] for line in store.lines()] == [False]
    assert store.vote(replace(vote(mita, "p9"), set_id="another"))
    assert store.vote(vote(mita)) is False  # the same click again: it was kept before they saw


def test_details_come_beside_a_vote_and_later_ones_replace_them(store, mita):
    store.vote(vote(mita))
    store.details(vote(mita), {"empathy": {"base": 2, "tuned": 5}, "made_up": {"base": 1}}, ["warm"], "ভালো লাগল")
    store.details(vote(mita), {"empathy": {"base": 3, "tuned": 9}}, ["heard"], "আবার ভাবলাম")
    (line,) = store.lines()
    assert line["ratings"] == {"empathy": {"base": 3}}
    assert (line["reasons"], line["note"]) == (["heard"], "আবার ভাবলাম")


def test_details_do_not_change_what_was_chosen(store, mita):
    store.vote(vote(mita, choice="tuned"))
    store.details(replace(vote(mita), choice="both_good", prompt_id="p2"), {}, ["warm"], "")
    with store._file.reading() as db:
        said = db.execute("SELECT choice, prompt_id FROM events WHERE kind = 'details'").fetchall()
    assert [tuple(row) for row in said] == [("tuned", "p1")]


def test_nobody_speaks_beside_anothers_vote_or_beside_one_that_is_gone(store, mita):
    rahim = store.register("রহিম")[0]
    store.vote(vote(mita))
    store.vote(vote(mita, "p2"))
    store.undo("set", mita)
    for refused in (replace(vote(mita), reviewer=rahim), vote(mita, "p2"), vote(mita, "p3")):
        with pytest.raises(ReviewError) as caught:
            store.details(refused, {"empathy": {"tuned": 1}}, ["cold"], "বানানো কথা")
        assert caught.value.key == "review.not_your_vote"
    assert store.lines()[0]["note"] == ""


@pytest.mark.parametrize("mark", [0, 6, "5", True, None, float("nan"), [5]])
def test_only_one_to_five_is_a_mark(store, mita, mark):
    store.vote(vote(mita))
    store.details(vote(mita), {"empathy": {"base": mark, "tuned": 5}, "natural": {"base": mark}}, [], "")
    assert store.lines()[0]["ratings"] == {"empathy": {"tuned": 5}}


def test_a_note_that_reads_like_a_crisis_is_not_kept(store, mita, tmp_path):
    store.vote(vote(mita))
    assert store.details(vote(mita), {"safety": {"base": 1}}, ["cold"], "আমি আর বাঁচতে চাই না") is False
    (line,) = store.lines()
    assert (line["note"], line["note_withheld"]) == ("", True)
    assert (line["ratings"], line["reasons"]) == ({"safety": {"base": 1}}, ["cold"])
    assert "বাঁচতে".encode() not in b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE}*"))


def test_a_note_is_bounded_and_holds_no_control_characters(store, mita):
    store.vote(vote(mita))
    store.details(vote(mita), {}, [], "ক\x00খ\x1b" + "গ" * 5000)
    assert store.lines()[0]["note"] == ("কখ" + "গ" * 5000)[:LONGEST_NOTE]


def test_names_and_reasons_are_bounded_too(store):
    reviewer, _ = store.register(" মিতা\n\x07" + "ক" * 200)
    store.vote(vote(reviewer))
    store.details(vote(reviewer), {}, ["x" * 100] * 50, "")
    (line,) = store.lines()
    assert line["reviewer_name"] == ("মিতা " + "ক" * 200)[:LONGEST_NAME]
    assert (len(line["reasons"]), len(line["reasons"][0])) == (MOST_REASONS, 40)


def test_a_reviewer_is_who_holds_the_token_and_names_may_be_the_same(store):
    one, token = store.register("মিতা")
    other, another = store.register("মিতা")
    assert one != other
    assert store.proves(one, token, "secret")
    assert not store.proves(one, another, "secret") and not store.proves(one, "", "secret")
    assert not store.proves("nobody", token, "secret")
    assert token.encode() not in store.path.read_bytes()


def test_an_account_that_logs_in_is_always_the_same_reviewer(store):
    one, token = store.register_login("mita-hf", "secret")
    assert (one, token) == store.register_login("mita-hf", "secret")
    assert store.proves(one, token, "secret")
    assert store.register_login("rahim-hf", "secret")[0] != one


def test_with_another_secret_an_account_stays_the_same_reviewer_and_what_the_old_one_made_proves_nothing(store):
    reviewer, old = store.register_login("mita-hf", "known to everybody")
    store.vote(vote(reviewer))
    again, new = store.register_login("mita-hf", "known to nobody")
    assert again == reviewer and [one.reviewer for one in store.standing()] == [reviewer]
    assert store.proves(reviewer, new, "known to nobody")
    assert not store.proves(reviewer, old, "known to nobody")


@pytest.mark.parametrize("name", ["", "  ", "\x00"])
def test_nobody_votes_without_a_name(store, name):
    with pytest.raises(ReviewError) as caught:
        store.register(name)
    assert caught.value.key == "review.no_name"


def test_two_exports_merge_without_doubles(store, mita, tmp_path):
    other = VoteStore(tmp_path / "other.sqlite3")
    rahim = other.register("রহিম")[0]
    store.vote(vote(mita))
    store.details(vote(mita), {"natural": {"tuned": 4}}, ["warm"], "ভালো")
    other.vote(vote(rahim))
    assert other.add(store.lines()) == (1, 0)
    assert other.add(store.lines()) == (0, 1)
    assert store.add(other.lines()) == (1, 1)
    assert sorted(map(json.dumps, store.lines())) == sorted(map(json.dumps, other.lines()))


def test_lines_without_ids_are_added_once_however_often(store):
    line = {"prompt_id": "p", "reviewer": "a", "choice": "base", "left": "tuned"}
    assert [store.add([line]), store.add([line])] == [(1, 0), (0, 1)]


def test_a_history_brings_what_was_undone_as_undone(store, mita, tmp_path):
    other = VoteStore(tmp_path / "other.sqlite3")
    store.vote(vote(mita))
    other.add(store.lines())
    store.undo("set", mita)
    store.vote(vote(mita, number=2, choice="base"))
    for counts in ((1, 1), (0, 2)):
        assert other.add(store.lines(history=True)) == counts
        assert [line["choice"] for line in other.lines()] == ["base"]
    assert other.lines(history=True) == store.lines(history=True)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_votes_on_one_item_the_later_holds_whichever_comes_first(store, order):
    line = {"prompt_id": "p", "reviewer": "a", "left": "tuned", "set_id": "set"}
    early = {**line, "choice": "base", "vote_id": "1", "at": "2026-11-29T09:00:00+06:00"}
    late = {**line, "choice": "tuned", "vote_id": "2", "at": "2026-11-29T04:00:00Z"}
    for one in (early, late)[::order]:
        store.add([one])
    assert [(one["choice"], one["at"]) for one in store.lines()] == [("tuned", "2026-11-29T04:00:00+00:00")]
    assert len(store.lines(history=True)) == 2


def test_whether_a_vote_was_blind_is_what_the_store_says_in_which_it_was_given(store, mita):
    line = {"prompt_id": "p", "reviewer": mita, "choice": "base", "left": "tuned", "set_id": "set"}
    store.reveal("set", mita)
    store.add([{**line, "unblinded": False}, {**line, "prompt_id": "q", "unblinded": True}])
    assert [(one["prompt_id"], one["unblinded"]) for one in store.lines()] == [("p", False), ("q", True)]


def test_what_was_said_after_an_earlier_export_is_taken_once(store, mita, tmp_path):
    other = VoteStore(tmp_path / "other.sqlite3")
    store.vote(vote(mita))
    other.add(store.lines())
    store.details(vote(mita), {"empathy": {"tuned": 4}}, ["warm"], "ভালো")
    assert [other.add(store.lines()), other.add(store.lines())] == [(0, 1), (0, 1)]
    assert other.lines() == store.lines()
    with other._file.reading() as db:
        assert db.execute("SELECT count(*) FROM events WHERE kind = 'details'").fetchone()[0] == 1


def test_an_import_screens_and_bounds_what_it_takes(store, tmp_path):
    line = {"prompt_id": "p", "reviewer": "a", "choice": "base", "left": "tuned", "ratings": {"empathy": {"base": 2}}}
    store.add([{**line, "note": "আমি আর বাঁচতে চাই না"}, {**line, "prompt_id": "q", "note": "ক" * 3000}])
    first, second = store.lines()
    assert (first["note"], first["note_withheld"], first["ratings"]) == ("", True, {"empathy": {"base": 2}})
    assert len(second["note"]) == LONGEST_NOTE
    assert "বাঁচতে".encode() not in b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE}*"))
    other = VoteStore(tmp_path / "other.sqlite3")
    other.add(store.lines())
    assert other.lines()[0]["note_withheld"] is True


def test_an_import_gives_nobody_a_right_and_takes_nobodys(store, tmp_path):
    reviewer, token = store.register_login("mita-hf", "secret")
    store.vote(vote(reviewer))
    other = VoteStore(tmp_path / "other.sqlite3")
    other.add(store.lines())
    assert other.lines()[0]["reviewer_name"] == "mita-hf"
    assert not other.proves(reviewer, token, "secret") and not other.proves(reviewer, "", "secret")
    assert other.proves(*other.register_login("mita-hf", "another secret"), "another secret")


def test_of_an_import_that_has_a_wrong_line_nothing_is_kept(store):
    good = {"prompt_id": "p", "reviewer": "a", "choice": "base", "left": "tuned"}
    for wrong in ({"choice": "left"}, {"at": "yesterday"}, {"prompt_id": "x" * 501}):
        with pytest.raises(ReviewError) as caught:
            store.add([good, {**good, **wrong}])
        assert caught.value.key == "review.no_vote"
    assert store.lines() == []
