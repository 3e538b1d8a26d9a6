"""Decode on a GPU in captured CUDA graphs: a step is one launch, whatever the host is doing.

What `static_decoding.py` does one operation after the other is done once in that way, then captured, and replayed ever
after; prompts short enough to be bound by launches are captured too. A machine that cannot run the kernels of
`kernel_arithmetic.py` captures PyTorch's own operators, and one that cannot capture goes on without: each says so once
in the log. Where memory runs out in a capture, that reply is written without, and the next one tries again. Base and
tuned rows share a batch, and no adapter makes anything be captured again that fits the slots.
"""

from __future__ import annotations

import logging
from typing import Any

from finetune import models
from finetune.errors import chain_of
from finetune.inference import kernel_arithmetic
from finetune.inference.decoding import FUSED, Decoder, Request
from finetune.inference.projection import Projection
from finetune.inference.static_cache import Plain, StaticPass
from finetune.inference.static_decoding import StaticDecoder, Work
from finetune.recipe import Generation

MOST_CAPTURED = 4096
"""Tokens of all rows together up to which reading prompts waits for launches rather than for arithmetic."""

MOST_ROWS = 256
"""Of a batch whose steps are captured, with the kernels: beyond it arithmetic counts, not launches. Without them every
step would attend to all the room there is."""

WARM_PROMPT = 200
"""Tokens of the prompt that `warm` captures for: a system prompt, a few turns."""

log = logging.getLogger("shohomormi")


def decoder_for(model: Any) -> Decoder:
    """The fastest decoder that this machine has for a model, ready for its first message."""
    if next(model.parameters()).device.type != "cuda":
        return Decoder(model)
    decoder = CapturedDecoder(model)
    decoder.warm()
    return decoder


class CapturedDecoder(StaticDecoder):
    """A decoder whose steps are CUDA graphs, each captured when it is first needed."""

    def __init__(self, model: Any, *, fused: bool = True) -> None:
        """fused: False keeps to PyTorch's own operators, which a benchmark may want beside the kernels."""
        import torch

        super().__init__(model)
        self.capturing = True
        why_not = kernel_arithmetic.usable(self) if fused else "they are not wanted"
        if not why_not:
            self.arithmetic, self.most_rows = kernel_arithmetic.Fused(), MOST_ROWS
            for projection in self._projections():
                projection.tile()
        log.info("decoding in CUDA graphs%s", f", without 4-bit kernels: {why_not}" if why_not else "")
        self._stream = torch.cuda.Stream(self.device)
        self._pool = torch.cuda.graph_pool_handle()
        """Memory for what lives only within a graph; one graph runs at a time, so all can use the same."""

    def warm(self) -> None:
        """Capture what a first message and a first pair will need, so that nobody waits for it."""
        request = Request([0] * WARM_PROMPT, None, Generation(max_new_tokens=3, temperature=0.7, top_p=0.9))
        for rows in (1, 2):
            for _ in self.generate([request] * rows, set()):
                pass

    def _run(self, state: StaticPass, work: Work) -> None:
        graph = state.graphs.get(work)
        if graph is not None:
            graph.replay()
        else:
            self._run_once(state, work)
            if self.capturing and not state.short_of_memory and work.tokens * state.rows <= MOST_CAPTURED:
                self._capture(state, work)

    def _run_once(self, state: StaticPass, work: Work) -> None:
        """Do the work as it comes: its result is wanted, and what libraries set up at first use cannot be captured."""
        import torch

        try:
            self._apart(lambda: work.do(state, self.arithmetic))
        except Exception as error:  # Triton fails in many ways: no C compiler, an unknown card, a driver too old
            if isinstance(self.arithmetic, Plain) or isinstance(error, torch.OutOfMemoryError):
                raise
            self.arithmetic, self.most_rows = Plain(), StaticDecoder.most_rows
            self._forget_graphs()
            for projection in self._projections():
                projection.untile()
            log.warning("the 4-bit kernels do not run here (%s); chat goes on slower without them", _named(error))
            self._apart(lambda: work.do(state, self.arithmetic))  # nothing had moved on before the kernels failed

    def _capture(self, state: StaticPass, work: Work) -> None:
        import torch

        try:
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the card meanwhile: a capture must not forbid it to them.
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                work.do(state, self.arithmetic)
        except RuntimeError as error:
            if _ran_out_of_memory(error):  # a run beside the chat, say: it passes, so capturing does not end with it
                state.short_of_memory = True
                self._passes = {key: one for key, one in self._passes.items() if one is state}
                models.free_memory()
                return
            self.capturing = False
            self._forget_graphs()
            log.warning("a CUDA graph could not be captured (%s); chat goes on slower without them", _named(error))
        else:
            state.graphs[work] = graph

    def _apart(self, do: Any) -> None:
        """Do something on the stream that captures, in its turn among what the caller's stream does."""
        import torch

        mine = torch.cuda.current_stream(self.device)
        self._stream.wait_stream(mine)
        with torch.cuda.stream(self._stream):
            do()
        mine.wait_stream(self._stream)

    def _projections(self) -> list[Projection]:
        return [layer[key] for layer in self.layers for key in FUSED]

    def _forget_graphs(self) -> None:
        for state in self._passes.values():
            state.graphs.clear()


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether that is what an error comes from: ending a capture that it broke off can fail in its turn."""
    import torch

    return any(isinstance(one, torch.OutOfMemoryError) for one in chain_of(error))


def _named(error: Exception) -> str:
    """An error in one short line, without what it was about."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
