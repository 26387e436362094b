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

from . import check
from .models import Dropout

BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Stacked:
    """M networks of one architecture, called together.

    networks : the different networks, U of them
    which    : (M,) index tensor: the network that each of the M starts as
    """

    def __init__(self, networks, which):
        _check(networks)
        self.template = networks[0].train()
        modules = list(self.template.modules())
        self.has_dropout = any(isinstance(m, Dropout) for m in modules)
        # What a row gives then depends on the rows it is evaluated with.
        self.mixes_rows = any(isinstance(m, BATCH_NORM) for m in modules)
        children = ([*network.body, network.head] for network in networks)
        places = zip(*children, strict=True)
        self.layers = [_layer_for(same[0])(same, which) for same in places]
        own = list(self.template.parameters())
        used = sum(p[0].numel() for p in self.parameters())
        fits = used == sum(p.numel() for p in own) and all(p.requires_grad for p in own)
        must = "build must make a network whose weights are in body and head, used once"
        got = "others (outside, shared, computed or frozen)"
        check.that(fits, f"{must} and trained", got)

    def parameters(self):
        """The stacked weights, each (M, ...), as tensors that take gradients."""
        return [p for layer in self.layers for p in layer.parameters]

    def __getitem__(self, networks):
        """Those of a slice of the M networks; they share memory with these."""
        part = copy.copy(self)
        part.layers = [copy.copy(layer) for layer in self.layers]
        for layer in part.layers:
            weights = [p.detach()[networks] for p in layer.parameters]
            layer.parameters = [p.requires_grad_() for p in weights]
        return part

    def features(self, x, dropout=None):
        """Penultimate features of all networks: (M, B, ...) to (M, B, D).

        dropout : function of a shape to the factors (M, *shape) of activations, or None
        """
        for layer in self.layers[:-1]:
            x = layer(x, dropout)
        return x

    def head(self, features):
        """Logits of all networks from their features: (M, B, D) to (M, B, K)."""
        return self.layers[-1](features, None)

    @torch.no_grad()
    def unstack(self, index):
        """Network ``index`` of the M as a module of its own, with copied weights."""
        network = copy.deepcopy(self.template)
        children = [*network.body, network.head]
        for layer, child in zip(self.layers, children, strict=True):
            layer.write(index, child)
        return network.eval()


class _Layer:
    """The same layer of M networks, under vmap: (M, B, ...) to (M, B, ...)."""

    def __init__(self, modules, which):
        self.module = modules[0]
        self.names = [name for name, _ in self.module.named_parameters()]
        weights = ([m.get_parameter(name) for m in modules] for name in self.names)
        self.parameters = [_stack(same, which) for same in weights]

    def __call__(self, x, dropout):
        def one(parameters, x):
            named = dict(zip(self.names, parameters, strict=True))
            return torch.func.functional_call(self.module, named, (x,))

        # Group norm asks for contiguous memory under vmap.
        return torch.func.vmap(one)(self.parameters, x.contiguous())

    def write(self, index, module):
        """Copy the weights of network ``index`` into a module of its architecture."""
        for name, p in zip(self.names, self.parameters, strict=True):
            module.get_parameter(name).copy_(p[index])


class _Elementwise(_Layer):
    """It treats every value alike, so one more axis in front changes nothing."""

    def __call__(self, x, dropout):
        return self.module(x)


class _Dropout(_Layer):
    def __call__(self, x, dropout):
        return x if dropout is None else x * dropout(x.shape[1:])


class _Linear(_Layer):
    def __init__(self, modules, which):
        # Transposed, (M, in, out): so its gradient needs no copy.
        weights = [m.weight.T for m in modules], [m.bias[None] for m in modules]
        self.parameters = [_stack(same, which) for same in weights]

    def __call__(self, x, dropout):
        weight, bias = self.parameters
        out = torch.baddbmm(bias, x.flatten(1, -2), weight)
        return out.view(*x.shape[:-1], out.shape[-1])

    def write(self, index, module):
        weight, bias = self.parameters
        module.weight.copy_(weight[index].T)
        module.bias.copy_(bias[index, 0])


class _Images(_Layer):
    """Convolution or pooling, the networks being groups of channels: (B, M*C, H, W)."""

    def __call__(self, x, dropout):
        images, layer = x.transpose(0, 1).flatten(1, 2), self.module
        # Several times faster for pooling and for few channels.
        images = images.contiguous(memory_format=torch.channels_last)
        if self.parameters:
            weight, bias = [*(p.flatten(0, 1) for p in self.parameters), None][:2]
            options = (layer.stride, layer.padding, layer.dilation)
            images = conv2d(images, weight, bias, *options, groups=len(x))
        else:
            images = layer(images)
        return images.unflatten(1, (len(x), -1)).transpose(0, 1)


KINDS = dict.fromkeys((nn.Identity, nn.ReLU, nn.GELU, nn.Tanh), _Elementwise)
KINDS |= dict.fromkeys((nn.MaxPool2d, nn.AvgPool2d), _Images) | {Dropout: _Dropout}


def _layer_for(module):
    """What stands for a module; where one of its options is unusual, vmap does."""
    kind = type(module)
    if kind is nn.Linear and module.bias is not None:
        return _Linear
    if kind is nn.Conv2d and (module.padding_mode, module.groups) == ("zeros", 1):
        return _Images
    if kind is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
        return lambda _, which: _Elementwise([nn.Flatten(2)], which)
    return KINDS.get(kind, _Layer)


def _stack(tensors, which):
    return torch.stack(tensors).detach()[which].contiguous().requires_grad_()


def _check(networks):
    """Raise ``ValueError`` for networks that would train otherwise, in silence."""
    first, buffers = networks[0], dict(networks[0].named_buffers())
    for network in networks:
        same = all(network.get_buffer(k).equal(buffers[k]) for k in buffers)
        must = "build must make the same architecture and buffers for every seed"
        same = same and repr(network) == repr(first)
        check.that(same, must, f"{first!r} and {network!r}")
    for name, module in first.named_modules():
        hidden = isinstance(module, Dropout) and module not in [*first.body]
        # torch 2.13 zeroes the gradient of that row in the first network alone.
        padded = getattr(module, "padding_idx", None) is not None
        fits = not hidden and (not padded or isinstance(module, nn.EmbeddingBag))
        must = "build must put models.Dropout directly into the body, and pad with "
        must += "nn.EmbeddingBag, not nn.Embedding"
        check.that(fits, must, f"{module!r} as {name!r}")
