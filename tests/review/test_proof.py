"""A set is made only of sides that are what they claim: every way in which they might not be is refused."""

import itertools
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetune import models
from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend, Side
from finetune.inference.remote import RemoteBackend
from finetune.recipe import Generation
from finetune.review import pairs, prompt_sets
from finetune.review.contestants import Contestant
from finetune.review.proof import check, seen
from tests.inference.chat_server import Answer, running, said

BASE = Contestant("base")
DEMO = Contestant("demo", models.DEMO_ADAPTER)
FAR = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")
OTHER_FORMATS = [PromptFormat("reference"), PromptFormat("official", "তুমি একজন পুরোনো বন্ধু।")]


@pytest.fixture(scope="module")
def demo():
    """The demo's base in memory, as the page holds it."""
    torch.set_num_threads(1)  # two wait for each other where the machine has other work to do
    return LocalBackend(str(models.DEMO_BASE))


@pytest.fixture
def copied(tmp_path):
    """Makes copies of the demo's adapter, with its tensors changed or another format."""

    def copy(name="copied", change=lambda name, tensor: tensor, style=None):
        folder = tmp_path / name
        shutil.copytree(models.DEMO_ADAPTER, folder)
        file = folder / "adapter_model.safetensors"
        save_file({name: change(name, tensor) for name, tensor in load_file(file).items()}, file)
        if style is not None:
            style.save(folder)
        return Contestant(f"run:{name}", folder)

    return copy


def without_effect(name, tensor):
    return torch.zeros_like(tensor) if "lora_B" in name else tensor


def weaker(name, tensor):
    return tensor * 0.5 if "lora_B" in name else tensor


