"""A set is proven, written batch by batch, picked up again, and refused where the sides are not what they claim."""

import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend
from finetune.recipe import ROOT, Generation
from finetune.review import pair_sets, pairs, prompt_sets
from finetune.review.contestants import Contestant, contestant

SHORT = Generation(max_new_tokens=12, temperature=0.8, seed=5)
TEXT = "আজ মনটা ভালো নেই।\nনতুন চাকরি পেয়েছি!\nরাতে ঘুম আসে না।\nবন্ধু কথা বলছে না।\nমা অসুস্থ।"
MANY = "\n".join(f"আজ {number} নম্বর দিন, মনটা ভালো নেই।" for number in range(160))
FAR = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")


@pytest.fixture(scope="module")
def demo():
    """The demo's base in memory, as the page holds it."""
    torch.set_num_threads(1)  # two wait for each other where the machine has other work to do
    return LocalBackend(str(models.DEMO_BASE))


def order(base="base", tuned="demo", text=TEXT, home=Path(), **more):
    sides = [one if isinstance(one, Contestant) else contestant(one, home) for one in (base, tuned)]
    return pair_sets.Order(*sides, prompt_sets.pasted(text), SHORT, "demo, 4-bit NF4", **more)


def test_a_set_holds_every_prompt_s_pair_with_its_seed_and_its_proof(demo, tmp_path):
    told = []
    made = pair_sets.generate(tmp_path, order(), (demo, demo), None, lambda *how: told.append(how[:2]))
    assert made.reviewable and made.total == len(made.pairs) == 5
    assert {pair.prompt.text for pair in made.pairs} == set(TEXT.split("\n"))
    assert len({pair.seed for pair in made.pairs}) == 5
    assert all(pair.base and pair.tuned and not pair.same for pair in made.pairs)
    assert (made.proof.kind, made.proof.base_state) == ("logits", "gate shut")
    assert made.proof.base_hash == made.proof.base_alone_hash != made.proof.tuned_hash
    assert told == [(0, 5), (5, 5)]
    assert pair_sets.all_sets(tmp_path) == [made.set_id]


def test_the_same_order_opens_the_same_set_and_writes_only_what_is_missing(demo, tmp_path):
    made = pair_sets.generate(tmp_path, order(), (demo, demo))
    file = made.folder / pair_sets.PAIRS
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join(lines[:2]) + b"\n" + lines[2][:30])  # killed in the middle of the third
    again = pair_sets.generate(tmp_path, order(), (demo, demo))
    assert again.set_id == made.set_id
    assert set(again.pairs) == set(made.pairs)
    assert file.read_bytes().startswith(b"\n".join(lines[:2]) + b"\n")


def test_whatever_determines_the_replies_makes_another_set(tmp_path, monkeypatch):
    one = order()
    style = PromptFormat("reference")
    shutil.copytree(models.DEMO_ADAPTER, tmp_path / "own")
    style.save(tmp_path / "own")
    others = [
        order(tuned=Contestant("demo", tmp_path / "own")),
        order(text=TEXT + "\nআরও একটা কথা।"),
        replace(one, settings=replace(SHORT, seed=6)),
        replace(one, settings=replace(SHORT, temperature=0.1)),
        replace(one, resident="another base"),
        order(base="demo", tuned="base"),
    ]
    assert len({one.set_id, *(other.set_id for other in others)}) == 7
    assert order(text="\n".join(TEXT.split("\n")[::-1])).set_id == one.set_id
    far = order(tuned=FAR).set_id
    monkeypatch.setattr(pairs, "PromptFormat", lambda: style)  # as where a later version has another default
    assert order(tuned=FAR).set_id != far


def test_a_set_that_is_stopped_keeps_what_it_has_and_goes_on_later(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "BATCH", 2)
    stop = threading.Event()
    half = pair_sets.generate(tmp_path, order(), (demo, demo), stop, lambda done, *_: done and stop.set())
    assert (len(half.pairs), half.whole, half.reviewable) == (2, False, False)
    assert pair_sets.generate(tmp_path, order(), (demo, demo)).reviewable


