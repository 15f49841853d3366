"""The command line: it parses arguments, calls the public API, and returns an exit code."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import __version__
from ._errors import InstashapError
from ._registries import EXPORTS

# Losses of gradient boosting of numbers, as scikit-learn names them.
LOSSES = ("squared_error", "absolute_error", "poisson", "gamma")

_SYNTHETIC = "rows to draw and ask the model about beside those of a small table; 0 is fastest (default: as many as help)"
_TABLE = "table: .csv, .tsv, .txt or .parquet"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand, or print the help if there is none; returns 0, or 2 after one sentence of error on standard error."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help()
        return 0
    warnings.formatwarning = lambda message, *_: f"instashap: {message}\n"  # a sentence, without the line of code
    try:
        options.run(options)
    except (InstashapError, ValueError, TypeError, OSError) as error:
        print(f"instashap: {' '.join(str(error).split())}", file=sys.stderr)  # messages of models may span lines
        return 2
    except KeyboardInterrupt:
        print("instashap: stopped", file=sys.stderr)
        return 130
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="instashap", description="Shapley values of any model by table look-up.")
    parser.add_argument("--version", action="version", version=f"instashap {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(metavar="COMMAND")
    demo = _add(commands, "demo", _run_demo, "explain a model of bundled data", "instashap demo --out demo-out")
    demo.add_argument("--out", type=Path, default=Path("demo-out"), help="folder for the results (default: demo-out)")
    explain = _add(
        commands,
        "explain",
        _run_explain,
        "explain a model of your data",
        "instashap explain house_prices.csv --target price --out explained",
    )
    explain.add_argument("data", type=Path, metavar="DATA", help=f"{_TABLE}; dates in text are recognised")
    explain.add_argument("--target", metavar="COL", help="column the model predicts")
    explain.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="pickled or joblib-dumped model; only open files you trust (default: train gradient boosting)",
    )
    explain.add_argument("--order", type=int, metavar="K", help="columns a shape function may read (default: 2)")
    explain.add_argument("--synthetic-rows", type=int, metavar="N", help=_SYNTHETIC)
    explain.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results; with --stream a file")
    explain.add_argument(
        "--add",
        nargs="+",
        choices=("totals", "data"),
        default=[],
        help="more columns of explanations.parquet: base value, prediction, remainder, model output (totals); the rows (data)",
    )
    explain.add_argument("--row", type=int, metavar="N", help="held-out row, from 0, to draw and to show in the terminal")
    _add_reading(explain)
    _add_stream(explain)
    audit = _add(
        commands,
        "audit",
        _run_audit,
        "report how much of a model its explanations account for",
        "instashap audit house_prices.csv --target price",
    )
    audit.add_argument(
        "data", type=Path, metavar="DATA", help=f"{_TABLE}; or a saved explainer (.insta), whose audit is shown"
    )
    audit.add_argument("--target", metavar="COL", help="column the model predicts; not for a saved explainer")
    audit.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="pickled or joblib-dumped model; only open files you trust (default: train gradient boosting on half of the rows)",
    )
    audit.add_argument("--orders", type=int, nargs="+", metavar="K", default=[1, 2], help="orders to judge (default: 1 2)")
    audit.add_argument("--out", type=Path, metavar="DIR", help="folder for trust.json, trust.html and trust.csv")
    _add_reading(audit)
    _add_report(commands)
    _add_serve(commands)
    _add_mcp(commands)
    _add_merge(commands)
    _add_export(commands)
    return parser


def _add_export(commands: Any) -> None:
    example = "instashap export explainer.insta model.onnx"
    export = _add(commands, "export", _run_export, "write a saved explainer for other programs", example)
    export.add_argument("explainer", type=Path, metavar="FILE", help="saved explainer (.insta)")
    export.add_argument("out", type=Path, metavar="OUT", help=f"its ending is the form: {', '.join(EXPORTS.entries)}")
    sql = export.add_argument_group("SQL (.sql)")
    sql.add_argument("--dialect", metavar="NAME", help="duckdb (default), postgres or sqlite")
    sql.add_argument("--rows", metavar="TABLE", help="table that holds the fitted columns (default: rows)")
    sql.add_argument("--keep", nargs="+", metavar="COL", help="columns of the table to give beside the values")


def _add_merge(commands: Any) -> None:
    example = "instashap merge north.moments south.moments --out model.insta"
    merge = _add(commands, "merge", _run_merge, "make one explainer from moments summed at several places", example)
    merge.add_argument("moments", type=Path, nargs="+", metavar="FILE", help="moments for the plan of one fit (.moments)")
    merge.add_argument("--forget", type=Path, nargs="+", default=[], metavar="FILE", help="moments of rows to leave out")
    merge.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the explainer (.insta)")


def _add_stream(explain: argparse.ArgumentParser) -> None:
    """Add options for rows that need not fit in memory."""
    stream = explain.add_argument_group(
        "rows that do not fit in memory",
        "instashap explain 'rows/*.parquet' --stream --explainer explainer.insta --out values.parquet: explains every row of "
        "the Parquet files DATA, part by part, with at most 1 GiB of memory; after an interruption the same command continues "
        "where it stopped",
    )
    stream.add_argument("--stream", action="store_true", help="explain all rows with a fitted explainer")
    stream.add_argument("--explainer", type=Path, metavar="FILE", help="saved explainer (.insta)")
    stream.add_argument("--keep", nargs="+", default=[], metavar="COL", help="columns of DATA to write beside the values")


def _add_report(commands: Any) -> None:
    example = "instashap report house_prices.csv --target price --out report.html"
    report = _add(commands, "report", _run_report, "write a report that people can read and try rows in", example)
    report.add_argument("data", type=Path, metavar="DATA", help=_TABLE)
    report.add_argument("--target", required=True, metavar="COL", help="column the model predicts")
    report.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="pickled or joblib-dumped model; only open files you trust (default: train gradient boosting)",
    )
    report.add_argument("--order", type=int, metavar="K", help="columns a shape function may read (default: 2)")
    report.add_argument("--synthetic-rows", type=int, metavar="N", help=_SYNTHETIC)
    report.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help=".html, .md or .json")
    _add_reading(report)


def _add_reading(command: argparse.ArgumentParser) -> None:
    """Add options that correct how the table is read."""
    kinds = ("auto", "regression", "classification")
    command.add_argument("--task", choices=kinds, default="auto", help="whether the target is a number or a class")
    command.add_argument(
        "--categorical",
        "--text",
        dest="text",
        nargs="+",
        default=[],
        metavar="COL",
        help="columns to treat as categories although they look like numbers",
    )
    command.add_argument(
        "--loss",
        choices=LOSSES,
        help="loss of the model that is trained on numbers (default: squared_error); poisson for counts, gamma for amounts",
    )


def _read(options: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The table, and the options on how it is read."""
    if sys.stderr.isatty():  # at once: the imports alone take seconds
        _print_note(f"reading {options.data}")
    from .preparing import read_file

    if options.loss is not None and options.model is not None:
        raise ValueError("--loss is that of the model trained without --model: leave one of them out")
    data = read_file(options.data, keep=options.text, for_model=options.model is not None)
    return data, {"task": options.task, "text": options.text, "loss": options.loss, "on_note": _print_note}


