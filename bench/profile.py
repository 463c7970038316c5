"""`python -m bench.profile [--load mix|storm] [--server product|textbook|floor]`: where a message's time goes.

Runs the load of P1 (or the storm of P4) while py-spy samples the threads that hold the lock of the interpreter,
then prints the functions by their own time and by the time below them. The raw stacks go to `$VAR/profile.txt`,
one "a;b;c count" a line, for a flame graph.
"""

import argparse
import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench import cost, servers
from bench.figures import FEW, MANY, Run, on, show
from bench.loads import storm
from bench.servers import FLOOR, PRODUCT, TEXTBOOK, Server
from bench.story import Story
from bench.story_v2 import StoryV2

RATE_HZ = 250
WARMUP_S = 3
SHOWN = 45


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    kinds = {kind.name: kind for kind in (PRODUCT, TEXTBOOK, FLOOR)}
    stories: dict[str, type[Story]] = {"1.6": Story, "2.0.1": StoryV2}
    parser.add_argument("--server", choices=kinds, default="product")
    parser.add_argument("--load", choices=["mix", "storm"], default="mix", help="P1's load, or P4's")
    parser.add_argument("--version", choices=stories, default="1.6", help="of the mix")
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--native", action="store_true", help="C functions too; slows the server much more")
    options = parser.parse_args()
    var = Path(os.environ.get("VAR", "var"))
    stacks = var / "profile.txt"
    kind = kinds[options.server]
    run = Run(log=var / "bench.log")
    servers.prepare(kind)
    if kind is PRODUCT:
        run.need_stations(MANY)

    async def work(server: Server) -> None:
        swarm = cost.swarm_for(
            server, MANY if options.load == "storm" else FEW, story=stories[options.version]
        )
        await swarm.connect()
        await swarm.boot()
        command = [str(Path(sys.executable).parent / "py-spy"), "record", "--pid", str(server.pid)]
        command += [
            "--rate",
            str(RATE_HZ),
            "--duration",
            str(options.seconds),
            "--format",
            "raw",
            "--nolineno",
        ]
        command += ["--output", str(stacks)] + (["--native"] if options.native else ["--gil"])
        spy = await asyncio.to_thread(
            subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if options.load == "storm":
            print(f"  all back after {await storm(swarm):.1f} s")
        else:
            show(kind.name, await cost.measure(server, swarm, warmup_s=WARMUP_S, seconds=options.seconds))
        _, said = await asyncio.to_thread(spy.communicate)
        if spy.returncode:
            raise SystemExit(f"py-spy failed: {said.decode()[-300:]}")
        await run.finish(server, swarm)

    on(run, kind, work)
    report(stacks)


def report(stacks: Path) -> None:
    """Print the hot functions: share of samples in the function itself, and in it or below."""
    own: Counter[str] = Counter()
    below: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        functions = stack.split(";")
        own[functions[-1]] += int(count)
        for function in set(functions):
            below[function] += int(count)
    total = own.total()
    print(f"\n{total} samples\n   own   below  function")
    for function, count in own.most_common(SHOWN):
        print(f"{count / total:6.1%}  {below[function] / total:6.1%}  {function}")
    print("\n below  function")
    for function, count in below.most_common(SHOWN):
        print(f"{count / total:6.1%}  {function}")


if __name__ == "__main__":
    main()