def verdict(base, tuned, *backends):
    """The key of the error with which these sides are refused, or None; and the proof."""
    proof = seen(base, tuned, backends * (2 // len(backends)))
    try:
        check(proof, base, tuned)
    except ReviewError as error:
        return error.key, proof
    return None, proof


def test_base_and_tuned_are_told_apart_and_base_is_the_base_alone_to_the_last_bit(demo):
    refused, proof = verdict(BASE, DEMO, demo)
    assert refused is None
    assert (proof.kind, proof.base_state) == ("logits", "gate shut")
    assert proof.tuned_state == f"gate open, {DEMO.fingerprint()[:16]}"
    assert proof.base_hash == proof.base_alone_hash
    assert proof.tuned_hash not in (proof.base_hash, proof.tuned_off_hash)


@pytest.mark.parametrize("style", OTHER_FORMATS, ids=["reference", "own system prompt"])
def test_an_adapter_with_a_format_of_its_own_meets_a_base_that_is_asked_in_the_same(demo, copied, style):
    own = copied(style=style)
    refused, proof = verdict(BASE, own, demo)
    assert refused is None and proof.base_hash == proof.base_alone_hash
    assert proof.probe_hash != verdict(BASE, DEMO, demo)[1].probe_hash


def test_an_adapter_that_changes_nothing_is_refused(demo, copied):
    refused, proof = verdict(BASE, copied(change=without_effect), demo)
    assert refused == "review.same_model"
    assert proof.tuned_hash == proof.tuned_off_hash


class Deaf(LocalBackend):
    """A backend with the worst of bugs: it never applies the adapter it is asked for."""

    def _adapter(self, folder):
        return None


class Stuck(LocalBackend):
    """A backend with the next worst: once it has been asked for an adapter, every row gets it."""

    def _adapter(self, folder):
        self.kept = super()._adapter(folder) if folder else getattr(self, "kept", None)
        return self.kept


class Uneven(Deaf):
    """A deaf backend whose rows differ in their last bits by their place in the batch, as some kernels' do."""

    def first_logits(self, sides, style=None):
        return [row + 1e-4 * place for place, row in enumerate(super().first_logits(sides, style))]


@pytest.mark.parametrize("backend", [Deaf, Stuck, Uneven])
def test_an_adapter_that_is_never_applied_or_never_taken_off_is_refused(backend):
    broken = backend(str(models.DEMO_BASE))
    side = Side(conversation("ক"), models.DEMO_ADAPTER, Generation(max_new_tokens=1))
    list(broken.tokens([side]))  # so that a stuck one is stuck before the proof begins
    assert verdict(BASE, DEMO, broken)[0] == "review.same_model"


class Leaky(LocalBackend):
    """A backend whose gate does not quite shut: an adapter in the batch changes the base's row, too."""

    def first_logits(self, sides, style=None):
        rows = super().first_logits(sides, style)
        if any(side.adapter for side in sides):
            rows[0] = rows[0] + 1e-4
        return rows


def test_a_base_that_is_not_the_base_is_refused():
    assert verdict(BASE, DEMO, Leaky(str(models.DEMO_BASE)))[0] == "review.not_the_base"


class Slipping(LocalBackend):
    """A backend of a machine that computes the very first row wrongly, and none after it."""

    asked = 0

    def first_logits(self, sides, style=None):
        rows = super().first_logits(sides, style)
        self.asked += 1
        if self.asked == 1:
            rows[0] = rows[0] + 1e-4
        return rows


def test_a_row_that_a_machine_computes_wrongly_once_is_asked_for_again_and_told(caplog):
    slipping = Slipping(str(models.DEMO_BASE))
    refused, proof = verdict(BASE, DEMO, slipping)
    assert refused is None and proof.base_hash == proof.base_alone_hash
    assert slipping.asked == 4 and "asked again" in caplog.text
    assert verdict(BASE, DEMO, slipping)[0] is None and slipping.asked == 6


def test_with_its_gate_shut_a_row_is_the_model_without_adapter_token_for_token(demo):
    prompts = prompt_sets.sampled(prompt_sets.curated().prompts, 50, 3)
    short = Generation(max_new_tokens=24, temperature=0.8)
    how = [replace(short, seed=pairs.seed_of(prompt, 1)) for prompt in prompts]
    never = LocalBackend(str(models.DEMO_BASE))  # it never loads an adapter
    for begin in range(0, 50, 10):
        part = list(zip(prompts[begin : begin + 10], how[begin : begin + 10], strict=True))
        shut = [Side(conversation(prompt.text), None, settings) for prompt, settings in part]
        opened = [Side(conversation(prompt.text), models.DEMO_ADAPTER, settings) for prompt, settings in part]
        mixed = rows(demo.tokens([*shut, *opened]))
        alone = rows(never.tokens([*shut, *shut]))  # the same shape of batch
        assert mixed[:10] == alone[:10]
        assert mixed[10:] != alone[10:]


def rows(steps):
    """The tokens of each row of a batch, their ends left out."""
    return [[token for token in row if token is not None] for row in zip(*steps, strict=True)]


def test_two_adapters_can_meet_and_the_same_one_under_two_names_cannot(demo, copied):
    refused, proof = verdict(DEMO, copied("other", change=weaker), demo)
    assert refused is None
    assert proof.base_state.startswith("gate open") and proof.base_alone_hash == ""
    assert verdict(DEMO, DEMO, demo)[0] == "review.same_model"
    assert verdict(DEMO, copied("twin"), demo)[0] == "review.same_model"
    assert verdict(BASE, BASE, demo)[0] == "review.same_model"


@pytest.mark.parametrize("style", OTHER_FORMATS, ids=["reference", "own system prompt"])
def test_two_adapters_of_two_formats_are_refused(demo, copied, style):
    with pytest.raises(ReviewError) as caught:
        seen(DEMO, copied(style=style), (demo, demo))
    assert caught.value.key == "review.two_formats"


def test_sides_on_two_machines_are_told_apart_by_their_replies():
    refused, proof = verdict(BASE, FAR, ScriptedBackend("শান্ত থাকুন।"), ScriptedBackend("শুনছি।"))
    assert refused is None
    assert (proof.kind, proof.base_state, proof.tuned_state) == ("replies", "remote", "remote")
    assert proof.base_alone_hash == proof.tuned_off_hash == ""
    assert verdict(BASE, FAR, ScriptedBackend("এক।"), ScriptedBackend("এক।"))[0] == "review.same_model"


def test_a_server_that_knows_the_adapter_by_name_and_does_not_apply_it_is_refused(copied):
    own = copied(style=OTHER_FORMATS[1])
    with running() as server:
        server.offered = {"data": [{"id": "base", "parent": None}, {"id": "copied", "parent": "base"}]}
        server.next = lambda body: Answer(said(body["messages"][0]["content"]))  # all that it heeds
        assert verdict(BASE, own, RemoteBackend(server.address))[0] == "review.same_model"
        server.next = lambda body: Answer(said(body["model"]))
        assert verdict(BASE, own, RemoteBackend(server.address))[0] is None


class Wavering(ScriptedBackend):
    """Answers anew each time, whatever it is asked; every third answer is always the same."""

    def __init__(self, steady):
        super().__init__()
        self.steady, self.count = steady, itertools.count()

    def stream(self, sides, stop=None):
        yield [self.steady if self.steady and place == 2 else str(next(self.count)) for place, _ in enumerate(sides)]


def test_replies_that_differ_by_chance_prove_nothing():
    assert verdict(BASE, FAR, ScriptedBackend("এক।"), Wavering(""))[0] == "review.unsteady"
    assert verdict(BASE, FAR, ScriptedBackend("এক।"), Wavering("এক।"))[0] == "review.same_model"
    assert verdict(BASE, FAR, ScriptedBackend("এক।"), Wavering("দুই।"))[0] is None
