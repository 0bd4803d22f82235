"""What torch says of an operation it dispatches: its name, what it gives back, what it writes into and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves


def sharing(tensor: Tensor, marks: Iterable[Tensor]) -> list[Tensor]:
    """Those of the marked tensors that share a tensor's memory."""
    memory = tensor.untyped_storage()._cdata
    return [one for one in marks if one.layout == torch.strided and one.untyped_storage()._cdata == memory]


def entries_of(view: Tensor) -> Tensor:
    """For every place of a view's memory the number of its entry that lies there, or -1."""
    at = torch.full((view.untyped_storage().nbytes() // view.element_size(),), -1)
    at.as_strided(view.shape, view.stride(), view.storage_offset()).copy_(torch.arange(view.numel()).view(view.shape))
    return at


def name_of(func: Any) -> str:
    """An operation's name without namespace, overload and mark of writing: "mm" of aten.mm.default, "add" of add_."""
    return str(func.overloadpacket.__name__).removesuffix("_")


def first_tensor(out: Any) -> Tensor | None:
    """The first tensor an operation gives back."""
    return next((each for each in tree_leaves(out) if isinstance(each, Tensor)), None)


def written(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The tensors an operation writes into."""
    found: list[Tensor] = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        given = args[place] if place < len(args) else kwargs.get(argument.name)
        found += [each for each in tree_flatten(given)[0] if isinstance(each, Tensor)]
    return found
