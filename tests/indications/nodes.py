"""Two hypervisors of libvirt's test driver in this process, and what tells of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.indications.parts import Running
from tests.providers.recorded import platform
from tests.providers.test_two_nodes import GUESTS, node_file
from virtcim.libhelper.hypervisor import Hypervisor
from virtcim.libhelper.settings import HypervisorSettings
from virtcim.platforms.registry import load_platforms
from virtcim.providers.jobs import Jobs
from virtcim.providers.jobsettings import JobSettings
from virtcim.providers.kinds import KINDS
from virtcim.providers.lifecycle import LifecycleSources
from virtcim.providers.settings import ProviderSettings
from virtcim.providers.site import Site
from virtcim.registration.catalog import build_catalog, element_types
from virtcim.schema.classes import ClassStore


class Nodes:
    """Two hypervisors of the test driver, each a site with a namespace of its own.

    Attributes:
        sites: by namespace.
        catalog: what is served.
        service: tells of them.
    """

    def __init__(self, directory: Path, classes: ClassStore) -> None:
        platforms, jobs = load_platforms([]), Jobs(JobSettings(grace=0.0))
        self._hypervisors: dict[str, Hypervisor] = {}
        self.sites: dict[str, Site] = {}
        for number, (namespace, guests) in enumerate(GUESTS.items()):
            hypervisor = Hypervisor(f"test://{node_file(directory, number, guests)}", HypervisorSettings(interval=0.2))
            self._hypervisors[namespace] = hypervisor
            members = [(platform("Test"), hypervisor)]
            self.sites[namespace] = Site(members, platforms, KINDS, ProviderSettings(namespace=namespace), jobs)
            hypervisor.start()
        assert all(each.wait_ready(60) for each in self._hypervisors.values())
        self.catalog = build_catalog(*self.sites.values())
        types = element_types(self.catalog)
        self.service = Running(
            directory,
            classes,
            follow=lambda store: LifecycleSources(self.sites.values(), types, store, self.catalog.associations),
            spaces=tuple(GUESTS),
        )

    def stop(self) -> None:
        self.service.stop()
        for each in self._hypervisors.values():
            each.stop()

    def run(self, namespace: str, action: Callable[[Any], Any]) -> None:
        """Do something over a connection of the server: the test driver shows it to no other."""
        self._hypervisors[namespace].ask("test", action, 30)
