"""The report: figures as files, and one page that holds everything and opens offline."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from tvb_nest_cosim.cosim_core.model.experiment.load import dump_yaml
from tvb_nest_cosim.cosim_core.results import Run, Summary, list_drawn, open_run, summary
from tvb_nest_cosim.cosim_core.run_dir.layout import write_atomically
from tvb_nest_cosim.orchestrator.report.figures import draw_all
from tvb_nest_cosim.orchestrator.report.figures.timing import participant_names
from tvb_nest_cosim.orchestrator.report.style import PHASE_COLOURS, house_style

_SCREEN_DPI = 150
_PROVENANCE_ROWS = {
    "run": "Run",
    "started": "Started",
    "ended": "Ended",
    "command": "Command",
    "host": "Host",
    "seeds": "Seeds",
    "experiment_digest": "Experiment digest",
}


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as the page's banner says it.

    Attributes:
        kind: ``finished``, ``failed``, ``interrupted`` or ``unknown``.
        text: The banner's sentence.
        detail: Further lines, such as a traceback; may be empty.
    """

    kind: str
    text: str
    detail: str


@dataclass(frozen=True)
class _Picture:
    title: str
    caption: str
    png: str


def write_report(root: Path, *, partial: bool = False) -> Path:
    """Writes ``figures/*.png``, ``figures/*.svg`` and ``report.html`` of a run.

    They are added to its manifest. The caller holds the lock of the run directory.

    Args:
        root: Run directory whose results are complete; of a run that failed as well.
        partial: Draw what is there of a damaged run.

    Returns:
        Path of the page.

    Raises:
        RunDirectoryError: If it is not a run directory or cannot be read or written.
    """
    with open_run(root, partial=partial) as run:
        layout = run.records.layout
        layout.figures.mkdir(exist_ok=True)
        page = _render(run, list(_pictures(run)))
        write_atomically(layout.report, page.encode("utf-8"))
    if not partial:
        list_drawn(layout)
    return layout.report


def _pictures(run: Run) -> Iterator[_Picture]:
    with house_style():
        for drawn in draw_all(run):
            png = _saved(drawn.figure, "png", dpi=_SCREEN_DPI)
            drawn.figure.set_layout_engine("none")  # the margins are found, do not search again
            svg = _saved(drawn.figure, "svg", dpi=_SCREEN_DPI, metadata={"Date": None})
            write_atomically(run.records.layout.figures / f"{drawn.name}.png", png)
            write_atomically(run.records.layout.figures / f"{drawn.name}.svg", svg)
            yield _Picture(drawn.title, drawn.caption, base64.b64encode(png).decode("ascii"))


def _saved(figure: Figure, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, **options)
    return buffer.getvalue()


def _render(run: Run, pictures: list[_Picture]) -> str:
    environment = Environment(
        loader=PackageLoader("tvb_nest_cosim.orchestrator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = run.provenance
    found = summary(run)
    return environment.get_template("report.html.j2").render(
        run=run,
        experiment=run.experiment,
        summary=found,
        outcome=outcome(run, found),
        cards=cards(run, found),
        digest=(known and known.digest) or run.digest,
        pictures=pictures,
        phases=list(PHASE_COLOURS),
        processes=process_rows(run),
        warnings=(known and known.warnings) or run.plan.warnings,
        versions=known.versions if known else {},
        facts=[
            (label, _plain(value))
            for key, label in _PROVENANCE_ROWS.items()
            if (value := getattr(known, key, None))
        ],
        resolved=dump_yaml(run.experiment),
    )


def outcome(run: Run, found: Summary) -> Outcome:
    """Says how the run ended; a run without provenance was cut off before it could be written."""
    known = run.provenance
    kind = known.outcome if known else "unknown"
    cause = known.cause if known else None
    done = f"{found.windows} of {found.windows_planned} windows are complete"
    is_whole = found.windows == found.windows_planned
    lost = f"Finished, but the run directory is damaged: {done}."
    texts = {
        "finished": "Finished: every window was simulated." if is_whole else lost,
        "failed": f"Failed: {cause or 'no cause was recorded'}. {done}.",
        "interrupted": f"Interrupted{f': {cause}' if cause else ''}. {done}.",
    }
    return Outcome(
        kind if kind in texts else "unknown",
        texts.get(kind, f"How the run ended was not recorded. {done}."),
        (known and known.detail) or "",
    )


def cards(run: Run, found: Summary) -> list[tuple[str, str, str]]:
    """Returns the key numbers: label, value, remark."""
    planned_ms = run.experiment.duration_ms
    planned = "" if found.simulated_ms == planned_ms else f"of {duration(planned_ms / 1000.0)}"
    window_ms = run.plan.window_ticks * run.experiment.dt_ms
    windows = f"of {window_ms:g} ms, lookahead {run.plan.lookahead}"
    return [
        ("Simulated", duration(found.simulated_ms / 1000.0), planned),
        *_wall_cards(run, found),
        ("Windows", f"{found.windows:,}", windows),
        ("Spiking regions", str(len(run.populations)), _neurons(run)),
    ]


def _wall_cards(run: Run, found: Summary) -> Iterator[tuple[str, str, str]]:
    known = run.provenance
    if known and known.wall_s:
        remark = f"after {duration(known.build_s)} of building" if known.build_s else ""
        yield "Wall time", duration(known.wall_s), remark
        if found.simulated_ms:
            yield "Speed", *_speed(1000.0 * known.wall_s / found.simulated_ms)


def _speed(factor: float) -> tuple[str, str]:
    if factor >= 1.0:
        return f"{factor:.3g} x", "slower than real time"
    return f"{1 / factor:.3g} x", "faster than real time"


def _neurons(run: Run) -> str:
    neurons = sum(sum(sizes.values()) for sizes in run.populations.values())
    return f"{neurons:,} neurons" if neurons else ""


def duration(seconds: float) -> str:
    """Writes a duration as people say it."""
    if seconds < 1.0:
        return f"{1000.0 * seconds:.4g} ms"
    if seconds < 120.0:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def process_rows(run: Run) -> list[dict[str, str]]:
    """Returns seconds and shares per process, for the table."""
    timing = run.timing if run.has("timing") else pd.DataFrame()
    if timing.empty:
        return []
    totals = timing.groupby(["participant", "rank"], sort=False).sum()
    rows = []
    for (label, _, _), (_, total) in zip(participant_names(timing), totals.iterrows(), strict=True):
        seconds = float(total[[c for c in totals.columns if c.endswith("_s")]].sum())
        row = {"name": label, "total": duration(seconds)}
        for phase in PHASE_COLOURS:
            row[phase] = f"{100.0 * total[f'{phase}_s'] / seconds:.1f} %" if seconds else "-"
        rows.append(row)
    return rows


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
