"""Who asks: what the ways of authentication find out, and what roles and the audit log go by."""

from __future__ import annotations

import enum
import grp
import os
import pwd

from virtcim.immutable import immutable

__all__ = ["NOBODY", "Mechanism", "Principal", "system_groups", "system_principal"]


class Mechanism(enum.StrEnum):
    """How somebody was authenticated."""

    NONE = "none"
    PASSWORD = "password"
    HTPASSWD = "htpasswd"
    PAM = "pam"
    CERTIFICATE = "certificate"
    LOCAL = "local"
    CMPI = "cmpi"


@immutable
class Principal:
    """Somebody who asks.

    Attributes:
        name: of the user; "" when nobody was asked for it.
        mechanism: how the user was authenticated.
        groups: the groups of the system that the user is in; empty for users whom the system does not know.
    """

    name: str
    mechanism: Mechanism
    groups: frozenset[str] = frozenset()

    @property
    def called(self) -> str:
        """The name, for messages."""
        return self.name or "An unknown user"


NOBODY = Principal("", Mechanism.NONE)
"""Everybody, where there is no authentication."""


def system_groups(user: str) -> frozenset[str]:
    """The names of a system user's groups; none for an unknown user.  May take long: ask in a worker thread."""
    try:
        primary = pwd.getpwnam(user).pw_gid
        numbers = os.getgrouplist(user, primary)
    except (KeyError, OSError, ValueError):
        return frozenset()
    names = set()
    for number in numbers:
        try:
            names.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(names)


def system_principal(uid: int, mechanism: Mechanism = Mechanism.LOCAL) -> Principal:
    """The system user with a number; one without a name is called `#1234`.  May take long."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return Principal(f"#{uid}", mechanism)
    return Principal(name, mechanism, system_groups(name))
