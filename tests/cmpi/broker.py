"""Drives the test broker (cmpi/testbroker): one process, operations in, JSON out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["BUILD", "Broker", "instance", "path", "typed"]

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "cmpi"

Node = Any
"""A word of a script: a text, None for null, or a tuple of words."""

SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=1",
}


def _line(node: Node) -> str:
    if node is None:
        return "null"
    if isinstance(node, tuple):
        return f"({' '.join(map(_line, node))})"
    text = str(node).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def typed(cim_type: str, value: Any) -> tuple[Node, ...]:
    """A typed value: of a reference a `path`, of an embedded instance an `instance`, of an array a list."""
    if isinstance(value, list):
        return ("array", cim_type, *map(_word, value))
    return cim_type, _word(value)


def _word(value: Any) -> Node:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def path(namespace: str, class_name: str, /, **keys: Any) -> tuple[Node, ...]:
    """the path of an instance; keys are texts or typed values, NULL among them."""
    return (
        namespace,
        class_name,
        *(("key", name, key if isinstance(key, tuple) else ("string", key)) for name, key in keys.items()),
    )


def instance(class_name: str, properties: Mapping[str, tuple[Node, ...]]) -> tuple[Node, ...]:
    """An instance with typed properties."""
    return (class_name, *(("property", name, value) for name, value in properties.items()))


class Broker:
    """A test broker with the library loaded.

    Parameters:
        socket: of the daemon.
        pegasus: imitate OpenPegasus instead of SFCB.
        fork: fork before loading, as SFCB does.
        sanitized: run the build with the sanitizers.
        timeout: of a call in seconds (VIRTCIM_CMPI_TIMEOUT).
        principal: whom the CIM server names; None where it asks for no login.
    """

    def __init__(
        self,
        socket: Path,
        *,
        pegasus: bool = False,
        fork: bool = False,
        sanitized: bool = True,
        timeout: float = 20,
        principal: str | None = "root",
    ) -> None:
        directory = BUILD / "sanitized" if sanitized else BUILD
        options = [*(["--pegasus"] if pegasus else []), *(["--fork"] if fork else [])]
        self.process = subprocess.Popen(
            [directory / "testbroker", *options, directory / "libvirtcim.so"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={
                **os.environ,
                **SANITIZER_OPTIONS,
                "VIRTCIM_CMPI_SOCKET": str(socket),
                "VIRTCIM_CMPI_TIMEOUT": str(timeout),
            },
            text=True,
        )
        self.good("principal", principal)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.process.kill()
            self.process.communicate()

    def send(self, *words: Node) -> None:
        """Begin an operation whose answer `receive` takes."""
        assert self.process.stdin is not None
        self.process.stdin.write(_line(words) + "\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The answer of the operation begun last."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            _, errors = self.process.communicate(timeout=60)
            raise AssertionError(f"the test broker ended with {self.process.returncode}: {errors}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def do(self, *words: Node) -> dict[str, Any]:
        """One operation and its answer."""
        self.send(*words)
        return self.receive()

    def good(self, *words: Node) -> dict[str, Any]:
        """One operation that has to succeed."""
        answer = self.do(*words)
        assert answer["rc"] == 0, answer
        return answer

    def results(self, *words: Node) -> list[Any]:
        """What an operation that has to succeed hands over."""
        found: list[Any] = self.good(*words)["results"]
        return found

    def close(self) -> None:
        """End it: every object freed, no leak, nothing for the sanitizers to say."""
        _, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors
        assert not errors
