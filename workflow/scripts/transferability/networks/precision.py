"""The precision in which matrix products and convolutions are computed."""

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = ("float32", "tf32", "bf16")


def use_precision(precision: str) -> None:
    """Set the precision for the rest of this process; torch's default for convolutions on a GPU is TF32."""
    in_float32 = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = in_float32
    torch.backends.cudnn.conv.fp32_precision = in_float32  # type: ignore[attr-defined]


def computing_in(precision: str, device: str) -> AbstractContextManager[object]:
    """A context for forward passes: with bf16, products are computed in bfloat16 from weights that stay float32."""
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16)
