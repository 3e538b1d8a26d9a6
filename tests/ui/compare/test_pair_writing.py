"""Sets of pairs are written one at a time in the background, and end for a stop, an error or because they are whole."""

import threading

import pytest

from finetune.errors import BackendError, ReviewError
from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Generation
from finetune.review import pair_sets, prompt_sets
from finetune.review.contestants import Contestant, contestant
from ui.compare.pair_writing import PairWriting


@pytest.fixture
def order(tmp_path):
    sides = Contestant("base"), contestant("remote:demo@http://localhost:1", tmp_path)
    return pair_sets.Order(*sides, prompt_sets.pasted("আজ মনটা ভালো নেই।\nরাতে ঘুম আসে না।"), Generation(), "demo")


def written(tmp_path, order, generate, monkeypatch):
    """The writing of a set, once it is over."""
    monkeypatch.setattr(pair_sets, "generate", generate)
    pairs = PairWriting(tmp_path, ScriptedBackend("কষ্ট হচ্ছে।"))
    pairs.begin(order)
    for thread in [thread for thread in threading.enumerate() if thread.name == "pairs"]:
        thread.join(10)
    assert pairs.writing.over and not pairs.asking
    return pairs.writing


def test_a_second_set_waits_until_the_first_is_over_or_was_stopped(tmp_path, order, monkeypatch):
    begun = threading.Event()

    def generate(home, what, backends, stop, report):
        report(1, 2, 3.0)
        begun.set()
        assert stop.wait(10)

    monkeypatch.setattr(pair_sets, "generate", generate)
    pairs = PairWriting(tmp_path, ScriptedBackend("কষ্ট হচ্ছে।"))
    pairs.begin(order)
    assert begun.wait(10) and pairs.asking
    assert (pairs.writing.set_id, pairs.writing.done, pairs.writing.total) == (order.set_id, 1, 2)
    with pytest.raises(ReviewError, match="A set is being written"):
        pairs.begin(order)
    pairs.end()
    for thread in [thread for thread in threading.enumerate() if thread.name == "pairs"]:
        thread.join(10)
    assert pairs.writing.over and pairs.writing.error is None
    pairs.begin(order)  # and the next one may begin
    pairs.end()


def test_what_went_wrong_is_kept_for_the_page_and_anything_else_is_for_the_log(tmp_path, order, monkeypatch, caplog):
    def refuse(*_):
        raise BackendError("The server is down.", key="backend.down")

    assert written(tmp_path, order, refuse, monkeypatch).error.key == "backend.down"
    assert written(tmp_path, order, lambda *_: 1 / 0, monkeypatch).error.key == "busy"
    assert "ZeroDivisionError" in caplog.text


def test_a_set_that_other_servers_write_asks_nothing_here(tmp_path, order, monkeypatch):
    assert not written(tmp_path, order, lambda *_: None, monkeypatch).remote
    elsewhere = pair_sets.Order(order.tuned, order.tuned, order.prompts, order.settings, order.resident)
    assert written(tmp_path, elsewhere, lambda *_: None, monkeypatch).remote
