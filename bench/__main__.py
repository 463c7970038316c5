"""`python -m bench [--only P1,P2] [--short]`: measure, print the table, write `$VAR/bench.json`.

Runs where DATABASE_URL and REDIS_URL name services that it may use; `make bench` provides them.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

from bench import databases, servers
from bench.figures import EMPTIES_PRODUCT, FIGURES, NEEDS_PRODUCT, NEEDS_TEXTBOOK, ON_REQUEST, Entry, Run
from bench.servers import PRODUCT, TEXTBOOK, Unavailable

LOWER_IS_BETTER = {"µs", "ms", "KiB", "MiB", "s", "attempts", "messages", "x growth", "queries"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    usual = ",".join(name for name in FIGURES if name not in ON_REQUEST)
    parser.add_argument(
        "--only", default=usual, help=f"figures to measure [{usual}; also {', '.join(FIGURES)}]"
    )
    parser.add_argument(
        "--budget", type=int, default=270, help="seconds; what has not begun by then is left out"
    )
    parser.add_argument("--short", action="store_true", help="shorter windows and fewer sockets; noisier")
    parser.add_argument("--keep", action="store_true", help="leave the databases of the bench for a look")
    options = parser.parse_args()
    wanted = [name for name in FIGURES if name in options.only.split(",")]
    var = Path(os.environ.get("VAR", "var"))
    var.mkdir(parents=True, exist_ok=True)
    raise_file_limit()

    start = time.monotonic()
    run = Run(log=var / "bench.log", short=options.short, database=databases.postmaster())
    run.log.write_text("")
    try:
        table = measure(run, wanted, options.budget)
    finally:
        if not options.keep:
            for kind in (PRODUCT, TEXTBOOK):
                databases.drop(str(kind.database))
    (var / "bench.json").write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    print_table(table)
    print(f"\n{time.monotonic() - start:.0f} s; written to {var / 'bench.json'}, server logs in {run.log}")
    return 1 if table.get("lost", {}).get("value") else 0


def measure(run: Run, wanted: list[str], budget_s: int) -> dict[str, Entry]:
    """All wanted figures; one that cannot be measured is told and left out."""
    table: dict[str, Entry] = {}
    start = time.monotonic()
    prepared: set[str] = set()
    for name in wanted:
        if name in EMPTIES_PRODUCT:
            table |= compare(run)
        print(f"{name}: {FIGURES[name].__doc__}", flush=True)
        used_s = time.monotonic() - start
        if used_s > budget_s:
            print(f"  not measured: {used_s:.0f} s are over")
            continue
        if used_s > budget_s / 2 and not run.short:
            print("  a slow machine: from here on as with --short")
            run.short = True
        try:
            for kind, needed in ((TEXTBOOK, NEEDS_TEXTBOOK), (PRODUCT, NEEDS_PRODUCT)):
                if name in needed and kind.name not in prepared:
                    servers.prepare(kind)
                    prepared.add(kind.name)
            table |= FIGURES[name](run)
        except Unavailable as reason:
            print(f"  not measured: {reason}", flush=True)
    return table | compare(run)


def compare(run: Run) -> dict[str, Entry]:
    """What the product answered so far against its rows; nothing if it was not asked or was compared already."""
    if not run.answered:
        return {}
    losses = run.losses()
    for sentence in losses:
        print(f"LOST OR DOUBLED: {sentence}")
    print(f"{run.answered.total()} answers of the product compared with its rows: {len(losses)} gaps")
    run.answered.clear()
    return {"lost": {"value": len(losses), "unit": "messages", "target": 0, "floor": None, "textbook": None}}


def print_table(table: dict[str, Entry]) -> None:
    print(f"\n{'figure':<26}{'value':>12} {'unit':<11}{'target':>9}{'floor':>11}{'textbook':>11}")
    for name, row in table.items():
        shown = {key: "" if row[key] is None else f"{row[key]:,}" for key in row if key != "unit"}
        line = f"{name:<26}{shown['value']:>12} {row['unit']:<11}{shown['target']:>9}"
        print(f"{line}{shown['floor']:>11}{shown['textbook']:>11}  {verdict(row)}")


def verdict(row: Entry) -> str:
    if row["target"] is None or row["value"] is None:
        return ""
    reached = (
        row["value"] <= row["target"] if row["unit"] in LOWER_IS_BETTER else row["value"] >= row["target"]
    )
    return "reached" if reached else "MISSED"


def raise_file_limit() -> None:
    """Ten thousand sockets need ten thousand files, here and in the servers that inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
