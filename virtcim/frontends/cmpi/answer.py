"""From the result of an operation to the frames that answer it (docs/cmpi.md)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cbor2

from virtcim.cimom.results import Extents, Instances, MethodOutcome, Nothing, OneInstance, Path, Result
from virtcim.frontends.cmpi.codec import (
    FRAME_LIMIT,
    Answer,
    Operation,
    answer_frame,
    array_head,
    frame,
    integer,
    type_code,
)
from virtcim.frontends.cmpi.shapes import EncodedCache, Shape, Shaper
from virtcim.providers.interface import Instance

__all__ = ["AnswerWriter"]

log = logging.getLogger(__name__)

BATCH_BYTES = 64 * 1024
"""Encoded objects that make a frame: large enough that system calls cost little, small enough for the library."""

OBJECT_LIMIT = FRAME_LIMIT - 64
"""Bytes of one encoded object: a frame with nothing else in it."""

_NAMES_ONLY = frozenset({Operation.ENUMERATE_NAMES, Operation.ASSOCIATOR_NAMES, Operation.REFERENCE_NAMES})


class AnswerWriter:
    """Writes the frames before the one that ends an answer.

    Parameters:
        shaper: says how the instances of a class are sent.
        cache: of encoded instances.
    """

    def __init__(self, shaper: Shaper, cache: EncodedCache) -> None:
        self._shaper = shaper
        self._cache = cache
        self._forms: dict[type[Result], Callable[[Operation, Any], Iterable[bytes]]] = {
            Nothing: lambda _operation, _result: (),
            OneInstance: self._one_instance,
            Extents: self._instances,
            Instances: self._instances,
            Path: self._path,
            MethodOutcome: self._outcome,
        }

    def frames(self, operation: Operation, result: Result) -> Iterable[bytes]:
        """The frames.

        Parameters:
            operation: that was asked for: whether instances or their names are wanted goes by it.
            result: its result.

        Raises:
            ValueError, KeyError: for a single instance that cannot be sent.
        """
        return self._forms[type(result)](operation, result)

    def _one_instance(self, _operation: Operation, result: OneInstance) -> Iterator[bytes]:
        instance = result.instance
        shape = self._shaper.shape(
            instance.namespace, instance.class_name, keys_only=False, properties=result.projection.properties
        )
        yield _shape_frame(0, shape)
        yield _objects_frame(0, True, [self._cache.encoded(shape, instance)])

    def _path(self, _operation: Operation, result: Path) -> Iterator[bytes]:
        shape = self._shaper.shape(result.namespace, result.path.class_name, keys_only=True)
        yield _shape_frame(0, shape)
        yield _objects_frame(0, False, [shape.values(result.path.keys)])

    def _instances(self, operation: Operation, result: Extents | Instances) -> Iterator[bytes]:
        return self._objects(operation, result.instances, result.projection.properties)

    def _objects(
        self,
        operation: Operation,
        instances: Iterable[Instance],
        properties: frozenset[str] | None,
    ) -> Iterator[bytes]:
        """Shapes as they are first needed, and batches of objects.  A broken instance is left out."""
        names_only = operation in _NAMES_ONLY
        shapes: dict[tuple[str, str], tuple[int, Shape]] = {}
        current, size = -1, 0
        batch: list[bytes] = []
        for instance in instances:
            try:
                kind = instance.namespace, instance.class_name
                known = shapes.get(kind)
                if known is None:
                    shape = self._shaper.shape(*kind, keys_only=names_only, properties=properties)
                    number = len(shapes)
                    yield _shape_frame(number, shape)
                    shapes[kind] = number, shape
                else:
                    number, shape = known
                encoded = shape.values(instance.keys()) if names_only else self._cache.encoded(shape, instance)
                if len(encoded) > OBJECT_LIMIT:
                    raise ValueError(f"{len(encoded)} bytes are more than the bridge carries")
            except Exception:
                log.exception("A %s is left out: %r", instance.class_name, instance.identity)
                continue
            if batch and (number != current or size + len(encoded) > BATCH_BYTES):
                yield _objects_frame(current, not names_only, batch)
                batch, size = [], 0
            current = number
            batch.append(encoded)
            size += len(encoded)
        if batch:
            yield _objects_frame(current, not names_only, batch)

    def _outcome(self, _operation: Operation, result: MethodOutcome) -> Iterator[bytes]:
        method = result.method
        for name, value in result.out.items():
            declared = method.parameters[name.lower()]
            code = type_code(declared.type, declared.is_array, bool(declared.embedded_object))
            try:
                converted = self._shaper.converter(declared, result.namespace)(value)
            except (ValueError, KeyError) as exc:
                log.error("Output parameter %s of %s.%s: %s", name, result.class_name, method.name, exc)
                continue
            yield answer_frame(Answer.OUT, declared.name, code, converted)
        if result.return_value is not None:
            convert = self._shaper.scalar(method.return_type)
            code = type_code(method.return_type, False, False)
            yield answer_frame(Answer.VALUE, code, convert(result.return_value))


def _shape_frame(number: int, shape: Shape) -> bytes:
    return frame(array_head(6) + integer(Answer.SHAPE) + integer(number) + shape.declaration)


def _objects_frame(number: int, are_instances: bool, batch: list[bytes]) -> bytes:
    head = array_head(4) + integer(Answer.OBJECTS) + integer(number) + cbor2.dumps(are_instances)
    return frame(b"".join((head, array_head(len(batch)), *batch)))
