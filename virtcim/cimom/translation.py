"""A translation between a front end and the core: requests on their way in, results on their way out.

The core knows one truth.  Where the clients of a listener or of a namespace are used to another one, a translation
stands before it: a front end is made with the translation in place of the core.

What a query chooses among, and what a pull counts, has to be what the client sees.  A translation that changes
instances therefore gives its requests to a core that shows another catalog (`Core.showing`), and changes requests and
results beside that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from virtcim.cimom.access import Access
from virtcim.cimom.core import Executor
from virtcim.cimom.namespaces import Namespaces
from virtcim.cimom.requests import Attempt, Request
from virtcim.cimom.results import Result
from virtcim.schema.classes import ClassStore

__all__ = ["Translation"]


class Translation:
    """Leaves everything as it is: what a translation changes it overrides.

    Parameters:
        executor: the core, or another translation.
        translated: carries out the requests that the translation concerns; `executor`, unless given.
    """

    def __init__(self, executor: Executor, translated: Executor | None = None) -> None:
        self._executor = executor
        self._translated = translated or executor

    @property
    def access(self) -> Access:
        """Who may do what."""
        return self._executor.access

    @property
    def classes(self) -> ClassStore:
        """The class store."""
        return self._executor.classes

    @property
    def namespaces(self) -> Namespaces:
        """Which provider serves which class where."""
        return self._executor.namespaces

    @property
    def revision(self) -> Callable[[str], Hashable]:
        """Gives the revision of everything that the lasting instances of a namespace are made from."""
        return self._executor.revision

    def concerns(self, attempt: Attempt) -> bool:
        """Whether a request is translated: by its namespace, as a rule.  By default every request is."""
        return True

    def translate_attempt(self, attempt: Attempt) -> Attempt:
        """Translate what roles go by: it has to name the operation, namespace and classes of the translated request."""
        return attempt

    def translate_request(self, request: Request) -> Request:
        """Translate a request.  Raises CIMError for one that the clients may not make."""
        return request

    def translate_result(self, request: Request, result: Result) -> Result:
        """Translate the result of a request.

        Parameters:
            request: as the front end read it.
            result: as the core gave it.
        """
        return result

    def execute(self, request: Request) -> Result:
        """Carry out a request, as `Core.execute` does."""
        return self.attempt(request.attempt(), lambda: request)

    def attempt(self, attempt: Attempt, read: Callable[[], Request]) -> Result:
        """Carry out a request that is read late, as `Core.attempt` does."""
        if not self.concerns(attempt):
            return self._executor.attempt(attempt, read)
        requests: list[Request] = []

        def translated() -> Request:
            requests.append(read())
            return self.translate_request(requests[0])

        result = self._translated.attempt(self.translate_attempt(attempt), translated)
        return self.translate_result(requests[0], result)
