"""The provider of the store: taking images in, fetching them, and making templates of guests."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from virtcim.images.library import Library
from virtcim.images.store import ImageError
from virtcim.images.templates import FORMATS, document_of, parse_template
from virtcim.libhelper.errors import LibvirtError
from virtcim.libhelper.work import Work
from virtcim.providers.errors import libvirt_failure, store_failure
from virtcim.providers.interface import (
    CIMError,
    Keys,
    MethodResult,
    Parameters,
    RequestContext,
    Status,
)
from virtcim.providers.jobs import Affected, Effect, JobOrder
from virtcim.providers.nodes.elements import May, system_of_node
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.overlays import base_volumes, guests_over
from virtcim.providers.services.ofserver import Run, ServerServiceProvider
from virtcim.providers.templates import TEMPLATE_PREFIX
from virtcim.providers.Virt_ImageStore.elements import IMAGE_STORE, ShownStore, ShownTemplate
from virtcim.providers.Virt_ImageStore.fromguest import TemplateOfGuest
from virtcim.providers.Virt_ImageStore.templates import raise_in_cim

__all__ = ["ImageStoreProvider"]


class ImageStoreProvider(ServerServiceProvider):
    """Serves Virt_ImageStore.

    Parameters:
        library: what it holds.
        nodes: in whose pools images are.
        may: tells who may do what in the namespaces of the nodes.
        namespace: where it is shown.
    """

    class_names = (IMAGE_STORE,)

    def __init__(self, library: Library, nodes: NodeRegistry, may: May, namespace: str) -> None:
        self._library = library
        self._nodes = nodes
        self._may = may
        self._namespace = namespace

    @property
    def service(self) -> ShownStore:
        return ShownStore(self._library, self._namespace)

    @property
    def runs(self) -> Mapping[str, Run]:
        return {
            "BeginImage": self._begin,
            "WriteImage": self._write,
            "FinishImage": self._finish,
            "PullImage": self._pull,
            "RemoveImage": self._remove,
            "CreateTemplateFromSystem": self._create_template,
        }

    def invoke_method(
        self, class_name: str, keys: Keys | None, method: str, parameters: Parameters, context: RequestContext
    ) -> MethodResult:
        try:
            return super().invoke_method(class_name, keys, method, parameters, context)
        except ImageError as error:
            raise store_failure(error) from error

    def _begin(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """BeginImage."""
        return MethodResult(0, {"Upload": self._library.images.begin()})

    def _write(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """WriteImage."""
        offset = parameters.get("Offset")
        try:
            data = base64.b64decode(_text(parameters, "Data"), validate=True)
        except (binascii.Error, ValueError):
            raise CIMError(Status.INVALID_PARAMETER, "Data: is not Base64") from None
        self._library.images.write(_text(parameters, "Upload"), offset if isinstance(offset, int) else 0, data)
        return MethodResult(0)

    def _finish(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """FinishImage."""
        format_ = _text(parameters, "Format")
        if format_ not in FORMATS:
            raise CIMError(Status.INVALID_PARAMETER, f"Format: {format_[:20]!r}; expected one of {', '.join(FORMATS)}")
        checksum, name = _text(parameters, "Checksum"), parameters.get("Name")
        image = self._library.images.finish(_text(parameters, "Upload"), checksum, format_, str(name or ""))
        return MethodResult(0, {"ImageID": image.sha256})

    def _pull(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """PullImage: a job that fetches the image of a template."""
        key = _text(parameters, "Template").removeprefix(TEMPLATE_PREFIX)
        template = self._library.templates.find(key)
        if template is None:
            raise CIMError(Status.NOT_FOUND, f"template {key[:80]!r}: does not exist")
        source = template.image
        if source is None or not (source.url or source.sha256):
            raise CIMError(Status.FAILED, f"template {template.key}: has no image that could be fetched")

        def run(work: Work) -> MethodResult:
            try:
                self._library.images.fetch(source, work, anew=True)
            except ImageError as error:
                raise store_failure(error) from error
            return MethodResult(0)

        local = self._nodes.local
        return local.jobs.run(
            JobOrder(
                local.platforms[0].prefix,
                "PullImage",
                run,
                name=f"Image of {template.key}",
                owner=self.service.path(),
                principal=context.principal,
                namespace=local.namespace,
            )
        )

    def _remove(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """RemoveImage: out of the store, and out of all pools; refused while a guest hangs on it."""
        sha256 = _text(parameters, "ImageID")
        found = list(base_volumes(self._nodes, sha256)) if len(sha256) == 64 else []
        hanging = {name for each in found for name in guests_over(each.site, each.hypervisor, each.path)}
        if hanging:
            text = f"image {sha256[:12]}: cannot be removed: guests hang on it: {', '.join(sorted(hanging))}"
            raise CIMError(Status.FAILED, text)
        self._library.images.remove(sha256)
        for each in found:
            try:
                each.hypervisor.storage.delete_volume(each.pool, each.name)
            except LibvirtError as error:
                raise libvirt_failure(f"volume {each.name} cannot be removed", error) from error
            each.hypervisor.inventory.refresh(each.pool, kind="pool")
        return MethodResult(0)

    def _create_template(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """CreateTemplateFromSystem: a job that makes a template, or the next version of one, of a guest."""
        system = system_of_node(self._nodes, self._may, parameters, "System", context)
        guest = system.guest
        with raise_in_cim():
            made = TemplateOfGuest(
                self._library,
                guest,
                _text(parameters, "TemplateID"),
                str(parameters.get("Title") or ""),
                str(parameters.get("Group") or "templates"),
                str(parameters.get("Customization") or "none"),
                context.principal,
            )
            parse_template(document_of(made.template))

        def run(work: Work) -> MethodResult:
            try:
                with raise_in_cim():
                    made.run(work)
            except ImageError as error:
                raise store_failure(error) from error
            except LibvirtError as error:
                raise libvirt_failure(f"Template of {guest.name}", error) from error
            except OSError as error:
                raise CIMError(Status.FAILED, f"Template of {guest.name}: {error.strerror or error}") from error
            return MethodResult(0, {"Template": ShownTemplate(made.template, self._namespace).path()})

        return guest.site.jobs.run(
            JobOrder(
                guest.platform.prefix,
                "CreateTemplateFromSystem",
                run,
                name=f"Template {made.template.key} of {guest.name}",
                owner=self.service.path(),
                affected=[Affected(system.path(), (int(Effect.PERFORMANCE_IMPACT),))],
                principal=context.principal,
                namespace=guest.site.namespace,
            )
        )


def _text(parameters: Parameters, name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise CIMError(Status.INVALID_PARAMETER, f"{name}: is missing")
    return value
