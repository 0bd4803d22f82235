"""What a reader sees of the transfer study: one table, and one figure.

The table gives, for each setting, the derived power of L of the best rate, the slope 1/S has at these depths, the
slopes that were measured, and the best loss and held-out accuracy at the smallest and the largest depth. The figure
has one row for each loss and mode and one column for each block: mean of log loss_T / loss_0 against the rate, one
line a depth, with the mean optimum marked; the last column has the best loss of every recipe against depth.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from powercount.decide import REPORTED
from powercount.door.figure import canvas
from powercount.studies.transfer import TransferResult, TransferRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADER: Final = (
    "recipe and block",
    "mode",
    "loss",
    "derived",
    "1/S here",
    "speed",
    "optimum",
    "edge",
    "late optimum",
    "best loss",
    "slope",
    "held-out accuracy",
)


def slope_cell(row: TransferRow, reading: str) -> str:
    """A slope with its 95 % interval."""
    slope = row.slope(reading)
    if not math.isfinite(slope.value):
        return "none"
    low, high = slope.interval(REPORTED)
    return f"{slope.value:+.3f} [{low:+.3f}, {high:+.3f}]"


def transfer_cells(row: TransferRow) -> tuple[str, ...]:
    """One line of the table."""
    setting, best, right = row.setting, row.mean("best"), row.mean("accuracy")
    expected = row.expected()
    return (
        setting.block,
        setting.moving,
        setting.loss,
        row.predicted or "none",
        f"{expected:+.3f}" if math.isfinite(expected) else "none",
        *(slope_cell(row, reading) for reading in ("speed", "optimum", "edge", "late-optimum")),
        f"{math.exp(best[0]):.4f} to {math.exp(best[-1]):.4f}",
        slope_cell(row, "best"),
        f"{right[0]:.3f} to {right[-1]:.3f}",
    )


def transfer_title(result: TransferResult) -> str:
    """What the table holds, in one line."""
    plan = result.plan
    return (
        f"slopes against log L over depths {list(plan.depths)}, width {plan.width}, {plan.seeds} seeds, {plan.steps} "
        f"steps on {plan.examples} digits; best loss as a share of the initial one; {result.cpu_seconds:.0f} CPU s"
    )


def draw_transfer(result: TransferResult, path: str | Path) -> None:
    """Write the figure; the file name's ending chooses the format."""
    blocks = list(dict.fromkeys(row.setting.block for row in result.rows))
    lines = list(dict.fromkeys((row.setting.loss, row.setting.moving) for row in result.rows))
    columns = len(blocks) + 1
    figure, axes = canvas(len(lines), columns, 2.7 * columns + 0.8, 2.3 * len(lines) + 1.1)
    for line, (loss, moving) in enumerate(lines):
        kept = [row for row in result.rows if (row.setting.loss, row.setting.moving) == (loss, moving)]
        found = {row.setting.block: row for row in kept}
        spans = [span for row in kept for span in _span(row)]
        for column, block in enumerate(blocks):
            axis = axes[line][column]
            if block not in found:
                axis.set_axis_off()
                continue
            _draw_curves(axis, found[block])
            axis.set_xlim(min(spans), max(spans))
            axis.set_title(block, fontsize=9)
            if column == 0 or blocks[column - 1] not in found:
                axis.set_ylabel(f"{loss}, {moving}\nlog loss at T / loss at 0", fontsize=8)
            if line == len(lines) - 1:
                axis.set_xlabel("base rate (powers of two)", fontsize=8)
        _draw_best(axes[line][-1], kept, blocks)
        axes[line][-1].set_title("best loss against depth", fontsize=9)
        if line == len(lines) - 1:
            axes[line][-1].set_xlabel("depth L", fontsize=8)
    handles, labels = next(axis for axis in axes.flat if axis.lines).get_legend_handles_labels()
    title = "lines: depth; dots: mean optimum"
    figure.legend(handles, labels, title=title, loc="outside upper left", ncols=len(labels), fontsize=8, frameon=False)
    shown = {
        label: handle for line in axes for handle, label in zip(*line[-1].get_legend_handles_labels(), strict=True)
    }
    figure.legend(shown.values(), shown.keys(), loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    figure.savefig(path, dpi=150)


def _span(row: TransferRow) -> tuple[float, float]:
    """The rates worth showing: from two octaves below the lowest optimum to the highest edge."""
    optimum, edge = row.mean("optimum"), row.mean("edge")
    return min(optimum) - 3.0, max(edge) + 1.0


def _colours(count: int) -> list[Any]:
    """One colour a depth, from light to dark."""
    from matplotlib import colormaps

    return [colormaps["viridis_r"](0.12 + 0.88 * place / max(count - 1, 1)) for place in range(count)]


def _draw_curves(axis: Axes, row: TransferRow) -> None:
    optima, colours = row.mean("optimum"), _colours(len(row.plan.depths))
    for depth, (exponents, curve), optimum, colour in zip(row.plan.depths, row.curves, optima, colours, strict=True):
        axis.plot(exponents, curve, color=colour, linewidth=1.2, label=f"L = {depth}")
        height = float(np.interp(optimum, exponents, curve))
        axis.plot([optimum], [height], marker="o", markersize=4, color=colour, markeredgecolor="black", zorder=3)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.25)


def _draw_best(axis: Axes, rows: list[TransferRow], blocks: list[str]) -> None:
    from matplotlib import colormaps

    for row in rows:
        place = blocks.index(row.setting.block)
        values = np.exp(np.asarray(row.values["best"]))
        logs = np.log(values)
        spread = 2 * logs.std(axis=0, ddof=1) / math.sqrt(len(logs))
        middle = logs.mean(axis=0)
        axis.errorbar(
            row.plan.depths,
            np.exp(middle),
            yerr=[np.exp(middle) - np.exp(middle - spread), np.exp(middle + spread) - np.exp(middle)],
            color=colormaps["tab10"](place),
            marker="osD^v<"[place % 6],
            markersize=4,
            linewidth=1.2,
            label=row.setting.block,
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xticks(rows[0].plan.depths, [str(depth) for depth in rows[0].plan.depths])
    axis.tick_params(labelsize=7, which="both")
    axis.grid(alpha=0.25)
