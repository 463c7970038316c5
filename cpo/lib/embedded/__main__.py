"""`python -m cpo.lib.embedded exec --var DIR -- COMMAND...`: run a command with the services up."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from cpo.lib.children import die_with_parent
from cpo.lib.embedded import BOTH, Unusable, keeper, start_services
from cpo.lib.embedded.secrets import load


def main(argv: list[str]) -> int:
    """Read the command line and run; gives the exit code of the command."""
    parser = argparse.ArgumentParser(prog="python -m cpo.lib.embedded")
    parser.add_argument("what", choices=["exec", "keep"])
    parser.add_argument("--var", type=Path, required=True, help="folder of data, logs and locks")
    parser.add_argument("--only", default=",".join(BOTH), help="postgres, redis or both, comma between them")
    parser.add_argument("--scratch", action="store_true", help="do not wait for the disk")
    parser.epilog = "exec: what to run comes after --"
    cut = argv.index("--") if "--" in argv else len(argv)
    options, command = parser.parse_args(argv[:cut]), argv[cut + 1 :]
    names = tuple(options.only.split(","))
    if options.what == "keep":
        return keeper.main(options.var, names, durable=not options.scratch)
    if not command:
        parser.error("exec needs a command after --")
    try:
        return run(options.var, command, durable=not options.scratch)
    except Unusable as error:
        print(error, file=sys.stderr)
        return 3


def run(var: Path, command: list[str], *, durable: bool) -> int:
    """Run the command with DATABASE_URL, REDIS_URL and secrets set; what is set already is not started."""
    missing = tuple(
        name for name, key in zip(BOTH, ("DATABASE_URL", "REDIS_URL"), strict=True) if key not in os.environ
    )
    with start_services(var, missing, durable=durable) as services:
        env = {**load(services.var), **os.environ}
        env |= {"DATABASE_URL": services.database_url} if services.database_url else {}
        env |= {"REDIS_URL": services.redis_url} if services.redis_url else {}
        if services.programs:  # psql, pg_dump and pg_restore of the same version
            env["PATH"] = f"{env.get('PATH', '')}{os.pathsep}{services.programs}"
        parent = os.getpid()
        child = subprocess.Popen(command, env=env, preexec_fn=lambda: die_with_parent(signal.SIGTERM, parent))

        def pass_on(number: int, _frame: FrameType | None) -> None:
            child.send_signal(number)

        signal.signal(signal.SIGTERM, pass_on)
        signal.signal(signal.SIGINT, lambda *_: None)  # the terminal sends it to the command too
        code = child.wait()
        return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
