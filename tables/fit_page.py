"""The figure of ``scaling-law fit``: the runs, their means, the law, its plateau, and what it predicts beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from powercount.empirical.scaling_laws.fit import AxisFit
    from powercount.empirical.scaling_laws.scatter import Losses

BAND = 24  # sizes at which the band is worked out


def band_sizes(sizes: NDArray[np.float64], place: float) -> tuple[float, ...]:
    """The sizes from the smallest to the largest, or to the one asked for."""
    import numpy as np

    low, high = min(float(sizes.min()), place), max(float(sizes.max()), place)
    return tuple(float(each) for each in np.geomspace(low, high, BAND))


def draw_fits(fits: Sequence[tuple[AxisFit, Losses, Mapping[str, Any]]], path: Path) -> None:
    """One panel an axis, on log-log axes."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6 * len(fits), 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    for panel, (fit, rows, row) in zip(figure.subplots(1, len(fits), squeeze=False)[0], fits, strict=True):
        band = fit.predictions[1:]
        x = np.array([place for place, _ in band])
        inside = (x >= fit.points.min()) & (x <= fit.points.max())
        low, high = (np.array([getattr(each, end) for _, each in band]) for end in ("low", "high"))
        panel.fill_between(x, low, high, color="tab:orange", alpha=0.25, lw=0, label="interval of the law")
        panel.plot(x, fit.curve(x), color="tab:orange", ls="--", lw=1.5, label="extrapolated")
        panel.plot(x[inside], fit.curve(x[inside]), color="tab:orange", lw=2, label="law")
        panel.plot(rows.sizes[fit.axis], rows.loss, ".", color="tab:blue", alpha=0.35, ms=4, label="runs")
        panel.plot(fit.points, fit.means, "o", color="tab:blue", ms=5, label="mean of the runs")
        if fit.offset.value > 0:
            panel.axhline(fit.offset.value, color="grey", ls=":", label=f"offset {fit.offset.value:.4g}")
        place, predicted = fit.predictions[0]
        below, above = max(0.0, predicted.value - predicted.low), max(0.0, predicted.high - predicted.value)
        bars = [[below], [above]] if np.isfinite(above) else None
        panel.errorbar([place], [predicted.value], yerr=bars, fmt="s", color="tab:red", capsize=3, label="prediction")
        panel.set_xscale("log")
        panel.set_yscale("log")
        shared = "".join(f" at {axis} = {size:g}" for axis, size in row["shared"].items())
        panel.set_xlabel(f"{fit.axis}{shared}")
        panel.set_ylabel("loss")
        ends = f"{fit.exponent.low:.3g}, {fit.exponent.high:.3g}"
        panel.set_title(f"{row['regime']}: exponent {fit.exponent.value:.3g} [{ends}]", fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)
