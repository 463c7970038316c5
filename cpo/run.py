"""`make run`: the whole product on one machine, under one process manager.

Web and chargers (`cpo.serve`), Celery worker and beat, and with `--demo` simulated chargers and a roaming partner.
Data, logs, secrets and locks lie under `--var`. What an earlier, killed run left of that folder is ended first.
"""

import argparse
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from cpo.lib import machine
from cpo.lib.children import Recipe, die_with_parent
from cpo.lib.embedded import BOTH, Services, Unusable, answers, start_services
from cpo.lib.embedded.place import make_var
from cpo.lib.embedded.secrets import load
from cpo.lib.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent
MARK = "OPENCPO_RUN"  # environment variable that tells which folder's run a process belongs to
FIRST_ANSWER_S = 90
STOP_ORDER = ("chargers", "web", "worker", "beat", "partner", "payments")
SERVER = ["cpo.serve"]
TLS_ABOVE = 443  # the TLS port of chargers lies so far above PORT
PSP_ABOVE = 444  # that of the demo's payment service
WORKER = [
    "celery",
    "--quiet",
    "-A",
    "cpo",
    "worker",
    "--loglevel=INFO",
    "--without-gossip",
    "--without-mingle",
]
BEAT = ["celery", "--quiet", "-A", "cpo", "beat", "--loglevel=INFO", "--pidfile="]


class Refused(Exception):
    """It cannot run this way; the message tells a person what to do."""


