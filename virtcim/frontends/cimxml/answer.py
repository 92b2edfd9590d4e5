"""From the result of an operation to the elements that answer it (DSP0201 2.4, DSP0203 2.4)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from virtcim.cimom.requests import ClassProjection, Projection
from virtcim.cimom.results import (
    Batch,
    Classes,
    ClassNames,
    Extent,
    Extents,
    Instances,
    MethodOutcome,
    Nothing,
    OneInstance,
    Path,
    PropertyValue,
    PullKind,
    Qualifiers,
    Result,
)
from virtcim.frontends.cimxml.encode import ClassOptions, Table, qualifier_declaration
from virtcim.frontends.cimxml.quirks import Quirks
from virtcim.frontends.cimxml.values import attribute, writer
from virtcim.frontends.cimxml.writer import NamespaceWriter, Writers
from virtcim.providers.interface import Instance

__all__ = ["AnswerWriter"]

log = logging.getLogger(__name__)

Pieces: TypeAlias = Iterable[bytes]

START, END = b"<IRETURNVALUE>", b"</IRETURNVALUE>"


class AnswerWriter:
    """Writes what stands in an IMETHODRESPONSE or METHODRESPONSE.

    Parameters:
        writers: of the namespaces.
    """

    def __init__(self, writers: Writers) -> None:
        self._writers = writers
        self._forms: dict[type[Result], Callable[[str, Any, Quirks], Pieces]] = {
            Nothing: lambda _operation, _result, quirks: [START + END] if quirks.needs_return_value else [],
            OneInstance: self._one_instance,
            Extents: self._extents,
            Instances: self._instances,
            Batch: self._batch,
            Path: self._path,
            PropertyValue: self._property_value,
            Classes: self._classes,
            ClassNames: self._class_names,
            Qualifiers: self._qualifiers,
            MethodOutcome: self._outcome,
        }

    def pieces(self, operation: str, result: Result, quirks: Quirks) -> list[bytes]:
        """The elements, encoded.

        Parameters:
            operation: name of the intrinsic operation in lower case: the form of an answer goes by it.
            result: its result.
            quirks: what the client cannot read.
        """
        return list(self._forms[type(result)](operation, result, quirks))

    def is_lasting(self, operation: str, result: Result, quirks: Quirks) -> bool:
        """Whether the elements of a result, of which `pieces` has told, stay the same as long as the core's revision
        does, and take hardly any memory that the cache does not count."""
        match result:
            case OneInstance():
                return result.instance.lasting
            case Extents():
                place = self._writers[result.namespace]
                return result.lasting and all(
                    place.is_laid_out(each, self._table(place, operation, each, result, quirks), result.revision)
                    for each in result.extents
                )
        return False

    def _one_instance(self, _operation: str, result: OneInstance, quirks: Quirks) -> Pieces:
        place, instance = self._writers[result.namespace], result.instance
        table = place.table(instance.class_name, result.projection, quirks.plain_arrays)
        return START, *place.body_of(instance, table), END

    def _extents(self, operation: str, result: Extents, quirks: Quirks) -> list[bytes]:
        """Write whole classes: one list for all of them, as there may be very many instances."""
        place = self._writers[result.namespace]
        pieces = [START]
        for extent in result.extents:
            table = self._table(place, operation, extent, result, quirks)
            pieces += place.extent(extent, table, result.revision)
        pieces.append(END)
        return pieces

    @staticmethod
    def _table(place: NamespaceWriter, operation: str, extent: Extent, result: Extents, quirks: Quirks) -> Table | None:
        """What writes the instances of a class; None where only their names are wanted."""
        if operation == "enumerateinstancenames":
            return None
        return place.table(extent.class_name, result.projection, quirks.plain_arrays)

    def _instances(self, operation: str, result: Instances, quirks: Quirks) -> list[bytes]:
        place = self._writers[result.namespace]
        if operation in {"associatornames", "referencenames"}:
            return [START, *_paths(place, result.instances, "OBJECTPATH"), END]
        return [START, *_with_path(place, result.instances, result.projection, quirks, "VALUE.OBJECTWITHPATH"), END]

    def _batch(self, _operation: str, result: Batch, quirks: Quirks) -> Iterator[bytes]:
        """The objects and the output parameters; at the end of the sequence the context is NULL."""
        place = self._writers[result.namespace]
        yield START
        match result.kind:
            case PullKind.INSTANCES_WITH_PATH:
                yield from _with_path(place, result.instances, result.projection, quirks, "VALUE.INSTANCEWITHPATH")
            case PullKind.INSTANCE_PATHS:
                yield from _paths(place, result.instances)
            case PullKind.INSTANCES:
                yield from _plain_instances(place, result, quirks)
        end = "TRUE" if result.context is None else "FALSE"
        value = "" if result.context is None else f"<VALUE>{attribute(result.context)}</VALUE>"
        yield (
            f'</IRETURNVALUE><PARAMVALUE NAME="EndOfSequence" PARAMTYPE="boolean"><VALUE>{end}</VALUE></PARAMVALUE>'
            f'<PARAMVALUE NAME="EnumerationContext" PARAMTYPE="string">{value}</PARAMVALUE>'
        ).encode()
        if result.result_class is not None:
            options = ClassOptions(False, True, False, result.projection.properties)
            element = place.encoder.class_element(result.result_class.name, options)
            yield f'<PARAMVALUE NAME="QueryResultClass">{element}</PARAMVALUE>'.encode()

    def _path(self, _operation: str, result: Path, _quirks: Quirks) -> Pieces:
        encoder = self._writers[result.namespace].encoder
        return START, encoder.instance_name(result.path.class_name, result.path.keys).encode(), END

    def _property_value(self, _operation: str, result: PropertyValue, _quirks: Quirks) -> Pieces:
        encoder = self._writers[result.namespace].encoder
        return START, encoder.property_value(result.declared, result.value).encode(), END

    def _classes(self, operation: str, result: Classes, quirks: Quirks) -> Iterator[bytes]:
        place = self._writers[result.namespace]
        options = _class_options(result.projection, quirks)
        with_path = operation in {"associators", "references"}
        yield START
        for each in result.classes:
            element = place.encoder.class_element(each.name, options).encode()
            if with_path:
                yield b"<VALUE.OBJECTWITHPATH>" + _class_path(place, each.name)
                yield element
                yield b"</VALUE.OBJECTWITHPATH>"
            else:
                yield element
        yield END

    def _class_names(self, operation: str, result: ClassNames, _quirks: Quirks) -> Iterator[bytes]:
        place = self._writers[result.namespace]
        yield START
        if operation == "enumerateclassnames":
            yield from map(_class_name_element, result.names)
        else:
            for name in result.names:
                yield b"<OBJECTPATH>" + _class_path(place, name) + b"</OBJECTPATH>"
        yield END

    def _qualifiers(self, _operation: str, result: Qualifiers, _quirks: Quirks) -> Iterator[bytes]:
        yield START
        for each in result.declarations:
            yield qualifier_declaration(each).encode()
        yield END

    def _outcome(self, _operation: str, result: MethodOutcome, quirks: Quirks) -> Iterator[bytes]:
        encoder, method = self._writers[result.namespace].encoder, result.method
        if result.return_value is not None:
            text = writer(method.return_type)(result.return_value)
            yield f'<RETURNVALUE PARAMTYPE="{method.return_type}"><VALUE>{text}</VALUE></RETURNVALUE>'.encode()
        for name, value in result.out.items():
            declared = method.parameters[name.lower()]
            if quirks.no_reference_arrays and declared.is_array and declared.type == "reference":
                continue
            try:
                element = encoder.parameter(declared, value)
            except (ValueError, TypeError, KeyError) as exc:
                log.error("Output parameter %s of %s.%s: %s", name, result.class_name, method.name, exc)
            else:
                yield element.encode()


def _with_path(
    place: NamespaceWriter, instances: Iterable[Instance], projection: Projection, quirks: Quirks, tag: str
) -> list[bytes]:
    """Write instances, each with its path before it, as elements of a name.

    Of the three forms that ExecQuery may answer with (DSP0200 1.4, 5.3.2.13), VALUE.OBJECTWITHPATH is the one that
    every client reads: SFCC ends its process over VALUE.OBJECT.
    """
    pieces: list[bytes] = []
    end = f"</{tag}>".encode()
    forms: dict[tuple[str, str], tuple[NamespaceWriter, Table, bytes, bytes]] = {}
    for instance in instances:
        kind = instance.namespace, instance.class_name
        form = forms.get(kind)
        if form is None:
            form = forms[kind] = _form(place.of(instance), instance.class_name, projection, quirks, tag)
        own, table, start, name_end = form
        encoded = own.encoded_inside(instance, table)
        if encoded is not None:
            name, body = encoded
            pieces += (start, name, name_end, *body, end)
    return pieces


def _form(
    own: NamespaceWriter, class_name: str, projection: Projection, quirks: Quirks, tag: str
) -> tuple[NamespaceWriter, Table, bytes, bytes]:
    """What writes the instances of a class, each with its path before it: with the table, and what stands before and
    behind that which is an instance's own in its INSTANCENAME."""
    start, name_end = own.encoder.name_frame(class_name)
    table = own.table(class_name, projection, quirks.plain_arrays)
    return own, table, own.path_start("INSTANCEPATH", tag) + start, name_end + b"</INSTANCEPATH>"


