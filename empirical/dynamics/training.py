r"""The trajectory of a net of one-layer blocks under full-batch gradient descent, step by step.

    h_0 = W_in x / sqrt(d),   h_l = h_{l-1} + beta W_l phi(h_{l-1}),   f = V h_L / n,   beta = sqrt(T) L^branch,
with W_l ~ N(0, 1/n), V ~ N(0, 1). Backward, with e = dloss/df of the mean loss over B samples,
    delta_L = V^T e,   delta_{l-1} = delta_l + beta phi'(h_{l-1}) * (W_l^T delta_l)      (delta = n dloss/dh, Theta(1)).
At width-muP's rate eta n a step moves W_l by -eta beta delta_l phi(h_{l-1})^T / n, of rank B. The initial matrix
is therefore asked for products alone (``matrices``), and what j < k steps have added acts as
    - eta beta sum_j delta_l^j <phi^j, phi> / n   forward,     - eta beta sum_j phi^j <delta_l^j, delta> / n   backward.

``outside=True`` puts the activation outside the blocks: y_l = W_l h_{l-1}, h_l = h_{l-1} + beta phi(y_l), whose W_l is
fed with h_{l-1} and its transpose with phi'(y_l) delta_l; elsewhere these are phi(h_{l-1}) and delta_l.

``tied=False`` replaces W_l(0)^T in the backward pass by an independent copy and shares the updates: Neural
Feature Dynamics as described in arXiv 2512.21075. ``kind`` says how the matrices are known: ``dense`` and ``lazy``
nets have the same law; ``particles`` of the limit are a lazy net of very large n on a grid of L layers that starts
with the limit's own covariances. Shapes: S members, n width, B samples, C outputs. Worked line: with f = 0 at first
and linear phi, hidden matrices only, one step gives f = -eta e T (1 + T/L)^(L-1) <x, x>/d
(``derivations.dynamics.linear``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any, Final, Literal

import torch
from torch import Tensor

from powercount.derivations.recipe import ACTIVATIONS, LOSSES, PowercountError, check_name
from powercount.empirical.activations import ACTIVATION, SLOPE
from powercount.empirical.data import CLASSES, DATA, FEATURES, draw
from powercount.empirical.dynamics.matrices import Dense, Lazy, Matrix
from powercount.empirical.ensemble import seed_of
from powercount.empirical.losses import loss_named, one_hot
from powercount.empirical.memory import check_fits

ROLES: Final = ("input", "hidden", "readout")
OUTPUTS: Final = (1, CLASSES)
Kind = Literal["dense", "lazy", "particles"]
HALF: Final = Fraction(1, 2)
BYTES: Final = 8
LABEL_SPLIT: Final = 5


class DynamicsError(PowercountError):
    """The run cannot be made: a size, horizon, rate or number of outputs that describes no network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One training run: the network, its data and its steps.

    ``outputs`` is 1 (is the digit five or more; labels +-1, logistic loss for cross-entropy) or 10.
    ``horizon`` is T, ``branch`` the power of L on the branch, ``trained`` the roles that move. ``centred`` subtracts
    f at the start; ``pooled`` draws all members from one generator (quick for many small nets; a member then
    depends on how many there are).
    """

    width: int
    depth: int
    activation: str = "relu"
    steps: int = 3
    samples: int = 4
    outputs: int = 1
    loss: str = "mse"
    rate: float = 1.0
    horizon: float = 1.0
    branch: Fraction = -HALF
    trained: tuple[str, ...] = ("hidden",)
    tied: bool = True
    kind: Kind = "dense"
    data: str = "digits"
    seed: int = 0
    centred: bool = False
    pooled: bool = False
    outside: bool = False

    def __post_init__(self) -> None:
        check_name("activation", self.activation, ACTIVATIONS)
        check_name("loss", self.loss, LOSSES)
        check_name("data", self.data, DATA)
        for role in self.trained:
            check_name("trained role", role, ROLES)
        if self.width < 1 or self.depth < 1:
            raise DynamicsError(f"width = {self.width}, depth = {self.depth}: both are at least 1")
        if not self.horizon > 0:
            raise DynamicsError(f"horizon T = {self.horizon}: it must be positive, and 1 is the usual choice")
        if not self.rate > 0:
            raise DynamicsError(f"rate = {self.rate}: it must be positive")
        if self.steps < 1 or self.samples < 1:
            raise DynamicsError(f"steps = {self.steps}, samples = {self.samples}: both are at least 1")
        if self.outputs not in OUTPUTS:
            raise DynamicsError(f"outputs = {self.outputs}; choose one of: {', '.join(map(str, OUTPUTS))}")
        met = max((self.steps + 1) * self.samples, self.samples + self.outputs if self.kind == "particles" else 0)
        if self.kind != "dense" and met > self.width:
            raise DynamicsError(f"{met} directions do not fit in width {self.width}; use more particles")

    def plain(self) -> dict[str, Any]:
        """Its fields as plain data, ready for JSON; ``of`` reads them."""
        return {**asdict(self), "branch": str(self.branch), "trained": list(self.trained)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Run:
        """The run of ``plain``."""
        return cls(**{**plain, "branch": Fraction(plain["branch"]), "trained": tuple(plain["trained"])})

    @property
    def beta(self) -> float:
        """The branch factor sqrt(T) L^branch."""
        return float(self.horizon**0.5 * self.depth**self.branch)

    def memory(self) -> int:
        """Bytes one member needs."""
        vectors = (self.steps + 1) * self.samples * self.width * self.depth
        matrices = self.depth * self.width**2 * (1 if self.tied else 2) if self.kind == "dense" else 4 * vectors
        return BYTES * (matrices + 4 * vectors)

    def check_memory(self) -> None:
        """Raise ``DynamicsError`` where one member would not fit in half of this machine's memory."""
        what = f"width {self.width} at depth {self.depth} needs"
        check_fits(self.memory(), what, "a smaller width, depth or number of steps", DynamicsError)


