"""`virtcim define` and `virtcim export`: configurations in formats of the hypervisors' own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from virtcim.app.commands.asking import AskError, Server, add_server_options, read_given, run_asking
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.guest import find_guest
from virtcim.schema.names import prefix_of

__all__ = ["add_native_commands"]

PLATFORMS = {"xen-xl": "Xen", "xen-xm": "Xen", "vmware-vmx": "VMware", "lxc-tools": "LXC", "qemu-argv": "KVM"}
"""By format, the class prefix of the platform that usually has it."""

NOT_SUPPORTED = 1


def add_native_commands(commands: Commands) -> None:
    """Add the commands to the subparsers of the command line."""
    define = commands.add_parser(
        "define",
        help="define a guest by its hypervisor's own configuration",
        description="Define a guest by a configuration in its hypervisor's own format, as libvirt converts it.",
    )
    define.add_argument("--platform", metavar="PREFIX", help="class prefix; default: of whose format it is")
    define.add_argument("file", type=Path, metavar="FILE", help="the configuration; - for standard input")
    define.set_defaults(run=run_asking(_define))
    export = commands.add_parser(
        "export",
        help="write a guest as its hypervisor's own configuration",
        description="Print the definition of a guest in its hypervisor's own format, as libvirt converts it.",
    )
    export.add_argument("name", metavar="NAME", help="name or UUID of the guest")
    export.set_defaults(run=run_asking(_export))
    for parser in (define, export):
        parser.add_argument("--native", required=True, choices=list(PLATFORMS), help="the format")
        parser.add_argument("--namespace", default="root/virt", help="of the node; default: root/virt")
        add_server_options(parser)


def _define(arguments: argparse.Namespace, server: Server) -> None:
    """Define a guest."""
    text = read_given(arguments.file)
    prefix = arguments.platform or PLATFORMS[arguments.native]
    with server.wbem(arguments.namespace) as connection:
        code, out = connection.InvokeMethod(
            "DefineNativeSystem", _service(prefix), Format=arguments.native, Configuration=text
        )
    _require_done(code, arguments.native)
    print(f"guest {out['ResultingSystem']['Name']}: defined")


def _export(arguments: argparse.Namespace, server: Server) -> None:
    """Print a guest."""
    with server.wbem(arguments.namespace) as connection:
        path = find_guest(connection, arguments.name)
        prefix = prefix_of(path.classname)
        code, out = connection.InvokeMethod(
            "ExportNativeSystem", _service(prefix), AffectedSystem=path, Format=arguments.native
        )
    _require_done(code, arguments.native)
    print(out["Configuration"], end="")


def _service(prefix: str) -> str:
    return f"{prefix}_VirtualSystemManagementService"


def _require_done(code: Any, format_: str) -> None:
    if int(code) == NOT_SUPPORTED:
        raise AskError(f"{format_}: the hypervisor does not convert it; expected a format of its own")
    if code:
        raise AskError(f"{format_}: it was refused, with {code}")
