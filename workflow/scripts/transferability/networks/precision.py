"""With how many bits matrix products and convolutions are computed."""

from contextlib import AbstractContextManager, nullcontext

import torch

PRECISIONS = ("float32", "tf32", "bf16")


def use_precision(precision: str) -> None:
    """For all that follows in this process; torch by itself computes convolutions on a GPU in TF32."""
    in_float32 = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = in_float32
    torch.backends.cudnn.conv.fp32_precision = in_float32  # type: ignore[attr-defined]


def computing_in(precision: str, device: str) -> AbstractContextManager[object]:
    """Around a forward pass: with bf16, products are computed in bfloat16 from weights that stay float32."""
    if precision != "bf16":
        return nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16)
