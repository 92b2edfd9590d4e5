"""<prefix>_SettingsDefineCapabilities: capabilities, and settings that show them (DSP1043)."""

from __future__ import annotations

from collections.abc import Iterable

from virtcim.providers.associations.relation import Pair, Relation, Role
from virtcim.providers.properties import Property, PropertyTable, attribute, constant
from virtcim.providers.site import Site
from virtcim.providers.Virt_AllocationCapabilities import (
    AllocationCapabilities,
    Sample,
    Template,
    capabilities_of,
    template_types,
    templates_of,
)
from virtcim.providers.Virt_VSMigrationCapabilities import MigrationCapabilities
from virtcim.providers.Virt_VSMigrationSettingData import MigrationSettingData, migration_settings_of

__all__ = ["allocation_settings", "migration_settings"]

_INDEPENDENT, _CORRELATED = 0, 1
_DEFAULT, _POINT = 0, 0


def _templates(capabilities: AllocationCapabilities) -> Iterable[Template]:
    return templates_of(capabilities.pool)


def _capabilities(template: Template) -> Iterable[AllocationCapabilities]:
    return (capabilities_of(template.pool),)


_SAMPLES = PropertyTable[Pair](
    Property(
        "PropertyPolicy",
        lambda pair: _CORRELATED if pair.right.sample is Sample.POINT else _INDEPENDENT,
        "Correlated for one possible choice, whose values go together, else Independent",
    ),
    attribute("ValueRole", lambda pair: pair.right.sample.role, source="what the template is a sample of"),
    attribute("ValueRange", lambda pair: pair.right.sample.range, source="what the template is a sample of"),
)
"""How the values of a template are to be read."""

_DEFAULTS = PropertyTable[Pair](
    constant("PropertyPolicy", _INDEPENDENT, "always Independent"),
    constant("ValueRole", _DEFAULT, "always Default"),
    constant("ValueRange", _POINT, "always Point"),
)


def allocation_settings(site: Site) -> Relation:
    """The association, for the capabilities of pools."""
    return Relation(
        site,
        "SettingsDefineCapabilities",
        Role("GroupComponent", (AllocationCapabilities,)),
        Role("PartComponent", template_types(site)),
        to_right=_templates,
        to_left=_capabilities,
        table=_SAMPLES,
    )


def migration_settings(site: Site) -> Relation:
    """The association, for what the migration service does when the client gives no settings."""

    def settings(capabilities: MigrationCapabilities) -> Iterable[MigrationSettingData]:
        return migration_settings_of(site, capabilities.platform)

    def capabilities(settings: MigrationSettingData) -> Iterable[MigrationCapabilities]:
        return (MigrationCapabilities(site, settings.platform),)

    return Relation(
        site,
        "SettingsDefineCapabilities",
        Role("GroupComponent", (MigrationCapabilities,)),
        Role("PartComponent", (MigrationSettingData,)),
        to_right=settings,
        to_left=capabilities,
        table=_DEFAULTS,
    )
