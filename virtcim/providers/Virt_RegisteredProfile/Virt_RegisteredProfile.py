"""The profiles of a site: which are registered, and which instances follow them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from virtcim.platforms.base import Platform
from virtcim.providers.base import Element, MainKey
from virtcim.providers.properties import Property, PropertyTable, attribute
from virtcim.providers.site import Site
from virtcim.providers.sources import PLATFORMS, Place
from virtcim.providers.Virt_RegisteredProfile.declared import PROFILES
from virtcim.schema.profiles import DeclaredProfile, profile_properties

__all__ = ["INTEROP", "Profiles", "RegisteredProfile", "profiles_of"]

INTEROP = "root/interop"
"""The namespace of profiles."""


class RegisteredProfile(Element):
    """A profile that a platform follows (Virt_RegisteredProfile).

    Attributes:
        declared: the profile.
        instance_id: the key.
        shown: the values of the other properties.
    """

    __slots__ = ("declared", "instance_id", "shown")

    base = "RegisteredProfile"
    key_names = ("InstanceID",)
    main_key = MainKey("InstanceID", "No InstanceID specified")
    source = PLATFORMS

    def __init__(self, site: Site, platform: Platform, declared: DeclaredProfile) -> None:
        self.declared = declared
        self.instance_id = declared.instance_id.format(prefix=platform.prefix)
        self.shown = profile_properties(declared, platform.title)
        super().__init__(site, platform, self.instance_id)
        self.namespace = INTEROP

    @property
    def revision(self) -> Hashable:  # type: ignore[override]
        return self.declared

    @classmethod
    def made_from(cls, owner: Place) -> Iterable[RegisteredProfile]:
        return profiles_of(owner.site).registered(owner.platform)


def _shown(name: str, source: str) -> Property[RegisteredProfile]:
    """Declare a property that every registered profile has, whoever follows it."""
    return Property(name, lambda profile: profile.shown[name], source)


RegisteredProfile.table = PropertyTable(
    attribute("InstanceID", lambda profile: profile.instance_id, source="table of profiles"),
    _shown("RegisteredName", "table of profiles"),
    _shown("RegisteredVersion", "table of profiles"),
    _shown("RegisteredOrganization", "always DMTF"),
    _shown("SpecificationType", "always Profile"),
    _shown("AdvertiseTypes", "always Not Advertised"),
    _shown("ElementName", "table of profiles"),
    _shown("Description", "table of profiles, platform"),
)


class Profiles:
    """The profiles of a site.

    A profile is registered for a platform that has a hypervisor, when one of its central classes is served: once in the
    namespace of profiles, however many sites have such a hypervisor.

    Parameters:
        site: what there is to serve.
        types: the element types that are served.
        sites: all that are served together, this one among them; only this one unless given.
    """

    def __init__(self, site: Site, types: Iterable[type[Element]], sites: Sequence[Site] = ()) -> None:
        self.site = site
        self._sites = sites or (site,)
        self.types = {element.base: element for element in types}
        self._declared = [declared for declared in PROFILES if not self.types.keys().isdisjoint(declared.central)]
        self._registered: dict[str, Sequence[RegisteredProfile]] = {}

    def registered(self, platform: Platform) -> Sequence[RegisteredProfile]:
        """The profiles of a platform."""
        if not any(self._sites_with(platform)):
            return ()
        found = self._registered.get(platform.prefix)
        if found is None:
            profiles = [RegisteredProfile(self.site, platform, declared) for declared in self._declared]
            found = self._registered.setdefault(platform.prefix, profiles)
        return found

    def central(self, profile: RegisteredProfile) -> Iterable[Element]:
        """The central instances of a profile, of all sites that are served together."""
        for site in self._sites_with(profile.platform):
            yield from self._elements(site, profile, profile.declared.central)

    def conforming(self, profile: RegisteredProfile) -> Iterable[Element]:
        """What ElementConformsToProfile leads to on this site."""
        return self._elements(self.site, profile, (*profile.declared.scoping, *profile.declared.central))

    def followed_by(self, element: Element) -> Iterable[RegisteredProfile]:
        """The profiles whose `conforming` leads to an element."""
        for profile in self.registered(element.platform):
            if element.base in profile.declared.scoping or element.base in profile.declared.central:
                yield profile

    def conforming_types(self) -> list[type[Element]]:
        """The element types that can follow a profile."""
        bases = dict.fromkeys(base for each in self._declared for base in (*each.scoping, *each.central))
        return [self.types[base] for base in bases if base in self.types]

    def _sites_with(self, platform: Platform) -> Iterable[Site]:
        """The sites that have a hypervisor of a platform."""
        return (site for site in self._sites if platform in site.platforms and site.hypervisors(platform))

    def _elements(self, site: Site, profile: RegisteredProfile, bases: Iterable[str]) -> Iterable[Element]:
        for base in bases:
            element = self.types.get(base)
            if element is not None:
                yield from element.all_of(site, profile.platform)


def profiles_of(site: Site, types: Iterable[type[Element]] = (), sites: Sequence[Site] = ()) -> Profiles:
    """The profiles of a site.

    Parameters:
        types: the element types that are served; counts when the profiles of the site are asked for first.
        sites: all that are served together; likewise.
    """
    return site.memo(Profiles, lambda each: Profiles(each, types, sites))
