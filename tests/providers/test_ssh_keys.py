"""Keys for SSH, copied and removed as libvirt-cim did, but without a shell and from one directory alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.providers.outcome import outcome
from tests.providers.recorded import CONTEXT, Served, domain_xml, hypervisor, platform
from virtcim.providers.guests import all_guests
from virtcim.providers.interface import CIMError, Status
from virtcim.providers.migrationsettings import MigrationSettings
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.Virt_VSMigrationService.destination import destination_named
from virtcim.providers.Virt_VSMigrationService.transport import Transport

SERVICE = "KVM_VirtualSystemMigrationService"


class Keys:
    """A site with a place for keys."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.keys, self.target = directory / "keys", directory / "key"
        self.keys.mkdir(mode=0o755, exist_ok=True)
        usual = {"ssh_key": self.target, "ssh_key_directory": self.keys, "destinations": ("far.example",)}
        migration = MigrationSettings(**{**usual, **settings})
        host = hypervisor("KVM")
        host.put(domain_xml("web"))
        self.served = Served([(platform("KVM"), host)], ProviderSettings(migration=migration))

    def call(self, method: str, **parameters: Any) -> Any:
        (service,) = self.served.instances(SERVICE)
        provider = self.served.providers[SERVICE]
        return outcome(provider.invoke_method(SERVICE, service.keys(), method, parameters, CONTEXT)).return_value

    def refused(self, method: str, **parameters: Any) -> str:
        with pytest.raises(CIMError) as raised:
            self.call(method, **parameters)
        assert raised.value.status is Status.FAILED
        return raised.value.description

    def uri(self) -> str:
        """How the host of the configuration would be reached now."""
        guest = next(iter(all_guests(self.served.site, self.served.site.platforms[0])))
        return destination_named(guest, "far.example", Transport.SSH).place.uri


def test_a_key_is_copied_used_and_removed(tmp_path: Path) -> None:
    site = Keys(tmp_path)
    (site.keys / "id").write_text("secret")
    assert "keyfile" not in site.uri()
    assert site.call("MigrateSSHKeyCopy", SSH_Key_Src=str(site.keys / "id")) == 0
    assert (site.target.read_text(), site.target.stat().st_mode & 0o777) == ("secret", 0o600)
    assert site.uri().endswith(f"?keyfile={site.target}")
    assert site.call("MigrateSSHKeyDelete") == 0
    assert not site.target.exists()
    assert site.refused("MigrateSSHKeyDelete") == f"Can not find file [{site.target}] before delete."


def test_nothing_else_can_be_copied(tmp_path: Path) -> None:
    site = Keys(tmp_path)
    (tmp_path / "other").write_text("another")
    (site.keys / "link").symlink_to(tmp_path / "other")
    (site.keys / "large").write_bytes(bytes(100_000))
    (site.keys / "folder").mkdir()
    names = ["../other", "link", "large", "folder", "none", "$(touch x)", "id; rm -rf ."]
    for source in (*(str(site.keys / name) for name in names), str(tmp_path / "other"), "/etc/shadow"):
        text = site.refused("MigrateSSHKeyCopy", SSH_Key_Src=source)
        assert text == f"Got error in copying ssh key from [{source}] to [{site.target}]."
    assert site.refused("MigrateSSHKeyCopy") == "Failed to get property 'SSH_Key_Src'."
    (site.keys / "id").write_text("secret")
    site.keys.chmod(0o777)
    assert site.refused("MigrateSSHKeyCopy", SSH_Key_Src=str(site.keys / "id")).startswith("Got error")
    assert not site.target.exists()


def test_it_has_to_be_set_up(tmp_path: Path) -> None:
    site = Keys(tmp_path, ssh_key=None)
    for method, given in (("MigrateSSHKeyCopy", {"SSH_Key_Src": "x"}), ("MigrateSSHKeyDelete", {})):
        assert site.refused(method, **given) == "Migration with special ssh key is not enabled in config file."
