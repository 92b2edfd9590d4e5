"""What an administrator may set for appliances.

Layer rule: imports nothing of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from virtcim.immutable import immutable

__all__ = ["ApplianceSettings", "CatalogSettings"]


@immutable
class CatalogSettings:
    """A catalogue of appliances.

    Attributes:
        location: the path or the URL of a file in TOML.
        checksum: the SHA-256 that the file has to have; empty for any.
    """

    location: str = ""
    checksum: str = ""


@immutable
class ApplianceSettings:
    """Where appliances come from and go to.

    Attributes:
        directory: whose appliances clients may import, and into which guests are exported; None for none.
        catalog: catalogues of appliances, by name.
        scratch: where disks are converted; None for `appliances` in the state directory.
    """

    directory: Path | None = None
    catalog: Mapping[str, CatalogSettings] = field(default_factory=dict)
    scratch: Path | None = None
