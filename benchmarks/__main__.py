"""The command line of the benchmarks: parse, run, show a table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .entries import ENTRIES
from .runner import RESULTS, Bench, Skipped, load_entry, measure, write_result


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns 0 when every entry ran or was skipped with a reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Accuracy and speed of instashap.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="names of the benchmarks")
    commands.add_parser("table", help="figures with a target, of the results on disk, as a Markdown table")
    run = commands.add_parser("run", help="run one benchmark, or all", epilog="example: python -m benchmarks run bike --quick")
    run.add_argument("name", metavar="NAME", choices=[*ENTRIES, "all"], help="a name that `list` shows, or all")
    run.add_argument("--quick", action="store_true", help="fewer rows and repeats: does it run, not how good is it")
    run.add_argument("--data", type=Path, metavar="FOLDER", help="holds truth/*.npz and data/*.parquet, or the .parquet files")
    run.add_argument("--device", default="auto", metavar="NAME", help="where nets are trained: auto, cpu, cuda, mps")
    options = parser.parse_args(arguments)
    if options.command == "list":
        for name, what in ENTRIES.items():
            print(f"{name:<20}{what}")
        return 0
    if options.command == "table":
        print(format_table(RESULTS))
        return 0
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data: there is no folder {options.data}")
    for name in ENTRIES if options.name == "all" else [options.name]:
        _run_one(name, options)
    return 0


def _run_one(name: str, options: argparse.Namespace) -> None:
    print(f"\n{name}: {ENTRIES[name]}{' (quick)' if options.quick else ''}", flush=True)
    try:
        result = measure(name, load_entry(name), Bench(options.quick, options.data, device=options.device))
    except Skipped as reason:
        print(f"  skipped: {reason}")
        return
    for label, figure in result["figures"].items():
        print(f"  {label:<54}{_format_figure(figure)}")
    for line in [*result["notes"], *result["warnings"]]:
        print(f"  note: {line}")
    path = write_result(result, RESULTS)
    print(f"  {result['seconds']:.0f} s in all; written to {path.parent.name}/{path.name}")


def format_table(folder: Path) -> str:
    """Every figure that has a target, beside it, as Markdown."""
    lines = ["| benchmark | figure | measured | target |", "|---|---|---|---|"]
    for path in sorted(folder.glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for label, figure in result["figures"].items():
            if figure["target"] is not None:
                unit = f" {figure['unit']}".rstrip()
                sign = {"<=": "≤", ">=": "≥"}[figure["bound"]]
                shown, wanted = f"{figure['figure']:,.4g}", f"{figure['target']:,.4g}"
                lines.append(f"| `{result['name']}` | {label} | {shown}{unit} | {sign} {wanted}{unit} |")
    return "\n".join(lines)


def _format_figure(figure: dict[str, Any]) -> str:
    shown = f"{figure['figure']:>14,.5g} {figure['unit']:<9}"
    if figure["target"] is None:
        return shown.rstrip()
    return f"{shown} {figure['bound']} {figure['target']:g}: {'holds' if figure['holds'] else 'MISSED'}"


if __name__ == "__main__":
    sys.exit(main())
