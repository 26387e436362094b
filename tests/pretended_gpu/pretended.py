"""A pretended CUDA device: real values, held to CUDA's rules about devices.

A tensor on it wraps one on the CPU. A call that mixes devices, draws on the device by a
generator of the CPU, or hands a tensor of the device to numpy fails as it would there.
``waits`` counts what a host would wait for: values and copies that come back.

`import pretended` comes before torch; it loads the library of backend.cpp, whose path
is in PRETENDED_BACKEND. With PRETENDED_KIND=mps the device has no float64.
"""

import collections
import contextlib
import ctypes
import os

BACKEND = ctypes.CDLL(os.environ["PRETENDED_BACKEND"])

import torch  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves, tree_map  # noqa: E402

BACKEND.pretend()
NO_FLOAT64 = os.environ.get("PRETENDED_KIND") == "mps"
aten = torch.ops.aten
waits = collections.Counter()  # of the host, by operation
# They may take a tensor of the other device: to copy it, or as an index on the CPU.
CROSSING = {
    aten.copy_.default, aten._to_copy.default, aten.fill_.Tensor, aten.index.Tensor,
    aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default,
    aten._unsafe_index.Tensor,
}  # fmt: skip
INDEXING = {op for op in CROSSING if "index" in op._schema.name}
# Where the result lies is told by the tensor that is written into.
INTO = {aten.copy_.default, aten.fill_.Tensor, aten.index_put_.default}
# Even a number as a tensor (0-d) has to lie on the device for these.
STRICT = (
    "cat", "stack", "gather", "scatter", "index_select", "index_add", "embedding", "mm",
    "bmm", "addmm", "baddbmm", "equal", "searchsorted", "bucketize", "_fused_adamw_",
    "linalg", "convolution", "repeat_interleave",
)  # fmt: skip
COUNTED = ("nonzero", "masked_select", "_unique2", "unique_consecutive", "unique_dim")


class DeviceError(RuntimeError):
    """What PyTorch would have raised on a machine with the device."""


