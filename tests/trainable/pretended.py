"""A GPU that is not there: tensors that say they are on CUDA, compute on the CPU, and refuse to mix as CUDA's do.

It shows where data, weights and indices are, which is what goes wrong on a GPU that no test has seen; it says nothing
about CUDA's kernels. bf16 and Adam ask CUDA itself, and cannot be pretended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.data import DataLoader

GPU = torch.device("cuda", 0)
aten = torch.ops.aten
INDEXED = {aten.index, aten.index_put_, aten._index_put_impl_}
MAY_MIX = INDEXED | {aten.copy_, aten._to_copy}
"""Operations that take CPU tensors in addition to CUDA's: copies, and indexing by an index on the CPU."""


READ = {aten._local_scalar_dense, aten.nonzero, aten.equal}
"""Operations whose result the processor has to wait for."""
COPIED = {aten.copy_, aten._to_copy}
WAITS: list[str] = []
"""Operations so far for which the processor had to wait."""


class OnGpu(torch.Tensor):
    """A tensor on the pretended GPU; its numbers are in `inner`, on the CPU. For autograd it is a meta tensor."""

    inner: torch.Tensor
    device = property(lambda self: GPU)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "OnGpu":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
        )
        made.inner = inner
        return made

    def tolist(self) -> Any:
        """Torch has it for its own tensors only."""
        WAITS.append("tolist")
        return self.inner.tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A file holds plain tensors, which are loaded to where `map_location` says."""
        return self.inner.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})


def copies_to_cpu(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a copy is one from the GPU to the processor."""
    if len(args) > 1 and isinstance(args[1], torch.Tensor):  # copy_(target, source)
        return isinstance(args[1], OnGpu) and not isinstance(args[0], OnGpu)
    device = kwargs.get("device")
    return isinstance(args[0], OnGpu) and device is not None and torch.device(device).type == "cpu"


class Placing(TorchDispatchMode):
    """New tensors go where their `device` says."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Run an operation on the CPU; its result is where CUDA would have it. Raises RuntimeError as CUDA does."""
    operation = func.overloadpacket
    if (operation in READ and isinstance(args[0], OnGpu)) or (
        operation in COPIED and copies_to_cpu(args, kwargs)
    ):
        WAITS.append(str(func))
    tensors = [
        value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)
    ]
    there = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
    here = [tensor for tensor in tensors if not isinstance(tensor, OnGpu) and tensor.ndim]
    first_there = bool(args) and isinstance(args[0], OnGpu)
    if there and here and (operation not in MAY_MIX or (operation in INDEXED and not first_there)):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {func} found cuda:0 and cpu"
        )
    device = kwargs.get("device")
    gpu = (
        bool(there) if device is None else torch.device(device).type != "cpu"
    )  # meta: torch's own word for it
    if operation is aten.copy_:
        gpu = first_there
    if not gpu and not there:
        return func(*args, **kwargs)
    if device is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}

    def inner(value: Any) -> Any:
        return value.inner if isinstance(value, OnGpu) else value

    def placed(value: Any) -> Any:
        return OnGpu(value) if gpu and isinstance(value, torch.Tensor) else value

    found = func(*tree_map(inner, args), **tree_map(inner, kwargs))
    return return_and_correct_aliasing(func, args, kwargs, tree_map(placed, found))


@contextmanager
def pretended() -> Iterator[None]:
    """Meanwhile there is a GPU, `cuda:0`."""
    made = torch.tensor

    class Generator(torch.Generator):
        def __new__(cls, device: Any = "cpu") -> "Generator":
            return super().__new__(cls, "cpu")

    answers = {
        "is_available": True,
        "current_device": 0,
        "get_device_name": "pretended",
        "mem_get_info": (2**30, 2**30),
        "get_rng_state": torch.zeros(1, dtype=torch.uint8),
        "set_rng_state": None,
        "manual_seed": None,
        "synchronize": None,
        "_lazy_init": None,
        "set_per_process_memory_fraction": None,
    }
    with pytest.MonkeyPatch.context() as patch, Placing():
        for name, answer in answers.items():
            patch.setattr(f"torch.cuda.{name}", lambda *arguments, answer=answer, **named: answer)
        patch.setattr(torch, "Generator", Generator)
        patch.setattr(torch, "inference_mode", torch.no_grad)  # it refuses wrapped tensors
        patch.setattr(
            torch, "tensor", lambda content, device="cpu", **how: made(content, **how).to(device)
        )
        patch.setattr(
            "torch.__future__._overwrite_module_params_on_conversion", True
        )  # no `.data =` of other types
        patch.setattr(
            "trainable.data.streaming.DataLoader",
            lambda *args, **how: DataLoader(*args, **{**how, "pin_memory": False}),
        )
        yield
