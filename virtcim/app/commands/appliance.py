"""`virtcim appliance`: the appliances that a running server can have, and guests into and out of them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.asking import AskError, add_server_options, run_connected
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.jobs import follow_job
from virtcim.app.commands.showing import COMPLETED, FINAL, JOB_STARTED, table
from virtcim.app.commands.template import key_of_template, service_and_template

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_appliance_commands"]

APPLIANCE, CATALOG = "Virt_Appliance", "Virt_ApplianceCatalog"
NAMESPACE = "root/virt"
EXIT_FAILED = 1


def add_appliance_commands(commands: Commands) -> None:
    """Add the command to the subparsers of the command line."""
    appliance = commands.add_parser(
        "appliance",
        help="list, import and export appliances (OVF, OVA)",
        description="Appliances in the Open Virtualization Format, by a running server.",
    )
    actions = appliance.add_subparsers(required=True, metavar="ACTION")
    listed = _add(actions, "list", "list the appliances of all catalogues", _list)
    listed.add_argument("--refresh", action="store_true", help="fetch the catalogues that are elsewhere first")
    shown = _add(actions, "show", "tell what an appliance is, with its licences", _show)
    _add_source(shown)
    taken = _add(actions, "import", "make guests of an appliance, or a template", _import)
    _add_source(taken)
    taken.add_argument("--pool", required=True, metavar="NAME", help="the storage pool that gets its disks")
    taken.add_argument("--name", metavar="NAME", help="of the guest; of several, what their names begin with")
    taken.add_argument("--template", metavar="ID", help="make a template of this id, or its next version, and no guest")
    taken.add_argument("--template-group", metavar="GROUP", help="of the template; default: appliances")
    taken.add_argument("--customize", choices=["cloud-init", "none"], help="of the template; default: none")
    taken.add_argument("--importer", metavar="NAME", help="that is to take it: virt-v2v, or a plugin of the server")
    taken.add_argument("--option", metavar="ID", help="the deployment option; default: the appliance's own")
    taken.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME=NETWORK",
        help="where a network goes: the name of a virtual network, bridge:NAME or user; may be given again",
    )
    taken.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a property; may be given again")
    taken.add_argument("--accept-licence", action="store_true", help="accept the licences that 'show' prints")
    taken.add_argument("--keep-addresses", action="store_true", help="keep the MAC addresses of the appliance")
    taken.add_argument("--start", action="store_true", help="start the guests")
    taken.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="SECTION",
        help="leave out a section that the appliance says it needs; may be given again",
    )
    taken.add_argument("--prefix", metavar="PREFIX", default="KVM", help="class prefix of the platform; default KVM")
    taken.add_argument("--namespace", default=NAMESPACE, help=f"of the node; default {NAMESPACE}")
    given = _add(actions, "export", "make an appliance of a guest that is off, or of a template", _export)
    given.add_argument("guest", help="the name; with --template ID@VERSION, or ID for the newest version")
    given.add_argument("--template", action="store_true", help="it is a template")
    given.add_argument("target", help="NAME.ova or NAME.ovf below the server's directory for appliances")
    given.add_argument("--format", choices=["vmdk", "qcow2"], default="vmdk", help="of the disks; default vmdk")
    given.add_argument("--ovf", type=int, choices=[1, 2], default=1, help="the version of OVF; default 1")
    given.add_argument("--namespace", default=NAMESPACE, help=f"of the node; default {NAMESPACE}")


def _add(actions: Any, name: str, text: str, action: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    add_server_options(parser)
    parser.set_defaults(run=partial(run_connected, action=action))
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="CATALOGUE/ID, a file below the server's directory for appliances, or a URL")
    parser.add_argument("--sha256", metavar="DIGEST", help="that it has to have")


def _list(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Print all appliances."""
    if arguments.refresh and _call(connection, "RefreshCatalogs") is None:
        return EXIT_FAILED
    rows = [
        (
            each["Name"],
            each["Version"] or "-",
            each["Vendor"] or "-",
            ",".join(each["Platforms"] or ()) or "-",
            each["Licence"] or "-",
            each["ElementName"],
        )
        for each in connection.EnumerateInstances(APPLIANCE)
    ]
    print(table(("NAME", "VERSION", "VENDOR", "PLATFORMS", "LICENCE", "TITLE"), sorted(rows)))
    for catalog in connection.EnumerateInstances(CATALOG):
        for name, text in zip(catalog["TroubledCatalogs"] or (), catalog["Troubles"] or (), strict=False):
            print(f"virtcim: catalogue {name}: {text}", file=sys.stderr)
    return 0


