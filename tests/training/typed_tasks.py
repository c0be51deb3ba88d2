"""Tasks whose models have parameters, buffers and layers of other kinds than dense floats."""

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.data import TensorDataset


class Base:
    """A small regression."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def dataset(self):
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(48, 4, generator=generator)
        return TensorDataset(x, x.sum(1, keepdim=True) / 4)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0]).float(), batch[1])


class _Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Parameter(torch.randn(4, 3, dtype=torch.complex64))
        self.head = nn.Linear(3, 1)

    def forward(self, x):
        return self.head((x.to(torch.complex64) @ self.mix).abs())


class Complex(Base):
    """Complex and real parameters, as in Fourier layers."""

    def model(self):
        return _Waves()


class ComplexOnly(Base):
    """Nothing but complex parameters, of double precision."""

    def model(self):
        return nn.Linear(4, 1, dtype=torch.complex128)

    def loss(self, model, batch):
        return (model(batch[0].to(torch.complex128)) - batch[1]).abs().square().mean()


class _Observed(nn.Module):
    """Knows the range of each channel once it has seen a batch, as the observers of
    quantisation-aware training do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("highest", torch.tensor([]))

    def forward(self, x):
        found = x.detach().amax(0)
        self.highest.resize_(found.shape).copy_(found)
        return x / (1 + self.highest.abs())

    def _load_from_state_dict(self, state_dict, prefix, *others):
        self.highest.resize_(state_dict[f"{prefix}highest"].shape)
        super()._load_from_state_dict(state_dict, prefix, *others)


class ResizedBuffer(Base):
    """A buffer that the first step gives its shape in place."""

    def model(self):
        return nn.Sequential(nn.Linear(4, 8), _Observed(), nn.Linear(8, 1))


class HalfWeights(Base):
    """bfloat16 weights."""

    def model(self):
        return super().model().to(torch.bfloat16)

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0].to(torch.bfloat16)).float(), batch[1])


class Doubles(Base):
    """float64 weights and loss."""

    def model(self):
        return super().model().double()

    def loss(self, model, batch):
        return nn.functional.mse_loss(model(batch[0].double()), batch[1].double())


class _Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(
            [nn.Linear(4, 1, dtype=kind) for kind in (torch.float32, torch.float64, torch.bfloat16)]
        )
        self.turn = nn.Parameter(torch.ones(1, dtype=torch.complex64))

    def forward(self, x):
        made = [part(x.to(part.weight.dtype)).float() for part in self.parts]
        return sum(made) * self.turn.real


class Mixed(Base):
    """Parameters of four types in one model."""

    def model(self):
        return _Mixed()


class _Buffered(nn.Module):
    def __init__(self, buffer):
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.out = nn.Linear(4, 1)
        self.register_buffer("held", buffer)

    def forward(self, x):
        held = self.held.dequantize() if self.held.is_quantized else self.held.to_dense()
        return self.out(torch.tanh(self.inner(x)) @ held.float())


class SparseBuffer(Base):
    """A sparse buffer."""

    def model(self):
        return _Buffered(torch.eye(4).to_sparse())


class CsrBuffer(Base):
    """A sparse buffer of compressed rows."""

    def model(self):
        return _Buffered(torch.eye(4).to_sparse_csr())


class QuantisedBuffer(Base):
    """A quantised buffer."""

    def model(self):
        return _Buffered(torch.quantize_per_tensor(torch.eye(4), 0.1, 0, torch.quint8))


class BoolBuffer(Base):
    """A mask."""

    def model(self):
        return _Buffered(torch.eye(4) > 0)


class Tied(Base):
    """Two layers with one weight."""

    def model(self):
        first, second = nn.Linear(4, 4), nn.Linear(4, 4)
        second.weight = first.weight
        return nn.Sequential(first, nn.Tanh(), second, nn.Linear(4, 1))


class ThawedLater(Base):
    """A layer that is frozen for four losses, then trained."""

    def __init__(self):
        self.calls = 0

    def model(self):
        model = super().model()
        model[0].weight.requires_grad_(False)
        return model

    def loss(self, model, batch):
        self.calls += 1
        if self.calls == 5:
            model[0].weight.requires_grad_(True)
        return super().loss(model, batch)


class FrozenByTask(Base):
    """A layer that is never trained."""

    def model(self):
        model = super().model()
        model[0].requires_grad_(False)
        return model


class _Closing(nn.Module):
    def __init__(self):
        super().__init__()
        first, last = nn.Linear(4, 8), nn.Linear(8, 1)
        self.layers = nn.ModuleList([first, last])
        self.run = lambda x: last(torch.tanh(first(x)))

    def forward(self, x):
        return self.run(x)


class Closures(Base):
    """Layers that the forward pass reaches through a closure only."""

    def model(self):
        return _Closing()


class HookedGradients(Base):
    """Gradients clipped by hooks on the parameters, and by a backward hook on a module."""

    def model(self):
        model = super().model()
        for p in model.parameters():
            p.register_hook(lambda g: g.clamp(-0.01, 0.01))
        model[0].register_full_backward_hook(lambda module, given, made: None)
        return model


class OldWeightNorm(Base):
    """torch.nn.utils.weight_norm, whose weight is no leaf."""

    def model(self):
        model = super().model()
        nn.utils.weight_norm(model[0])
        return model


class Pruned(Base):
    """A pruned layer."""

    def model(self):
        model = super().model()
        prune.l1_unstructured(model[0], "weight", amount=0.3)
        return model


class Spectral(Base):
    """Spectral norm: each forward pass in train mode moves a buffer."""

    def model(self):
        model = super().model()
        parametrizations.spectral_norm(model[0])
        return model


class Orthogonal(Base):
    """A parametrised weight."""

    def model(self):
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
        parametrizations.orthogonal(model[0])
        return model


class Scripted(Base):
    """A scripted model."""

    def model(self):
        return torch.jit.script(super().model())


class Traced(Base):
    """A traced model."""

    def model(self):
        return torch.jit.trace(super().model(), torch.zeros(2, 4))


class Lazy(Base):
    """Layers that take their shapes from the first batch."""

    def model(self):
        return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Tanh(), nn.LazyLinear(1))


class LazyConv(Base):
    """The same with a convolution, and dropout, which draws."""

    def model(self):
        return nn.Sequential(
            nn.Unflatten(1, (1, 4)),
            nn.LazyConv1d(3, 2),
            nn.Flatten(),
            nn.Dropout(0.1),
            nn.LazyLinear(1),
        )


class EmptyParameter(Base):
    """A parameter without elements, and one that the loss does not use."""

    def model(self):
        model = super().model()
        model.register_parameter("empty", nn.Parameter(torch.zeros(0, 3)))
        model.register_parameter("unused", nn.Parameter(torch.ones(2)))
        return model


class SparseEmbedding(Base):
    """An embedding with sparse gradients."""

    def model(self):
        return nn.Sequential(nn.Embedding(50, 4, sparse=True), nn.Flatten(), nn.Linear(4, 1))

    def loss(self, model, batch):
        return nn.functional.mse_loss(model((batch[0][:, :1].abs() * 10).long()), batch[1])


class MetaBuilt(Base):
    """Built on the meta device, then given memory and weights."""

    def model(self):
        with torch.device("meta"):
            model = Base.model(self)
        model.to_empty(device="cpu")
        for p in model.parameters():
            nn.init.uniform_(p, -0.3, 0.3)
        return model
