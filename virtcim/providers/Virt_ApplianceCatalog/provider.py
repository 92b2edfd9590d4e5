"""The providers of the catalogue and its appliances: reading, importing, exporting.

What reads and writes packages is loaded by the method that does: most servers never see one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from virtcim.images.appliances.catalogs import Catalogs, Entry, fetch_package
from virtcim.images.appliances.errors import ApplianceError
from virtcim.images.appliances.settings import ApplianceSettings
from virtcim.images.settings import ImageSettings
from virtcim.images.store import ImageError
from virtcim.images.templates import TemplateError
from virtcim.immutable import immutable
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work
from virtcim.providers.base import Element
from virtcim.providers.errors import libvirt_failure, store_failure
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import (
    Association,
    CIMError,
    CIMValue,
    End,
    Instance,
    InstancePath,
    InstanceProvider,
    Keys,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Affected, Effect, JobOrder
from virtcim.providers.keys import instance_id
from virtcim.providers.nodes.elements import May, element_of_node, system_of_node
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.services.ofserver import Run, ServerServiceProvider
from virtcim.providers.site import Site
from virtcim.providers.templates import TemplateSetting
from virtcim.providers.Virt_ApplianceCatalog.elements import (
    APPLIANCE,
    APPLIANCE_CATALOG,
    APPLIANCE_PREFIX,
    ShownAppliance,
    ShownCatalog,
)
from virtcim.providers.Virt_ComputerSystem import system_of
from virtcim.providers.Virt_DevicePool import DevicePool
from virtcim.providers.Virt_ImageStore.elements import TEMPLATE

if TYPE_CHECKING:
    from virtcim.images.appliances.exporting import Exported, ExportOrder
    from virtcim.images.appliances.package import Package

__all__ = ["ApplianceCatalogProvider", "ApplianceProvider", "CatalogMembers", "Shelf"]


@immutable
class Shelf:
    """What there is of appliances.

    Attributes:
        settings: where they come from and go to.
        images: what may be fetched.
        catalogs: all catalogues.
        scratch: a directory where disks are converted.
    """

    settings: ApplianceSettings
    images: ImageSettings
    catalogs: Catalogs
    scratch: Path


class ApplianceCatalogProvider(ServerServiceProvider):
    """Serves Virt_ApplianceCatalog.

    Parameters:
        shelf: what there is of appliances.
        nodes: all nodes.
        may: tells who may do what in the namespaces of the nodes.
        namespace: where the catalogue is shown.
    """

    class_names = (APPLIANCE_CATALOG,)

    def __init__(self, shelf: Shelf, nodes: NodeRegistry, may: May, namespace: str) -> None:
        self._shelf = shelf
        self._nodes = nodes
        self._may = may
        self._namespace = namespace

    @property
    def service(self) -> ShownCatalog:
        return ShownCatalog(self._shelf.catalogs, self._namespace)

    @property
    def runs(self) -> Mapping[str, Run]:
        return {
            "RefreshCatalogs": self._refresh,
            "ReadAppliance": self._read,
            "ImportAppliance": self._import,
            "ExportSystem": self._export,
            "ExportTemplate": self._export_template,
        }

    def _refresh(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """RefreshCatalogs."""

        def run(work: Work) -> MethodResult:
            self._shelf.catalogs.refresh(work)
            return MethodResult(0)

        return self._do(self._nodes.local, self._nodes.local.platforms[0].prefix, "RefreshCatalogs", run, context)

    def _read(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """ReadAppliance."""
        entry = self._entry(parameters)

        def run(work: Work) -> MethodResult:
            with self._opened(entry, (), work) as package:
                return MethodResult(0, _package_parameters(package))

        return self._do(self._nodes.local, self._nodes.local.platforms[0].prefix, "ReadAppliance", run, context)

    def _import(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """ImportAppliance."""
        from virtcim.images.appliances.importing import ImportOrder, import_appliance
        from virtcim.providers.Virt_ApplianceCatalog.bases import ApplianceBases
        from virtcim.providers.Virt_ApplianceCatalog.templates import TemplateOrder, import_templates

        entry = self._entry(parameters)
        pool = element_of_node(self._nodes, self._may, parameters, "Pool", context)
        if not isinstance(pool, DevicePool) or pool.record is None or pool.base != "DiskPool":
            raise CIMError(Status.INVALID_PARAMETER, "Pool: is no storage pool; expected one of libvirt's")
        site, platform, hypervisor = pool.site, pool.platform, pool.hypervisor
        order = ImportOrder(
            pool=pool.record.name,
            name=str(parameters.get("SystemName") or ""),
            networks=_pairs(parameters, "Networks"),
            option=str(parameters.get("DeploymentOption") or ""),
            properties=_pairs(parameters, "Properties"),
            accepts_licences=bool(parameters.get("AcceptLicences")),
            keeps_addresses=bool(parameters.get("KeepAddresses")),
            starts=bool(parameters.get("Start")),
            bases=ApplianceBases(site, platform, hypervisor),
        )
        without = _texts(parameters, "WithoutSections")
        if entry.platforms and platform.prefix not in entry.platforms:
            text = f"appliance {entry.key!r}: is for {', '.join(entry.platforms)}; expected {platform.prefix}"
            raise CIMError(Status.FAILED, text)

        importer = str(parameters.get("Importer") or "")
        wanted = TemplateOrder.of(parameters, order, site, context)

        def run(work: Work) -> MethodResult:
            with self._opened(entry, without, work, importer) as package:
                if wanted is not None:
                    keys, warnings = import_templates(
                        package, wanted, site, platform, hypervisor, work, self._shelf.scratch
                    )
                    paths = [InstancePath(TEMPLATE, {"InstanceID": key}, self._namespace) for key in keys]
                    return MethodResult(0, {"ResultingTemplates": paths, "Warnings": list(warnings)})
                made = import_appliance(package, order, hypervisor, platform, work, self._shelf.scratch)
            guests = [guest for guest in all_guests(site, platform) if guest.domain.uuid in made.guests]
            guests.sort(key=lambda guest: made.guests.index(guest.domain.uuid))
            paths = [system_of(guest).path() for guest in guests]
            return MethodResult(0, {"ResultingSystems": paths, "Warnings": list(made.warnings)})

        return self._do(site, platform.prefix, "ImportAppliance", run, context, [pool.path()])

    def _export(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """ExportSystem."""
        from virtcim.images.appliances.exporting import export_guest

        system = system_of_node(self._nodes, self._may, parameters, "System", context)
        order = self._export_order(parameters)
        guest = system.guest

        def export(work: Work, scratch: Path) -> Exported:
            return export_guest(guest.domain.uuid, order, guest.hypervisor, work, scratch)

        return self._do_export("ExportSystem", export, system, context)

    def _export_template(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """ExportTemplate."""
        from virtcim.providers.Virt_ApplianceCatalog.templates import export_template

        setting = element_of_node(self._nodes, self._may, parameters, "Template", context)
        if not isinstance(setting, TemplateSetting):
            raise CIMError(Status.INVALID_PARAMETER, "Template: is none; expected the settings of one")
        order = self._export_order(parameters)
        return self._do_export("ExportTemplate", partial(export_template, setting, order), setting, context)

    def _do_export(
        self, method: str, export: Callable[[Work, Path], Exported], element: Element, context: RequestContext
    ) -> MethodResult:
        """Make an appliance of an element, by a function that is given the work and a directory for what it needs."""

        def run(work: Work) -> MethodResult:
            self._shelf.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
            made = export(work, self._shelf.scratch)
            files = [path.name for path in made.files]
            return MethodResult(0, {"Files": files, "Warnings": list(made.warnings)})

        return self._do(element.site, element.platform.prefix, method, run, context, [element.path()])

    def _export_order(self, parameters: Parameters) -> ExportOrder:
        """What is to be written, and where."""
        from virtcim.images.appliances.exporting import ExportOrder

        version = parameters.get("Version")
        return ExportOrder(
            self._below(_text(parameters, "Target")),
            str(parameters.get("Format") or "vmdk"),
            version if isinstance(version, int) else 1,
        )

    def _do(
        self,
        site: Site,
        prefix: str,
        method: str,
        run: Callable[[Work], MethodResult],
        context: RequestContext,
        affected: Iterable[InstancePath] = (),
    ) -> MethodResult:
        """Carry a method out: at once where that is quick, else as a job of the node."""

        def run_in_cim(work: Work) -> MethodResult:
            try:
                return run(work)
            except (ApplianceError, ImageError, TemplateError) as error:
                raise store_failure(error) from error
            except LibvirtError as error:
                raise libvirt_failure(f"{method} failed", error) from error
            except OSError as error:
                raise CIMError(Status.FAILED, f"{method} failed: {error.strerror or error}") from error

        return site.jobs.run(
            JobOrder(
                prefix,
                method,
                run_in_cim,
                owner=self.service.path(),
                affected=[Affected(path, (int(Effect.PERFORMANCE_IMPACT),)) for path in affected],
                principal=context.principal,
                namespace=site.namespace,
            )
        )

    @contextmanager
    def _opened(self, entry: Entry, without: Iterable[str], work: Work, importer: str = "") -> Iterator[Package]:
        """An appliance, got and read, for the length of a block."""
        from virtcim.images.appliances.importers import open_any
        from virtcim.images.appliances.scratch import scratch_directory

        scratch = self._shelf.scratch
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        with scratch_directory(scratch) as directory:
            path = fetch_package(entry, self._shelf.images, directory, work)
            made = directory / "made"
            made.mkdir()
            yield open_any(path, made, work, without=tuple(without), importer=importer)

    def _entry(self, parameters: Parameters) -> Entry:
        """What is meant by Source: an appliance of a catalogue, a file of the directory, or a URL."""
        source, checksum = _text(parameters, "Source"), str(parameters.get("Checksum") or "")
        if source.startswith(("http://", "https://")):
            return Entry(id=source.rpartition("/")[2][:64], url=source, sha256=checksum)
        try:
            return self._shelf.catalogs.find(source)
        except ApplianceError:
            if not source.lower().endswith((".ova", ".ovf")) and self._shelf.settings.directory is None:
                raise CIMError(Status.NOT_FOUND, f"Source: {source[:160]!r} is in no catalogue") from None
        path = self._below(source)
        if not os.path.exists(path):
            raise CIMError(Status.NOT_FOUND, f"Source: {source[:160]!r} is not in the directory for appliances")
        return Entry(id=path.name[:64], url=str(path), sha256=checksum)

    def _below(self, name: str) -> Path:
        """A file below the directory for appliances."""
        directory = self._shelf.settings.directory
        if directory is None:
            raise CIMError(Status.FAILED, "there is no directory for appliances; see appliances.directory")
        root = directory.resolve()
        try:
            path = (root / name).parent.resolve() / Path(name).name
            is_below = path.is_relative_to(root) and path != root and not path.is_symlink()
        except (OSError, ValueError, RuntimeError) as error:
            # Too long, with a NUL in it, or through links that lead back to themselves.
            text = f"{name[:160]!r} is no name of a file; expected one below the directory for appliances"
            raise CIMError(Status.INVALID_PARAMETER, text) from error
        if not is_below:
            raise CIMError(Status.INVALID_PARAMETER, f"{name[:160]!r} is not below the directory for appliances")
        return path


class ApplianceProvider(InstanceProvider):
    """Serves Virt_Appliance.

    Parameters:
        catalogs: all catalogues.
        namespace: where the appliances are shown.
    """

    class_names = (APPLIANCE,)

    def __init__(self, catalogs: Catalogs, namespace: str) -> None:
        self._catalogs = catalogs
        self._namespace = namespace

    def all(self) -> list[ShownAppliance]:
        """All appliances."""
        return [ShownAppliance(entry, self._namespace) for entry in self._catalogs.entries()]

    def instances(self, class_name: str, context: RequestContext) -> Iterable[ShownAppliance]:
        return self.all()

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> ShownAppliance:
        key = instance_id(class_name, keys)
        found = (each for each in self.all() if each.keys()["InstanceID"] == key)
        shown = next(found, None)
        if shown is None:
            name = key.removeprefix(APPLIANCE_PREFIX)
            raise CIMError(Status.NOT_FOUND, f"appliance {name[:160]!r}: is in no catalogue")
        return shown


class CatalogMembers(Association):
    """CIM_MemberOfCollection: the catalogue and its appliances.

    Parameters:
        catalog: the provider of the catalogue.
        appliances: that of the appliances.
    """

    class_names = ("CIM_MemberOfCollection",)
    left = End("Collection", frozenset({APPLIANCE_CATALOG}))
    right = End("Member", frozenset({APPLIANCE}))

    def __init__(self, catalog: ApplianceCatalogProvider, appliances: ApplianceProvider) -> None:
        self._catalog = catalog
        self._appliances = appliances

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        return self._appliances.all() if isinstance(left, ShownCatalog) else ()

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        return (self._catalog.service,) if isinstance(right, ShownAppliance) else ()

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return (self._catalog.service,)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


def _package_parameters(package: Package) -> dict[str, CIMValue]:
    """What is to be known of an appliance before it is imported, as output parameters of ReadAppliance."""
    appliance = package.appliance
    options = sorted(appliance.options, key=lambda option: option != appliance.default_option)
    properties = [
        each.key
        if each.is_password or (value := each.default(appliance.default_option)) is None
        else f"{each.key}={value}"
        for product in appliance.products
        for each in product.properties
        if each.is_configurable
    ]
    return {
        "Systems": [system.name or system.id for system in appliance.systems],
        "Licences": list(appliance.all_licences),
        "DeploymentOptions": options,
        "Networks": list(appliance.networks),
        "Properties": properties,
        "Signer": package.signature.subject if package.signature is not None else None,
        "Warnings": list(package.warnings),
    }


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: is missing")
    return value


def _texts(parameters: Parameters, name: str) -> list[str]:
    given = parameters.get(name) or ()
    return [each for each in given if isinstance(each, str)] if isinstance(given, list | tuple) else []


def _pairs(parameters: Parameters, name: str) -> dict[str, str]:
    """Name and value of each text of an array.

    Raises:
        CIMError: one has no equals sign.
    """
    found = {}
    for text in _texts(parameters, name):
        # The names of networks have equals signs now and then, those of targets do not.
        key, equals, value = text.rpartition("=") if name == "Networks" else text.partition("=")
        if not equals or not key:
            raise CIMError(Status.INVALID_PARAMETER, f"{name}: {text.partition('=')[0][:80]!r}; expected name=value")
        found[key] = value
    return found