@dataclass(slots=True)
class Trajectory:
    """Everything a run went through; [k][l] is training step k and layer l, tensors (S, n, B).

    ``streams[k][l]`` is h_l, l = 0..L; ``signals[k][l - 1]`` is what W_l is fed with, ``pushed[k][l - 1]`` its
    transpose; ``gradients[k][l]`` is delta_l; ``returned[k][l - 1]`` is W_l(0)^T pushed; ``outputs[k]`` (S, C, B).
    """

    run: Run
    targets: Tensor
    streams: list[list[Tensor]] = field(default_factory=list)
    signals: list[list[Tensor]] = field(default_factory=list)
    gradients: list[list[Tensor]] = field(default_factory=list)
    pushed: list[list[Tensor]] = field(default_factory=list)
    returned: list[list[Tensor]] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    errors: list[Tensor] = field(default_factory=list)
    losses: list[Tensor] = field(default_factory=list)


def data_of(run: Run, members: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Inputs (S, 64, B) and targets (S, C, B) in float64; every member sees its own samples."""
    if run.pooled and run.data == "gaussian" and run.outputs == 1:
        generator = torch.Generator().manual_seed(seed_of(run.seed + 1, members[0]))
        x = torch.randn(len(members), FEATURES, run.samples, generator=generator, dtype=torch.float64)
        signs = torch.randint(2, (len(members), 1, run.samples), generator=generator, dtype=torch.float64)
        return x / x.square().mean(dim=1, keepdim=True).sqrt(), 2 * signs - 1
    xs, ys = [], []
    for member in members:
        generator = torch.Generator().manual_seed(seed_of(run.seed + 1, member))
        inputs, labels = draw(run.data, run.samples, generator)
        xs.append(inputs.T.double())
        if run.outputs == 1:
            ys.append((2.0 * (labels >= LABEL_SPLIT) - 1)[None].double())
        else:
            ys.append(one_hot(labels[None], torch.float64)[0])
    return torch.stack(xs), torch.stack(ys)


def matched(columns: Tensor) -> Tensor:
    """Gaussian columns (S, n, p) made orthogonal with mean square one each: their covariance is the limit's, exactly.

    What is left of finite n is then the matrices' share. A net so started is an approximation of the limit, not a
    draw of the finite net, hence for particles alone.
    """
    basis, triangle = torch.linalg.qr(columns)
    signs = torch.diagonal(triangle, dim1=1, dim2=2).sign()
    whitened: Tensor = basis * signs[:, None, :] * columns.shape[1] ** 0.5
    return whitened


def square_root(covariances: Tensor) -> Tensor:
    """The symmetric root of symmetric matrices (S, p, p); an eigenvalue that rounding left below zero is zero."""
    values, vectors = torch.linalg.eigh(covariances)
    root: Tensor = vectors @ (values.clamp_min(0).sqrt()[:, :, None] * vectors.transpose(1, 2))
    return root


class Source:
    """Standard normal columns for S members, from a generator each or, pooled, from one.

    Apart from ``Net``, so that a lazy matrix holds it and not the net that holds the matrix: a ring of references
    keeps gigabytes until Python looks for rings.
    """

    def __init__(self, run: Run, members: Sequence[int]) -> None:
        self.count = len(members) if run.pooled else 1
        drawn = members[:1] if run.pooled else members
        self.generators = [torch.Generator().manual_seed(seed_of(run.seed, member)) for member in drawn]

    def normal(self, rows: int, columns: int, scale: float = 1.0) -> Tensor:
        """Fresh N(0, scale^2) numbers in float64, shape (S, rows, columns).

        They are drawn in float32, in a quarter of the time: their grain, 2^(-24), and where it cuts the tail, at 5.8
        standard deviations, move a mean square by 1e-7.
        """
        drawn = torch.empty(len(self.generators) * self.count, rows, columns)
        for place, generator in enumerate(self.generators):
            drawn[place * self.count : (place + 1) * self.count].normal_(generator=generator)
        return drawn.double().mul_(scale)


class Net:
    """S members of one run: initial products, updates so far, one forward and one backward pass at a time."""

    def __init__(self, run: Run, members: Sequence[int]) -> None:
        run.check_memory()
        self.run, self.members = run, members
        self.phi, self.slope = ACTIVATION[run.activation], SLOPE[run.activation]
        self.x, targets = data_of(run, members)
        self.source = Source(run, members)
        first = self.source.normal(run.width, run.samples + run.outputs)
        if run.kind == "particles":
            first = matched(first)
        self.v = first[:, :, run.samples :].transpose(1, 2)
        self.matrices = [self._matrix() for _ in range(run.depth)]
        self.overlap = torch.bmm(self.x.transpose(1, 2), self.x) / FEATURES
        self.past = Trajectory(run, targets)
        # W_in x / sqrt(d) has n independent rows N(0, overlap): 64 columns of W_in are not needed for it.
        self.start = torch.bmm(first[:, :, : run.samples], square_root(self.overlap))
        self.offset: Tensor | float = 0.0
        self.slopes: list[Tensor] = []  # phi' of the last forward pass, where each block has it

    def _matrix(self) -> Matrix:
        n, source = self.run.width, self.source
        if self.run.kind != "dense":
            met = (self.run.steps + 1) * self.run.samples
            return Lazy(lambda columns: source.normal(n, columns, n**-0.5), tied=self.run.tied, capacity=met)
        forward = source.normal(n, n, n**-0.5)
        return Dense(forward, forward if self.run.tied else source.normal(n, n, n**-0.5))

    def _added(self, directions: list[Tensor], seen: list[Tensor], columns: Tensor) -> Tensor:
        """- eta sum_j direction^j <seen^j, columns> / n: what the steps so far have added to a matrix."""
        run, total = self.run, torch.zeros_like(columns)
        for direction, each in zip(directions, seen, strict=True):
            total = total - run.rate / run.width * torch.bmm(direction, torch.bmm(each.transpose(1, 2), columns))
        return total

    def forward(self) -> None:
        """One forward pass with the weights as they are; appends to the trajectory."""
        run, past, beta = self.run, self.past, self.run.beta
        h = self.start
        if "input" in run.trained:
            for gradients in past.gradients:
                h = h - run.rate * torch.bmm(gradients[0], self.overlap)
        streams, signals, self.slopes = [h], [], []
        for block, matrix in enumerate(self.matrices):
            signal = h if run.outside else self.phi(h)
            y = matrix.times(signal)
            if "hidden" in run.trained:
                met = [pushed[block] for pushed in past.pushed]
                y = y + beta * self._added(met, [each[block] for each in past.signals], signal)
            active = self.phi(y) if run.outside else signal
            self.slopes.append(self.slope(y, active) if run.outside else self.slope(h, active))
            h = h + beta * (active if run.outside else y)
            streams.append(h)
            signals.append(signal)
        past.streams.append(streams)
        past.signals.append(signals)
        output = torch.bmm(self.readout(), h) / run.width
        if run.centred and not past.outputs:
            self.offset = output
        output = output - self.offset
        loss = loss_named(run.loss, run.outputs)
        past.outputs.append(output)
        past.losses.append(loss.value(output, past.targets))
        past.errors.append(loss.error(output, past.targets) / run.samples)

    def readout(self) -> Tensor:
        """V as it is now, shape (S, C, n)."""
        v = self.v
        if "readout" in self.run.trained:
            # As many steps as there have been backward passes.
            for error, streams, _ in zip(self.past.errors, self.past.streams, self.past.gradients, strict=False):
                v = v - self.run.rate * torch.bmm(error, streams[-1].transpose(1, 2))
        return v

    def backward(self) -> None:
        """The backward pass of the last forward pass; appends to the trajectory."""
        run, past, beta = self.run, self.past, self.run.beta
        delta = torch.bmm(self.readout().transpose(1, 2), past.errors[-1])
        gradients, pushed, returned = [delta], [], []
        for block in range(run.depth - 1, -1, -1):
            push = self.slopes[block] * delta if run.outside else delta
            initial = back = self.matrices[block].transposed_times(push)
            if "hidden" in run.trained:
                fed = [each[block] for each in past.signals[:-1]]
                back = back + beta * self._added(fed, [each[block] for each in past.pushed], push)
            delta = delta + beta * (back if run.outside else self.slopes[block] * back)
            gradients.append(delta)
            pushed.append(push)
            returned.append(initial)
        past.gradients.append(gradients[::-1])
        past.pushed.append(pushed[::-1])
        past.returned.append(returned[::-1])


def train(run: Run, members: Sequence[int]) -> Trajectory:
    """K steps of gradient descent: K + 1 forward and K backward passes of the members."""
    net = Net(run, members)
    with torch.no_grad():
        for _ in range(run.steps):
            net.forward()
            net.backward()
        net.forward()
    return net.past
