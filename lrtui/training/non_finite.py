"""Refuses updates whose loss or gradient norm is not finite, or rolls them back. Compare ignite's
`TerminateOnNan`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lrtui.training import param_groups, tensors

NORM_EVERY = 10
"""Steps between two at which the gradient norm is recorded on the CPU; suspicious steps add to
these."""
SAFE_LOSS = 1e15
"""Above this loss gradients are suspicious: the squares of float32 numbers may overflow."""


class NonFinite(Exception):
    """Loss or gradient norm of step `step` is not finite; the weights are those from before its
    update."""

    def __init__(self, step: int, loss: float, norm: float) -> None:
        super().__init__(
            f"loss {loss:g}"
            if not math.isfinite(loss)
            else f"gradient norm {norm:g} at loss {loss:.4g}"
        )
        self.step = step


class NonFiniteGuard:
    """Measures a model's gradient norm, and keeps a copy of its weights for a roll-back.

    `rolls_back`: updates are checked after they happened, so the copy is needed.
    """

    def __init__(self, model: nn.Module, optimizer: Optimizer, *, rolls_back: bool) -> None:
        self._model = model
        self._parameters = list(model.parameters())
        self._trained = param_groups.trained(model, optimizer.param_groups)
        """Frozen ones, too: they may be trained later."""
        self._rolls_back = rolls_back
        self._copy: list[tuple[Tensor, Tensor | None]] = []
        """Weights and buffers, each with its values when they were last known to be finite."""
        self._found, self._one = torch.zeros(1), torch.ones(1)
        self.keep()

    def gradient_norm(self) -> Tensor | None:
        """The 2-norm of all gradients, on their device; None if it cannot be computed."""
        return tensors.gradient_norm(self._trained)

    def sampled_norm(self, step: int, loss: float) -> float | None:
        """The gradient norm every NORM_EVERY steps and where an element may not be finite; None if
        not measured."""
        if step % NORM_EVERY and abs(loss) < SAFE_LOSS and self._gradients_finite():
            return None
        norm = self.gradient_norm()
        return None if norm is None else norm.item()

    def _gradients_finite(self) -> bool:
        """True if every element of the gradients is finite: one pass, a seventh of the norm's cost
        on small models.

        The check of torch's GradScaler, with a scale of one. False if it cannot tell (sparse
        gradients, an unusual type): the norm then decides, at each step.
        """
        try:
            self._found.zero_()  # torch sets it only
            torch._amp_foreach_non_finite_check_and_unscale_(
                [p.grad for p in self._trained if p.grad is not None], self._found, self._one
            )
        except (RuntimeError, AttributeError):
            return False
        return self._found.item() == 0.0

    def keep(self) -> None:
        """Copies weights and buffers, which are known to be finite; the model may have new ones."""
        if not self._rolls_back:
            return
        now = [*self._parameters, *self._model.buffers()]
        copies = [
            copy
            for tensor, (known, copy) in zip(now, self._copy, strict=False)
            if tensor is known
            and copy is not None
            and copy.shape == tensor.shape
            and copy.layout == torch.strided
        ]
        if len(copies) == len(now) == len(self._copy):
            torch._foreach_copy_(copies, [tensor.detach() for tensor in now])
        else:
            self._copy = [(tensor, tensors.copied(tensor)) for tensor in now]

    def roll_back(self) -> None:
        """Restores weights and buffers to the last copy."""
        with torch.no_grad():
            for tensor, copy in self._copy:
                if copy is not None:
                    tensors.put(tensor, copy)
