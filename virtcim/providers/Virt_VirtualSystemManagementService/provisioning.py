"""DefineSystem with a template as ReferenceConfiguration: from an image to a running guest, in steps."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

from virtcim.images.library import Filling, Library
from virtcim.images.provisioners import NewGuest, ProvisionerError, find_provisioner
from virtcim.images.provisioning import Step, carry_out
from virtcim.images.seed import make_seed, seed_files, seed_host_name
from virtcim.images.store import ImageError, StoredImage
from virtcim.images.templates import ExtraDisk, ImageSource, Template, TemplateError, check_values, is_on, size_of
from virtcim.libhelper.agent import AgentFacts
from virtcim.libhelper.documents.storage import VolumeConfig
from virtcim.libhelper.domains.change import NotKeptError
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.inventory.records import VOLUMES, Pool
from virtcim.libhelper.xml.editing import object_text
from virtcim.providers.base import class_of
from virtcim.providers.errors import libvirt_failure
from virtcim.providers.gueststorage import file_stem, new_volume
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    EmbeddedInstance,
    InstancePath,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Effect
from virtcim.providers.requested import MadeOf, with_template
from virtcim.providers.services.work import run_method
from virtcim.providers.templates import TEMPLATE_PREFIX, resources_of_template, setting_of_template
from virtcim.providers.Virt_ComputerSystem import ComputerSystem
from virtcim.providers.Virt_VirtualSystemManagementService.definition import Definition, Request
from virtcim.providers.Virt_VirtualSystemManagementService.outcomes import raise_error, refused, with_notes
from virtcim.schema.names import base_of

if TYPE_CHECKING:
    from virtcim.libhelper.hypervisor import Hypervisor
    from virtcim.libhelper.work import Work
    from virtcim.providers.Virt_VirtualSystemManagementService.Virt_VirtualSystemManagementService import (
        VirtualSystemManagementService,
    )

__all__ = ["SHOWN_ONLY", "Provisioning", "base_volume", "free_disk_name"]

PARAMETERS = "TemplateParameters"
SHOWN_ONLY = frozenset({"InstanceID", "ElementName", "Caption", "Description", "ConfigurationName", "ChangeableType",
                         "Template", PARAMETERS, "Notes", "VirtualSystemType"})  # fmt: skip
"""What the settings of a template say of the template, and not of its guests."""

_GUEST_WIDE = frozenset({"Mem", "Proc"})
_CD = 1
"""EmulatedType."""
_LOOK_AGAIN = 1.0
"""Seconds between two looks at a guest that is waited for."""
_DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAME_STARTS = {"virtio": "vd", "ide": "hd", "scsi": "sd", "sata": "sd", "usb": "sd", "xen": "xvd"}
_PC = ("x86_64", "i686")


def base_volume(template: Template, image: StoredImage) -> str:
    """Name the volume that holds the image of a template in a pool: by its content."""
    return f"virtcim-{template.id}-{image.sha256[:12]}.{image.format}"


def free_disk_name(bus: str, taken: Collection[CIMValue]) -> str:
    """Name a disk as those of its bus are, other than the disks that there are."""
    names = (f"{_NAME_STARTS.get(bus, 'vd')}{letter}" for letter in _DISK_LETTERS)
    return next(each for each in names if each not in taken)


class Provisioning:
    """A guest that is to be made of a template.

    Parameters:
        service: of the node that it is made on.
        template: of which.
        system: SystemSettings; None when they were not given.
        resources: ResourceSettings.
        context: of the request.

    Raises:
        CIMError: what is asked for cannot be; nothing has been done.
    """

    def __init__(
        self,
        service: VirtualSystemManagementService,
        template: Template,
        system: EmbeddedInstance | None,
        resources: Sequence[EmbeddedInstance | None] | None,
        context: RequestContext,
    ) -> None:
        library = service.site.library
        assert library is not None, "templates come from a library"
        self._service = service
        self._library: Library = library
        self._hypervisor: Hypervisor = service.hypervisor
        self._template = template
        self._context = context
        given = {} if system is None else {name: each for name, each in system.properties.items() if each is not None}
        with _refusals(f"Template {template.key}"):
            library.check(template)
        with _refusals():
            self._values = check_values(template, _texts(given.get(PARAMETERS)))
        self._settings = self._merged_settings(given)
        self._resources = list(self._merged_resources(resources or ()))
        self._pool = self._storage_pool()
        # Without the disks, which are not there yet: everything else that cannot be is told before anything is done.
        self.name = self._definition(()).name
        self._settings["VirtualSystemIdentifier"] = self.name
        self._stem = file_stem(self.name)
        with _refusals():
            self._seed = self._make_seed()
            self._provisioner = find_provisioner(template, library.settings)
        self._image: StoredImage | None = None
        self._base: VolumeConfig | None = None
        self._made: list[str] = []
        self._disks: list[EmbeddedInstance] = []
        self._uuid = ""

    def start(self) -> MethodResult:
        """Begin the job."""
        service, template = self._service, self._template
        path = InstancePath(
            class_of(service.platform.prefix, "VirtualSystemSettingData"),
            {"InstanceID": f"{TEMPLATE_PREFIX}{template.key}"},
            service.namespace,
        )
        return run_method(
            service,
            "DefineSystem",
            self._context,
            self._run,
            [path],
            Effect.PERFORMANCE_IMPACT,
            name=f"Provision {self.name} of {template.key}",
            base="ProvisioningJob",
            at_once=True,
        )

    def _run(self, work: Work) -> MethodResult:
        work.tell({"guest": self.name, "template": self._template.key})
        try:
            carry_out(list(self._steps()), work, self._library.saved)
        except (ImageError, TemplateError, ProvisionerError, NotKeptError) as error:
            raise refused(with_notes(f"Provision {self.name}: {error}", error)) from error
        except LibvirtError as error:
            raise libvirt_failure(with_notes(f"Provision {self.name}", error), error) from error
        except OSError as error:
            raise refused(with_notes(f"Provision {self.name}: {error.strerror or error}", error)) from error
        class_name = class_of(self._service.platform.prefix, ComputerSystem.base)
        keys = {"CreationClassName": class_name, "Name": self.name}
        return MethodResult(0, {"ResultingSystem": InstancePath(class_name, keys, self._service.namespace)})

    def _steps(self) -> Iterator[Step]:
        """What is done, in order."""
        template, source = self._template, self._template.image
        if source is not None:
            if source.volume:
                yield Step("find the image", self._find_volume)
            else:
                yield Step("fetch the image", self._fetch, weight=40)
                yield Step("copy the image into the pool", self._fill_base, weight=30)
            disk = f"{self._stem}.{self._disk_format}"
            yield self._volume_step("make the system disk", disk, self._make_disk, weight=20)
        for number, extra in enumerate(template.disks, start=1):
            name = f"{self._stem}-{number}.{extra.format}"
            yield self._volume_step("make a disk", name, partial(self._make_further, extra, name))
        if self._seed is not None:
            yield self._volume_step("write the seed", f"{self._stem}-seed.iso", self._write_seed)
        if self._provisioner is not None:
            yield Step("prepare", lambda _: self._take_part("prepare"), lambda: self._take_part("undo"))
        yield Step("define the guest", self._define, self._undefine, f"guest {self.name!r}")
        if is_on(self._values.get("start", "yes")):
            yield Step("start the guest", self._start)
            if self._values.get("wait"):
                yield Step("wait for the guest", self._wait, weight=20)
        if self._provisioner is not None:
            yield Step("finish", lambda _: self._take_part("finish"))

    def _merged_settings(self, given: Mapping[str, CIMValue]) -> dict[str, CIMValue]:
        """The settings of the template, with what the client says otherwise."""
        template = setting_of_template(self._service.site, self._service.platform, self._template).properties()
        settings = {name: value for name, value in template.items() if name not in SHOWN_ONLY}
        own = {name: value for name, value in given.items() if template.get(name) != value}
        own = {name: value for name, value in own.items() if name not in ("InstanceID", "Template", PARAMETERS)}
        settings |= own
        settings.setdefault("UUID", str(uuid4()))
        return settings

    def _merged_resources(self, given: Sequence[EmbeddedInstance | None]) -> Iterator[EmbeddedInstance]:
        """The resources of the template, with what the client says of them, and what it wants beside them."""
        setting = setting_of_template(self._service.site, self._service.platform, self._template)
        prefix = self._service.platform.prefix
        left = [each for each in given if each is not None]
        self._disk = EmbeddedInstance(f"{prefix}_DiskResourceAllocationSettingData", {})
        for resource in resources_of_template(setting):
            word = resource.base.removesuffix("ResourceAllocationSettingData")
            same = [each for each in left if _is_same(each, resource.instance_id, word)]
            left = [each for each in left if each not in same]
            values = dict(resource.values)
            for each in same:
                values |= {name: value for name, value in each.properties.items() if value is not None}
            values = {name: value for name, value in values.items() if name not in ("InstanceID", "ElementName")}
            values |= self._asked(word)
            described = EmbeddedInstance(resource.class_name, values)
            if resource.part == "disk":
                self._disk = described
            else:
                yield described
        words = {base_of(each.class_name) for each in left}
        words |= {f"{each['kind']}ResourceAllocationSettingData" for each in self._template.resources}
        for word in sorted(_GUEST_WIDE):
            if f"{word}ResourceAllocationSettingData" not in words and (asked := self._asked(word)):
                yield EmbeddedInstance(f"{prefix}_{word}ResourceAllocationSettingData", asked)
        yield from left

    def _asked(self, word: str) -> dict[str, CIMValue]:
        """What the parameters say of a kind of resource."""
        if word == "Mem" and (memory := self._values.get("memory")):
            return {"VirtualQuantity": _bytes(memory), "AllocationUnits": "byte"}
        if word == "Proc" and (processors := self._values.get("processors")):
            return {"VirtualQuantity": int(processors)}
        return {}

    def _storage_pool(self) -> Pool | None:
        """The pool for the disks; None where the guest has none.

        Raises:
            CIMError: FAILED where there is none of that name.
        """
        if self._template.image is None and not self._template.disks and self._template.customize == "none":
            return None
        named = self._disk.properties.get("PoolID")
        name = self._values.get("pool") or (str(named).rpartition("/")[2] if named else "")
        name = name or self._template.pool or self._library.settings.pool
        pool = next((each for each in self._hypervisor.inventory.pools() if each.name == name), None)
        if pool is None:
            raise refused(f"Template {self._template.key}: there is no storage pool {name!r} on this node")
        return pool

    def _definition(self, disks: Sequence[EmbeddedInstance]) -> Definition:
        service = self._service
        system = EmbeddedInstance(class_of(service.platform.prefix, "VirtualSystemSettingData"), self._settings)
        request = Request(system, [*self._resources, *disks] or None, None)
        return Definition(service.site, service.platform, self._hypervisor, request, raise_error)

    def _make_seed(self) -> bytes | None:
        if self._template.customize != "cloud-init":
            return None
        return make_seed(seed_files(self._template, str(self._settings["UUID"]), self.name, self._values))

    @property
    def _disk_format(self) -> str:
        """The format of the system disk: that of the image where it is copied as it is."""
        source = self._template.image
        assert source is not None
        return "raw" if source.format == "raw" and self._copy == "full" else "qcow2"

    @property
    def _copy(self) -> str:
        return self._values.get("copy") or self._template.copy

    @property
    def _pool_uuid(self) -> str:
        assert self._pool is not None
        return str(self._pool.uuid)

    def _fetch(self, work: Work) -> None:
        assert self._template.image is not None
        self._image = self._library.images.fetch(self._template.image, work)

    def _find_volume(self, _work: Work) -> None:
        source = self._template.image
        assert source is not None
        self._base = self._described(source.volume, source.pool)
        if self._base is None:
            raise ImageError(f"image: there is no volume {source.volume} in storage pool {source.pool} on this node")

    def _fill_base(self, work: Work) -> None:
        """Have the image in the pool under the name of its content; of several who want it, one copies it."""
        assert self._image is not None
        image, storage, library = self._image, self._hypervisor.storage, self._library
        name = base_volume(self._template, image)
        key = f"{self._hypervisor.uri}\n{self._pool_uuid}\n{name}"
        with library.turns.take(key, work):
            found = self._described(name)
            if found is not None and library.fillings.get(key) is not None:
                # The server died over it.
                storage.delete_volume(self._pool_uuid, name)
                found = None
            if found is None:
                library.fillings.put(key, Filling(name))
                library.saved()
                storage.create_volume(
                    self._pool_uuid, object_text(new_volume(name, image.size, image.format)), name, work
                )
                try:
                    with library.images.path(image).open("rb") as data:
                        self._upload(name, data, image.size, work)
                except BaseException:
                    storage.delete_volume(self._pool_uuid, name)
                    library.fillings.remove(key)
                    raise
                storage.refresh_pool(self._pool_uuid)
                library.fillings.remove(key)
                library.saved()
        self._base = self._described(name)

    def _create(self, config: VolumeConfig, name: str, work: Work) -> None:
        """Create a volume, which is this guest's from then on: one that somebody else makes meanwhile is not."""
        self._hypervisor.storage.create_volume(self._pool_uuid, object_text(config), name, work)
        self._made.append(name)

    def _upload(self, name: str, data: BinaryIO, length: int, work: Work) -> None:
        self._hypervisor.storage.upload(self._pool_uuid, name, data, 0, length, work)

    def _make_disk(self, work: Work) -> None:
        """Make the system disk: over the image, or a copy of it."""
        base = self._base
        if base is None:
            raise ImageError("image: the volume in the pool is gone")
        assert self._template.image is not None
        name, storage = f"{self._stem}.{self._disk_format}", self._hypervisor.storage
        image_size = base.capacity or 0
        asked = _bytes(self._values["disk"]) if self._values.get("disk") else self._quantity() or self._template.size
        if asked and asked < image_size:
            raise ImageError(f"disk: {asked} bytes are less than the image has, {image_size}")
        size = asked or image_size
        made = new_volume(name, size, self._disk_format)
        source = self._template.image
        if self._copy == "overlay":
            made = made.replace(backing_store_path=base.target_path, backing_store_format_type=source.format)
            self._create(made, name, work)
        else:
            place = (source.pool or self._pool_uuid, base.name or "")
            # What a raw disk begins with is its guest's word: the pool's view of it must not decide what is read.
            like = source.format == self._disk_format and (source.format == "raw" or base.backing_store_path is None)
            first = object_text(made.replace(capacity=image_size, allocation=0))
            if like:
                storage.copy_volume(
                    self._pool_uuid, first, name, place, work, capacity=size if size > image_size else None
                )
                self._made.append(name)
            else:
                storage.convert_volume(self._pool_uuid, first, name, place, work)
                self._made.append(name)
                if size > image_size:
                    storage.resize_volume(self._pool_uuid, name, size, allocate=False, shrink=False)
        self._add_disk(name, self._disk_format, dict(self._disk.properties))

    def _quantity(self) -> int:
        """The bytes that a client wants of the system disk; 0 for no wish."""
        value, units = self._disk.properties.get("VirtualQuantity"), self._disk.properties.get("AllocationUnits")
        if value is None:
            return 0
        if units not in (None, "byte"):
            raise ImageError(f"AllocationUnits: {units!s:.40} of the disk of a template; expected byte")
        return int(str(value))

    def _make_further(self, extra: ExtraDisk, name: str, work: Work) -> None:
        """Make a further disk: empty, or a copy of its image."""
        storage = self._hypervisor.storage
        if not extra.sha256:
            self._create(new_volume(name, extra.size, extra.format), name, work)
        else:
            image = self._library.images.fetch(ImageSource(sha256=extra.sha256, format=extra.format), work)
            self._create(new_volume(name, image.size, extra.format), name, work)
            with self._library.images.path(image).open("rb") as data:
                self._upload(name, data, image.size, work)
            storage.refresh_pool(self._pool_uuid)
            made = self._described(name)
            if made is not None and (made.capacity or 0) < extra.size:
                storage.resize_volume(self._pool_uuid, name, extra.size, allocate=False, shrink=False)
        self._add_disk(name, extra.format, {"BusType": extra.bus} if extra.bus else {})

    def _write_seed(self, work: Work) -> None:
        assert self._seed is not None
        name = f"{self._stem}-seed.iso"
        self._create(new_volume(name, len(self._seed), "raw"), name, work)
        self._upload(name, io.BytesIO(self._seed), len(self._seed), work)
        device, more = self._seed_drive()
        drive: dict[str, CIMValue] = {"ResourceType": 17, "VirtualDevice": device, "DriverType": "raw", **more}
        self._disks.append(self._as_disk({**drive, "Address": self._path_of(name)}))

    def _seed_drive(self) -> tuple[str, dict[str, CIMValue]]:
        """The name of the drive that the seed is in, and what kind of drive it is."""
        config = self._definition(()).document.config
        cd: dict[str, CIMValue] = {"EmulatedType": _CD}
        if self._template.seed_device:
            return self._template.seed_device, cd
        if (config.os_type_arch or "x86_64") not in _PC:
            return "vdz", {"BusType": "virtio", "readonly": True}
        return ("sda", {**cd, "BusType": "sata"}) if "q35" in (config.os_type_machine or "") else ("hdc", cd)

    def _add_disk(self, name: str, format_: str, properties: dict[str, CIMValue]) -> None:
        bus = str(properties.get("BusType") or self._service.platform.buses.disk)
        taken = {each.properties.get("VirtualDevice") for each in (*self._disks, *self._resources)}
        kept = {
            key: value
            for key, value in properties.items()
            if key not in ("VirtualQuantity", "AllocationUnits", "PoolID", "HostResource", "Address")
        }
        values = {"ResourceType": 17, "VirtualDevice": free_disk_name(bus, taken), **kept}
        self._disks.append(self._as_disk({**values, "Address": self._path_of(name), "DriverType": format_}))

    def _as_disk(self, values: dict[str, CIMValue]) -> EmbeddedInstance:
        return EmbeddedInstance(class_of(self._service.platform.prefix, "DiskResourceAllocationSettingData"), values)

    def _path_of(self, name: str) -> str:
        found = self._described(name)
        if found is None or not found.target_path:
            raise ImageError(f"volume {name}: is gone")
        return str(found.target_path)

    def _define(self, _work: Work) -> None:
        if self._pool is not None:
            inventory = self._hypervisor.inventory
            inventory.refresh(self._pool_uuid, kind="pool")
            inventory.refresh_parts(VOLUMES, self._pool_uuid)
        definition = self._definition(self._disks)
        made = MadeOf(self._template.key, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", self._context.principal)
        keeps = self._seed is None or self._template.keep_seed
        host_name = seed_host_name(self.name, self._values)
        seed = None if keeps else (self._pool_uuid, f"{self._stem}-seed.iso", host_name)
        xml = with_template(definition.document.tostring(), made, seed)
        self._uuid = self._hypervisor.domains.define(
            xml, autostart=definition.autostart, check=definition.confirmation.check
        )

    def _undefine(self) -> None:
        if self._uuid:
            self._hypervisor.domains.remove(self._uuid)

    def _take_part(self, action: str) -> None:
        """Have the provisioner of the template do its part."""
        guest = NewGuest(
            self.name,
            str(self._settings["UUID"]),
            self._service.namespace,
            self._template.key,
            {name: value for name, value in self._settings.items() if isinstance(value, str | int | list)},
            self._values,
            {
                str(each.properties["Address"]): str(each.properties["DriverType"])
                for each in self._disks
                if each.properties.get("EmulatedType") != _CD and not each.properties.get("readonly")
            },
        )
        try:
            getattr(self._provisioner, action)(guest)
        except Exception as error:  # a plugin may raise anything
            raise ProvisionerError(str(error) or type(error).__name__) from error

    def _start(self, _work: Work) -> None:
        self._hypervisor.domains.start(self._uuid)

    def _wait(self, work: Work) -> None:
        """Wait until the guest has what is waited for; can be stopped."""
        wanted, hypervisor = self._values["wait"], self._hypervisor
        patience = self._library.settings.boot_timeout
        deadline = time.monotonic() + patience
        with work.stoppable():
            while True:
                work.checkpoint()
                record = hypervisor.inventory.domain_by_uuid(self._uuid)
                if record is None or not record.active:
                    raise ImageError(f"guest {self.name}: has ended; expected that it comes to have its {wanted}")
                hypervisor.agents.look((record,), _LOOK_AGAIN)
                facts = hypervisor.agents.facts(record)
                if facts is not None and (wanted == "agent" or _has_address(facts)):
                    return
                if wanted == "address" and hypervisor.domains.lease_addresses(self._uuid):
                    return
                if time.monotonic() >= deadline:
                    raise ImageError(f"guest {self.name}: has no {wanted} after {patience:g} s")
                time.sleep(_LOOK_AGAIN)

    def _volume_step(self, what: str, name: str, make: Callable[[Work], None], weight: int = 5) -> Step:
        """A step that makes a volume, and takes back that volume and no other one of its name."""

        def run(work: Work) -> None:
            # Another guest of that name may be under way: what is taken back then is not its own.
            with self._library.turns.take(f"{self._hypervisor.uri}\n{self._pool_uuid}\n{name}", work):
                if self._described(name) is not None:
                    raise ImageError(f"volume {name}: is in storage pool {self._pool_name} already")
                make(work)

        def undo() -> None:
            if name in self._made and self._described(name) is not None:
                self._hypervisor.storage.delete_volume(self._pool_uuid, name)

        return Step(what, run, undo, f"volume {name!r} in storage pool {self._pool_name!r}", weight)

    @property
    def _pool_name(self) -> str:
        assert self._pool is not None
        return str(self._pool.name)

    def _described(self, name: str, pool: str = "") -> VolumeConfig | None:
        """A volume as libvirt knows it now."""
        return self._hypervisor.storage.volume_config(pool or self._pool_uuid, name)


def _has_address(facts: AgentFacts) -> bool:
    """Whether a guest has an address that others can reach."""
    return any(address.is_for_others for each in facts.interfaces for address in each.addresses)


def _is_same(given: EmbeddedInstance, instance_id: str, word: str) -> bool:
    """Whether a client means a resource of the template: it names it, or there can be one only."""
    named = given.properties.get("InstanceID")
    if isinstance(named, str) and named.startswith(TEMPLATE_PREFIX):
        return named == instance_id
    return word in _GUEST_WIDE and base_of(given.class_name) == f"{word}ResourceAllocationSettingData"


def _texts(value: CIMValue) -> list[str]:
    return [str(each) for each in value if each is not None] if isinstance(value, list | tuple) else []


def _bytes(text: str) -> int:
    return size_of(text)


@contextmanager
def _refusals(what: str = PARAMETERS) -> Iterator[None]:
    """Tell the client what a block says against parameters of the template, or against the template."""
    try:
        yield
    except TemplateError as error:
        raise CIMError(Status.INVALID_PARAMETER, f"{what}: {error}") from error
    except ProvisionerError as error:
        raise CIMError(Status.FAILED, str(error)) from error