def _print_note(note: str) -> None:
    print(f"instashap: {note}", file=sys.stderr, flush=True)


def _add_serve(commands: Any) -> None:
    example = "instashap serve explainer.insta --data rows.csv --port 8000"
    serve = _add(commands, "serve", _run_serve, "answer requests for explanations over HTTP", example)
    serve.add_argument("explainer", type=Path, metavar="FILE", help="saved explainer (.insta): tables and names, no code")
    serve.add_argument("--data", type=Path, metavar="DATA", help="table for the page at /, which shows up to 150 of its rows")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine alone)")
    serve.add_argument("--port", type=int, default=8000, help="0 to 65535, 0 for any that is free (default: 8000)")
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name of the service, besides localhost and the address of --host; may be given again",
    )
    serve.add_argument("--max-rows", type=int, default=10_000, metavar="N", help="most rows per request (default: 10000)")
    serve.add_argument("--timeout", type=float, default=30.0, metavar="S", help="seconds a request may take (default: 30)")
    serve.add_argument("--workers", type=int, default=1, metavar="N", help="processes that answer, 1 to 64 (default: 1)")


def _add_mcp(commands: Any) -> None:
    example = "instashap mcp explainer.insta --data rows.csv"
    mcp = _add(commands, "mcp", _run_mcp, "answer an assistant's questions over the Model Context Protocol (stdio)", example)
    mcp.add_argument("explainer", type=Path, metavar="FILE", help="saved explainer (.insta): tables and names, no code")
    mcp.add_argument("--data", type=Path, metavar="DATA", help="table that importance is measured on; rows are never shown")


def _add(commands: Any, name: str, run: Any, what: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what, epilog=f"example: {example}")
    parser.set_defaults(run=run)
    return parser


def _run_demo(options: argparse.Namespace) -> None:
    from .workflow import run_demo

    _check_folder(options.out)
    print(run_demo(options.out))


def _check_folder(path: Path) -> None:
    """Raise ``ValueError``, before any work, if results cannot be written into a folder of this path."""
    first = next(each for each in (path, *path.parents, Path()) if each.exists())
    if not first.is_dir():
        raise ValueError(f"--out {path} is no folder, as {first} is a file: name another")


def _run_explain(options: argparse.Namespace) -> None:
    if options.stream:
        _run_stream(options)
        return
    if options.target is None:
        raise ValueError("--target is needed: the column the model predicts (or --stream, to use a fitted explainer)")
    if options.explainer is not None or options.keep:
        raise ValueError("--explainer and --keep can be used only with --stream: add it, or leave them out")
    from .report.terminal import check_terminal, print_explanation
    from .workflow import check_row, explain_table, write_results

    _check_folder(options.out)
    data, reading = _read(options)
    if options.row is not None:
        check_row(options.row, len(data))
        check_terminal()
    model = _load_model(options.model) if options.model else None
    reading["synthetic_rows"] = options.synthetic_rows
    explained = explain_table(data, options.target, model, options.order, **reading)
    print(write_results(explained, options.out, options.row or 0, options.add))
    if options.row is not None:
        print_explanation(explained.explanation, options.row)


