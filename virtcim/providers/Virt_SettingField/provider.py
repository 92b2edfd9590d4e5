"""The provider: what a platform says of its guests, and the check of a form."""

from __future__ import annotations

import enum

from virtcim.platforms.calls import CallError, call_within
from virtcim.platforms.fields import Mode
from virtcim.platforms.forms import check_form
from virtcim.providers.base import Element, ElementProvider
from virtcim.providers.interface import CIMError, Keys, MethodResult, RequestContext, Role, Status
from virtcim.providers.methods import Method, MethodFailedError, Parameters
from virtcim.providers.Virt_SettingField.Virt_MetaTemplate import MetaTemplate
from virtcim.providers.Virt_SettingField.Virt_SettingField import SettingField

__all__ = ["SettingFieldProvider"]


class ReturnCode(enum.IntEnum):
    """Virt_SettingField.CheckSettings."""

    FAILED = 2
    INVALID_PARAMETER = 4


def _check_settings(field: SettingField, parameters: Parameters, context: RequestContext) -> MethodResult:
    """Virt_SettingField.CheckSettings."""
    names, values = parameters.get("Names") or (), parameters.get("Values") or ()
    if len(names) != len(values):
        raise MethodFailedError(ReturnCode.INVALID_PARAMETER, f"{len(names)} Names and {len(values)} Values")
    try:
        mode = Mode(int(parameters.get("Mode") or 0))
    except ValueError as error:
        raise MethodFailedError(ReturnCode.INVALID_PARAMETER, f"Mode: {error}") from error
    given = {str(name): str(value or "") for name, value in zip(names, values, strict=True)}
    try:
        complaints = call_within(field.site.patience, lambda: list(check_form(field.platform, mode, given)))
    except CallError as error:
        raise MethodFailedError(ReturnCode.FAILED, f"platform {field.platform.prefix}: {error}") from error
    return MethodResult(0, {"Complaints": complaints} if complaints else {})


SettingField.methods = (Method("CheckSettings", _check_settings, role=Role.READ),)


class SettingFieldProvider(ElementProvider):
    """Serves <prefix>_SettingField and <prefix>_MetaTemplate."""

    name = "Virt_SettingField"
    types = (SettingField, MetaTemplate)

    def target(self, class_name: str, keys: Keys | None) -> Element:
        """The instance that a method is invoked on; on the class, any: the methods are static."""
        if keys is not None:
            return self.element(class_name, keys)
        platform, element = self.resolve(class_name)
        found = next(iter(element.all_of(self.site, platform)), None)
        if found is None:
            raise CIMError(Status.NOT_FOUND, f"There is no {platform.title} hypervisor")
        return found
