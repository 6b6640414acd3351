"""``python -m benchmarks [PART...]``: measures and writes a folder of results."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path

from benchmarks import report
from benchmarks.framework import Setting, carry_out
from benchmarks.machine import machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """Measures what is asked for."""
    # The page's invented server lives with the tests that it was made for.
    sys.path.append(str(ROOT / "tests"))
    from benchmarks.parts import PARTS

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: {', '.join(PARTS)}")
    parser.add_argument("--repeats", type=int, help="how often to measure")
    parser.add_argument("--tiny", action="store_true", help="only show that everything runs")
    parser.add_argument("--out", type=Path, help=f"default: a new folder in {RESULTS}")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - PARTS.keys():
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    now = datetime.now().astimezone()
    folder: Path = chosen.out or RESULTS / f"{now:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    setting, results = Setting(folder.resolve(), chosen.tiny), []
    for name in chosen.parts or PARTS:
        print(f"{name}: {PARTS[name].text}", file=sys.stderr)
        results.append(carry_out(PARTS[name], setting, chosen.repeats))
        if (draw := PARTS[name].draw) is not None:
            draw(results[-1], setting.folder)
        # After every part, so that what breaks later takes nothing along.
        report.write(folder, machine(), now, results)
    print((folder / "results.md").read_text())


if __name__ == "__main__":
    main()
