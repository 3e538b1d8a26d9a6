"""Which examples of an update fall to which process: equally many to each, and about as many tokens.

The processes wait for each other in every update, so that the largest share decides how long it takes. transformers'
own `train_sampling_strategy="batch_rebalance"` shares out evenly, too, but draws other updates than one process would;
here an update has the examples that it has alone, only who learns from which of them changes. It does not know of
padding.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any


def shares(lengths: Sequence[int], count: int, room: int | None = None) -> list[list[int]]:
    """Places of an update's examples by share: at most `room` in each, by default as many, a whole number of them.

    The longest goes first, always to the share that has the fewest tokens and still has room (Graham 1969,
    https://doi.org/10.1137/0117039). With 16 examples as long as the reference corpus', the largest share has 1 % more
    tokens than the mean where two processes share, 5 % where four do; as they come it would be 11 and 31 %.
    """
    room = len(lengths) // count if room is None else room
    shared: list[list[int]] = [[] for _ in range(count)]
    filled = [0] * count
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        emptiest = min((one for one in range(count) if len(shared[one]) < room), key=filled.__getitem__)
        shared[emptiest].append(place)
        filled[emptiest] += lengths[place]
    return shared


class EvenShares:
    """A sampler of examples around another one, that changes their order within each update.

    Batches of `batch` consecutive examples are dealt out one by one to the processes (accelerate's BatchSamplerShard),
    `steps` of them to each in an update. What is left at the end, less than an update, stays as it comes.
    """

    def __init__(self, sampler: Any, lengths: Sequence[int], processes: int, batch: int, steps: int) -> None:
        self.sampler, self.lengths = sampler, lengths
        self.processes, self.batch, self.steps = processes, batch, steps

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[int]:
        whole = self.processes * self.batch * self.steps
        drawn = iter(self.sampler)
        while update := list(itertools.islice(drawn, whole)):
            if len(update) < whole:
                yield from update
                return
            shared = shares([self.lengths[example] for example in update], self.processes)
            for begin in range(0, self.batch * self.steps, self.batch):
                for places in shared:
                    yield from (update[place] for place in places[begin : begin + self.batch])

    def set_epoch(self, epoch: int) -> None:
        """Tells the sampler within, which draws by it."""
        self.sampler.set_epoch(epoch)


def trainer(parent: type) -> type:
    """A trainer class like `parent`, transformers', whose processes have about as much to learn from in each update."""

    class EvenSharesTrainer(parent):
        """Changes the order in which examples are dealt out; which of them make an update is the parent's."""

        def get_train_dataloader(self) -> Any:
            """The parent's, with its sampler wrapped."""
            loader = super().get_train_dataloader()
            batches = loader.batch_sampler.batch_sampler  # torch's, within the one that deals them out
            lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
            t = self.args
            batches.sampler = EvenShares(
                batches.sampler, lengths, t.world_size, t.per_device_train_batch_size, t.gradient_accumulation_steps
            )
            return loader

    return EvenSharesTrainer
