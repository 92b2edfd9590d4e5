"""The provider of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from virtcim.images.templates import Template
from virtcim.libhelper.work import Work
from virtcim.providers.base import Element
from virtcim.providers.interface import (
    CIMError,
    CIMValue,
    EmbeddedInstance,
    Instance,
    InstancePath,
    Keys,
    MethodResult,
    Parameters,
    RequestContext,
    Role,
    Status,
)
from virtcim.providers.jobs import Affected, Effect, JobOrder
from virtcim.providers.methods import MethodFailedError
from virtcim.providers.nodes.node import Node
from virtcim.providers.nodes.placement import Candidate, Wish, candidates, with_defaults
from virtcim.providers.nodes.registry import NodeRegistry
from virtcim.providers.services.ofserver import Run, ServerServiceProvider
from virtcim.providers.states import EnabledState
from virtcim.providers.templates import TEMPLATE_PREFIX, setting_of_template
from virtcim.providers.values import flag_of, number_of
from virtcim.providers.Virt_AggregatedManagementService.drain import Drain
from virtcim.providers.Virt_AggregatedManagementService.summary import Summaries, guests_of, refresh_figures
from virtcim.providers.Virt_ComputerSystem import ComputerSystem, system_of
from virtcim.providers.Virt_ComputerSystem.transitions import IMPLEMENTED
from virtcim.providers.Virt_ManagedNode import node_of
from virtcim.providers.Virt_NodeGroup import group_of
from virtcim.providers.Virt_VirtualSystemManagementService import VirtualSystemManagementService, summaries

__all__ = ["AGGREGATED_SERVICE", "METHOD_ROLES", "AggregatedServiceProvider"]

AGGREGATED_SERVICE = "Virt_AggregatedManagementService"

METHOD_ROLES = {
    f"{AGGREGATED_SERVICE}.EvaluatePlacement": Role.READ,
    f"{AGGREGATED_SERVICE}.GetGroupSummary": Role.READ,
    f"{AGGREGATED_SERVICE}.RequestGroupStateChange": Role.OPERATE,
}
"""The methods that need less than `administer`; in the namespaces of the nodes they need the same again."""

_TYPES = {"Proc": 3, "Mem": 4, "Net": 10}
"""ResourceType, by the kind of a resource of a template."""
_NOT_SUPPORTED = 1
_FAILED = 2
_INVALID_PARAMETER = 4
_JOB_STARTED = 4096
_ACCEPTED, _REJECTED = 2, 3
_AT_ONCE = 2
"""Migrations that go on at a time unless it is said."""
_PERFORMANCE = int(Effect.PERFORMANCE_IMPACT)

May = Callable[[RequestContext, str, Role], bool]
"""Tells whether who asks has a role in a namespace."""


class AggregatedServiceProvider(ServerServiceProvider):
    """Serves the service.

    Parameters:
        nodes: all nodes.
        service: the one instance.
        may: tells who may do what in the namespaces of the nodes.
    """

    class_names = (AGGREGATED_SERVICE,)

    def __init__(self, nodes: NodeRegistry, service: Instance, may: May) -> None:
        self._nodes = nodes
        self._service = service
        self._may = may
        self._summaries = Summaries()

    @property
    def service(self) -> Instance:
        return self._service

    @property
    def runs(self) -> Mapping[str, Run]:
        return {
            "DefineSystem": self._define,
            "DefineSystemInGroup": self._define_in_group,
            "EvaluatePlacement": self._evaluate,
            "GetGroupSummary": self._summarize,
            "RequestGroupStateChange": self._change_states,
            "DrainNodes": self._drain,
            "RequestStateChange": _refuse,
            "StartService": _refuse,
            "StopService": _refuse,
        }

    def get_instance(self, class_name: str, keys: Keys, context: RequestContext) -> Instance:
        given = {name.lower(): str(value).casefold() for name, value in keys.items()}
        if given != {name.lower(): str(value).casefold() for name, value in self._service.keys().items()}:
            raise CIMError(Status.NOT_FOUND, f"There is no such instance of {class_name}")
        return self._service

    def _evaluate(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """EvaluatePlacement: the table by which DefineSystem would choose."""
        table, _, _ = self._table(parameters, context)
        return MethodResult(
            0,
            {
                "Nodes": [each.node.name for each in table],
                "Verdicts": [_ACCEPTED if each.accepted else _REJECTED for each in table],
                "Reasons": [each.text for each in table],
            },
        )

    def _define_in_group(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """DefineSystemInGroup: as DefineSystem, on a node of the group."""
        if parameters.get("Group") is None:
            raise CIMError(Status.INVALID_PARAMETER, "Group: is missing; expected a group of nodes")
        return self._define(parameters, context)

    def _define(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """DefineSystem: on the first node of the table."""
        template = self._template(parameters)
        # Of those that come together, each is placed with those before it in mind.
        with self._nodes.promises.choosing if template is not None else nullcontext():
            return self._place(parameters, context, template)

    def _place(self, parameters: Parameters, context: RequestContext, template: Template | None) -> MethodResult:
        """Choose a node, and have the guest made there."""
        table, resources, wish = self._table(parameters, context, template)
        chosen = next((each for each in table if each.accepted), None)
        if chosen is None:
            reasons = "; ".join(f"node {each.node.name!r}: {each.text}" for each in table[:20])
            raise CIMError(Status.FAILED, f"No node can have the guest: {reasons or 'there is none to choose from'}")
        service = _management_service(chosen)
        given: dict[str, CIMValue] = {
            name: value
            for name, value in {**parameters, "ResourceSettings": resources}.items()
            if name in ("SystemSettings", "ResourceSettings") and value
        }
        if template is not None:
            setting = setting_of_template(service.site, service.platform, template)
            given["ReferenceConfiguration"] = setting.path()
            given["SystemSettings"] = _with_pool(_system(parameters), setting.class_name, self._variables(parameters))
        result = _invoke(service, "DefineSystem", given, context)
        path = result.out.get("Job")
        job = self._nodes.local.jobs.find(str(path.keys.get("InstanceID"))) if isinstance(path, InstancePath) else None
        if job is not None:
            self._nodes.promises.add(service.hypervisor, wish, job.over)
        return result

    def _template(self, parameters: Parameters) -> Template | None:
        """The template of ReferenceConfiguration; None without one.

        Raises:
            CIMError: NOT_SUPPORTED where it is a guest; NOT_FOUND.
        """
        path = parameters.get("ReferenceConfiguration")
        if path is None:
            return None
        keys = path.keys if isinstance(path, InstancePath) else {}
        key = next((str(value) for name, value in keys.items() if name.lower() == "instanceid"), "")
        if not key.startswith(TEMPLATE_PREFIX):
            raise CIMError(
                Status.NOT_SUPPORTED,
                "ReferenceConfiguration: is a guest of a node; expected a template, or DefineSystem of that node",
            )
        library = self._nodes.local.library
        template = None if library is None else library.templates.find(key.removeprefix(TEMPLATE_PREFIX))
        if template is None:
            raise CIMError(Status.NOT_FOUND, f"ReferenceConfiguration: there is no {key[:100]}")
        return template

    def _variables(self, parameters: Parameters) -> Mapping[str, str]:
        """The variables of the group; none without a group."""
        path = parameters.get("Group")
        return {} if path is None else self._nodes.all_groups()[group_of(self._nodes, path)].variables

    def _table(
        self, parameters: Parameters, context: RequestContext, template: Template | None = None
    ) -> tuple[list[Candidate], list[EmbeddedInstance], Wish]:
        """The nodes to choose among, the best one first, the resources with what the group says of them, and what the
        guest needs."""
        given = parameters.get("ResourceSettings")
        settings = given if isinstance(given, list | tuple) else ()
        resources = [each for each in settings if isinstance(each, EmbeddedInstance)]
        if (path := parameters.get("Group")) is None:
            nodes: Sequence[Node] = self._nodes.nodes()
        else:
            group = group_of(self._nodes, path)
            nodes = self._nodes.members(group)
            resources = with_defaults(resources, self._nodes.all_groups()[group].variables)
        seen = [node for node in nodes if self._may(context, node.namespace, Role.READ)]
        wish = Wish.of(_system(parameters), resources)
        if template is not None:
            wish = _with_template(wish, template, self._variables(parameters), self._nodes)
        found = candidates(
            seen, wish, lambda node: self._may(context, node.namespace, Role.ADMINISTER), self._nodes.promises
        )
        return found, resources, wish

    def _summarize(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """GetGroupSummary: sums over all guests of a group and, where asked for, what a console shows of each."""
        group = group_of(self._nodes, parameters.get("Group"))
        nodes = [node for node in self._nodes.members(group) if self._may(context, node.namespace, Role.READ)]
        refresh_figures(nodes)
        out: dict[str, CIMValue] = {"Summary": self._summaries.of(group, nodes)}
        if parameters.get("IncludeGuests"):
            guests = list(guests_of(nodes))
            out["Guests"] = summaries(guests)
            out["Namespaces"] = [guest.site.namespace for guest in guests]
        return MethodResult(0, out)

    def _change_states(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """RequestGroupStateChange: one job, in which each guest is asked for."""
        group, wanted = group_of(self._nodes, parameters.get("Group")), parameters.get("RequestedState")
        if not isinstance(wanted, int):
            raise CIMError(Status.INVALID_PARAMETER, "RequestedState: is missing")
        if wanted not in IMPLEMENTED:
            return MethodResult(_INVALID_PARAMETER)
        nodes = [
            node
            for node in self._nodes.members(group)
            if node.settings.enabled and self._may(context, node.namespace, Role.OPERATE)
        ]
        systems = [system_of(guest) for guest in guests_of(nodes)]
        jobs = self._nodes.local.jobs
        return jobs.run(
            JobOrder(
                self._nodes.local.platforms[0].prefix,
                "RequestGroupStateChange",
                lambda work: self._carry_out(work, systems, wanted, context),
                name=f"Group {group}",
                owner=self._service.path(),
                affected=[Affected(system.path(), (int(Effect.EXCLUSIVE_USE),)) for system in systems],
                principal=context.principal,
                namespace=self._nodes.local.namespace,
                # It waits for the jobs of the guests, which take workers.
                takes_worker=False,
            )
        )

    def _drain(self, parameters: Parameters, context: RequestContext) -> MethodResult:
        """DrainNodes: one job, with a migration for each guest as another one."""
        sources = self._sources(parameters)
        for node in sources:
            if not self._may(context, node.namespace, Role.ADMINISTER):
                raise CIMError(Status.ACCESS_DENIED, f"node {node.name!r}: you may not move its guests")
        setting = parameters.get("MigrationSettingData")
        at_once = number_of(parameters.get("AtOnce"), "AtOnce")
        if at_once is not None and at_once < 1:
            raise CIMError(Status.INVALID_PARAMETER, f"AtOnce: is {at_once}; expected 1 or more")
        only_check = flag_of(parameters.get("CheckOnly"), "CheckOnly")
        drain = Drain(
            sources,
            [
                node
                for node in self._targets(parameters, sources)
                if self._may(context, node.namespace, Role.ADMINISTER)
            ],
            setting if isinstance(setting, EmbeddedInstance) else None,
            flag_of(parameters.get("IncludeInactive"), "IncludeInactive"),
            at_once or _AT_ONCE,
            context,
            self._nodes.local.jobs,
        )
        affected = [] if only_check else [Affected(system_of(each).path(), (_PERFORMANCE,)) for each in drain.guests]
        return self._nodes.local.jobs.run(
            JobOrder(
                self._nodes.local.platforms[0].prefix,
                "DrainNodes",
                drain.plan if only_check else drain.carry_out,
                name=f"Drain of {', '.join(node.name for node in sources)}",
                owner=self._service.path(),
                affected=affected,
                principal=context.principal,
                namespace=self._nodes.local.namespace,
                # It waits for the migrations, which take workers.
                takes_worker=False,
            )
        )

    def _sources(self, parameters: Parameters) -> list[Node]:
        """The nodes that are to be emptied: the one that is named, or those of the group."""
        path, group = parameters.get("Node"), parameters.get("Group")
        if (path is None) == (group is None):
            raise CIMError(Status.INVALID_PARAMETER, "DrainNodes: expected either Node or Group")
        if group is not None:
            return [node for node in self._nodes.members(group_of(self._nodes, group)) if node.settings.enabled]
        return [node_of(self._nodes, path)]

    def _targets(self, parameters: Parameters, sources: Sequence[Node]) -> list[Node]:
        """The nodes that guests may go to: of the group that is named, else of those that the one node is in, else all
        of them; never one that is emptied."""
        target = parameters.get("TargetGroup")
        if target is not None:
            nodes = self._nodes.members(group_of(self._nodes, target))
        elif len(sources) == 1 and parameters.get("Group") is None and sources[0].settings.groups:
            groups = set(sources[0].settings.groups)
            nodes = [node for node in self._nodes.nodes() if groups.intersection(node.settings.groups)]
        else:
            nodes = self._nodes.nodes()
        return [node for node in nodes if node.settings.enabled and node not in sources]

    def _carry_out(
        self, work: Work, systems: Sequence[ComputerSystem], wanted: int, context: RequestContext
    ) -> MethodResult:
        """Ask all guests at once, then wait for those that take their time."""
        results: dict[str, str] = {}
        waiting: dict[str, object] = {}
        for system in systems:
            with work.stoppable():
                work.checkpoint()
            name = f"{system.namespace}: {system.guest.domain.name}"
            if _has_state(system, wanted):
                results[name] = "has it already"
                continue
            try:
                answer = _invoke(system, "RequestStateChange", {"RequestedState": wanted}, context)
            except (CIMError, MethodFailedError) as error:
                results[name] = f"failed: {error.description if isinstance(error, CIMError) else error.text}"
                continue
            if answer.return_value == _JOB_STARTED:
                waiting[name] = answer.out.get("Job")
            else:
                results[name] = "done" if answer.return_value == 0 else f"failed: {answer.return_value}"
            work.report(len(results), len(systems))
        for name, path in waiting.items():
            results[name] = self._result_of(path, work)
            work.report(len(results), len(systems))
        failed = any(each.startswith("failed") for each in results.values())
        return MethodResult(
            _FAILED if failed else 0, {"Results": [f"{name}: {text}" for name, text in results.items()]}
        )

    def _result_of(self, path: object, work: Work) -> str:
        """Wait for the job of a guest, and tell how it ended."""
        identifier = str(path.keys.get("InstanceID")) if isinstance(path, InstancePath) else ""
        job = self._nodes.local.jobs.find(identifier)
        if job is None:
            return "done"
        while not job.over.wait(0.2):
            with work.stoppable():
                work.checkpoint()
        errors = job.record.errors
        return f"failed: {errors[0].message}" if errors else "done"


def _with_template(wish: Wish, template: Template, variables: Mapping[str, str], nodes: NodeRegistry) -> Wish:
    """What a guest of a template needs: what the template says, where the client leaves it open."""
    library = nodes.local.library
    described = [
        EmbeddedInstance(f"CIM_{each['kind']}ResourceAllocationSettingData", {"ResourceType": number, **plain})
        for each in template.resources
        if (number := _TYPES.get(str(each["kind"]))) is not None
        for plain in ({name: value for name, value in each.items() if name != "kind"},)
    ]
    own = Wish.of(None, described)
    usual = "" if library is None else library.settings.pool
    pool = wish.pool or variables.get("pool") or template.pool or usual
    needs_pool = template.image is not None or bool(template.disks)
    return replace(
        wish,
        prefix=wish.prefix or (template.platforms[0] if len(template.platforms) == 1 else ""),
        arch=wish.arch or template.architecture,
        memory=wish.memory or own.memory,
        processors=max(wish.processors, own.processors),
        pool=pool if needs_pool else wish.pool,
    )


def _with_pool(
    system: EmbeddedInstance | None, class_name: str, variables: Mapping[str, str]
) -> EmbeddedInstance | None:
    """The settings that a client gives, with the pool of the group where the client names none."""
    pool = variables.get("pool")
    if pool is None:
        return system
    properties = {} if system is None else dict(system.properties)
    given = properties.get("TemplateParameters")
    parameters = list(given) if isinstance(given, list | tuple) else []
    if not any(str(each).startswith("pool=") for each in parameters):
        parameters.append(f"pool={pool}")
    properties["TemplateParameters"] = parameters
    return EmbeddedInstance(class_name if system is None else system.class_name, properties)


def _refuse(parameters: Parameters, context: RequestContext) -> MethodResult:
    """Refuse to change the state of the service: it is there as long as the server is."""
    return MethodResult(_NOT_SUPPORTED)


def _system(parameters: Parameters) -> EmbeddedInstance | None:
    given = parameters.get("SystemSettings")
    return given if isinstance(given, EmbeddedInstance) else None


def _management_service(chosen: Candidate) -> VirtualSystemManagementService:
    """The service of the node that was chosen, the one of its hypervisor where it has several."""
    assert chosen.platform is not None, chosen
    services = list(VirtualSystemManagementService.all_of(chosen.node.site, chosen.platform))
    if not services:
        raise CIMError(Status.FAILED, f"node {chosen.node.name!r}: was lost meanwhile")
    return next((each for each in services if each.hypervisor is chosen.hypervisor), services[0])


def _invoke(element: Element, name: str, parameters: Parameters, context: RequestContext) -> MethodResult:
    """Call a method of an element of a node, as who asks."""
    method = next(each for each in element.methods if each.name == name)
    return method.run(element, parameters, replace(context, namespace=element.namespace))


_OFF = (3, 4)
"""RequestedState: Disabled, Shut Down."""


def _has_state(system: ComputerSystem, wanted: int) -> bool:
    """Whether a guest runs that is to be started, or is off that is to be stopped: nothing is asked of it."""
    if wanted in _OFF:
        return not system.guest.domain.active
    return wanted == system.guest.condition.enabled == EnabledState.ENABLED
