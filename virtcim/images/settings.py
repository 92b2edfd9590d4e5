"""What an administrator may set for images and templates.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["ImageSettings"]


@immutable
class ImageSettings:
    """How images are fetched and kept.

    Attributes:
        directory: with files of templates, `*.toml`; None for `templates.d` beside the configuration file.
        cache: where images are kept; None for `images` in the state directory.
        pool: the storage pool that new guests get their disks from, where neither template nor group names one.
        hosts: that images may be fetched from: names, with `*` for anything, addresses, and networks such as
            `10.0.0.0/8`.  Addresses of this machine and of the link are refused unless one of the addresses or
            networks here holds them, whatever a name says.
        mirror: where images are fetched from instead of their own hosts, for sites without the internet:
            `https://mirror.example.com/images` stands for `https://` in the URL of an image.
        largest: bytes that an image may have.
        timeout: seconds after which a server is given up that does not answer, sends nothing more, or sends more slowly
            than `slowest`.
        slowest: bytes a second that a server sends at least.
        attempts: how often a download is begun again where it broke off.
        seed_settle: seconds for which a running guest has to bear the host name of its seed, as its agent or its lease
            tells it, before the seed is taken out of its drive; 0 leaves it there until the guest has shut down.
        boot_timeout: seconds that a guest gets for having an address, or an agent that answers, where its job waits for
            that.
        provisioner_timeout: seconds that the executable of a template may take.
        provisioner_user: the user that such an executable runs as.
    """

    directory: Path | None = None
    cache: Path | None = None
    pool: str = "default"
    hosts: tuple[str, ...] = ("*",)
    mirror: str = ""
    largest: int = 64 << 30
    timeout: float = 60.0
    slowest: int = 1024
    attempts: int = 3
    seed_settle: float = 300.0
    boot_timeout: float = 600.0
    provisioner_timeout: float = 300.0
    provisioner_user: str = "nobody"
