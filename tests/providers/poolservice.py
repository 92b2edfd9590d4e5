"""A site on a real hypervisor, and short ways to ask its service for pools."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.providers.outcome import Outcome, outcome
from tests.providers.recorded import CONTEXT, Served, platform
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.providers.interface import CIMError, EmbeddedInstance, InstancePath
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.settings import ProviderSettings

NEW, RUNNING, SUSPENDED, SHUTTING_DOWN, COMPLETED, TERMINATED, KILLED, EXCEPTION = 2, 4, 5, 6, 7, 8, 9, 10

#: All work becomes a job.
HASTY = JobSettings(grace=0.0)


class PoolService(Served):
    """A site with one hypervisor."""

    def __init__(
        self, uri: str, prefix: str, *, read_only: bool = False, settings: ProviderSettings | None = None
    ) -> None:
        self.prefix = prefix
        self.hypervisor = Hypervisor(uri, HypervisorSettings(read_only=read_only, interval=0.5))
        self.hypervisor.start()
        assert self.hypervisor.wait_ready(60)
        super().__init__([(platform(prefix), self.hypervisor)], settings)

    def close(self) -> None:
        """Stop all that runs."""
        self.site.jobs.stop(5)
        self.hypervisor.stop()

    def name_of(self, base: str) -> str:
        """The class of the platform."""
        return f"{self.prefix}_{base}"

    def call(self, method: str, **parameters: Any) -> Outcome:
        """Invoke a method of the service."""
        name = self.name_of("ResourcePoolConfigurationService")
        (service,) = self.instances(name)
        return outcome(self.providers[name].invoke_method(name, service.keys(), method, parameters, CONTEXT))

    def refused(self, method: str, **parameters: Any) -> str:
        """Invoke a method that raises an error; the name of its status and its text."""
        try:
            result = self.call(method, **parameters)
        except CIMError as error:
            return f"{error.status.name} {error.description}"
        raise AssertionError(result)

    def setting(self, kind: str, **properties: Any) -> EmbeddedInstance:  # type: ignore[override]
        """A setting to be sent."""
        return EmbeddedInstance(self.name_of(f"{kind}ResourceAllocationSettingData"), properties)

    def pool(self, base: str, name: str) -> InstancePath:
        """The path of a pool."""
        return InstancePath(self.name_of(base), {"InstanceID": f"{base}/{name}"}, "root/virt")

    def shown(self, path: InstancePath) -> dict[str, Any]:
        """The properties of what a path names."""
        return dict(self.get(path.class_name, **path.keys).properties())

    def create(self, kind: str, name: str | None, **properties: Any) -> InstancePath:
        """Make a pool that is done at once."""
        named = {} if name is None else {"ElementName": name}
        result = self.call("CreateChildResourcePool", **named, Settings=[self.setting(kind, **properties)])
        assert result.return_value == 0
        path: InstancePath = result.out["Pool"]
        return path

    def create_volume(self, pool: InstancePath, **properties: Any) -> Outcome:
        """Make a volume."""
        return self.call("CreateResourceInPool", Settings=self.setting("StorageVolume", **properties), Pool=pool)

    def job(self, path: InstancePath, method: str, **parameters: Any) -> Outcome:
        """Invoke a method of a job."""
        provider = self.providers[path.class_name]
        return outcome(provider.invoke_method(path.class_name, path.keys, method, parameters, CONTEXT))

    def end_of(self, path: InstancePath) -> dict[str, Any]:
        """The properties of a job once it is over."""
        return self.until(path, lambda shown: shown["JobState"] in (COMPLETED, TERMINATED, KILLED, EXCEPTION))

    def until(self, path: InstancePath, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The properties of what a path names, once they are so."""
        deadline = time.monotonic() + 60
        while not condition(shown := self.shown(path)):
            assert time.monotonic() < deadline, shown
            time.sleep(0.002)
        return shown
