"""A set is proven, written batch by batch, picked up again, and refused where the sides are not what they claim."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune import models
from finetune.data.prompts import conversation
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side
from finetune.recipe import Generation
from finetune.review import pair_sets, prompt_sets
from finetune.review.contestants import BASE, Contestant, contestant

SHORT = Generation(max_new_tokens=12, temperature=0.8, seed=5)
TEXT = "আজ মনটা ভালো নেই।\nনতুন চাকরি পেয়েছি!\nরাতে ঘুম আসে না।\nবন্ধু কথা বলছে না।\nমা অসুস্থ।"


@pytest.fixture(scope="module")
def demo():
    """The demo's base in memory, as the page holds it."""
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


def test_whatever_determines_the_replies_makes_another_set():
    one = order()
    others = [
        order(text=TEXT + "\nআরও একটা কথা।"),
        replace(one, settings=replace(SHORT, seed=6)),
        replace(one, settings=replace(SHORT, temperature=0.1)),
        replace(one, resident="another base"),
        order(base="demo", tuned="base"),
    ]
    assert len({one.set_id, *(other.set_id for other in others)}) == 6
    assert order(text="\n".join(TEXT.split("\n")[::-1])).set_id == one.set_id


def test_a_set_that_is_stopped_keeps_what_it_has_and_goes_on_later(demo, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_sets, "BATCH", 2)
    stop = threading.Event()
    half = pair_sets.generate(tmp_path, order(), (demo, demo), stop, lambda done, *_: done and stop.set())
    assert (len(half.pairs), half.whole, half.reviewable) == (2, False, False)
    assert pair_sets.generate(tmp_path, order(), (demo, demo)).reviewable


def copied(tmp_path, change):
    """A copy of the demo's adapter with its tensors changed."""
    folder = tmp_path / "adapter"
    shutil.copytree(models.DEMO_ADAPTER, folder)
    file = folder / "adapter_model.safetensors"
    save_file({name: change(name, tensor) for name, tensor in load_file(file).items()}, file)
    return Contestant("run:planted", folder)


def test_an_adapter_that_changes_nothing_is_refused_and_the_set_says_why(demo, tmp_path):
    planted = copied(tmp_path, lambda name, t: torch.zeros_like(t) if "lora_B" in name else t)
    with pytest.raises(ReviewError, match="refused") as caught:
        pair_sets.generate(tmp_path, order(tuned=planted), (demo, demo))
    assert caught.value.key == "review.same_model"
    (name,) = pair_sets.all_sets(tmp_path)
    kept = pair_sets.read(tmp_path, name)
    assert (kept.refused_key, kept.pairs, kept.reviewable) == ("review.same_model", (), False)


class Deaf(LocalBackend):
    """A backend with the worst of bugs: it never applies the adapter it is asked for."""

    def _adapter(self, folder):
        return None


class Stuck(LocalBackend):
    """A backend with the next worst: once it has been asked for an adapter, every row gets it."""

    def _adapter(self, folder):
        self.kept = super()._adapter(folder) if folder else getattr(self, "kept", None)
        return self.kept


@pytest.mark.parametrize("backend", [Deaf, Stuck])
def test_an_adapter_that_is_never_applied_or_never_taken_off_is_refused(backend, tmp_path):
    broken = backend(str(models.DEMO_BASE))
    broken.stream([])
    if backend is Stuck:
        list(broken.tokens([Side(conversation("ক"), models.DEMO_ADAPTER, replace(SHORT, max_new_tokens=1))]))
    with pytest.raises(ReviewError) as caught:
        pair_sets.generate(tmp_path, order(), (broken, broken))
    assert caught.value.key == "review.same_model"


class Leaky(LocalBackend):
    """A backend whose gate does not quite shut: an adapter in the batch changes the base's row, too."""

    def first_logits(self, sides):
        rows = super().first_logits(sides)
        if any(side.adapter for side in sides):
            rows[0] = rows[0] + 1e-4
        return rows


def test_a_base_that_is_not_the_base_is_refused(tmp_path):
    leaky = Leaky(str(models.DEMO_BASE))
    with pytest.raises(ReviewError) as caught:
        pair_sets.generate(tmp_path, order(), (leaky, leaky))
    assert caught.value.key == "review.not_the_base"