def test_a_set_that_is_refused_says_why_and_keeps_what_was_seen(demo, tmp_path):
    twin = Contestant("run:twin", tmp_path / "twin")
    shutil.copytree(models.DEMO_ADAPTER, twin.adapter)
    with pytest.raises(ReviewError, match="refused"):
        pair_sets.generate(tmp_path, order(base="demo", tuned=twin), (demo, demo))
    (name,) = pair_sets.all_sets(tmp_path)
    kept = pair_sets.read(tmp_path, name)
    assert (kept.refused_key, kept.pairs, kept.reviewable) == ("review.same_model", (), False)
    assert kept.refused_facts == {"base": "demo", "tuned": "twin"}
    assert kept.proof.base_hash == kept.proof.tuned_hash != ""


def test_a_set_that_was_refused_is_made_once_its_sides_hold(tmp_path):
    backends = ScriptedBackend("এক।"), ScriptedBackend("এক।")
    with pytest.raises(ReviewError):
        pair_sets.generate(tmp_path, order(tuned=FAR), backends)
    backends[1].pieces = ("দুই।",)
    assert pair_sets.generate(tmp_path, order(tuned=FAR), backends).reviewable


def test_a_set_that_is_whole_is_opened_without_any_model(tmp_path):
    backends = ScriptedBackend("এক।"), ScriptedBackend("দুই।")
    made = pair_sets.generate(tmp_path, order(tuned=FAR), backends)
    asked, told = len(backends[0].asked), []
    again = pair_sets.generate(tmp_path, order(tuned=FAR), backends, None, lambda *how: told.append(how[:2]))
    assert again == made and len(backends[0].asked) == asked and told == [(5, 5)]


class Halting(ScriptedBackend):
    """Is told to stop when half of the second batch of pairs is said."""

    def stream(self, sides, stop=None):
        yield ["শুনছি" for _ in sides]
        if stop is not None:
            if len(self.asked) == 1:
                stop.set()
            self.asked.append(sides)
        yield ["।" for _ in sides]


def test_a_batch_that_is_stopped_in_the_middle_leaves_no_half_replies(tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "LARGE_BATCH", 2)
    half = pair_sets.generate(tmp_path, order(tuned=FAR), (ScriptedBackend("এক।"), Halting()), threading.Event())
    assert [pair.tuned for pair in half.pairs] == ["শুনছি।"] * 2


def test_an_adapter_that_is_replaced_on_the_way_ends_the_set(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(pairs, "BATCH", 2)
    own = Contestant("run:own", tmp_path / "own")
    shutil.copytree(models.DEMO_ADAPTER, own.adapter)

    def retrained(done, total, seconds):
        if done == 2:
            (own.adapter / "adapter_config.json").write_text(
                (own.adapter / "adapter_config.json").read_text("utf-8") + "\n", encoding="utf-8"
            )

    with pytest.raises(ReviewError) as caught:
        pair_sets.generate(tmp_path, order(tuned=own), (demo, demo), None, retrained)
    assert caught.value.key == "review.changed"
    assert len(pair_sets.read(tmp_path, pair_sets.all_sets(tmp_path)[0]).pairs) == 2


WRITER = """
import sys, time
from pathlib import Path
from finetune.inference.backends import ScriptedBackend
from finetune.review import pair_sets
from tests.review.test_pair_sets import FAR, MANY, order

class Slow(ScriptedBackend):
    def stream(self, sides, stop=None):
        time.sleep(0.1)
        yield from super().stream(sides, stop)

pair_sets.generate(Path(sys.argv[1]), order(tuned=FAR, text=MANY), (ScriptedBackend("এক।"), Slow("দুই।")))
"""


def test_a_writer_that_is_killed_held_others_off_and_loses_and_doubles_nothing(tmp_path):
    wanted = order(tuned=FAR, text=MANY)
    backends = ScriptedBackend("এক।"), ScriptedBackend("দুই।")
    file = tmp_path / pair_sets.FOLDER / wanted.set_id / pair_sets.PAIRS
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT)
    try:
        while not (file.is_file() and file.stat().st_size):
            assert writer.poll() is None
            time.sleep(0.01)
        with pytest.raises(ReviewError) as caught:
            pair_sets.generate(tmp_path, wanted, backends)
        assert caught.value.key == "review.busy"
        with pytest.raises(ReviewError):
            pair_sets.delete(tmp_path, wanted.set_id)
    finally:
        writer.kill()
        writer.wait()
    left = pair_sets.read(tmp_path, wanted.set_id)
    assert 0 < len(left.pairs) < left.total
    with file.open("ab") as half:
        half.write('{"prompt_id": "আ'.encode()[:-1])
    made = pair_sets.generate(tmp_path, wanted, backends)
    assert made.reviewable and made.pairs[: len(left.pairs)] == left.pairs
    written = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len({line["prompt_id"] for line in written}) == len(written) == made.total


