"""Who may do what: roles, what each operation and method needs, and who has which role.

What an operation needs is declared (`needed`): reading operations need `Role.READ`; for everything else a table says
which method of which class needs less than `Role.ADMINISTER`.  Both front ends ask the same `Access`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache

from virtcim.cimom.principals import Mechanism, Principal
from virtcim.immutable import immutable
from virtcim.providers.interface import CIMError, Role, Status

__all__ = ["READING", "Access", "NamespaceRoles", "Role", "RoleSettings"]

READING = frozenset(
    {
        "associatornames", "associators", "closeenumeration", "enumerateclasses", "enumerateclassnames",
        "enumerateinstancenames", "enumerateinstances", "enumeratequalifiers", "enumerationcount", "execquery",
        "getclass", "getinstance", "getproperty", "getqualifier", "openassociatorinstancepaths",
        "openassociatorinstances", "openenumerateinstancepaths", "openenumerateinstances", "openqueryinstances",
        "openreferenceinstancepaths", "openreferenceinstances", "pullinstancepaths", "pullinstances",
        "pullinstanceswithpath", "referencenames", "references",
    }
)  # fmt: skip
"""The intrinsic operations that change nothing (DSP0200 1.4, sections 5.3 and 5.4), in lower case."""

MAX_NAME = 256
"""Characters of a client's name of an operation, class or namespace that are looked at: decisions are remembered by
name, and no name that means anything is as long."""

EVERYBODY = "*"
GROUP = "@"
BY_MECHANISM = "auth:"


@immutable
class NamespaceRoles:
    """The roles in one namespace: a list that is given stands in place of the general one.

    Attributes:
        read, operate, administer: as in `[roles]`; none: what stands there counts here too.
    """

    read: tuple[str, ...] | None = None
    operate: tuple[str, ...] | None = None
    administer: tuple[str, ...] | None = None


@immutable
class RoleSettings:
    """The table `[roles]`: who may do what.

    A list holds names of users; `@NAME` for a group (one of `groups`, or a group of the system for users of the
    system: those of PAM, of the Unix socket and of the CMPI bridge); `auth:NAME` for everybody who came in by
    `password`, `htpasswd`, `pam`, `certificate`, `local` or `cmpi`; `*` for everybody who is authenticated.  Without
    authentication (`auth = "none"`) everybody administers.

    Attributes:
        read: see everything.
        operate: also change the state of guests that there are: start, stop, pause, jobs, consoles.
        administer: also define, modify, migrate and destroy guests, pools, volumes and networks, and create instances.
        groups: groups of users, beside those of the system.
        namespaces: other lists for single namespaces, by name (`root/virt`).
    """

    read: tuple[str, ...] = (EVERYBODY,)
    operate: tuple[str, ...] = ()
    administer: tuple[str, ...] = ("root", "@libvirt", "auth:password", "auth:htpasswd", "auth:cmpi")
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespaces: Mapping[str, NamespaceRoles] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lists = [self.read, self.operate, self.administer]
        for each in self.namespaces.values():
            lists += [entries for entries in (each.read, each.operate, each.administer) if entries is not None]
        known = {str(mechanism) for mechanism in Mechanism}
        for entry in (entry for entries in lists for entry in entries):
            if not entry.strip() or entry == GROUP:
                raise ValueError(f"{entry!r}: is empty; expected USER, {GROUP}GROUP or {BY_MECHANISM}MECHANISM")
            if entry.startswith(BY_MECHANISM) and entry.removeprefix(BY_MECHANISM) not in known:
                expected = " or ".join(f"{BY_MECHANISM}{each}" for each in sorted(known))
                raise ValueError(f"{entry!r}: is not a mechanism; expected {expected}")

    def role(self, principal: Principal, namespace: str) -> Role:
        """The highest role of somebody in a namespace."""
        if principal.mechanism is Mechanism.NONE:
            return Role.ADMINISTER
        wanted = namespace.strip("/").lower()
        own = next(
            (roles for name, roles in self.namespaces.items() if name.strip("/").lower() == wanted), NamespaceRoles()
        )
        for role, general, special in (
            (Role.ADMINISTER, self.administer, own.administer),
            (Role.OPERATE, self.operate, own.operate),
            (Role.READ, self.read, own.read),
        ):
            if any(self._is(principal, entry) for entry in (general if special is None else special)):
                return role
        return Role.NONE

    def _is(self, principal: Principal, entry: str) -> bool:
        if entry == EVERYBODY:
            return True
        if not principal.name:
            return False  # a CIM server that asks for no login sends an empty one
        if entry.startswith(BY_MECHANISM):
            return entry.removeprefix(BY_MECHANISM) == str(principal.mechanism)
        if entry.startswith(GROUP):
            group = entry.removeprefix(GROUP)
            return group in principal.groups or principal.name in self.groups.get(group, ())
        return entry == principal.name


class Access:
    """Decides.  Safe to use from several threads at once.

    Parameters:
        roles: who has which role.
        table: `Class.Method` to the role that the method needs, on the class and those below it; the nearest class
            counts.  Intrinsic operations that change something stand here as well (`CIM_Job.DeleteInstance`).  What
            the table does not hold needs `Role.ADMINISTER`.
        ancestors: a class and those above it, itself first; raises KeyError for an unknown one.
    """

    def __init__(
        self, roles: RoleSettings, table: Mapping[str, Role], ancestors: Callable[[str], Sequence[str]]
    ) -> None:
        self._table = {name.lower(): role for name, role in table.items()}
        self._ancestors = ancestors
        self._role = lru_cache(maxsize=4096)(roles.role)
        self._needed = lru_cache(maxsize=4096)(self._look_up)

    def role(self, principal: Principal, namespace: str) -> Role:
        """The highest role of somebody in a namespace."""
        return self._role(principal, namespace[:MAX_NAME])

    def needed(self, operation: str, extrinsic: bool, class_names: Iterable[str] = ()) -> Role:
        """The role that an operation needs.

        Parameters:
            operation: name of the intrinsic operation or extrinsic method, in any case.
            extrinsic: whether it is a method.
            class_names: classes of what it is applied to.
        """
        lowered = operation[:MAX_NAME].lower()
        if not extrinsic and lowered in READING:
            return Role.READ
        return max((self._needed(lowered, name[:MAX_NAME].lower()) for name in class_names), default=Role.ADMINISTER)

    def _look_up(self, operation: str, class_name: str) -> Role:
        try:
            ancestors = self._ancestors(class_name)
        except KeyError:
            return Role.ADMINISTER
        for ancestor in ancestors:
            if (role := self._table.get(f"{ancestor}.{operation}".lower())) is not None:
                return role
        return Role.ADMINISTER

    def may_read(self, principal: Principal, namespace: str) -> bool:
        """Whether somebody may read a namespace, and so may be told of what happens in it."""
        return self.role(principal, namespace) >= Role.READ

    def require(self, principal: Principal, namespace: str, needed: Role, what: str) -> None:
        """Refuse what somebody may not do.

        Raises:
            CIMError: ACCESS_DENIED.
        """
        if self.role(principal, namespace) < needed:
            raise CIMError(
                Status.ACCESS_DENIED,
                f"{principal.called} may not {what} in {namespace}: that needs the role {needed.name.lower()}",
            )