def main(argv: list[str]) -> int:
    """Run until a signal; 0 after a clean stop, 3 with a sentence if it cannot run, 1 if the server never answered."""
    options = _parser().parse_args(argv)
    if options.with_parent:
        die_with_parent(signal.SIGTERM, os.getppid())
    try:
        with ExitStack() as stack:
            return _run(options, stack)
    except (Refused, Unusable, machine.PortTaken) as error:
        print(f"opencpo: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cpo.run", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all")
    parser.add_argument("--var", type=Path, default=Path("var"), help="folder of data, logs and secrets")
    parser.add_argument(
        "--demo", action="store_true", help="demo data, simulated chargers, a roaming partner"
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when the caller ends")
    return parser


def _run(options: argparse.Namespace, stack: ExitStack) -> int:
    var = make_var(options.var)
    _lock(var)
    machine.end_marked(MARK, str(var))
    machine.check_port(options.host, options.port)
    supervisor = Supervisor()
    services = stack.enter_context(start_services(var, _missing()))
    supervisor.catch_signals()
    stack.callback(supervisor.stop, STOP_ORDER)
    env = environment(options, services)
    Path(env["STATIC_ROOT"]).mkdir(exist_ok=True)
    _prepare(env, demo=options.demo, supervisor=supervisor)
    for recipe in base_processes(options, env, var):
        supervisor.add(recipe)
    sign_in = _administrator(env, services)  # while the others start
    if not _wait_for_web(options, supervisor):
        return 1
    demo = demo_processes(env) if options.demo else []
    for recipe in demo:
        supervisor.add(recipe)
    supervisor.settle(quiet_s=1, at_most_s=10, heard=[recipe.name for recipe in demo])
    if not supervisor.stopping:
        supervisor.say(_banner(env, services, sign_in))
    supervisor.loop(until=_watch(services, supervisor))
    supervisor.say("stopping")
    return 0


def base_processes(options: argparse.Namespace, env: dict[str, str], var: Path) -> list[Recipe]:
    """Give web, worker and beat."""
    address = ["--host", options.host, "--port", str(options.port)]
    schedule = ["--schedule", str(var / "celerybeat-schedule")]
    return [
        _module("web", [*SERVER, *address], env, stop_s=30),
        _module("worker", WORKER, env, stop_s=30),
        _module("beat", [*BEAT, *schedule], env, stop_s=10),
    ]


def demo_processes(env: dict[str, str]) -> list[Recipe]:
    """Give the demo's processes as far as their commands exist."""
    table = [("chargers", "demo_chargers"), ("partner", "demo_partner")]
    if env.get("PAYMENT_PROVIDER_URL"):
        table.append(("payments", "demo_psp"))
    return [_manage(name, command, env) for name, command in table if _has_command(command)]


def environment(options: argparse.Namespace, services: Services) -> dict[str, str]:
    """Give what the children read: addresses, secrets, defaults; what the caller has set wins."""
    host = machine.WIDE.get(options.host, options.host)
    host = f"[{host}]" if ":" in host else host
    tls_port = int(os.environ.get("OCPP_TLS_PORT") or _tls_port(options))
    defaults = {
        "PUBLIC_URL": f"http://{host}:{options.port}",
        "ALLOWED_HOSTS": ",".join(machine.own_names(options.host)),
        "OPENCPO_URL": f"ws://{host}:{options.port}/ocpp/",
        "LOG_JSON": "0",
        "STATIC_ROOT": str(services.var / "static"),
        "OCPP_TLS_PORT": str(tls_port),
        "OCPP_TLS_FOLDER": str(services.var / "tls"),
        **({"OPENCPO_SECURE_URL": f"wss://{host}:{tls_port}/ocpp/"} if tls_port else {}),
        **load(services.var),
    }
    if options.demo:  # its stations have no password, its partner answers on loopback
        defaults |= {"OCPP_ALLOW_PROFILE_0": "1", "INTEGRATIONS_ALLOW_PRIVATE_IPS": "1"}
        defaults |= _demo_payments(options, defaults["SECRET_KEY"])
    found = {"DATABASE_URL": services.database_url, "REDIS_URL": services.redis_url}
    fixed = {name: value for name, value in found.items() if value}
    fixed |= {
        "PORT": str(options.port),
        "VAR": str(services.var),
        MARK: str(services.var),
        "PYTHONUNBUFFERED": "1",
    }
    return {**defaults, **os.environ, **fixed}


def _demo_payments(options: argparse.Namespace, secret: str) -> dict[str, str]:
    """Give the settings of the demo's payment service; none where the caller has one, or its port is taken."""
    port = _free_port(options, PSP_ABOVE)
    if not port or os.environ.get("PAYMENT_PROVIDER"):
        return {}
    return {
        "PAYMENT_PROVIDER": "billing.psp.gateway.Gateway",
        "PAYMENT_PROVIDER_URL": f"http://127.0.0.1:{port}",
        "PAYMENT_PROVIDER_KEY": hashlib.sha256(f"key {secret}".encode()).hexdigest(),
        "PAYMENT_WEBHOOK_SECRET": hashlib.sha256(f"webhook {secret}".encode()).hexdigest(),
    }


def _tls_port(options: argparse.Namespace) -> int:
    """Choose where chargers find TLS: PORT + 443 as long as that is free; 0 for nowhere."""
    return _free_port(options, TLS_ABOVE)


def _free_port(options: argparse.Namespace, above: int) -> int:
    port = int(options.port) + above
    try:
        machine.check_port(options.host, port)
    except machine.PortTaken:
        return 0
    return port


def _lock(var: Path) -> None:
    """Be the only run of this folder; the lock ends with the process, however it ends."""
    lock = os.open(var / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode().strip()
        raise Refused(
            f"already running from {var} (process {holder}); for a second one choose VAR=... and PORT=..."
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())


def _missing() -> tuple[str, ...]:
    """Name the services whose address the caller has not given."""
    keys = ("DATABASE_URL", "REDIS_URL")
    return tuple(name for name, key in zip(BOTH, keys, strict=True) if not os.environ.get(key))


def _prepare(env: dict[str, str], *, demo: bool, supervisor: Supervisor) -> None:
    """Bring the database up to date; raises Refused when a step fails."""
    _wait_for_servers(env)
    steps = [
        ["migrate", "--noinput", "--verbosity=1"],
        *([["seed_demo"]] if demo and _has_command("seed_demo") else []),
    ]
    for step in steps:
        if supervisor.stopping:
            return
        done = subprocess.run(
            [sys.executable, "manage.py", *step], cwd=ROOT, env=env, capture_output=True, text=True
        )
        if done.returncode:
            raise Refused(f"`manage.py {step[0]}` failed:\n{done.stdout}{done.stderr}")
        lines = [line for line in done.stdout.splitlines() if "No migrations to apply" not in line]
        supervisor.say(
            "\n".join(line for line in lines if line.startswith("  Applying") or step[0] != "migrate")
        )


def _wait_for_servers(env: dict[str, str]) -> None:
    """Wait for servers of the caller, who may just be starting them too."""
    deadline = time.monotonic() + 30
    while not answers(env["DATABASE_URL"], env["REDIS_URL"]):
        if time.monotonic() > deadline:
            raise Refused("DATABASE_URL or REDIS_URL does not answer")
        time.sleep(0.5)


def _wait_for_web(options: argparse.Namespace, supervisor: Supervisor) -> bool:
    """Wait for the first answer; False if the server keeps ending or stays silent."""
    web = supervisor.child("web")
    deadline = time.monotonic() + FIRST_ANSWER_S
    supervisor.loop(until=lambda: _is_live(options) or web.restarts > 2 or time.monotonic() > deadline)
    if supervisor.stopping or _is_live(options):
        return True
    supervisor.say("the server does not answer, see its lines above")
    return False


def _is_live(options: argparse.Namespace) -> bool:
    host = machine.WIDE.get(options.host, options.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{options.port}/livez"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


def _watch(services: Services, supervisor: Supervisor) -> Callable[[], bool]:
    """Give the loop's question: never done, but once a second the keeper of the services is looked after."""
    next_look = time.monotonic()

    def look() -> bool:
        nonlocal next_look
        if services.names and time.monotonic() > next_look:
            next_look = time.monotonic() + 1
            if services.keep():
                supervisor.say("database and Redis had lost their keeper; started another")
        return False

    return look


def _administrator(env: dict[str, str], services: Services) -> str:
    """Give name and password of the administrator, made at the first start."""
    file = services.var / "admin-password"
    asked = [sys.executable, "manage.py", "ensure_admin", "--password-file", str(file)]
    done = subprocess.run(asked, cwd=ROOT, env=env, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"no administrator: {done.stderr.strip()}"


def _banner(env: dict[str, str], services: Services, sign_in: str) -> str:
    """Say where everything is."""
    data = f"\n  data      {services.data}" if services.data not in ("", str(services.var)) else ""
    return (
        f"\nOpenCPO is ready: {env['PUBLIC_URL']}/\n"
        f"  sign in   {sign_in}\n"
        f"  chargers  {env['OPENCPO_URL']}<station id>   (OCPP 1.6J, 2.0.1, 2.1)\n"
        f"{_secure_url(env)}"
        f"  folder    {services.var}{data}\n"
        f"  stop      Ctrl-C\n "
    )


def _secure_url(env: dict[str, str]) -> str:
    url = env.get("OPENCPO_SECURE_URL", "")
    return f"            {url}<station id>   (security profiles 2 and 3)\n" if url else ""


def _has_command(name: str) -> bool:
    return any(ROOT.glob(f"*/management/commands/{name}.py"))


def _module(name: str, arguments: list[str], env: dict[str, str], stop_s: float) -> Recipe:
    return Recipe(name=name, command=[sys.executable, "-m", *arguments], env=env, cwd=ROOT, stop_s=stop_s)


def _manage(name: str, command: str, env: dict[str, str]) -> Recipe:
    return Recipe(name=name, command=[sys.executable, "manage.py", command], env=env, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