class Agreeing(ScriptedBackend):
    """Says the same as the other side does, but for the probes and one prompt."""

    def stream(self, sides, stop=None):
        yield ["এক।" if "ঘুম আসে না।" in side.messages[-1]["content"] else "দুই।" for side in sides]


def test_pairs_with_nothing_to_choose_between_are_kept_and_not_shown(tmp_path):
    made = pair_sets.generate(tmp_path, order(tuned=FAR), (ScriptedBackend("এক।"), Agreeing()))
    lines = [json.loads(line) for line in (made.folder / pair_sets.PAIRS).read_text("utf-8").splitlines()]
    assert [line["prompt"] for line in lines if line["same"]] == ["রাতে ঘুম আসে না।"]
    assert (len(made.pairs), len(made.shown)) == (5, 4)


def test_a_reply_that_calls_for_care_marks_its_pair(tmp_path):
    backends = ScriptedBackend("শান্ত থাকুন।"), ScriptedBackend("মরে গেলেই শান্তি।")
    made = pair_sets.generate(tmp_path, order(tuned=FAR, text="মনটা ভালো নেই।"), backends)
    assert [pair.prompt.care for pair in made.pairs] == [True]


@pytest.mark.parametrize("name", ["", "nothing", "../runs", "a/b"])
def test_a_set_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(ReviewError, match="There is no set"):
        pair_sets.read(tmp_path, name)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"base": "base", "proof": null}'])
def test_a_damaged_set_is_told_and_can_be_deleted(tmp_path, text):
    folder = tmp_path / pair_sets.FOLDER / "broken"
    folder.mkdir(parents=True)
    (folder / pair_sets.SET).write_text(text)
    with pytest.raises(ReviewError) as caught:
        pair_sets.read(tmp_path, "broken")
    assert caught.value.key == "review.damaged_set"
    pair_sets.delete(tmp_path, "broken")
    assert not folder.exists()


def test_what_a_later_version_adds_to_a_set_is_passed_over(tmp_path):
    made = pair_sets.generate(tmp_path, order(tuned=FAR), (ScriptedBackend("এক।"), ScriptedBackend("দুই।")))
    file = made.folder / pair_sets.SET
    raw = json.loads(file.read_text("utf-8"))
    raw["later"] = raw["proof"]["later"] = 1
    file.write_text(json.dumps(raw), encoding="utf-8")
    assert pair_sets.read(tmp_path, made.set_id) == made


def test_a_set_s_name_is_one_that_any_folder_can_have():
    far = Contestant("remote:x", model="x", url="http://localhost:1")
    names = ["মডেল🌿" * 60, "../../etc", "org/model@http://localhost:8000/v1"]
    for name in names:
        made = order(tuned=replace(far, spelling=f"remote:{name}")).set_id
        assert made == Path(made).name and made.isascii() and len(made) < 120


def test_a_deleted_set_is_gone(tmp_path):
    made = pair_sets.generate(tmp_path, order(tuned=FAR), (ScriptedBackend("এক।"), ScriptedBackend("দুই।")))
    pair_sets.delete(tmp_path, made.set_id)
    assert pair_sets.all_sets(tmp_path) == []
