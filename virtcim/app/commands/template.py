"""`virtcim template`, `virtcim image` and `virtcim provision`: from an image to running guests, by a running server."""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from virtcim.app.commands.asking import AskError, Server, add_server_options, read_given, run_asking
from virtcim.app.commands.grammar import Commands
from virtcim.app.commands.guest import find_guest
from virtcim.app.commands.jobs import follow_job, require_completed
from virtcim.app.commands.showing import JOB_STARTED, table
from virtcim.images.templates import FORMATS, ImageSource, Template, TemplateError, document_of, parse_template
from virtcim.schema.names import prefix_of

if TYPE_CHECKING:
    import pywbem

__all__ = ["add_template_commands", "key_of_template", "service_and_template"]

TEMPLATE, STORE, SERVICE = "Virt_Template", "Virt_ImageStore", "Virt_VirtualSystemManagementService"
INTEROP = "root/interop"
_TERMINAL = 2
"""ConsoleResourceAllocationSettingData.SourceType: a pseudo terminal, which `virtcim console` opens."""
PIECE = 1 << 20
"""Bytes of an image that are sent at a time."""
SUFFIXES = {".qcow2": "qcow2", ".raw": "raw", ".img": "", ".vmdk": "vmdk", ".vdi": "vdi", ".vhd": "vhd", ".iso": "iso"}


def add_template_commands(commands: Commands) -> None:
    """Add the commands to the subparsers of the command line."""
    template = commands.add_parser("template", help="templates of guests", description="Templates of a running server.")
    actions = template.add_subparsers(required=True, metavar="ACTION")
    _add(actions, "list", "list templates, the newest version of each", _list)
    _add(actions, "show", "print a template as a document in TOML", _show, "template")
    _add(
        actions, "versions", "list the versions of a template, with the guests that were made of each", _versions, "id"
    )
    made = _add(actions, "add", "add a template, or a new version of one", _add_template)
    made.add_argument("file", type=Path, nargs="?", help="a template in TOML; - for standard input")
    made.add_argument("--from-guest", metavar="GUEST", help="make it of a guest that is off, instead of a file")
    made.add_argument("--id", metavar="ID", help="of the template, with --from-guest; default: by the guest's name")
    made.add_argument("--title", default="", help="for people, with --from-guest")
    made.add_argument("--group", default="templates", help="of templates, with --from-guest; default: templates")
    made.add_argument("--customize", choices=["cloud-init", "none"], default="none", help="with --from-guest")
    made.add_argument("--namespace", default="root/virt", help="of the node of the guest; default: root/virt")
    changed = _add(actions, "edit", "change a template that was made at run time", _edit, "template")
    changed.add_argument("--file", type=Path, metavar="FILE", help="the new document; default: opens $EDITOR")
    changed.add_argument("--new-version", action="store_true", help="keep it as the next version")
    cloned = _add(actions, "clone", "make another template of one", _clone, "template")
    cloned.add_argument("new", metavar="ID", help="of the new one")
    _add(actions, "remove", "remove a template that was made at run time", _remove, "template")
    image = _add(actions, "add-image", "make a template of an image that is here", _add_image)
    image.add_argument("name", metavar="NAME", help="of the template, for people")
    image.add_argument("platform", metavar="PLATFORM", help="the class prefix of its platform, such as KVM")
    image.add_argument("group", metavar="GROUP", help="of templates")
    image.add_argument("file", type=Path, metavar="FILE", help="the image")
    image.add_argument("--id", metavar="ID", help="of the template; default: made of the name")
    image.add_argument("--format", choices=FORMATS, help="of the image; default: by the end of its name")
    image.add_argument("--customize", choices=["cloud-init", "none"], default="cloud-init", help="default: cloud-init")
    image.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE", help="of the guests; again")
    images = commands.add_parser("image", help="images that templates are made of", description="Images of a server.")
    actions = images.add_subparsers(required=True, metavar="ACTION")
    _add(actions, "list", "list the images that are here", _images)
    _add(actions, "pull", "fetch the image of a template", _pull, "template")
    _add(actions, "remove", "remove an image, here and in the pools", _remove_image, "image")
    provision = _add(commands, "provision", "make guests of a template", _provision, "template")
    provision.add_argument("--name", required=True, help="of the guest; with --count the first part of it")
    provision.add_argument("--count", type=int, metavar="N", help="make so many, NAME-1 and so on")
    provision.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; again")
    provision.add_argument("--ssh-key", type=Path, metavar="FILE", help="public keys of who can log in")
    provision.add_argument("--user-data", type=Path, metavar="FILE", help="for cloud-init, beside what is made here")
    provision.add_argument("--password", action="store_true", help="ask for a password, and send its hash")
    provision.add_argument("--namespace", metavar="NAMESPACE", help="of the node; default: root/virt")
    provision.add_argument("--group", metavar="GROUP", help="of nodes: the one of them that suits each guest best")
    provision.add_argument("--no-wait", action="store_true", help="do not wait until the guests are there")


