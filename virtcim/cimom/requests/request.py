"""What all requests have in common, and what is known of one before its values are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias

from virtcim.cimom.principals import NOBODY, Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import InstancePath, Parameters

__all__ = ["UNKNOWN_CALLER", "Attempt", "Caller", "Request", "Target"]


@immutable
class Caller:
    """Who asks.

    Attributes:
        principal: the authenticated user.
        origin: where the client is, for the audit log: address and port, or `local` with a process id.
        request_id: which request it is, for providers, jobs, the audit log and log lines.
        listener: where the client came in: address and port of the server, or the path of a Unix socket.
    """

    principal: Principal = NOBODY
    origin: str = ""
    request_id: str = ""
    listener: str = ""


UNKNOWN_CALLER = Caller()
"""Everybody, where there is no authentication."""


Target: TypeAlias = InstancePath | str
"""An instance, or the name of a class."""


@immutable
class Attempt:
    """What is known of a request before its values are read: enough to decide about it, and to write it down.

    Attributes:
        operation: name of the intrinsic operation or extrinsic method, as sent.
        extrinsic: whether it is a method.
        namespace: target namespace, as sent.
        caller: who asks.
        class_names: the classes of all that the request names.
        applied_to: tells what it is applied to, for the audit log; "" for nothing.
        parameters: gives the parameters for the audit log, as `cimom.audit.plain` takes them.
    """

    operation: str
    extrinsic: bool
    namespace: str
    caller: Caller = UNKNOWN_CALLER
    class_names: tuple[str, ...] = ()
    applied_to: Callable[[], Target] = str
    parameters: Callable[[], Parameters] = dict


@immutable(kw_only=True)
class Request:
    """A request: one operation in one namespace.

    Attributes:
        namespace: target namespace; any case, outer slashes tolerated.
        caller: who asks.
    """

    operation: ClassVar[str] = ""
    """Name in DSP0200, for roles, the audit log and statistics."""

    changes: ClassVar[bool] = False
    """Whether it changes something, and may wait for the hypervisor."""

    quick: ClassVar[bool] = False
    """Whether it asks no provider, and is about one thing, so that it needs no worker thread."""

    single: ClassVar[bool] = False
    """Whether it reads one instance, and so does not wait behind what reads all of a class."""

    namespace: str
    caller: Caller = UNKNOWN_CALLER

    def attempt(self) -> Attempt:
        """What roles and the audit log go by."""
        return Attempt(
            self.operation,
            False,
            self.namespace,
            self.caller,
            self.class_names(),
            self.applied_to,
            self.parameters,
        )

    def class_names(self) -> tuple[str, ...]:
        """Name the classes of what is changed: the role that is needed is the highest that one of them needs."""
        return ()

    def applied_to(self) -> Target:
        """Name what is changed."""
        return ""

    def parameters(self) -> Parameters:
        """Give the parameters of a change, for the audit log."""
        return {}