def _run_stream(options: argparse.Namespace) -> None:
    from .explain.loading import load

    if options.explainer is None:
        raise ValueError("--stream needs --explainer FILE: without --stream, explain writes one into the folder of its results")
    unused = [name for name in ("target", "model", "order", "row", "synthetic_rows") if getattr(options, name) is not None]
    if unused:
        raise ValueError(f"--stream explains rows with a fitted explainer and cannot use --{unused[0]}: leave it out")
    explainer = load(options.explainer)
    explainer.verbose = 1
    try:
        explainer.explain_to(options.out, options.data, keep=options.keep)
    except KeyboardInterrupt:
        _print_note("the finished parts are kept; the same command continues from them")
        raise
    print(f"Written to {options.out}")


def _run_report(options: argparse.Namespace) -> None:
    from .workflow import report_table

    if options.out.is_dir() or not options.out.parent.is_dir():
        what = "is a folder; name a file" if options.out.is_dir() else "is in a folder that does not exist; make it first"
        raise ValueError(f"--out {options.out} {what}")
    data, reading = _read(options)
    model = _load_model(options.model) if options.model else None
    print(f"Fitting and auditing explanations of {len(data):,} rows: seconds to minutes", file=sys.stderr, flush=True)
    reading["synthetic_rows"] = options.synthetic_rows
    path = report_table(data, options.target, options.out, model, options.order, **reading)
    print(f"Written to {path}: open it in a browser" if path.suffix.startswith(".htm") else f"Written to {path}")


def _run_serve(options: argparse.Namespace) -> None:
    from .explain.loading import load
    from .server.limits import Limits
    from .server.run import serve

    rows = None if options.data is None else _read_rows(options.data, load(options.explainer)._check_fitted())
    limits = Limits(max_rows=options.max_rows, timeout=options.timeout)
    asked = {"host": options.host, "port": options.port, "limits": limits, "allowed_hosts": options.allow_host}
    asked["workers"] = options.workers
    serve(options.explainer, rows, announce=partial(print, flush=True), **asked)


def _run_export(options: argparse.Namespace) -> None:
    from .explain.loading import load
    from .export import to_sql

    given = {name: getattr(options, name) for name in ("dialect", "rows", "keep") if getattr(options, name) is not None}
    if given and options.out.suffix != ".sql":
        raise ValueError(f"--{next(iter(given))} is an option of SQL, and {options.out.name} does not end in .sql")
    explainer = load(options.explainer)
    if given:
        to_sql(explainer, options.out, **given)
    else:
        explainer.export(options.out)
    print(f"Written to {options.out}")


def _run_mcp(options: argparse.Namespace) -> None:
    from .explain.loading import load
    from .server.assistant import serve_assistant

    fitted = load(options.explainer)._check_fitted()
    serve_assistant(fitted, None if options.data is None else _read_rows(options.data, fitted))


def _read_rows(path: Path, fitted: Any) -> Any:
    """Rows for a saved explainer: by its recipe, or else as pandas reads them, but for the levels of text that it knows."""
    from .preparing import read_file

    if fitted.recipe is not None:
        return read_file(path, keep=fitted.recipe.readings.keys())
    texts = {column.name: [each for each in column.levels or () if isinstance(each, str)] for column in fitted.encoder.columns}
    return read_file(path, for_model=True, levels={name: own for name, own in texts.items() if own})


def _run_merge(options: argparse.Namespace) -> None:
    from .questions.save import save_fitted
    from .questions.updating import merge_files

    fitted = merge_files(options.moments, options.forget)
    save_fitted(fitted, options.out)
    print(f"An explainer of {fitted.facts['n_rows']:,} rows is written to {options.out}")


def _run_audit(options: argparse.Namespace) -> None:
    from .explain.loading import load
    from .fitted.shortening import show_controls
    from .workflow import audit_table, write_report

    if options.out is not None:
        _check_folder(options.out)
    if options.data.suffix == ".insta":
        report = load(options.data).audit()
    elif options.target is None:
        raise ValueError("audit needs --target COL, the column the model predicts, unless DATA is a saved explainer (.insta)")
    else:
        data, reading = _read(options)
        model = _load_model(options.model) if options.model else None
        report = audit_table(data, options.target, model, options.orders, **reading)
    print("\n".join(map(show_controls, str(report).splitlines())))
    if options.out is not None:
        write_report(report, options.out)


def _load_model(path: Path) -> Any:
    """The model in a file written by pickle or joblib; loading runs code of the file, as the help warns."""
    import joblib

    if not path.exists():
        raise FileNotFoundError(f"there is no model file {path}")
    try:
        return joblib.load(path)
    except Exception as error:  # a pickle runs code, which may raise anything
        raise ValueError(f"{path} is not a model that pickle or joblib can load ({type(error).__name__}: {error})") from error


if __name__ == "__main__":
    sys.exit(main())
