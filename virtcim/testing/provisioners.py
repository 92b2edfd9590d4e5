"""The contract of provisioners: what each has to keep."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable

from virtcim.images.provisioners import NewGuest, Provisioner

__all__ = ["SAMPLE", "ProvisionerContract", "provisioner_suite"]

SAMPLE = NewGuest("web", "8a1c9f0e-2b3d-4c5e-8f70-112233445566", "root/virt", "debian@1", {"EnableACPI": True}, {})
"""A guest without disks."""


class ProvisionerContract:
    """Tests of one provisioner, which pytest finds in a subclass whose name begins with `Test`.

    Attributes:
        make: what the entry point names.
        guest: that the provisioner can take part in making.
    """

    make: Callable[[], Provisioner]
    guest: NewGuest = SAMPLE

    def test_it_is_made_without_arguments(self) -> None:
        assert type(self).make() is not None

    def test_each_part_is_given_the_guest_alone(self) -> None:
        made = type(self).make()
        for part in (made.prepare, made.finish, made.undo):
            inspect.signature(part).bind(self.guest)

    def test_what_was_not_begun_is_taken_back_without_harm(self) -> None:
        """A job calls undo wherever it ends, and again where the server died over it."""
        made = type(self).make()
        made.undo(self.guest)
        made.undo(self.guest)

    def test_a_guest_is_made_again_after_it_was_taken_back(self) -> None:
        made = type(self).make()
        for _ in range(2):
            made.prepare(self.guest)
            made.finish(self.guest)
            made.undo(self.guest)

    def test_guests_are_kept_apart(self) -> None:
        """One object may be asked for another guest in between."""
        made = type(self).make()
        other = dataclasses.replace(self.guest, name=f"{self.guest.name}-other", uuid=f"{self.guest.uuid[:-1]}0")
        made.prepare(self.guest)
        made.prepare(other)
        made.undo(other)
        made.finish(self.guest)
        made.undo(self.guest)


def provisioner_suite(make: Callable[[], Provisioner], guest: NewGuest = SAMPLE) -> type[ProvisionerContract]:
    """Make the tests of a provisioner: `TestMine = provisioner_suite(Mine)` in a module that pytest runs.

    Parameters:
        make: what the entry point names.
        guest: that the provisioner can take part in making.
    """
    name = getattr(make, "__name__", "Provisioner")
    return type(f"Test{name}", (ProvisionerContract,), {"make": staticmethod(make), "guest": guest})
