"""Copies, compares and measures tensors of every type and layout, not only dense floats."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def pieces(tensor: Tensor) -> tuple[Tensor, ...]:
    """The dense tensors that make up `tensor`: itself if dense, nothing if it has no values (meta,
    lazy)."""
    if tensor.is_meta or torch.nn.parameter.is_lazy(tensor):
        return ()
    if tensor.is_nested:
        return tuple(part for one in tensor.unbind() for part in pieces(one))
    if tensor.layout == torch.sparse_coo:
        return tensor._indices(), tensor._values()
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return tensor.ccol_indices(), tensor.row_indices(), tensor.values()
    if tensor.layout != torch.strided:
        return (tensor.to_dense(),)
    return (tensor.int_repr(),) if tensor.is_quantized else (tensor,)


def wide(tensor: Tensor) -> Tensor:
    """The tensor as float64; as float32 on MPS, which has no wider floats."""
    return tensor.float() if tensor.device.type == "mps" else tensor.double()


def raw(tensor: Tensor) -> Tensor:
    """The bytes of the values of a dense tensor, shape (bytes,), uint8."""
    return tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)


def copied(tensor: Tensor) -> Tensor | None:
    """A detached copy that shares no memory; None if the tensor has no values (meta, lazy)."""
    if tensor.is_meta or torch.nn.parameter.is_lazy(tensor):
        return None
    return tensor.detach().clone()


def same_values(one: Tensor, other: Tensor) -> bool:
    """True if two tensors hold the same values bit for bit (NaN equals NaN)."""
    if (one.dtype, one.layout, one.device, one.is_nested) != (
        other.dtype,
        other.layout,
        other.device,
        other.is_nested,
    ):
        return False
    if one.layout == torch.strided and not one.is_quantized and not one.is_nested:
        return one.shape == other.shape and torch.equal(_bits(one), _bits(other))
    parts, others = pieces(one.detach()), pieces(other.detach())
    return len(parts) == len(others) and all(map(same_values, parts, others))


def _bits(tensor: Tensor) -> Tensor:
    """A dense tensor as integers of the same size, because by value -0 equals 0 and NaN nothing."""
    parts = torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor
    return parts.resolve_neg().view(_INTEGERS[parts.element_size()])


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def put(tensor: Tensor, values: Tensor) -> None:
    """Sets `tensor` to the values of a copy, in place if shape and layout allow it, so that shared
    memory stays shared."""
    if tensor.shape == values.shape and tensor.layout == torch.strided and not tensor.is_nested:
        tensor.detach().copy_(values)
    else:
        tensor.data = values.clone()


def real(tensor: Tensor) -> Tensor:
    """`tensor` itself, or a view of a complex one as pairs of real and imaginary parts, shape (...,
    2)."""
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def dense(gradient: Tensor) -> Tensor:
    """A gradient as a dense real tensor."""
    return real(gradient.to_dense() if gradient.layout != torch.strided else gradient)


def gradient_norm(parameters: Sequence[nn.Parameter]) -> Tensor | None:
    """The 2-norm of all gradients together, a scalar on their device; None if it cannot be
    computed.

    The entries of one element of a sparse gradient are summed first. A complex gradient counts with
    its modulus.
    """
    grads = [p.grad for p in parameters if p.grad is not None]
    if not grads:
        return torch.zeros(())
    try:
        return norm(
            [grad.coalesce()._values() if grad.is_sparse else pieces(grad)[-1] for grad in grads]
        )
    except (RuntimeError, NotImplementedError, IndexError):  # a type without a norm
        return None


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """The 2-norm of tensors together, a scalar on the device of the first; types and devices may
    differ."""
    norms = list(torch._foreach_norm(list(tensors)))
    if any(one.device != norms[0].device for one in norms):
        norms = [one.to(norms[0].device) for one in norms]
    together: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return together
