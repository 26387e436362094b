"""Many networks of one architecture as one: every weight has a leading axis M.

A network that can be stacked has a ``body`` (nn.Sequential) that gives the penultimate
features and a ``head`` that gives the logits, as those of ``models`` do. Its linear
layers become one batched matrix product, its convolutions one grouped convolution,
everything else runs under ``torch.func.vmap``.
"""

import copy

import torch
from torch import nn
from torch.nn.functional import conv2d

from .models import Dropout

# They treat every value alike, so one more axis in front changes nothing.
ELEMENTWISE = (
    nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh,
    nn.Sigmoid,
)  # fmt: skip
POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


class Stacked:
    """M networks of one architecture, called together.

    networks : the different networks, U of them
    which    : (M,) index tensor: the network that each of the M starts as
    raises   : ValueError for networks that cannot be stacked, saying why
    """

    def __init__(self, networks, which):
        for network in networks:
            _check_stackable(network, networks[0])
        self.template = networks[0].train()
        modules = list(self.template.modules())
        self.has_dropout = any(isinstance(m, Dropout) for m in modules)
        # What a row gives then depends on the rows it is evaluated with.
        batch_norm = nn.modules.batchnorm._BatchNorm
        self.mixes_rows = any(isinstance(m, batch_norm) for m in modules)
        children = [[*network.body, network.head] for network in networks]
        self.layers = [
            _layer_for(same_place[0])(same_place, which)
            for same_place in zip(*children, strict=True)
        ]

    def parameters(self):
        """The stacked weights, each (M, ...), as tensors that take gradients."""
        return [p for layer in self.layers for p in layer.parameters]

    def __getitem__(self, networks):
        """Those of a slice of the M networks; they share memory with these."""
        part = copy.copy(self)
        part.layers = [copy.copy(layer) for layer in self.layers]
        for layer in part.layers:
            layer.parameters = [
                p.detach()[networks].requires_grad_() for p in layer.parameters
            ]
        return part

    def to(self, device):
        """The same networks with their weights on ``device``."""
        self.template.to(device)  # for its buffers
        for layer in self.layers:
            layer.parameters = [
                p.detach().to(device).requires_grad_() for p in layer.parameters
            ]
        return self

    def features(self, x, dropout=None):
        """Penultimate features of all networks: (M, B, ...) to (M, B, D).

        dropout : function of a shape that returns the factors (M, *shape) by which
                  an activation is multiplied, or None for no dropout
        """
        for layer in self.layers[:-1]:
            x = layer(x, dropout)
        return x

    def head(self, features):
        """Logits of all networks from their features: (M, B, D) to (M, B, K)."""
        return self.layers[-1](features, None)

    def unstack(self, index):
        """Network ``index`` of the M as a module of its own, with copied weights."""
        network = copy.deepcopy(self.template)
        children = [*network.body, network.head]
        with torch.no_grad():
            for layer, child in zip(self.layers, children, strict=True):
                layer.write(index, child)
        return network.eval()


class _Layer:
    """The same layer of M networks: (M, B, ...) to (M, B, ...)."""

    parameters = ()

    def __init__(self, modules, which):
        self.module = modules[0]

    def write(self, index, module):
        """Copy the weights of network ``index`` into a module of its architecture."""


class _Elementwise(_Layer):
    def __call__(self, x, dropout):
        return self.module(x)


class _Flatten(_Layer):
    def __call__(self, x, dropout):
        return x.flatten(2)


class _Dropout(_Layer):
    def __call__(self, x, dropout):
        return x if dropout is None else x * dropout(x.shape[1:])


class _Linear(_Layer):
    def __init__(self, modules, which):
        # Transposed, (M, in, out): so its gradient needs no copy.
        self.parameters = _stack([m.weight.T for m in modules], which)
        if modules[0].bias is not None:
            self.parameters += _stack([m.bias.unsqueeze(0) for m in modules], which)

    def __call__(self, x, dropout):
        rows = x.flatten(1, -2)
        weight, *bias = self.parameters
        out = torch.baddbmm(*bias, rows, weight) if bias else torch.bmm(rows, weight)
        return out.view(*x.shape[:-1], out.shape[-1])

    def write(self, index, module):
        weight, *bias = self.parameters
        module.weight.copy_(weight[index].T)
        for b in bias:
            module.bias.copy_(b[index, 0])


class _OnImages(_Layer):
    """For (M, B, C, H, W), with the networks as groups of channels: (B, M*C, H, W).

    Channels last in memory: several times faster for pooling and for few channels.
    """

    def __call__(self, x, dropout):
        images = x.transpose(0, 1).flatten(1, 2)
        out = self.on_images(images.contiguous(memory_format=torch.channels_last))
        return out.unflatten(1, (len(x), -1)).transpose(0, 1)


