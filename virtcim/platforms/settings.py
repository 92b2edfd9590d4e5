"""Settings of the platforms."""

from __future__ import annotations

from virtcim.immutable import immutable

__all__ = ["PlatformSettings"]


@immutable
class PlatformSettings:
    """Which platforms are served.

    A platform is called as its package calls it (the name of its entry point): `kvm`, `xen`.

    Attributes:
        enabled: the platforms that are loaded; empty: all that are installed.
        disabled: platforms that are not loaded, whatever `enabled` says.
        patience: seconds that each function of a platform that others have written gets: to be loaded, to look at
            this host, to tell of it.
    """

    enabled: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    patience: float = 10.0

    def wants(self, name: str) -> bool:
        """Whether the platform of this name is to be loaded."""
        return name not in self.disabled and (not self.enabled or name in self.enabled)
