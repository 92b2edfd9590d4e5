"""What cloud-init itself says of user data, where it is installed on this host.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Iterable

from virtcim.images.templates import TemplateError

__all__ = ["CLOUD_CONFIG", "check_user_data"]

_log = logging.getLogger(__name__)

CLOUD_CONFIG = "#cloud-config"
"""How user data begins that cloud-init has a schema for."""
_PATIENCE = 60
"""Seconds for one look at user data."""


def check_user_data(parts: Iterable[str]) -> None:
    """Hold user data against the schema of cloud-init, by `cloud-init schema`, where that is installed.

    Parameters:
        parts: what a guest is given; those of other kinds than cloud-config are passed over.

    Raises:
        TemplateError: cloud-init would not take it.  What it says may repeat what stands in it, and so is not told.
    """
    tool = shutil.which("cloud-init")
    if tool is None:
        return
    for part in parts:
        if not part.startswith(CLOUD_CONFIG):
            continue
        with tempfile.NamedTemporaryFile("w", prefix="virtcim-", encoding="utf-8") as file:
            file.write(part)
            file.flush()
            command = [tool, "schema", "--config-file", file.name]
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=_PATIENCE,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                _log.warning("user data are not checked: cloud-init schema: %s", error)
                return
        if done.returncode:
            raise TemplateError(
                "user_data: is not as cloud-init's schema has it; `cloud-init schema --config-file FILE` says where"
            )
