"""The guard of event loops in tests: nothing that waits or computes for long may run in the thread of a loop.

What it finds are

* a callback that uses more than `LONGEST` seconds of its thread's processor time, collections of garbage not counted;
* provider code, a call of libvirt, SQLite, or the opening of a file inside a callback.

In the tests' own process, `watch` a loop and ask for `violations` at its end; a server in a process of its own is
started by this file as a script, which is `virtcim` under the guard and writes a line with `MARK` for each.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import sqlite3
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import libvirtmod  # type: ignore[import-not-found]

from virtcim.app.loopwatch import current_frame, stack_of
from virtcim.providers import interface

#: Seconds of processor time that a callback may use.
LONGEST = 0.05

MARK = "LOOP GUARD:"

PROVIDER_METHODS: dict[type[Any], tuple[str, ...]] = {
    interface.InstanceProvider: (
        *("instances", "get_instance", "invoke_method", "create_instance", "modify_instance", "delete_instance"),
    ),
    interface.Association: ("to_right", "to_left", "sources", "properties", "create", "delete"),
    interface.Instance: ("keys", "properties"),
}

#: What releases a handle: no question to the hypervisor, and called wherever the last reference goes.
HARMLESS = ("Free", "virEvent", "virGetLastError", "virResetLastError", "virGetVersion", "virRegisterErrorHandler")

#: The thread of a loop that no client waits for: it keeps hypervisors connected, and looks at inventories for that.
KEEPER = "libvirt-keeper"

#: Files of Python itself, which a module that is imported late or a traceback reads.
SOURCES = (".py", ".pyc", ".so")


class _State(threading.local):
    """What the current thread is at."""

    callback: asyncio.Handle | None = None
    collecting = 0.0
    collected = 0.0


_state = _State()
_found: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[str]] = weakref.WeakKeyDictionary()
_report = False
_installed = False

#: By thread: the callback that it is at, since when, and where it was when it had been there for a while.
_running: dict[int, tuple[asyncio.Handle, float]] = {}
_stacks: dict[int, tuple[asyncio.Handle, str]] = {}


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Look at what runs in a loop of this process."""
    install()
    _found.setdefault(loop, [])


def violations(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Give what was found in a watched loop."""
    return _found[loop]


def install(report: bool = False) -> None:
    """Put the guard in place, once in a process, and for all its life.

    Parameters:
        report: look at all loops, and write what is found to standard error.
    """
    global _installed, _report
    _report = report
    if _installed:
        return
    _installed = True
    asyncio.Handle._run = _guarded_run(asyncio.Handle._run)  # type: ignore[method-assign, assignment]
    gc.callbacks.append(_count_collection)
    threading.Thread(target=_sample, name="loop-guard", daemon=True).start()
    sys.addaudithook(_audit)
    for name in dir(libvirtmod):
        function = getattr(libvirtmod, name)
        if name.startswith("vir") and callable(function) and not any(word in name for word in HARMLESS):
            setattr(libvirtmod, name, _guarded(function, f"libvirt's {name}"))
    sqlite3.connect = _guarded(sqlite3.connect, "sqlite3.connect")
    for base, methods in PROVIDER_METHODS.items():
        for kind in _family(base):
            _guard_class(kind, methods)
        _guard_subclasses(base, methods)


def _family(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _family(kind)


def _guard_subclasses(base: type[Any], methods: tuple[str, ...]) -> None:
    """Have classes guarded that are yet to be made."""

    def guard(kind: type[Any], **options: Any) -> None:
        super(base, kind).__init_subclass__(**options)
        _guard_class(kind, methods)

    base.__init_subclass__ = classmethod(guard)  # type: ignore[assignment, arg-type]


def _guard_class(kind: type, methods: tuple[str, ...]) -> None:
    for name in methods:
        function = kind.__dict__.get(name)
        if inspect.isfunction(function) and not hasattr(function, "loop_guarded"):
            setattr(kind, name, _guarded(function, f"{kind.__name__}.{name}"))


def _guarded(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """Look, at each call of a function, whether a loop waits for it; for a generator, when it begins to run."""

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def look(*arguments: Any, **options: Any) -> Any:
            _look(what)
            yield from function(*arguments, **options)

    else:

        @functools.wraps(function)
        def look(*arguments: Any, **options: Any) -> Any:
            _look(what)
            return function(*arguments, **options)

    look.loop_guarded = True  # type: ignore[attr-defined]
    return look


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _state.callback is not None:
        path = os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else ""
        if path and not path.endswith(SOURCES) and "site-packages" not in path:
            _look(f"opening {path}")


def _look(what: str) -> None:
    callback = _state.callback
    if callback is not None:
        stack = "".join(traceback.format_stack(sys._getframe(2))[-8:])
        _note(callback, f"{what} in the event loop, in {callback!r}\n{stack}")


def _note(callback: asyncio.Handle, text: str) -> None:
    found = _found.get(callback._loop)  # type: ignore[attr-defined]
    if found is not None:
        found.append(text)
    elif _report:
        line = f"{MARK} {text}".rstrip().replace("\n", "\n    ")
        os.write(2, f"{line}\n".encode())


def _sample() -> None:
    """Take down where long callbacks are, to be shown beside how long they took."""
    while True:
        time.sleep(LONGEST / 2)
        for thread, (callback, began) in list(_running.items()):
            frame = current_frame(thread)
            if frame is not None and time.monotonic() - began > LONGEST / 2:
                _stacks[thread] = callback, stack_of(frame)
                del frame


def _guarded_run(run: Callable[[asyncio.Handle], None]) -> Callable[[asyncio.Handle], None]:
    def run_guarded(handle: asyncio.Handle) -> None:
        watched = _report and threading.current_thread().name != KEEPER
        if not watched and handle._loop not in _found:  # type: ignore[attr-defined]
            run(handle)
            return
        thread = threading.get_ident()
        _state.callback, _state.collected = handle, 0.0
        _running[thread] = handle, time.monotonic()
        began = time.thread_time()
        try:
            run(handle)
        finally:
            used = time.thread_time() - began - _state.collected
            _state.callback = None
            _running.pop(thread, None)
            if used > LONGEST:
                sampled, stack = _stacks.get(thread, (None, ""))
                where = f", lately at\n{stack}" if sampled is handle else ""
                _note(handle, f"{used * 1000:.0f} ms of processor time in the event loop, in {handle!r}{where}")

    return run_guarded


def _count_collection(phase: str, _: dict[str, int]) -> None:
    if _state.callback is None:
        return
    if phase == "start":
        _state.collecting = time.thread_time()
    else:
        _state.collected += time.thread_time() - _state.collecting


def main() -> int:
    """Run `virtcim` under the guard."""
    install(report=True)
    from virtcim.app.entry import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
