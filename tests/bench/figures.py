"""Figures: medians over rounds beside a floor, how far the rounds lie apart, as JSON and as a table."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """`ratio` is value to floor; without a floor both are None."""

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    note: str


def figure(name: str, values: Sequence[float], unit: str, floors: Sequence[float] = (), note: str = "") -> Figure:
    """Of one value per round: the medians, and the ratio within each round's own minute."""
    ratios = [value / floor for value, floor in zip(values, floors, strict=False) if floor]
    floor = _short(statistics.median(floors)) if floors else None
    ratio = round(statistics.median(ratios), 3) if ratios else None
    spread = f"rounds {_short(min(values)):g} to {_short(max(values)):g}" if len(values) > 1 else ""
    return Figure(name, _short(statistics.median(values)), unit, floor, ratio, "; ".join(filter(None, (note, spread))))


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def write(folder: Path, name: str, figures: Sequence[Figure]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps([asdict(each) for each in figures], indent=2) + "\n")


def show(title: str, figures: Sequence[Figure]) -> str:
    width = max(len(each.name) for each in figures)
    lines = [f"\n{title}", f"  {'':<{width}}  {'value':>9} {'unit':<9} {'floor':>9} {'ratio':>7}  note"]
    for each in figures:
        floor = "" if each.floor is None else f"{each.floor:g}"
        ratio = "" if each.ratio is None else f"{each.ratio:.3g}"
        lines.append(f"  {each.name:<{width}}  {each.value:>9g} {each.unit:<9} {floor:>9} {ratio:>7}  {each.note}")
    return "\n".join(lines)


def _short(value: float) -> float:
    return round(value, 1 if abs(value) >= 100 else 3)