def _paths(place: NamespaceWriter, instances: Iterable[Instance], tag: str = "") -> list[bytes]:
    """Write the paths of instances as INSTANCEPATH, each in an element of a name, where one is given."""
    pieces: list[bytes] = []
    end = f"</INSTANCEPATH></{tag}>".encode() if tag else b"</INSTANCEPATH>"
    for instance in instances:
        own = place.of(instance)
        encoded = own.encoded(instance, None)
        if encoded is not None:
            pieces += (own.path_start("INSTANCEPATH", tag), encoded[0], end)
    return pieces


def _plain_instances(place: NamespaceWriter, result: Batch, quirks: Quirks) -> Iterator[bytes]:
    for instance in result.instances:
        own = place.of(instance)
        encoded = own.encoded(instance, own.table(instance.class_name, result.projection, quirks.plain_arrays))
        if encoded is not None:
            yield from encoded[1]


def _class_options(projection: ClassProjection, quirks: Quirks) -> ClassOptions:
    return ClassOptions(
        projection.local_only,
        projection.qualifiers,
        projection.class_origin,
        projection.properties,
        quirks.plain_arrays,
    )


def _class_path(place: NamespaceWriter, class_name: str) -> bytes:
    return place.path_start("CLASSPATH") + _class_name_element(class_name) + b"</CLASSPATH>"


def _class_name_element(name: str) -> bytes:
    return f'<CLASSNAME NAME="{attribute(name)}"></CLASSNAME>'.encode()
