"""Registrations as each CIM server reads them."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.registration.cimservers import Plan
from virtcim.registration.mof import quoted
from virtcim.registration.table import ASSOCIATION, INDICATION, INSTANCE, LIBRARY, METHOD, Entry

__all__ = ["file_texts", "pegasus_mof", "registration_lines", "sfcb_stanzas"]

MODULE_GROUP = "virtcim"
"""The process in which OpenPegasus runs the module."""

_PROVIDER_TYPES = {INSTANCE: 2, ASSOCIATION: 3, INDICATION: 4, METHOD: 5}
"""PG_ProviderCapabilities.ProviderType."""


def file_texts(plan: Plan) -> dict[str, str]:
    """Give all that a CIM server of another kind may need, as texts by the names of files.

    Qualifier types, the classes of each namespace with all that they are derived from and refer to, and the
    registration in each form that is known.
    """
    classes = {
        f"{namespace.replace('/', '-')}.mof": plan.mof(plan.missing_classes(namespace, ()), fill=True)
        for namespace in plan.table.namespaces
    }
    return {
        "qualifiers.mof": plan.qualifiers(),
        **classes,
        f"{LIBRARY}.registration": registration_lines(plan.table.entries),
        f"{LIBRARY}.reg": sfcb_stanzas(plan.table.entries),
        f"{LIBRARY}-pegasus.mof": pegasus_mof(plan.table.entries, plan.version),
    }


def registration_lines(entries: Iterable[Entry]) -> str:
    """The `.registration` file that libvirt-cim's provider-register.sh reads: single blanks between the fields."""
    lines = ["# Classname Namespace ProviderName ProviderModule ProviderTypes"]
    lines.extend(
        f"{entry.class_name} {entry.namespace} {entry.provider} {LIBRARY} {' '.join(entry.types)}" for entry in entries
    )
    return "".join(f"{line}\n" for line in lines)


def sfcb_stanzas(entries: Iterable[Entry]) -> str:
    """The `.reg` file of SFCB.

    SFCB has one stanza for a class, with all its namespaces; classes of one provider share its types.
    """
    stanzas: dict[str, list[Entry]] = {}
    for entry in entries:
        stanzas.setdefault(entry.class_name, []).append(entry)
    parts = []
    for class_name, same in stanzas.items():
        types = dict.fromkeys(each for entry in same for each in entry.types)
        parts.append(
            f"[{class_name}]\n"
            f"   provider: {same[0].provider}\n"
            f"   location: {LIBRARY}\n"
            f"   type: {' '.join(types)}\n"
            f"   namespace: {' '.join(entry.namespace for entry in same)}\n"
            "#\n"
        )
    return "".join(parts)


def pegasus_mof(entries: Iterable[Entry], version: str, *, grouped: bool = True) -> str:
    """The instances that register the library in OpenPegasus: one module, its providers, a capability for each class.

    Parameters:
        version: of the library.
        grouped: whether PG_ProviderModule has ModuleGroupName (2.11 and later).
    """
    entries = list(entries)
    group = {"ModuleGroupName": quoted(MODULE_GROUP)} if grouped else {}
    parts = [
        _instance("PG_ProviderModule", {
            "Name": quoted(LIBRARY),
            "Location": quoted(LIBRARY),
            "Vendor": quoted("virtcim"),
            "Version": quoted(version),
            "InterfaceType": quoted("CMPI"),
            "InterfaceVersion": quoted("2.0.0"),
            **group,
        })
    ]  # fmt: skip
    parts.extend(
        _instance("PG_Provider", {"Name": quoted(provider), "ProviderModuleName": quoted(LIBRARY)})
        for provider in dict.fromkeys(entry.provider for entry in entries)
    )
    for entry in entries:
        types = ", ".join(str(_PROVIDER_TYPES[each]) for each in entry.types)
        parts.append(
            _instance("PG_ProviderCapabilities", {
                "ProviderModuleName": quoted(LIBRARY),
                "ProviderName": quoted(entry.provider),
                "ClassName": quoted(entry.class_name),
                "ProviderType": f"{{ {types} }}",
                "Namespaces": f"{{ {quoted(entry.namespace)} }}",
                "SupportedProperties": "NULL",
                "SupportedMethods": "NULL",
                "CapabilityID": quoted(f"{entry.class_name}-{entry.namespace}"),
            })
        )  # fmt: skip
    return "".join(parts)


def _instance(class_name: str, properties: dict[str, str]) -> str:
    lines = "".join(f"   {name} = {value};\n" for name, value in properties.items())
    return f"instance of {class_name} {{\n{lines}}};\n"