class _Pooling(_OnImages):
    def on_images(self, images):
        return self.module(images)


class _Conv2d(_OnImages):
    def __init__(self, modules, which):
        first = modules[0]
        self.options = (first.stride, first.padding, first.dilation)
        self.parameters = _stack([m.weight for m in modules], which)
        if first.bias is not None:
            self.parameters += _stack([m.bias for m in modules], which)

    def on_images(self, images):
        weight, *bias = (p.flatten(0, 1) for p in self.parameters)
        bias = bias[0] if bias else None
        networks = len(self.parameters[0])
        return conv2d(images, weight, bias, *self.options, groups=networks)

    def write(self, index, module):
        for target, p in zip(module.parameters(), self.parameters, strict=True):
            target.copy_(p[index])


class _Other(_Layer):
    """Any other layer, under vmap."""

    def __init__(self, modules, which):
        self.module = modules[0]
        self.names = [name for name, _ in self.module.named_parameters()]
        self.parameters = [
            p
            for name in self.names
            for p in _stack([m.get_parameter(name) for m in modules], which)
        ]

    def __call__(self, x, dropout):
        x = x.contiguous()  # group norm asks for it under vmap

        def one(parameters, x):
            named = dict(zip(self.names, parameters, strict=True))
            return torch.func.functional_call(self.module, named, (x,))

        if not self.parameters:
            return torch.func.vmap(self.module)(x)
        return torch.func.vmap(one)(self.parameters, x)

    def write(self, index, module):
        for name, p in zip(self.names, self.parameters, strict=True):
            module.get_parameter(name).copy_(p[index])


def _layer_for(module):
    kinds = {nn.Linear: _Linear, Dropout: _Dropout}
    if type(module) in kinds:
        return kinds[type(module)]
    if type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return _Flatten
    if type(module) in ELEMENTWISE:
        return _Elementwise
    if type(module) in POOLING:
        return _Pooling
    plain = type(module) is nn.Conv2d and module.padding_mode == "zeros"
    return _Conv2d if plain and module.groups == 1 else _Other


def _stack(tensors, which):
    stacked = torch.stack([t.detach() for t in tensors])
    return [stacked[which].contiguous().requires_grad_()]


def _check_stackable(network, first):
    """Raise ``ValueError``, naming the reason, when a network cannot be stacked."""
    body, head = getattr(network, "body", None), getattr(network, "head", None)
    if not isinstance(body, nn.Sequential) or not isinstance(head, nn.Module):
        raise ValueError(
            "build must make a network with a body (nn.Sequential) and a head, as "
            f"those of lsr_utils.models; got {type(network).__name__} without."
        )
    for name, module in network.named_modules():
        if getattr(module, "running_mean", None) is not None:
            raise ValueError(
                f"build must make a network without running statistics, got "
                f"{type(module).__name__} as {name!r}: they are not trained by "
                "gradients, and cannot be stacked. Use nn.GroupNorm or nn.LayerNorm, "
                "or track_running_stats=False."
            )
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p:
            raise ValueError(
                f"build must use lsr_utils.models.Dropout, whose masks networks can "
                f"share, got {type(module).__name__} as {name!r}."
            )
        if isinstance(module, Dropout) and not any(m is module for m in body):
            raise ValueError(
                f"build must put models.Dropout directly into the body, got {name!r}."
            )
        if getattr(module, "padding_idx", None) is not None and not isinstance(
            module, nn.EmbeddingBag
        ):
            # torch 2.13 zeroes the gradient of that row in the first network alone.
            raise ValueError(
                f"build must make a network without padding_idx, got "
                f"{type(module).__name__} as {name!r}: torch.func.vmap trains that row "
                "too. Use nn.EmbeddingBag, or a mask."
            )
        if module._forward_hooks or module._forward_pre_hooks:
            raise ValueError(
                f"build must make a network without hooks, got {type(module).__name__} "
                f"as {name!r} with some (the older weight_norm is one)."
            )
    if any(not p.requires_grad for p in network.parameters()):
        raise ValueError("build must make a network without frozen weights, got some.")
    placed = sum(p.numel() for m in [*body, head] for p in m.parameters())
    if placed != sum(p.numel() for p in network.parameters()):
        raise ValueError(
            "build must make a network whose weights all lie in body and head, each "
            "used once, got others or shared ones."
        )
    shapes, wanted = (
        [(name, p.shape) for name, p in n.named_parameters()] for n in (network, first)
    )
    if shapes != wanted or repr(network) != repr(first):
        raise ValueError(
            "build must make the same architecture for every seed, got two: "
            f"{first!r} and {network!r}."
        )
    for name, buffer in first.named_buffers():
        if not buffer.equal(network.get_buffer(name)):
            raise ValueError(
                f"build must make the same buffers for every seed, got two of {name!r}."
            )
