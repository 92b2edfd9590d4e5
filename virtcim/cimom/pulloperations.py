"""The pulled enumerations (DSP0200 1.4, section 5.4.2.24): opening, pulling, closing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from virtcim.cimom.intrinsics import Call, invalid_parameter
from virtcim.cimom.namespaces import Namespace
from virtcim.cimom.pull import Enumeration, Enumerations, PullKind, Write
from virtcim.cimom.query import parse_filter
from virtcim.cimom.reading import Reader
from virtcim.cimom.selection import Selector, selecting
from virtcim.cimom.settings import ServerSettings
from virtcim.frontends.cimxml.encode import ClassOptions, Table
from virtcim.frontends.cimxml.values import attribute
from virtcim.providers.interface import CIMError, Instance, Status
from virtcim.schema.classes import ClassStore

__all__ = ["PullOperations"]

Selects: TypeAlias = Callable[[Instance], bool]


class PullOperations:
    """Carries out the operations on enumerations.

    Parameters:
        classes: the class store.
        settings: limits.
        reader: finds instances.
        selector: carries out queries.
    """

    def __init__(self, classes: ClassStore, settings: ServerSettings, reader: Reader, selector: Selector) -> None:
        self.enumerations = Enumerations(settings)
        self._max_objects = settings.pull_max_objects
        self._classes = classes
        self._reader = reader
        self._selector = selector

    # Opening

    def open_enumerate_instances(self, call: Call) -> Iterable[bytes]:
        """OpenEnumerateInstances."""
        declared = self._reader.declaration(call["classname"])
        write = self._with_path(call, None if call["deepinheritance"] else declared.name)
        return self._open_class(call, declared.name, PullKind.INSTANCES_WITH_PATH, write)

    def open_enumerate_instance_paths(self, call: Call) -> Iterable[bytes]:
        """OpenEnumerateInstancePaths."""
        declared = self._reader.declaration(call["classname"])
        return self._open_class(call, declared.name, PullKind.INSTANCE_PATHS, _path_writer(call))

    def _open_class(self, call: Call, class_name: str, kind: PullKind, write: Write) -> Iterable[bytes]:
        timeout = self.enumerations.timeout(call["operationtimeout"])
        selects = self._filter(call, class_name)
        errors: list[CIMError] = []
        waiting: list[Instance | CIMError] = []
        for _, instances in self._reader.everything(call, class_name, errors.append):
            waiting += instances
        if call["continueonerror"]:
            waiting += errors
        return self._open(call, Enumeration(kind, waiting, write, selects, call["continueonerror"]), timeout)

    def open_associator_instances(self, call: Call) -> Iterable[bytes]:
        """OpenAssociatorInstances."""
        found = self._reader.associated(call, call["instancename"])
        return self._open_found(call, found, PullKind.INSTANCES_WITH_PATH, self._with_path(call))

    def open_associator_instance_paths(self, call: Call) -> Iterable[bytes]:
        """OpenAssociatorInstancePaths."""
        found = self._reader.associated(call, call["instancename"])
        return self._open_found(call, found, PullKind.INSTANCE_PATHS, _path_writer(call))

    def open_reference_instances(self, call: Call) -> Iterable[bytes]:
        """OpenReferenceInstances."""
        found = self._reader.referring(call, call["instancename"])
        return self._open_found(call, found, PullKind.INSTANCES_WITH_PATH, self._with_path(call))

    def open_reference_instance_paths(self, call: Call) -> Iterable[bytes]:
        """OpenReferenceInstancePaths."""
        found = self._reader.referring(call, call["instancename"])
        return self._open_found(call, found, PullKind.INSTANCE_PATHS, _path_writer(call))

    def _open_found(self, call: Call, found: Iterator[Instance], kind: PullKind, write: Write) -> Iterable[bytes]:
        timeout = self.enumerations.timeout(call["operationtimeout"])
        selects = self._filter(call, None)
        return self._open(call, Enumeration(kind, found, write, selects, call["continueonerror"]), timeout)

    def open_query_instances(self, call: Call) -> Iterator[bytes]:
        """OpenQueryInstances."""
        timeout = self.enumerations.timeout(call["operationtimeout"])
        language, text = call["filterquerylanguage"], call["filterquery"]
        if language is None or text is None:
            raise invalid_parameter("FilterQueryLanguage and FilterQuery are needed")
        selection = self._selector.select(call, language, text, call["continueonerror"])
        result_class = b""
        if call["returnqueryresultclass"]:
            result_class = self._result_class(selection.call, selection.class_name)
        write = self._plain(selection.call)
        enumeration = Enumeration(
            PullKind.INSTANCES, selection.instances, write, selection.selects, call["continueonerror"]
        )
        yield from self._open(call, enumeration, timeout)
        yield result_class

    def _result_class(self, call: Call, class_name: str | None) -> bytes:
        """The class of the query's results: that in FROM, with the properties of the SELECT list."""
        if class_name is None:
            raise CIMError(Status.QUERY_FEATURE_NOT_SUPPORTED, "The results of this query have no common class")
        options = ClassOptions(False, True, False, call["propertylist"])
        element = call.namespace.encoder.class_element(self._reader.declaration(class_name).name, options)
        return f'<PARAMVALUE NAME="QueryResultClass">{element}</PARAMVALUE>'.encode()

    def _filter(self, call: Call, class_name: str | None) -> Selects | None:
        """The filter query of an operation: its language and its text come together or not at all."""
        language, text = call["filterquerylanguage"], call["filterquery"]
        if language is None and text is None:
            return None
        if language is None or text is None:
            raise invalid_parameter("FilterQueryLanguage and FilterQuery are given together")
        return selecting(parse_filter(language, text).compile(self._classes, class_name))

    def _open(self, call: Call, enumeration: Enumeration, timeout: float) -> Iterable[bytes]:
        count = min(call["maxobjectcount"], self._max_objects)
        pieces = enumeration.take(count, opening=True)
        context = None
        if enumeration.waiting:
            self.enumerations.add(enumeration, call.context.principal, call.namespace.name, timeout)
            context = enumeration.context
        return _result(pieces, context)

    # Writing

    def _with_path(self, call: Call, limit: str | None = None) -> Write:
        forms: dict[str, tuple[Namespace, Table, bytes]] = {}

        def write(instance: Instance) -> Iterable[bytes]:
            form = forms.get(instance.class_name)
            if form is None:
                place = call.namespace.at_home(instance.class_name)
                options = self._reader.options(call, instance.class_name, limit)
                start = b"<VALUE.INSTANCEWITHPATH>" + place.path_start("INSTANCEPATH")
                form = forms[instance.class_name] = place, place.encoder.table(instance.class_name, options), start
            place, table, start = form
            name, body = place.name_and_body(instance, table)
            return start, name, b"</INSTANCEPATH>", *body, b"</VALUE.INSTANCEWITHPATH>"

        return write

    def _plain(self, call: Call) -> Write:
        def write(instance: Instance) -> Iterable[bytes]:
            place = call.namespace.at_home(instance.class_name)
            options = self._reader.options(call, instance.class_name)
            return place.body_of(instance, place.encoder.table(instance.class_name, options))

        return write

    # Pulling and closing

    def pull_instances_with_path(self, call: Call) -> Iterable[bytes]:
        """PullInstancesWithPath."""
        return self._pull(call, PullKind.INSTANCES_WITH_PATH)

    def pull_instance_paths(self, call: Call) -> Iterable[bytes]:
        """PullInstancePaths."""
        return self._pull(call, PullKind.INSTANCE_PATHS)

    def pull_instances(self, call: Call) -> Iterable[bytes]:
        """PullInstances."""
        return self._pull(call, PullKind.INSTANCES)

    def _pull(self, call: Call, kind: PullKind) -> Iterable[bytes]:
        pieces, context = self.enumerations.pull(
            call["enumerationcontext"], call.context.principal, call.namespace.name, kind, call["maxobjectcount"]
        )
        return _result(pieces, context)

    def close_enumeration(self, call: Call) -> Iterable[bytes]:
        """CloseEnumeration."""
        self.enumerations.close(call["enumerationcontext"], call.context.principal, call.namespace.name)
        return ()


def _path_writer(call: Call) -> Write:
    def write(instance: Instance) -> Iterable[bytes]:
        place = call.namespace.at_home(instance.class_name)
        return place.path_start("INSTANCEPATH"), place.name_of(instance), b"</INSTANCEPATH>"

    return write


def _result(pieces: list[bytes], context: str | None) -> Iterator[bytes]:
    """The objects and the two output parameters; at the end of the sequence the context is NULL."""
    yield b"<IRETURNVALUE>"
    yield from pieces
    end = "TRUE" if context is None else "FALSE"
    value = "" if context is None else f"<VALUE>{attribute(context)}</VALUE>"
    yield (
        f'</IRETURNVALUE><PARAMVALUE NAME="EndOfSequence" PARAMTYPE="boolean"><VALUE>{end}</VALUE></PARAMVALUE>'
        f'<PARAMVALUE NAME="EnumerationContext" PARAMTYPE="string">{value}</PARAMVALUE>'
    ).encode()
