"""Who learns from which examples of an update; that losses stay those of one process is tested with real ones."""

import random
from types import SimpleNamespace

import pytest
import torch
from accelerate import skip_first_batches
from accelerate.data_loader import BatchSamplerShard, prepare_data_loader
from torch.utils.data import BatchSampler, DataLoader

from finetune.training import even_shares
from finetune.training.even_shares import EvenShares


class Drawn:
    """A sampler whose order is known, and other in every epoch."""

    def __init__(self, examples: int) -> None:
        self.examples, self.epoch = examples, 0

    def __len__(self) -> int:
        return self.examples

    def __iter__(self):
        order = list(range(self.examples))
        random.Random(self.epoch).shuffle(order)
        return iter(order)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


@pytest.mark.parametrize(("processes", "most"), [(1, 1.0), (2, 1.02), (4, 1.07), (8, 1.5)])
def test_each_process_has_as_many_examples_and_about_as_many_tokens(processes, most):
    drawn = random.Random(1)
    excess = []
    for _ in range(200):
        lengths = [max(64, min(2020, int(drawn.lognormvariate(6.1, 0.55)))) for _ in range(16)]
        shared = even_shares.shares(lengths, processes)
        assert sorted(place for places in shared for place in places) == list(range(16))
        assert {len(places) for places in shared} == {16 // processes}
        tokens = [sum(lengths[place] for place in places) for places in shared]
        excess.append(max(tokens) * processes / sum(tokens))
    assert sum(excess) / 200 <= most


@pytest.mark.parametrize(("batch", "steps"), [(4, 1), (2, 2), (1, 4)])
def test_an_update_keeps_its_examples_and_its_processes_share_them_evenly(batch, steps):
    lengths = [10 * (1 + example % 7) + example for example in range(18)]
    plain, even = Drawn(18), EvenShares(Drawn(18), lengths, 2, batch, steps)
    for sampler in (plain, even):
        sampler.set_epoch(3)
    assert len(even) == 18
    order, before = list(even), list(plain)
    dealt = [list(BatchSamplerShard(BatchSampler(even, batch, False), 2, process)) for process in range(2)]
    for update in range(2):
        examples = order[8 * update : 8 * update + 8]
        assert set(examples) == set(before[8 * update : 8 * update + 8])
        mine, theirs = (sum(batches[update * steps : update * steps + steps], []) for batches in dealt)
        assert set(mine) | set(theirs) == set(examples) and len(mine) == len(theirs) == 4
        shares = even_shares.shares([lengths[example] for example in before[8 * update : 8 * update + 8]], 2)
        wanted = sum(lengths[before[8 * update + place]] for place in shares[0])
        assert sum(lengths[example] for example in mine) == wanted
    assert order[16:] == before[16:], "less than an update stays as it comes"


def test_a_resume_goes_on_with_the_same_updates_in_every_epoch():
    lengths = [10 * (1 + example % 7) + example for example in range(18)]

    def loader(process: int):
        plain = DataLoader(range(18), batch_size=2, shuffle=True)
        made = prepare_data_loader(
            plain, torch.device("cpu"), num_processes=2, process_index=process, put_on_device=False,
            use_seedable_sampler=True, data_seed=5,
        )  # fmt: skip
        batches = made.batch_sampler.batch_sampler
        batches.sampler = EvenShares(batches.sampler, lengths, 2, 2, 2)
        return made

    def epoch(loader, number: int) -> list[list[int]]:
        loader.set_epoch(number)
        return [batch.tolist() for batch in loader]

    for process in range(2):
        whole = loader(process)
        epochs = [epoch(whole, number) for number in range(3)]
        assert epochs[0] != epochs[1] != epochs[2]
        for number in range(3):
            assert epoch(skip_first_batches(loader(process), 2), number) == epochs[number][2:]


def test_a_trainer_deals_out_what_its_sampler_draws():
    class Parent:
        args = SimpleNamespace(world_size=2, per_device_train_batch_size=2, gradient_accumulation_steps=1)
        train_dataset = {"input_ids": [[0] * length for length in (9, 8, 1, 2)]}

        def get_train_dataloader(self):
            return SimpleNamespace(batch_sampler=BatchSamplerShard(BatchSampler(range(4), 2, False), 2, 0))

    loader = even_shares.trainer(Parent)().get_train_dataloader()
    assert list(loader.batch_sampler) == [[0, 2]], "the longest and the shortest, not the two longest"
