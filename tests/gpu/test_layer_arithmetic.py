"""Training's kernels against PyTorch's own operators: the MLP, norms and the loss with all their gradients.

On a GPU they run as they are. Without one, Triton's interpreter runs the same source where Triton is installed:
`TRITON_INTERPRET=1 python -m pytest tests/gpu/test_layer_arithmetic.py`, see `test_kernel_arithmetic.py`.
"""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from finetune.training import fused_loss, layer_arithmetic, layer_kernels, lora_precision, residual_norm
from tests.gpu.test_kernel_arithmetic import DEVICE, FORMATS, pytestmark  # noqa: F401

NEAR = {"float32": 1e-5, "float16": 4e-3, "bfloat16": 2e-2}
"""Of a norm, by which results may differ."""

NAMES = ["gate_proj", "up_proj", "down_proj"]
WIDTH, MIDDLE, TOKENS = 40, 200, 70  # fill no last tile


class Mlp(nn.Module):
    """Three matrices with the names that Llama gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(WIDTH, MIDDLE, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(MIDDLE, WIDTH, bias=False)


def adapted(targets: list[str], rank: int, dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    model = get_peft_model(Mlp(), LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets))
    for parameter in model.parameters():
        parameter.data = 0.3 * torch.randn_like(parameter)
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)
    return model.to(DEVICE)


def results(model: nn.Module, dtype: torch.dtype, recompute: bool) -> dict[str, torch.Tensor]:
    """The MLP's output, and the gradients of a weighted sum of it."""
    torch.manual_seed(1)
    x = torch.randn(2, TOKENS // 2, WIDTH).to(DEVICE, dtype).requires_grad_()
    weights = torch.randn(2, TOKENS // 2, WIDTH).to(DEVICE, dtype)
    mlp = model.get_base_model()
    result = lora_precision.gated(x, mlp.gate_proj, mlp.up_proj, mlp.down_proj, recompute=recompute)
    model.zero_grad()
    result.backward(weights)
    return {"result": result, "x": x.grad} | {
        name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
    }


class Noted:
    """Stands before the kernels and notes which are launched."""

    def __init__(self, launched: list[str]) -> None:
        self.launched = launched

    def __getattr__(self, name: str) -> object:
        kernel = getattr(layer_kernels, name)

        class Launch:
            def __getitem__(_, grid: tuple[int, ...]) -> object:  # noqa: N805
                self.launched.append(name)
                return kernel[grid]

        return Launch()


def set_kernels(monkeypatch: pytest.MonkeyPatch, on: bool) -> list[str]:
    """Have the kernels used or not, and give back a list of those that are launched."""
    launched: list[str] = []
    monkeypatch.setattr(layer_arithmetic, "on_card", lambda x: on)
    monkeypatch.setattr(layer_arithmetic, "kernels", Noted(launched))
    return launched


def assert_near(ours: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], near: float) -> None:
    assert ours.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert ours[name].dtype == expected.dtype, name
        assert (ours[name].float() - expected.float()).norm() <= near * expected.float().norm(), name


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(
    ("targets", "rank", "recompute"),
    [(NAMES, 16, False), (NAMES, 16, True), (NAMES, 6, False), (["up_proj"], 4, True), (["down_proj"], 32, False)],
)
def test_the_mlp_is_the_same_with_all_its_gradients(monkeypatch, targets, rank, recompute, dtype):
    kind = getattr(torch, dtype)
    model = adapted(targets, rank, kind)
    with monkeypatch.context() as without:
        set_kernels(without, False)
        wanted = results(model, kind, recompute)
    launched = set_kernels(monkeypatch, True)
    ours = results(model, kind, recompute)
    assert launched == ["middle", "middle_backward"]
    assert len(ours) == 2 + 2 * len(targets)
    assert_near(ours, wanted, NEAR[dtype])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("adds", [True, False])
def test_a_norm_is_the_same_with_the_stream_beside_it_and_its_gradients(monkeypatch, adds, dtype):
    torch.manual_seed(3)
    kind = getattr(torch, dtype)
    norm = LlamaRMSNorm(100, eps=1e-3).to(DEVICE, kind).requires_grad_(False)
    norm.weight.data.normal_()
    given = {
        name: torch.randn(2, 35, 100).to(DEVICE, kind).requires_grad_() for name in ("stream", "added")[: 1 + adds]
    }
    beside, behind = (torch.randn(2, 35, 100).to(DEVICE, kind) for _ in range(2))
    found = []
    for on in (False, True):
        with monkeypatch.context() as patched:
            launched = set_kernels(patched, on)
            stream, result = residual_norm.normed(norm, *given.values())
            by = torch.autograd.grad((stream * beside + result * behind).sum(), given.values())
            assert launched == ["norm", "norm_backward"] * on
            assert torch.equal(residual_norm.again(norm, stream.detach()), result), "to the last bit"
        found.append({"stream": stream, "result": result, **dict(zip(given, by, strict=True))})
    assert_near(found[1], found[0], NEAR[dtype])


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("learns", [True, False])
def test_the_loss_of_logits_is_the_same_with_its_gradient(monkeypatch, learns, dtype):
    torch.manual_seed(2)
    kind = getattr(torch, dtype)
    hidden = torch.randn(70, 24).to(DEVICE, kind).requires_grad_(learns)
    weight, labels = torch.randn(1000, 24).to(DEVICE, kind), torch.randint(1000, (70,)).to(DEVICE)
    found = []
    for on in (False, True):
        with monkeypatch.context() as patched:
            launched = set_kernels(patched, on)
            loss = fused_loss.cross_entropy(hidden, weight, labels, chunk=32)
            assert launched == ["cross_entropy"] * 3 * on
        by = torch.autograd.grad(loss, hidden)[0] if learns else torch.zeros(())
        found.append({"loss": loss, "by_hidden": by})
    assert_near(found[1], found[0], NEAR[dtype])


def test_a_logit_that_is_no_number_makes_a_loss_that_is_none(monkeypatch):
    set_kernels(monkeypatch, True)
    logits = torch.zeros(3, 100, device=DEVICE)
    logits[1, 5] = float("nan")
    target = torch.zeros(1, dtype=torch.long, device=DEVICE)
    losses = [layer_arithmetic.cross_entropy(row[None].clone(), target, gradient=True)[0] for row in logits]
    assert [bool(loss.isnan()) for loss in losses] == [False, True, False]