def test_with_its_gate_shut_a_row_is_the_model_without_adapter_token_for_token(demo):
    prompts = prompt_sets.sampled(prompt_sets.curated().prompts, 50, 3)
    how = [replace(SHORT, max_new_tokens=24, seed=pair_sets.seed_of(prompt, 1)) for prompt in prompts]
    for begin in range(0, 50, 10):
        part = list(zip(prompts[begin : begin + 10], how[begin : begin + 10], strict=True))
        shut = [Side(conversation(prompt.text), None, settings) for prompt, settings in part]
        opened = [Side(conversation(prompt.text), models.DEMO_ADAPTER, settings) for prompt, settings in part]
        mixed = list(demo.tokens([*shut, *opened]))
        alone = list(demo.tokens([*shut, *shut]))  # the same shape of batch, no adapter in it
        count = len(part)
        assert columns(mixed, count) == columns(alone, count)
        assert columns(mixed, count) != columns([row[count:] for row in mixed], count)


def columns(steps, count):
    """The tokens of each of the first rows, their ends left out."""
    return [[row[place] for row in steps if row[place] is not None] for place in range(count)]


def test_two_checkpoints_can_meet_and_the_same_one_cannot(demo, tmp_path):
    other = copied(tmp_path, lambda name, t: t * 0.5 if "lora_B" in name else t)
    made = pair_sets.generate(tmp_path, order(base="demo", tuned=other), (demo, demo))
    assert made.reviewable and made.proof.base_state.startswith("gate open")
    assert made.proof.base_alone_hash == ""
    with pytest.raises(ReviewError):
        pair_sets.generate(tmp_path, order(base="demo", tuned="demo"), (demo, demo))


def test_sides_on_two_machines_are_proven_by_what_they_reply(tmp_path):
    remote = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")
    backends = ScriptedBackend("শান্ত থাকুন।"), ScriptedBackend("শুনছি।")
    made = pair_sets.generate(tmp_path, order(tuned=remote), backends)
    assert (made.proof.kind, made.proof.tuned_state) == ("replies", "remote")
    assert {(pair.base, pair.tuned) for pair in made.pairs} == {("শান্ত থাকুন।", "শুনছি।")}
    with pytest.raises(ReviewError):
        pair_sets.generate(
            tmp_path, order(tuned=remote, text="অন্য কথা।"), (ScriptedBackend("এক।"), ScriptedBackend("এক।"))
        )


def test_pairs_with_nothing_to_choose_between_are_kept_and_not_shown(tmp_path, demo):
    made = pair_sets.generate(tmp_path, order(), (demo, demo))
    line = json.loads((made.folder / pair_sets.PAIRS).read_text("utf-8").split("\n")[0])
    twin = {**line, "prompt_id": "twin", "tuned": line["base"]}
    with (made.folder / pair_sets.PAIRS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(twin, ensure_ascii=False) + "\n")
    read = pair_sets.read(tmp_path, made.set_id)
    assert len(read.pairs) == 6 and len(read.shown) == 5


def test_a_reply_that_calls_for_care_marks_its_pair(tmp_path):
    remote = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")
    backends = ScriptedBackend("শান্ত থাকুন।"), ScriptedBackend("মরে গেলেই শান্তি।")
    made = pair_sets.generate(tmp_path, order(tuned=remote, text="মনটা ভালো নেই।"), backends)
    assert [pair.prompt.care for pair in made.pairs] == [True]


@pytest.mark.parametrize("name", ["", "nothing", "../runs", "a/b"])
def test_a_set_that_is_not_there_is_told(tmp_path, name):
    with pytest.raises(ReviewError, match="There is no set"):
        pair_sets.read(tmp_path, name)


def test_two_writers_of_one_set_do_not_meet(tmp_path, demo):
    (tmp_path / pair_sets.FOLDER / order().set_id).mkdir(parents=True)
    with (
        pair_sets._alone(tmp_path / pair_sets.FOLDER / order().set_id),
        pytest.raises(ReviewError, match="being written"),
    ):
        pair_sets.generate(tmp_path, order(), (demo, demo))


def test_a_deleted_set_is_gone(tmp_path, demo):
    made = pair_sets.generate(tmp_path, order(), (demo, demo))
    pair_sets.delete(tmp_path, made.set_id)
    assert pair_sets.all_sets(tmp_path) == []
    assert contestant(BASE, tmp_path).fingerprint() != contestant("demo", tmp_path).fingerprint()
