"""Whether what is asked for fits: bytes needed, bytes there, and one line with the remedy where it does not."""

from __future__ import annotations

import os

import torch

from powercount.derivations.recipe import PowercountError

MEMORY_SHARE = 0.5  # of what is there: the rest is for the operating system, and for what allocators waste


def memory_here(device: str = "cpu") -> int:
    """Bytes of memory of this machine, or of its accelerator."""
    if device == "cuda":
        return int(torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_fits(needed: int, what: str, remedy: str, error: type[PowercountError], device: str = "cpu") -> None:
    """Raise ``error`` where ``what`` needs more than half of the memory there."""
    here = memory_here(device)
    if needed > MEMORY_SHARE * here:
        place = "this machine" if device == "cpu" else "its accelerator"
        raise error(f"{what} about {needed / 2**30:.1f} GiB and {place} has {here / 2**30:.1f} GiB; choose {remedy}")
