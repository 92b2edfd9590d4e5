"""The seed of a guest with cloud-init: a CD of the data source NoCloud.

Layer rule: knows nothing of CIM and does not call libvirt.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from string import Template as Pattern
from typing import Any

from virtcim.images.cloudinit import CLOUD_CONFIG, check_user_data
from virtcim.images.templates import Template, TemplateError

__all__ = ["first_label", "make_seed", "seed_files", "seed_host_name"]

_LABEL = "cidata"
"""By which cloud-init finds it."""

_BOUNDARY = "==virtcim=="
"""A fixed one, so that equal data make an equal seed."""


def seed_files(template: Template, instance: str, name: str, values: Mapping[str, str]) -> dict[str, bytes]:
    """Write what the seed holds.

    Parameters:
        template: of the guest.
        instance: what tells it from every other one, its UUID.
        name: of the guest.
        values: of the parameters, by name.

    Returns:
        the content of each file by its name.

    Raises:
        TemplateError: user data of a kind that cloud-init does not know, or with a parameter that there is not, or that
            cloud-init, where it is installed, would not take.
    """
    host_name = values.get("hostname") or _host_name(name)
    config: dict[str, Any] = {"hostname": first_label(host_name), "manage_etc_hosts": True}
    if "." in host_name:
        config["fqdn"] = host_name
    keys = [line.strip() for line in values.get("ssh_keys", "").splitlines() if line.strip()]
    user: dict[str, Any] = {}
    if keys:
        user["ssh_authorized_keys"] = keys
    if password := values.get("password_hash"):
        user |= {"hashed_passwd": password, "lock_passwd": False}
    if named := values.get("user"):
        config["users"] = ["default", {"name": named, "sudo": "ALL=(ALL) NOPASSWD:ALL", "shell": "/bin/sh", **user}]
    elif user:
        config["user"] = {"name": "root", **user} if template.os.endswith("alpine") else user
        if keys:
            config["ssh_authorized_keys"] = keys
    values = {**values, "hostname": host_name}
    if template.files:
        config["write_files"] = [
            {"path": each.path, "content": _filled(each.content, "files", template, values), "permissions": each.mode}
            for each in template.files
        ]
    parts = [_as_cloud_config(config)]
    if template.user_data:
        parts.append(_filled(template.user_data, "user_data", template, values))
    if given := values.get("user_data"):
        parts.append(given)
    check_user_data(parts[1:])
    files = {
        # JSON is YAML, and needs no writer of its own.
        "meta-data": json.dumps({"instance-id": instance, "local-hostname": config["hostname"]}).encode() + b"\n",
        "user-data": _user_data(parts),
    }
    if network := values.get("network_config"):
        files["network-config"] = network.encode()
    return files


def seed_host_name(name: str, values: Mapping[str, str]) -> str:
    """Tell the host name that a seed has, without its domain.

    Parameters:
        name: of the guest.
        values: of the parameters, by name.
    """
    return first_label(values.get("hostname") or _host_name(name))


def first_label(host_name: str) -> str:
    """Take the domain off a host name."""
    return host_name.partition(".")[0]


def make_seed(files: Mapping[str, bytes]) -> bytes:
    """Make the CD: ISO 9660 with Joliet and Rock Ridge.

    Parameters:
        files: the content of each by its name.
    """
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=_LABEL)
    for number, (name, content) in enumerate(files.items()):
        disc.add_fp(io.BytesIO(content), len(content), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    made = io.BytesIO()
    disc.write_fp(made)
    disc.close()
    return made.getvalue()


def _host_name(name: str) -> str:
    """Make a host name of the name of a guest."""
    kept = "".join(each if each.isascii() and each.isalnum() else "-" for each in name)
    return kept.strip("-")[:63].rstrip("-") or "guest"


def _as_cloud_config(config: Mapping[str, Any]) -> str:
    return f"{CLOUD_CONFIG}\n{json.dumps(config, indent=1)}\n"


def _filled(text: str, name: str, template: Template, values: Mapping[str, str]) -> str:
    """A text of the template, with the values of its parameters in their places; `name` is what it is called there."""
    known = {each.name: "" for each in template.all_parameters} | dict(values)
    try:
        return Pattern(text).substitute(known)
    except (KeyError, ValueError) as error:
        raise TemplateError(f"{name}: {error} is no parameter; expected $$ for a plain $") from None


def _user_data(parts: list[str]) -> bytes:
    if len(parts) == 1:
        return parts[0].encode()
    # Here, since only a template with user data of its own has more than one part.
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText

    message = MIMEMultipart(boundary=_BOUNDARY)
    for part in parts:
        kind = next((kind for mark, kind in _KINDS.items() if part.startswith(mark)), None)
        if kind is None:
            raise TemplateError("user_data: is of no kind that cloud-init knows; expected #cloud-config or #! first")
        shown = MIMEText(part, kind, "utf-8")
        # What a later part says of users or files comes beside what an earlier one said.
        shown["Merge-Type"] = "list(append)+dict(no_replace,recurse_list)+str()"
        message.attach(shown)
    return message.as_bytes()


_KINDS = {
    CLOUD_CONFIG: "cloud-config",
    "#!": "x-shellscript",
    "#include": "x-include-url",
    "#part-handler": "part-handler",
}
