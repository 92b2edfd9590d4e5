"""Work that a method starts: done at once where it is quick, else as a job, on behalf of whoever called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from virtcim.providers.interface import InstancePath, MethodResult, RequestContext
from virtcim.providers.jobs import Affected, Effect, JobOrder

if TYPE_CHECKING:
    from virtcim.libhelper.work import Work
    from virtcim.providers.base import Element

__all__ = ["run_method"]


def run_method(
    owner: Element,
    method: str,
    context: RequestContext,
    run: Callable[[Work], MethodResult],
    affected: Sequence[InstancePath] = (),
    effect: Effect = Effect.EXCLUSIVE_USE,
    *,
    name: str = "",
    grace: float = 0.0,
    takes_worker: bool = True,
    base: str = "ConcreteJob",
    priority: int = 0,
    at_once: bool = False,
    figures: Mapping[str, int | str] | None = None,
    stoppable: bool = False,
) -> MethodResult:
    """Carry out a method of an element.

    Parameters:
        owner: whose method it is; owns the job.
        method: its name.
        context: of the request; its principal is the user of the job, and it can ask for one at once, or wait for it.
        run: does it.
        affected: what it acts upon.
        effect: how.
        name: of the job, for people; the method unless given.
        grace: seconds that the call waits before it answers with a job; those of the settings unless they are fewer.
        takes_worker: whether it keeps a worker busy, rather than wait for a guest or one call of libvirt.
        base: the name of the job's class without the prefix.
        priority: which of several that wait for a worker goes first: the lower, the sooner.
        at_once: whether it is a job from its beginning, however short it may be.
        figures: what is known of how it is to go on, before it has begun.
        stoppable: whether it can be ended from its beginning, as `Work` has it.

    Returns:
        what the method gives back; 4096 and the job where the work goes on, or the job was asked for.

    Raises:
        CIMError, MethodFailedError: the work failed while the caller waited.
    """
    return owner.site.jobs.run(
        JobOrder(
            owner.platform.prefix,
            method,
            run,
            name=name,
            owner=owner.path(),
            affected=[Affected(path, (int(effect),)) for path in affected],
            principal=context.principal,
            grace=grace,
            namespace=owner.namespace,
            takes_worker=takes_worker,
            base=base,
            priority=priority,
            at_once=at_once or context.as_job,
            patience=context.patience,
            figures=figures or {},
            stoppable=stoppable,
        )
    )
