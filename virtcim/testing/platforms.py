"""The contract of platforms: what each has to keep, built-in or not."""

from __future__ import annotations

import tempfile
from functools import cache, partial
from pathlib import Path
from typing import Any

from virtcim import mof, schema
from virtcim.libhelper.documents.capabilities import HostCapabilities
from virtcim.libhelper.documents.domain import DomainDocument
from virtcim.libhelper.host import HostFacts
from virtcim.platforms.base import API_VERSION, Platform
from virtcim.platforms.calls import call_within
from virtcim.platforms.fields import FieldType, Mode
from virtcim.platforms.findings import Finding
from virtcim.platforms.forms import check_form, form_of
from virtcim.platforms.newguest import NewGuest, SystemChoice
from virtcim.platforms.registry import load_platforms
from virtcim.providers.base import Element
from virtcim.providers.kinds import KINDS
from virtcim.providers.properties import PropertyTable
from virtcim.providers.site import Site
from virtcim.providers.Virt_VSSD import VirtualSystemSettingData
from virtcim.registration.catalog import build_catalog, element_types
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store
from virtcim.schema.names import prefix_of

__all__ = ["PlatformContract", "platform_suite"]

PATIENCE = 30.0
"""Seconds that each function of a platform gets: much more than it should need, as machines of tests are busy."""


@cache
def _class_cache() -> tempfile.TemporaryDirectory[str]:
    """A directory in which the classes of all platforms are kept once they were compiled."""
    return tempfile.TemporaryDirectory(prefix="virtcim-classes-")


@cache
def _classes(prefix: str, text: str) -> ClassStore:
    sources = [*schema.texts(), *mof.texts()]
    extensions = {prefix: text} if text else None
    return load_class_store(sources, mof.templates(), [prefix], Path(_class_cache().name), extensions)


class PlatformContract:
    """Tests of one platform, which pytest finds in a subclass whose name begins with `Test`.

    Attributes:
        platform: that is tested.
        classes: the classes of the platform.
    """

    platform: Platform

    @property
    def classes(self) -> ClassStore:
        return _classes(self.platform.prefix, self.platform.mof)

    def test_it_is_written_for_this_version(self) -> None:
        assert self.platform.api_version == API_VERSION

    def test_it_takes_nothing_from_the_built_in_platforms(self) -> None:
        """Prefixes are everybody's own; a driver can be taken over by who switches the other platform off."""
        others = [each for each in load_platforms(()) if each is not self.platform]
        assert self.platform.prefix.lower() not in [each.prefix.lower() for each in others]

    def test_it_says_what_it_is(self) -> None:
        platform = self.platform
        assert platform.title
        assert platform.domain_types
        assert platform.os_types
        assert all("://" in uri for uri in platform.uris)
        octets = platform.mac_prefix.split(":")
        assert len(octets) == 3
        assert not int(octets[0], 16) & 1, "a MAC address that begins so is one of a group"

    def test_it_tells_whether_it_is_here(self) -> None:
        assert call_within(PATIENCE, self.platform.detect) in (True, False)

    def test_it_tells_what_it_needs(self) -> None:
        found = call_within(PATIENCE, lambda: list(self.platform.prerequisites()))
        assert all(isinstance(each, Finding) and each.text for each in found)

    def test_it_tells_of_hosts_of_which_little_is_known(self) -> None:
        empty, known = HostFacts(), HostFacts(self.platform.drivers[0], "host", (9, 0, 0), (1, 2, 3))
        for facts in (empty, known):
            told = call_within(PATIENCE, partial(self.platform.host_facts, facts))
            assert all(isinstance(name, str) and isinstance(value, str) for name, value in told.items())

    def test_its_classes_are_whole(self) -> None:
        classes, prefix = self.classes, self.platform.prefix
        own = [name for name in classes if prefix_of(name) == prefix]
        assert own
        for name in own:
            assert classes[name].name == name

    def test_its_own_properties_are_declared_and_computed(self) -> None:
        bases = {element.base for element in self._types()}
        for base, getters in self.platform.properties.items():
            assert base in bases, f"{base} is no class of elements"
            declared = self.classes[self.platform.class_name(base)]
            local = {name.lower() for name in declared.local_properties}
            for name, getter in getters.items():
                assert name.lower() in local, f"{base}.{name} is not declared in the MOF of the platform"
                assert callable(getter)

    def test_its_fields_name_properties_that_can_be_what_they_say(self) -> None:
        tables = {element.base: element.table for element in self._types()}
        for field in form_of(self.platform):
            declared = self.classes[self.platform.class_name(field.element)].properties
            assert field.name.lower() in declared, field.key
            assert field.label
            table: PropertyTable[Any] = tables[field.element]
            if field.modes:
                assert field.name in table, field.key
                assert table[field.name].writable, f"{field.key} cannot be edited"
            if field.type is FieldType.LIST:
                assert declared[field.name.lower()].is_array, field.key
            if field.default is not None:
                assert not list(check_form(self.platform, _any(field.modes), {field.key: field.default}))

    def test_a_form_that_was_left_empty_is_looked_through(self) -> None:
        for mode in Mode:
            assert list(call_within(PATIENCE, partial(check_form, self.platform, mode, {}))) == []

    def test_its_meta_templates_name_settings(self) -> None:
        names = [template.name for template in self.platform.meta_templates]
        assert len(set(names)) == len(names)
        for template in self.platform.meta_templates:
            assert template.title
            for name in template.settings:
                assert VirtualSystemSettingData.table[name].writable, f"{template.name}: {name} cannot be set"

    def test_a_new_guest_is_whole(self) -> None:
        document = DomainDocument("<domain/>")
        guest = NewGuest(self.platform, HostCapabilities.parse("<capabilities/>"), document)
        guest.choose_system(SystemChoice())
        guest.complete(with_devices=True)
        assert document.config.type in self.platform.domain_types
        assert document.config.os_type in self.platform.os_types
        assert document.config.uuid
        assert DomainDocument(document.tostring()).config.type == document.config.type

    def _types(self) -> list[type[Element]]:
        return [*element_types(build_catalog(Site([], [self.platform], KINDS)))]


def _any(modes: frozenset[Mode]) -> Mode:
    return min(modes, default=Mode.DEFINITION)


def platform_suite(platform: Platform) -> type[PlatformContract]:
    """Make the tests of a platform: `TestMine = platform_suite(PLATFORM)` in a module that pytest runs.

    Parameters:
        platform: to be tested.
    """
    return type(f"Test{platform.prefix}", (PlatformContract,), {"platform": platform})