def _show(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Print what an appliance is."""
    out = _call(connection, "ReadAppliance", Source=arguments.source, Checksum=arguments.sha256)
    if out is None:
        return EXIT_FAILED
    for title, name in (
        ("Systems", "Systems"),
        ("Deployment options", "DeploymentOptions"),
        ("Networks", "Networks"),
        ("Properties", "Properties"),
    ):
        print(f"{title}: {', '.join(out.get(name) or ()) or '-'}")
    print(f"Signed by: {out.get('Signer') or '-'}")
    for text in out.get("Warnings") or ():
        print(f"Warning: {text}")
    for text in out.get("Licences") or ():
        print(f"\nLicence:\n{text}")
    return 0


def _import(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Import an appliance, and wait for it."""
    import pywbem

    pool = pywbem.CIMInstanceName(
        f"{arguments.prefix}_DiskPool", {"InstanceID": f"DiskPool/{arguments.pool}"}, namespace=arguments.namespace
    )
    out = _call(
        connection,
        "ImportAppliance",
        Source=arguments.source,
        Checksum=arguments.sha256,
        Pool=pool,
        SystemName=arguments.name,
        DeploymentOption=arguments.option,
        Networks=arguments.network,
        Properties=arguments.set,
        AcceptLicences=arguments.accept_licence,
        KeepAddresses=arguments.keep_addresses,
        Start=arguments.start,
        WithoutSections=arguments.without,
        TemplateID=arguments.template,
        TemplateGroup=arguments.template_group,
        Customization=arguments.customize,
        Importer=arguments.importer,
    )
    if out is None:
        return EXIT_FAILED
    for text in out.get("Warnings") or ():
        print(f"Warning: {text}", file=sys.stderr)
    for result, key in (("ResultingSystems", "Name"), ("ResultingTemplates", "InstanceID")):
        for path in out.get(result) or ():
            # A job has references as text.
            found = pywbem.CIMInstanceName.from_wbem_uri(path) if isinstance(path, str) else path
            print(found[key])
    return 0


def _export(arguments: argparse.Namespace, connection: pywbem.WBEMConnection) -> int:
    """Export a guest or a template, and wait for it."""
    import pywbem

    subject = _template(connection, arguments) if arguments.template else _guest(connection, arguments)
    out = _call(
        connection,
        "ExportTemplate" if arguments.template else "ExportSystem",
        **{"Template" if arguments.template else "System": subject},
        Target=arguments.target,
        Format=arguments.format,
        Version=pywbem.Uint16(arguments.ovf),
    )
    if out is None:
        return EXIT_FAILED
    for text in out.get("Warnings") or ():
        print(f"Warning: {text}", file=sys.stderr)
    for name in out.get("Files") or ():
        print(name)
    return 0


def _guest(connection: pywbem.WBEMConnection, arguments: argparse.Namespace) -> Any:
    """The path of the guest that is meant.  Raises AskError where there is none."""
    names = connection.EnumerateInstanceNames("Virt_ComputerSystem", namespace=arguments.namespace)
    system = next((path for path in names if path["Name"] == arguments.guest), None)
    if system is None:
        raise AskError(f"guest {arguments.guest!r}: does not exist")
    system.host = None
    return system


def _template(connection: pywbem.WBEMConnection, arguments: argparse.Namespace) -> Any:
    """The path of the settings of the template that is meant.  Raises AskError where there is none."""
    key = key_of_template(connection, arguments.guest)
    _, path = service_and_template(connection, key, arguments.namespace)
    path.host = None
    return path


def _call(connection: pywbem.WBEMConnection, method: str, **parameters: Any) -> Any:
    """Call a method of the catalogue and wait until its job is over.

    Returns:
        what it gives back; None, with a line that says why, where it failed.
    """
    (catalog,) = connection.EnumerateInstanceNames(CATALOG)
    given = {
        name: value
        for name, value in parameters.items()
        if not (value is None or (isinstance(value, list) and not value))
    }
    value, out = connection.InvokeMethod(method, catalog, **given)
    if value != JOB_STARTED:
        return out if value == 0 else None
    job = out["Job"]
    told = None

    def tell(shown: Any) -> None:
        nonlocal told
        if shown["PercentComplete"] != told:
            told = shown["PercentComplete"]
            print(f"{told} %", file=sys.stderr, flush=True)

    shown = follow_job(connection, job, tell)
    if shown["JobState"] != COMPLETED:
        print(f"virtcim: {method}: {shown['ErrorDescription'] or FINAL[shown['JobState']]}", file=sys.stderr)
        return None
    result = shown["JobOutParameters"]
    return {} if result is None else result