def _add(actions: Any, name: str, text: str, run: Any, *arguments: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    for each in arguments:
        hints = {"template": "ID@VERSION, or ID for the newest version", "image": "its name, or how its SHA-256 begins"}
        parser.add_argument(each, metavar=each.upper(), help=hints.get(each, "of the template"))
    add_server_options(parser)
    parser.set_defaults(run=run_asking(partial(_run_reporting, run)))
    return parser


def _run_reporting(run: Any, arguments: argparse.Namespace, server: Server) -> int | None:
    """Run a command, and tell what is wrong with a template as what is wrong with the server."""
    try:
        result: int | None = run(arguments, server)
    except TemplateError as error:
        raise AskError(str(error)) from None
    return result


def _path(key: str) -> Any:
    import pywbem

    return pywbem.CIMInstanceName(TEMPLATE, {"InstanceID": f"template:{key}"}, namespace=INTEROP)


def _instance(document: str) -> Any:
    import pywbem

    return pywbem.CIMInstance(TEMPLATE, {"Document": document})


def _document(connection: pywbem.WBEMConnection, key: str) -> Template:
    return parse_template(str(connection.GetInstance(_path(key))["Document"]))


def key_of_template(connection: pywbem.WBEMConnection, name: str) -> str:
    """Ask for the `ID@VERSION` of a template, which may be named by its id alone."""
    return _document(connection, name).key


def _list(_arguments: argparse.Namespace, server: Server) -> None:
    """Print the newest version of each template."""
    with server.wbem(INTEROP) as connection:
        found = connection.EnumerateInstances(TEMPLATE)
    newest = {each["Name"]: each for each in sorted(found, key=lambda each: int(each["Version"]))}
    rows = [
        (
            each["Name"],
            each["Version"],
            each["GroupName"],
            ",".join(each["Platforms"] or ()) or "all",
            f"{each['ElementName']}{'' if each['Tried'] else ' (untried)'}",
            each["Origin"] or "made at run time",
        )
        for _, each in sorted(newest.items())
    ]
    print(table(("ID", "VERSION", "GROUP", "PLATFORMS", "TITLE", "FROM"), rows))


def _show(arguments: argparse.Namespace, server: Server) -> None:
    """Print a template."""
    with server.wbem(INTEROP) as connection:
        print(connection.GetInstance(_path(arguments.template))["Document"], end="")


def _versions(arguments: argparse.Namespace, server: Server) -> None:
    """Print the versions of a template, and the guests that were made of each."""
    with server.wbem(INTEROP) as connection:
        found = [each for each in connection.EnumerateInstances(TEMPLATE) if each["Name"] == arguments.id]
        spaces = [node["Namespace"] for node in connection.EnumerateInstances("Virt_ManagedNode") if node["Enabled"]]
    if not found:
        raise AskError(f"template {arguments.id}: does not exist")
    guests: dict[str, list[str]] = {}
    for space in ("root/virt", *spaces):
        with server.wbem(space) as connection:
            wanted = ["InstanceID", "VirtualSystemIdentifier", "Template"]
            settings = connection.EnumerateInstances("Virt_VirtualSystemSettingData", PropertyList=wanted)
        for each in settings:
            if each["Template"] and each["InstanceID"].endswith(f":{each['VirtualSystemIdentifier']}"):
                guests.setdefault(each["Template"], []).append(f"{space}:{each['VirtualSystemIdentifier']}")
    rows = [
        (
            each["Version"],
            each["Origin"] or "made at run time",
            " ".join(guests.get(f"{arguments.id}@{each['Version']}", ())) or "-",
        )
        for each in sorted(found, key=lambda each: int(each["Version"]))
    ]
    print(table(("VERSION", "FROM", "GUESTS"), rows))


def _add_template(arguments: argparse.Namespace, server: Server) -> None:
    """Add a template."""
    if (arguments.file is None) == (arguments.from_guest is None):
        raise AskError("template add: expected either a file or --from-guest")
    if arguments.from_guest is not None:
        _add_from_guest(arguments, server)
        return
    text = read_given(arguments.file)
    template = parse_template(text)
    with server.wbem(INTEROP) as connection:
        connection.CreateInstance(_instance(document_of(template)), namespace=INTEROP)
    print(f"template {template.key}")


def _add_from_guest(arguments: argparse.Namespace, server: Server) -> None:
    """Make a template of a guest."""
    with server.wbem(arguments.namespace) as connection:
        guest = find_guest(connection, arguments.from_guest)
        guest.namespace = arguments.namespace
    given = {
        "System": guest,
        "TemplateID": arguments.id or _id_of(guest["Name"]),
        "Title": arguments.title,
        "Group": arguments.group,
        "Customization": arguments.customize,
    }
    with server.wbem(INTEROP) as connection:
        (store,) = connection.EnumerateInstanceNames(STORE)
        code, out = connection.InvokeMethod("CreateTemplateFromSystem", store, **given)
        if code == JOB_STARTED:
            _await(connection, out["Job"], f"template of {arguments.from_guest}")
        versions = [
            each["Version"] for each in connection.EnumerateInstances(TEMPLATE) if each["Name"] == given["TemplateID"]
        ]
    print(f"template {given['TemplateID']}@{max(map(int, versions))}")


def _id_of(name: str) -> str:
    """Make the id of a template of a name."""
    return re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-.") or "image"


def _edit(arguments: argparse.Namespace, server: Server) -> None:
    """Change a template, or keep what was changed as the next version."""
    with server.wbem(INTEROP) as connection:
        before = _document(connection, arguments.template)
    given = arguments.file
    text = read_given(given) if given is not None else _edited(document_of(before))
    template = parse_template(text)
    with server.wbem(INTEROP) as connection:
        if arguments.new_version:
            versions = [
                each["Version"] for each in connection.EnumerateInstances(TEMPLATE) if each["Name"] == before.id
            ]
            template = replace(template, id=before.id, version=max(map(int, versions)) + 1)
            connection.CreateInstance(_instance(document_of(template)), namespace=INTEROP)
        else:
            instance = _instance(document_of(template))
            instance.path = _path(before.key)
            connection.ModifyInstance(instance, PropertyList=["Document"])
    print(f"template {template.key}")


def _edited(document: str) -> str:
    """Have somebody change a document."""
    with tempfile.NamedTemporaryFile("w+", suffix=".toml", encoding="utf-8") as file:
        file.write(document)
        file.flush()
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        if subprocess.run([editor, file.name], check=False).returncode:
            raise AskError(f"{editor}: failed; nothing is changed")
        return Path(file.name).read_text(encoding="utf-8")


def _clone(arguments: argparse.Namespace, server: Server) -> None:
    """Make another template of one."""
    with server.wbem(INTEROP) as connection:
        template = replace(_document(connection, arguments.template), id=arguments.new, version=1)
        connection.CreateInstance(_instance(document_of(template)), namespace=INTEROP)
    print(f"template {template.key}")


def _remove(arguments: argparse.Namespace, server: Server) -> None:
    """Remove a template."""
    with server.wbem(INTEROP) as connection:
        key = key_of_template(connection, arguments.template)
        connection.DeleteInstance(_path(key))
    print(f"template {key}: removed")


def _add_image(arguments: argparse.Namespace, server: Server) -> None:
    """Send an image, and make a template of it."""
    path = arguments.file
    format_ = arguments.format or SUFFIXES.get(path.suffix.lower(), "")
    if not format_:
        raise AskError(f"{path}: its name does not say its format; expected --format")
    id_ = arguments.id or _id_of(arguments.name)
    with server.wbem(INTEROP) as connection:
        sha256 = _sent(connection, path, format_, arguments.name)
        versions = [each["Version"] for each in connection.EnumerateInstances(TEMPLATE) if each["Name"] == id_]
        template = Template(
            id=id_,
            version=max(map(int, versions), default=0) + 1,
            title=arguments.name,
            group=arguments.group,
            platforms=(arguments.platform,),
            image=ImageSource(sha256=sha256, format=format_, size=path.stat().st_size),
            copy="overlay" if format_ in ("qcow2", "raw") else "full",
            customize=arguments.customize,
            settings=dict(_pairs(arguments.setting)),
            resources=(
                {"kind": "Graphics", "ResourceSubType": "vnc"},
                {"kind": "Console", "SourceType": _TERMINAL},
            ),
        )
        connection.CreateInstance(_instance(document_of(template)), namespace=INTEROP)
    print(f"template {template.key}")


def _sent(connection: pywbem.WBEMConnection, path: Path, format_: str, name: str) -> str:
    """Send an image to the store, and give its SHA-256."""
    import pywbem

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(PIECE):
            digest.update(chunk)
    (store,) = connection.EnumerateInstanceNames(STORE)
    if digest.hexdigest() in (connection.GetInstance(store)["ImageIDs"] or ()):
        return digest.hexdigest()
    _, out = connection.InvokeMethod("BeginImage", store)
    offset = 0
    with path.open("rb") as file:
        while chunk := file.read(PIECE):
            data = base64.b64encode(chunk).decode()
            connection.InvokeMethod("WriteImage", store, Upload=out["Upload"], Offset=pywbem.Uint64(offset), Data=data)
            offset += len(chunk)
    given = {"Upload": out["Upload"], "Checksum": digest.hexdigest(), "Format": format_, "Name": name}
    connection.InvokeMethod("FinishImage", store, **given)
    return digest.hexdigest()


def _pairs(given: Iterable[str]) -> Iterator[tuple[str, str | int | bool]]:
    """Read settings from the command line: numbers and true or false as such."""
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise AskError(f"--setting: {each!r} has no value; expected NAME=VALUE")
        if value in ("true", "false"):
            yield name, value == "true"
        else:
            yield name, int(value) if value.isascii() and value.isdigit() else value


def _images(_arguments: argparse.Namespace, server: Server) -> None:
    """Print the images that are here."""
    with server.wbem(INTEROP) as connection:
        (store,) = connection.EnumerateInstances(STORE)
    columns = [store[name] or () for name in ("ImageIDs", "ImageSizes", "ImageFormats", "ImageNames", "ImageURLs")]
    rows = [
        (sha256[:12], size, kind, name or "-", url or "put here")
        for sha256, size, kind, name, url in zip(*columns, strict=True)
    ]
    print(table(("SHA-256", "BYTES", "FORMAT", "NAME", "FROM"), rows))


def _pull(arguments: argparse.Namespace, server: Server) -> None:
    """Fetch the image of a template."""
    with server.wbem(INTEROP) as connection:
        (store,) = connection.EnumerateInstanceNames(STORE)
        code, out = connection.InvokeMethod("PullImage", store, Template=arguments.template)
        if code == JOB_STARTED:
            _await(connection, out["Job"], f"image of {arguments.template}")
    print(f"image of {arguments.template}: is here")


def _remove_image(arguments: argparse.Namespace, server: Server) -> None:
    """Remove an image."""
    with server.wbem(INTEROP) as connection:
        (store,) = connection.EnumerateInstances(STORE)
        known = dict(zip(store["ImageIDs"] or (), store["ImageNames"] or (), strict=True))
        found = [each for each, name in known.items() if name == arguments.image or each.startswith(arguments.image)]
        if len(found) != 1:
            raise AskError(f"image {arguments.image}: {len(found)} images are called so; expected one")
        connection.InvokeMethod("RemoveImage", store.path, ImageID=found[0])
    print(f"image {found[0][:12]}: removed")


def _provision(arguments: argparse.Namespace, server: Server) -> None:
    """Make guests of a template."""
    import pywbem

    names = [arguments.name]
    if arguments.count is not None:
        names = [f"{arguments.name}-{number}" for number in range(1, arguments.count + 1)]
    parameters = [*arguments.set, *_from_files(arguments)]
    with server.wbem(INTEROP) as connection:
        key = key_of_template(connection, arguments.template)
    namespace = arguments.namespace or "root/virt"
    with server.wbem(namespace) as connection:
        method = "DefineSystem"
        group: dict[str, Any] = {}
        if arguments.group is None:
            path, setting = service_and_template(connection, key, namespace)
        else:
            method, group, path, setting = _service_of_group(server, arguments.group, key)
        jobs = {}
        for name in names:
            given = {"VirtualSystemIdentifier": name, "TemplateParameters": parameters}
            system = pywbem.CIMInstance(setting.classname, [_property(*each) for each in given.items()])
            _, out = connection.InvokeMethod(
                method, path, SystemSettings=system, ReferenceConfiguration=setting, **group
            )
            jobs[name] = out["Job"]
        if arguments.no_wait:
            print("\n".join(f"guest {name}: job {job['InstanceID']}" for name, job in jobs.items()))
            return
        failed = []
        for name, job in jobs.items():
            try:
                _await(connection, job, f"guest {name}")
            except AskError as error:
                failed.append(str(error))
            else:
                print(f"guest {name}: made", flush=True)
    if failed:
        raise AskError("\nvirtcim: ".join(failed))


def _property(name: str, value: Any) -> Any:
    import pywbem

    return pywbem.CIMProperty(name, value, type="string", is_array=isinstance(value, list))


def _from_files(arguments: argparse.Namespace) -> Iterator[str]:
    """The parameters that stand in files, or are asked for."""
    if arguments.ssh_key is not None:
        yield f"ssh_keys={read_given(arguments.ssh_key).strip()}"
    if arguments.user_data is not None:
        yield f"user_data={read_given(arguments.user_data)}"
    if arguments.password:
        from passlib.hash import sha512_crypt

        yield f"password_hash={sha512_crypt.hash(getpass.getpass('Password of the guests: '))}"


def service_and_template(connection: pywbem.WBEMConnection, template: str, namespace: str) -> tuple[Any, Any]:
    """Find the service of a node that a template is for, and the path of the settings of the template there.

    Parameters:
        template: `ID@VERSION`.
        namespace: of the node.

    Raises:
        AskError: there is none.
    """
    import pywbem

    for path in connection.EnumerateInstanceNames(SERVICE, namespace=namespace):
        prefix = prefix_of(path.classname)
        setting = pywbem.CIMInstanceName(
            f"{prefix}_VirtualSystemSettingData",
            {"InstanceID": f"template:{template}"},
            namespace=namespace,
        )
        try:
            shown = connection.GetInstance(setting)
        except pywbem.CIMError as error:
            if error.status_code != pywbem.CIM_ERR_NOT_FOUND:
                raise
            continue
        return path, shown.path
    raise AskError(f"template {template}: there is none for a platform of {namespace}")


def _service_of_group(server: Server, name: str, key: str) -> tuple[str, dict[str, Any], Any, Any]:
    """The method that places guests in a group of nodes, the group, its service, and the path of a template."""
    import pywbem

    with server.wbem(INTEROP) as connection:
        (service,) = connection.EnumerateInstanceNames("Virt_AggregatedManagementService")
        found = connection.EnumerateInstanceNames("Virt_NodeGroup")
    group = [each for each in found if str(each["InstanceID"]).rpartition(":")[2] == name]
    if not group:
        raise AskError(f"group {name}: does not exist")
    keys = {"InstanceID": f"template:{key}"}
    setting = pywbem.CIMInstanceName("Virt_VirtualSystemSettingData", keys, namespace="root/virt")
    return "DefineSystemInGroup", {"Group": group[0]}, service, setting


def _await(connection: pywbem.WBEMConnection, job: pywbem.CIMInstanceName, what: str) -> None:
    """Wait until a job is over.

    Raises:
        AskError: it did not complete.
    """
    shown = ""

    def tell(now: pywbem.CIMInstance) -> None:
        nonlocal shown
        step = now.get("Step") or ""
        if step and step != shown:
            print(f"{what}: {step}", file=sys.stderr, flush=True)
            shown = step

    require_completed(follow_job(connection, job, tell), what)
