r"""What a step of any optimizer did to any torch model, at every use of every parameter: one forward pass, replayed.

The user's own step has been made; theta_0 stands in the model again, theta_1 is known. One forward pass is run, and
every operation torch dispatches is seen. A tensor computed from parameters alone (a transpose, a mask times a weight, a
low-rank product, a lookup at constant places) carries its values at theta_0 and, for each parameter it was made from,
with that one at theta_1. Where such a tensor first meets data the parameter is used:

    own = op(x_0, W_1) - op(x_0, W_0)          the own update: its input as it was, nothing inherited
    act = op(x_0, W_0)

What follows a use and only rearranges it or multiplies it by a number (a view, a split into q, k and v, f = W h / n) is
followed: a use is read off where its last such form is, and each part of a split is a use of its own.

Data is what is neither a parameter nor a buffer nor made from these: the batch, and whatever is drawn at random on the
way. Values of parameters keep their precision where the model casts them down (autocast), for there the change of a
weight would be rounded away. In-place operations are replayed on copies.

Worked line: y = x W^T / n with W moved by D gives one use, of own x D^T / n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from powercount.empirical.dispatched import entries_of, first_tensor, name_of, sharing, written
from powercount.empirical.uses import Fans, Followed, Use

aten: Final = torch.ops.aten
# What only rearranges its first argument, by the operation's name.
SPLITS: Final = ("slice", "select", "split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes", "unbind")
VIEWS: Final = ("view", "_unsafe_view", "_reshape_alias", "t", "transpose", "permute", "unsqueeze", "squeeze", "expand")
COPIES: Final = ("clone", "alias", "detach", "_to_copy")
MOVES: Final = frozenset((*SPLITS, *VIEWS, *COPIES))
ADDED: Final = ("addmm", "baddbmm", "addmv")
PRODUCTS: Final = frozenset(("mm", "bmm", "mv", "dot", *ADDED))
LOOKUPS: Final = frozenset(("embedding", "_embedding_bag", "_embedding_bag_forward_only", "index", "index_select"))
FACTORS: Final = frozenset(("mul", "div"))
SUMS: Final = frozenset(("add", "sub"))
JOINS: Final = frozenset(("cat", "stack"))


@dataclass(slots=True)
class Pair:
    """A tensor made from parameters alone: its value at theta_0, and with each of them at theta_1."""

    before: Tensor
    after: dict[str, Tensor]


def wide(value: Tensor) -> Tensor:
    """A value in float32 at least: what a step changes would be lost in the rounding of an output in 16 bits."""
    short = value.is_floating_point() and torch.finfo(value.dtype).bits < 32
    return value.detach().float() if short else value.detach()


def replay(
    forward: Callable[[], Any],
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    constants: Iterable[Tensor] = (),
) -> list[Use]:
    """Every use of every parameter in one forward pass at theta_0, in the order of the operations.

    ``before`` are the model's own parameter tensors by name, as they stand in it, ``after`` their values at theta_1,
    of the same shapes; ``constants`` are its buffers. The caller puts random state and buffers back.
    """
    mode = Replay(before, after, constants)
    with torch.no_grad(), plainly(), mode:
        forward()
    return [use for followed in mode.found for use in followed.uses()]


@contextmanager
def plainly() -> Iterator[None]:
    """Without what computes several uses as one operation: compiled graphs, fused attention and recurrent layers."""
    fused = torch.backends.mha.get_fastpath_enabled()
    library, *_ = torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        # Older versions than torch 2.6 have no stance: what is compiled there stays so.
        stance = getattr(torch.compiler, "set_stance", None)
        with nullcontext() if stance is None else stance("force_eager"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        torch.backends.mkldnn.set_flags(library)  # type: ignore[no-untyped-call]


class Replay(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The measuring pass; ``found`` are the uses, in the order of the operations."""

    def __init__(
        self, before: Mapping[str, Tensor], after: Mapping[str, Tensor], constants: Iterable[Tensor] = ()
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pairs, self.constant, self.uses = (WeakTensorKeyDictionary() for _ in range(3))
        self.alive: list[Tensor] = []  # a tensor that is marked must not be another's by its address
        for name, tensor in before.items():
            self._pair(tensor, Pair(wide(tensor), {name: wide(after[name])}))
        for tensor in constants:
            self._constant(tensor)
        self.place, self.found = 0, list[Followed]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        self.place += 1
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        paired = [each for each in tensors if each in self.pairs]
        of_data = any(each not in self.pairs and each not in self.constant for each in tensors)
        random = torch.Tag.nondeterministic_seeded in func.tags
        if not paired:
            followed, rest = self._followed(func, args, kwargs)
            out = func(*args, **kwargs)
            # torch.tensor(2.0) on the way is a number; what is made of longer lists may be the batch.
            literal = name_of(func) == "lift_fresh" and tensors[0].numel() == 1
            if literal or (not of_data and not random):
                for each in tree_leaves(out):
                    self._constant(each)
            else:
                self._forget_written(func, args, kwargs)
                self._follow(func, rest, kwargs, out, followed)
            return out
        if of_data and not self._picked(func, args, kwargs, tensors):
            return self._used(func, args, kwargs, paired)
        return self._of_parameters(func, args, kwargs)

    def _picked(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], tensors: Sequence[Tensor]) -> bool:
        """Whether data only says which entries: of a matrix for each example, or those that are written anew.

        The matrix is then used where it meets data; a row that is looked up is itself the output.
        """
        data = [each for each in tensors if each not in self.pairs and each not in self.constant]
        if any(each.is_floating_point() or each.is_complex() for each in data):
            return False
        into, operation = written(func, args, kwargs), name_of(func)
        if into:
            return all(each in self.pairs for each in into)
        if operation not in ("index", "index_select") or args[0] not in self.pairs:
            return False
        shape: Sequence[int] = args[0].shape
        at = (
            [args[1] % len(shape)]
            if operation == "index_select"
            else [d for d, i in enumerate(args[1]) if i is not None]
        )
        return sum(size > 1 for d, size in enumerate(shape) if d not in at) > 1

    def _pair(self, tensor: Any, pair: Pair) -> None:
        if isinstance(tensor, Tensor):
            self.alive.append(tensor)
            if tensor in self.constant:
                del self.constant[tensor]
            self.pairs[tensor] = pair

    def _constant(self, tensor: Any) -> None:
        if isinstance(tensor, Tensor) and tensor not in self.pairs:
            self.alive.append(tensor)
            self.constant[tensor] = True

    def _forget_written(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """What data has been written into is data, no longer a use's output, and so is what shares its memory."""
        for each in written(func, args, kwargs):
            for marks in (self.constant, self.pairs, self.uses):
                for other in sharing(each, marks):
                    del marks[other]

    def _write_through(self, target: Tensor) -> None:
        """What was made of parameters and written into a view is in everything that shares its memory."""
        at, new = entries_of(target), self.pairs[target]
        for other in [one for marks in (self.constant, self.pairs) for one in sharing(target, marks)]:
            if other is target or other.dtype != target.dtype:
                continue
            place = at.as_strided(other.shape, other.stride(), other.storage_offset())
            if not bool((place >= 0).any()):
                continue
            old = self.pairs[other] if other in self.pairs else Pair(other, {})

            def both(kept: Tensor, fresh: Tensor, place: Tensor = place) -> Tensor:
                return torch.where(place >= 0, fresh.reshape(-1)[place.clamp_min(0)], kept)

            after = {
                name: both(old.after.get(name, old.before), new.after.get(name, new.before))
                for name in dict.fromkeys((*old.after, *new.after))
            }
            self._pair(other, Pair(both(old.before, new.before), after))

    def _at(self, name: str | None, precise: torch.dtype | None = None) -> Callable[[Any], Any]:
        """A leaf's value with one parameter at theta_1, or all at theta_0; data in the precision of the parameters."""

        def value(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                number = isinstance(leaf, torch.dtype) and leaf.is_floating_point
                return precise if precise is not None and number else leaf
            if leaf in self.pairs:
                pair = self.pairs[leaf]
                return pair.before if name is None else pair.after.get(name, pair.before)
            return leaf.to(precise) if precise is not None and leaf.is_floating_point() else leaf

        return value

    def _again(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], name: str | None, precise: torch.dtype | None
    ) -> Any:
        """The operation once more, on other values; what it would write into is copied first."""
        own = {id(each) for each in written(func, args, kwargs)}

        def value(leaf: Any) -> Any:
            found = self._at(name, precise)(leaf)
            return found.clone() if isinstance(leaf, Tensor) and id(leaf) in own else found

        return func(*tree_map(value, tuple(args)), **tree_map(value, dict(kwargs)))

    def _moved(
        self,
        func: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        paired: Sequence[Tensor],
        precise: torch.dtype | None,
    ) -> tuple[dict[str, Any], Any]:
        """What an operation gives with each parameter at theta_1 alone, and in a precision of its own at theta_0.

        What it draws beside a parameter, such as entries to drop, it draws alike each time, and the model itself last.
        """
        state, moved = torch.get_rng_state(), dict[str, Any]()
        names = list(dict.fromkeys(name for each in paired for name in self.pairs[each].after))
        for name in names:
            moved[name] = self._again(func, args, kwargs, name, precise)
            torch.set_rng_state(state)
        base = None
        if precise is not None:
            base = self._again(func, args, kwargs, None, precise)
            torch.set_rng_state(state)
        return moved, base

    def _of_parameters(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """An operation on parameters and constants alone: its result carries a value for each of them."""
        paired = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor) and each in self.pairs]
        precise = self._precision(func, paired)
        moved, base = self._moved(func, args, kwargs, paired, precise)
        kept = None if precise is None else tree_leaves(base)
        out = func(*args, **kwargs)
        for index, each in enumerate(tree_leaves(out)):
            if isinstance(each, Tensor):
                after = {name: tree_leaves(value)[index] for name, value in moved.items()}
                self._pair(each, Pair(each if kept is None else kept[index], after))
        for each in written(func, args, kwargs):
            if each in self.pairs:
                self._write_through(each)
        return out

    def _precision(self, func: Any, paired: Sequence[Tensor]) -> torch.dtype | None:
        """The dtype the parameters' values are kept in, where that is more than the operation's own; None where not."""
        kept = [self.pairs[each].before.dtype for each in paired if each.is_floating_point()]
        if not kept:
            return None
        most = max(kept, key=lambda dtype: torch.finfo(dtype).bits)
        seen = [each.dtype for each in paired if each.is_floating_point()]
        lower = any(torch.finfo(each).bits < torch.finfo(most).bits for each in seen)
        return most if lower or name_of(func) == "_to_copy" else None

    def _used(self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any], paired: Sequence[Tensor]) -> Any:
        """Parameters meet data: the operation is evaluated with each of them at theta_1 and all else as it is."""
        precise, operation = self._precision(func, paired), name_of(func)
        if operation in JOINS:
            for each in paired:  # what is joined to data keeps its own entries
                pair = self.pairs[each]
                changes = {name: value - pair.before for name, value in pair.after.items()}
                entries: dict[str, Fans] = dict.fromkeys(changes, (None, each.shape[-1] if each.dim() else 1))
                self.found.append(Followed(operation, self.place, changes, pair.before, entries))
            return func(*args, **kwargs)
        moved, base = self._moved(func, args, kwargs, paired, precise)
        fans = {name: self._fans(operation, args, paired, name) for name in moved}
        passed = self._passed(func, args, kwargs)
        out = func(*args, **kwargs)
        self._forget_written(func, args, kwargs)
        at_start = first_tensor(out if base is None else base)
        if at_start is None or not (at_start.is_floating_point() or at_start.is_complex()):
            return out
        changes = {}
        for name, value in moved.items():
            there = first_tensor(value)
            assert there is not None  # one operation, the same outputs
            changes[name] = (there - at_start).masked_fill(there == at_start, 0)  # as where both are infinite
        act = at_start.clone()
        followed = Followed(operation, self.place, changes, act, fans)
        self.found.append(followed)
        seen = first_tensor(out)
        assert seen is not None
        earlier = []
        for at, further in passed:
            changed = {of: further(each) for of, each in at.changes.items()}
            if all(each.shape == seen.shape for each in changed.values()):
                part = Followed(at.operation, at.place, changed, act, at.fans, cut=at.cut)
                at.parts.append(part)
                earlier.append(part)
        self._mark_use(seen, [followed, *earlier])
        return out

    def _passed(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> list[tuple[Followed, Callable[[Tensor], Tensor]]]:
        """The uses that go on through a parameter: a bias apart from its matrix, or one number that multiplies."""
        operation = name_of(func)
        if operation in SUMS and kwargs.get("alpha", 1) == 1:
            into = written(func, args, kwargs)
            every = [each for each in into or args if isinstance(each, Tensor) and each in self.uses]
            return [(at, lambda change: change) for each in every for at in self.uses[each]]
        if operation not in FACTORS or len(args) != 2 or kwargs:
            return []
        one, other = args if operation == "div" or args[0] in self.uses else reversed(args)
        if one not in self.uses or other not in self.pairs or other.numel() != 1:
            return []
        number = self.pairs[other].before.clone()
        return [(at, lambda c: c / number if operation == "div" else c * number) for at in self.uses[one]]

    def _fans(self, operation: str, args: Sequence[Any], paired: Sequence[Tensor], name: str) -> Fans:
        """What one parameter sums over and what it makes, from where it stands in the operation and its shape there."""
        tensor = next(each for each in paired if name in self.pairs[each].after)
        place = next((index for index, each in enumerate(args) if each is tensor), 0)
        shape = tensor.shape
        if operation in PRODUCTS:
            first = 1 if operation in ADDED else 0
            if place >= first and len(shape) == 1:
                return shape[0], 1
            if place >= first:  # W x or x W
                return (shape[-1], shape[-2]) if place == first else (shape[-2], shape[-1])
        elif operation == "convolution" and place == 1:
            out, into, window = shape[0], shape[1], math.prod(shape[2:])
            transposed, groups = args[6], args[8]
            return (out * window // groups, into * groups) if transposed else (into * window, out)
        elif operation == "_trilinear" and place == 1:  # x W y
            return math.prod(shape[1:]), shape[0]
        elif operation in LOOKUPS:
            return 1, shape[-1]
        return None, shape[-1] if shape else 1

    def _mark_use(self, tensor: Tensor, followed: list[Followed]) -> None:
        self.alive.append(tensor)
        self.uses[tensor] = followed

    def _followed(
        self, func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Followed], tuple[Any, ...]]:
        """The uses that an operation only rearranges or multiplies by a number, and what it is told beside them."""
        operation = name_of(func)
        if operation == "mul" and len(args) == 2 and self._is_number(args[0]):
            args = (args[1], args[0])
        rest = tuple(args[1:])
        if not args or not isinstance(args[0], Tensor) or args[0] not in self.uses:
            return [], rest
        scales = operation in FACTORS and len(args) == 2 and self._is_number(args[1]) and "rounding_mode" not in kwargs
        return (self.uses[args[0]] if operation in MOVES or operation == "neg" or scales else []), rest

    def _follow(
        self, func: Any, rest: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any, followed: Sequence[Followed]
    ) -> None:
        """Apply to what a use changed what has been done to its output next."""
        if not followed:
            return
        operation = name_of(func)
        kwargs = {name: value for name, value in kwargs.items() if name != "dtype"}
        if operation == "_to_copy":
            kwargs, func, rest = {}, aten.clone.default, ()
        into = bool(written(func, (followed[0].act, *rest), kwargs))
        parts: list[list[Followed]] = [[] for _ in tree_leaves(out)]
        for at in followed:
            changed = {
                name: tree_leaves(func(c.clone() if into else c, *rest, **kwargs)) for name, c in at.changes.items()
            }
            for index, act in enumerate(tree_leaves(func(at.act.clone() if into else at.act, *rest, **kwargs))):
                changes = {name: values[index] for name, values in changed.items()}
                cut = (*at.cut, f"{operation} {rest} {index}") if operation in SPLITS else at.cut
                parts[index].append(Followed(at.operation, at.place, changes, act, at.fans, cut=cut))
            at.parts += [each[-1] for each in parts]
        for each, forms in zip(tree_leaves(out), parts, strict=True):
            self._mark_use(each, forms)

    def _is_number(self, factor: Any) -> bool:
        return not isinstance(factor, Tensor) or (factor.numel() == 1 and factor in self.constant)
