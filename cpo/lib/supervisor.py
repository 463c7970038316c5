"""Several children under one roof: kept alive, their output prefixed, stopped in order on Ctrl-C or SIGTERM."""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from cpo.lib.children import Child, Recipe

LOOK_S = 0.2
COLOURS = (36, 33, 32, 35, 34, 31)  # ANSI foregrounds, one per process in turn


class Supervisor:
    """Runs recipes until it is told to stop."""

    def __init__(self) -> None:
        self.stopping = False
        self._children: list[Child] = []
        self._pipes = selectors.DefaultSelector()
        self._partial: dict[str, bytes] = {}
        self._heard: set[str] = set()
        self._last_output = 0.0

    def catch_signals(self) -> None:
        """Stop at Ctrl-C, SIGTERM and a closed terminal; a second one stops at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def add(self, recipe: Recipe) -> Child:
        """Start one more child."""
        child = Child(recipe)
        self._children.append(child)
        child.start()
        self._listen(child)
        return child

    def child(self, name: str) -> Child:
        """Give the child of that name."""
        return next(child for child in self._children if child.recipe.name == name)

    def loop(self, until: Callable[[], bool]) -> None:
        """Keep the children alive until the question is answered with yes or a signal came."""
        while not self.stopping and not until():
            self.step()

    def settle(self, quiet_s: float, at_most_s: float, heard: Sequence[str] = ()) -> None:
        """Pass output on until the named have spoken and nobody has for a while: what is said next stays in sight."""
        give_up = self._last_output = time.monotonic()
        give_up += at_most_s

        def is_quiet() -> bool:
            now = time.monotonic()
            return now > give_up or (self._heard.issuperset(heard) and now > self._last_output + quiet_s)

        self.loop(until=is_quiet)

    def step(self) -> None:
        """Pass output on, and restart what ended."""
        self._pass_output(LOOK_S)
        for child in self._children:
            sentence = child.tend()
            if sentence:
                self.say(sentence)
                self._listen(child)

    def stop(self, order: Sequence[str] = ()) -> None:
        """End all children, one after the other: first the named ones in their order, then the others."""
        ranks = {name: rank for rank, name in enumerate(order)}
        for child in sorted(self._children, key=lambda child: ranks.get(child.recipe.name, len(ranks))):
            child.stop(meanwhile=lambda: self._pass_output(0.02))
        self._pass_output(0)
        for key in list(self._pipes.get_map().values()):
            self._close(key)

    def say(self, text: str, name: str = "run") -> None:
        """Write lines under a name; a reader who is gone does not end us."""
        try:
            for line in text.splitlines():
                print(f"{self._prefix(name)}{line}", flush=True)
        except (BrokenPipeError, OSError):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115

    def _prefix(self, name: str) -> str:
        names = [child.recipe.name for child in self._children]
        width = max(map(len, [*names, "run"]))
        if name not in names or not sys.stdout.isatty():
            return f"{name:{width}} | "
        colour = COLOURS[names.index(name) % len(COLOURS)]
        return f"\x1b[{colour}m{name:{width}} |\x1b[0m "

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.stopping:
            for child in self._children:
                child.kill()
        self.stopping = True

    def _listen(self, child: Child) -> None:
        """Read the output of a process that has just started."""
        pipe = child.process.stdout if child.process else None
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._pipes.register(pipe, selectors.EVENT_READ, child.recipe.name)

    def _pass_output(self, seconds: float) -> None:
        for key, _ in self._pipes.select(seconds):
            try:
                got = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            self._last_output = time.monotonic()
            self._heard.add(key.data)
            lines = (self._partial.pop(key.data, b"") + got).split(b"\n")
            self._partial[key.data] = lines.pop()[-65536:]
            self.say(b"\n".join(lines).decode(errors="replace"), key.data)
            if not got:
                self._close(key)

    def _close(self, key: selectors.SelectorKey) -> None:
        self._pipes.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]