class OnDevice(torch.Tensor):
    """A tensor that says it lies on cuda:0; ``held`` is its content, on the CPU."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), dtype=held.dtype,
            storage_offset=held.storage_offset(), device="cuda:0",
        )  # fmt: skip

    def __init__(self, held):
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})

    def numpy(self, *args, **kwargs):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")

    __array__ = numpy

    def tolist(self):
        waits["tolist"] += 1
        return self.held.tolist()

    def data_ptr(self):
        return self.held.data_ptr()

    def untyped_storage(self):  # by which Triton's interpreter reads and writes
        return self.held.untyped_storage()

    def new_tensor(self, data, dtype=None, device="cuda"):
        return tensor(data, dtype=dtype or self.dtype, device=device)

    def __getitem__(self, index):
        return super().__getitem__(_index(index))

    def __setitem__(self, index, value):
        super().__setitem__(_index(index), value)

    def __format__(self, how):
        return format(self.item(), how)

    def __deepcopy__(self, memo):
        memo[id(self)] = copy = _again(*self.__reduce_ex__(2)[1])
        return copy

    def __reduce_ex__(self, protocol):
        parameter = isinstance(self, torch.nn.Parameter)
        return _again, (self.held.detach().clone(), self.requires_grad, parameter)


def _again(held, requires_grad, parameter):
    made = OnDevice(held)
    if parameter:
        return torch.nn.Parameter(made, requires_grad)
    return made.requires_grad_(requires_grad)


def _index(index):
    """Lists among an index as tensors of the CPU: PyTorch makes them in C++."""
    if isinstance(index, tuple):
        return tuple(map(_index, index))
    return _tensor(index, device="cpu") if isinstance(index, list) else index


def run(func, args, kwargs):
    """One operation: held to the rules, then done on the CPU."""
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    ours = [t for t in tensors if isinstance(t, OnDevice)]
    others = [t for t in tensors if not isinstance(t, OnDevice)]
    first = args[0] if args else None
    name = func._schema.name.split("::")[1]
    asked = kwargs.get("device")
    asked = None if asked is None else torch.device(asked)
    if ours and others:
        _mixed(func, name, first, others)
    there = bool(ours) if asked is None else asked.type == "cuda"
    if func in INTO:
        there = isinstance(first, OnDevice)
    back = func is aten._to_copy.default and asked is not None and asked.type == "cpu"
    if ours and (back or func is aten._local_scalar_dense.default or name in COUNTED):
        waits[name] += 1
    drawn_by = [leaf for leaf in leaves if isinstance(leaf, torch.Generator)]
    if there and any(generator.device.type == "cpu" for generator in drawn_by):
        raise DeviceError(f"Expected a 'cuda' device type for generator ({func})")
    if asked is not None and asked.type == "cuda":
        kwargs = {**kwargs, "device": torch.device("cpu")}
    same = {id(t.held): t for t in ours}  # what is written into comes back as it was
    args, kwargs = tree_map(_held, (args, kwargs))
    result = func(*args, **kwargs)

    def wrapped(value):
        if not isinstance(value, torch.Tensor) or not there:
            return value
        if NO_FLOAT64 and value.dtype == torch.float64:
            raise DeviceError(f"The MPS framework doesn't support float64 ({func})")
        return same[id(value)] if id(value) in same else OnDevice(value)

    return tree_map(wrapped, result)


def _mixed(func, name, first, others):
    """Raise where a call may not mix devices."""
    numbers_too = name.startswith(STRICT)
    if name.endswith("_") and isinstance(first, torch.Tensor):
        numbers_too |= not isinstance(first, OnDevice)
    wrong = [t for t in others if t.dim() or numbers_too]
    if func in CROSSING:
        wrong = func in INDEXING and not isinstance(first, OnDevice)
    if wrong:
        raise DeviceError(f"Expected all tensors to be on the same device ({func})")


def _held(value):
    return value.held if isinstance(value, OnDevice) else value


class Pretended(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return run(func, args, kwargs or {})


_tensor, _as_tensor = torch.tensor, torch.as_tensor


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """As torch.tensor, which makes tensors of data in C++, past the dispatcher."""
    if isinstance(data, torch.Tensor):
        return data.detach().clone().to(device, dtype).requires_grad_(requires_grad)
    device = torch.empty(()).device if device is None else device
    made = _tensor(data, dtype=dtype, device="cpu").to(device)
    return made.requires_grad_(requires_grad)


def as_tensor(data, dtype=None, device=None):
    if isinstance(data, torch.Tensor):
        return data.to(data.device if device is None else device, dtype or data.dtype)
    device = torch.empty(()).device if device is None else device
    return _as_tensor(data, dtype=dtype, device="cpu").to(device)


def install():
    """Make torch answer as on a machine with one CUDA device, from here on."""
    nothing = (
        "synchronize", "reset_peak_memory_stats", "empty_cache", "_lazy_init",
        "manual_seed", "manual_seed_all",
    )  # fmt: skip
    cuda = dict.fromkeys(nothing) | {
        "is_available": True, "device_count": 1, "current_device": 0,
        "memory_allocated": 0, "max_memory_allocated": 0, "is_bf16_supported": True,
        "get_device_name": "a pretended GPU", "get_device_capability": (9, 0),
    }  # fmt: skip
    accelerator = {"is_available": True, "device_count": 1}
    accelerator["current_accelerator"] = torch.device("cuda")
    for where, answers in ((torch.cuda, cuda), (torch.accelerator, accelerator)):
        for name, answer in answers.items():
            setattr(where, name, lambda *_, answer=answer, **__: answer)
    torch.cuda.device = contextlib.nullcontext
    torch.tensor, torch.as_tensor = tensor, as_tensor
    # A parameter that moves is a new one: PyTorch swaps only the data of its own kind.
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    Pretended().__enter__()
