"""From a request of the library to the frames of its answer.

The rules are those of the embedded server (DSP0200 1.4, section 5.3); what differs is that the CIM server around the
library asks for one provider and, as a rule, one class at a time, and merges the answers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

import cbor2

from virtcim.frontends.cmpi.codec import (
    FRAME_LIMIT,
    Answer,
    Filter,
    Operation,
    Request,
    WirePath,
    answer_frame,
    array_head,
    error_frame,
    frame,
    integer,
    type_code,
)
from virtcim.frontends.cmpi.model import AssociationFilters, Model, NamespaceLike
from virtcim.frontends.cmpi.shapes import EncodedCache, Shape, Shaper
from virtcim.providers.interface import (
    Association,
    CIMError,
    EmbeddedInstance,
    Instance,
    InstancePath,
    InstanceProvider,
    RequestContext,
    Status,
)
from virtcim.registration.schema import ClassLike

__all__ = ["Dispatcher"]

log = logging.getLogger(__name__)

BATCH_BYTES = 64 * 1024
"""Encoded objects that make a frame: large enough that system calls cost little, small enough for the library."""

OBJECT_LIMIT = FRAME_LIMIT - 64
"""Bytes of one encoded object: a frame with nothing else in it."""


DONE = answer_frame(Answer.DONE)


class Dispatcher:
    """Carries out requests.  Safe to use from several threads at once.

    Parameters:
        model: classes, namespaces and shared rules.
        provider_of: the name under which a class's provider is registered in CIM servers.
        indications: whether there is a source of indications.
    """

    def __init__(self, model: Model, provider_of: Callable[[str], str], indications: bool = False) -> None:
        self._model = model
        self._provider_of = provider_of
        self._indications = indications
        self._shaper = Shaper(model)
        self.cache = EncodedCache()
        self._operations: Mapping[Operation, Callable[[Request, NamespaceLike, RequestContext], Iterable[bytes]]] = {
            Operation.ENUMERATE_NAMES: self._enumerate,
            Operation.ENUMERATE: self._enumerate,
            Operation.GET: self._get,
            Operation.CREATE: self._create,
            Operation.MODIFY: self._modify,
            Operation.DELETE: self._delete,
            Operation.QUERY: self._query,
            Operation.ASSOCIATORS: self._associators,
            Operation.ASSOCIATOR_NAMES: self._associators,
            Operation.REFERENCES: self._references,
            Operation.REFERENCE_NAMES: self._references,
            Operation.INVOKE: self._invoke,
        }

    def answer(self, request: Request, request_id: str = "") -> Iterator[bytes]:
        """The frames of the answer; errors become frames as well."""
        try:
            with self._model.admission(request):
                if request.operation is Operation.AUTHORIZE:
                    self._authorize(request)
                else:
                    path = _path(request)
                    namespace = self._model.namespace(path.namespace or "")
                    context = RequestContext(namespace.name, request.principal, request_id)
                    yield from self._operations[request.operation](request, namespace, context)
        except CIMError as exc:
            yield error_frame(exc.status, exc.description)
        except Exception as exc:
            log.exception("%s failed", request.operation.name)
            yield error_frame(Status.FAILED, f"{request.operation.name} failed: {type(exc).__name__}: {exc}")
        else:
            yield DONE

    def indication(self, filters: Iterable[Filter], namespace: str, indication: EmbeddedInstance) -> Iterator[bytes]:
        """The frames that bring an indication to each provider with a filter on its class.

        The CIM server evaluates the filters' conditions itself.
        """
        place = self._model.namespace(namespace)
        providers = dict.fromkeys(
            each.provider
            for each in filters
            if each.namespace.strip("/").lower() == place.name.lower()
            and self._model.is_a(indication.class_name, each.class_name)
        )
        if providers:
            named = self._shaper.named(indication, place)
            for provider in providers:
                yield answer_frame(Answer.INDICATION, provider, place.name, indication.class_name, named)

    def _authorize(self, request: Request) -> None:
        namespace, class_name, _query = request.arguments
        place = self._model.namespace(namespace)
        if not self._indications:
            raise CIMError(Status.NOT_SUPPORTED, "This server has no indications")
        if class_name and self._model.declaration(class_name) is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {class_name} does not exist in {place.name}")

    def _class(self, name: str) -> ClassLike:
        declaration = self._model.declaration(name)
        if declaration is None:
            raise CIMError(Status.INVALID_CLASS, f"Class {name} does not exist")
        return declaration

    def _target(self, request: Request, namespace: NamespaceLike) -> tuple[InstanceProvider, ClassLike, InstancePath]:
        path = self._model.path(_path(request))
        declaration = self._class(path.class_name)
        provider = namespace.provider(declaration.name)
        if provider is None:
            raise CIMError(Status.NOT_FOUND, f"No instance of {declaration.name} exists in {namespace.name}")
        return provider, declaration, path

    # Instances

    def _asked_for(self, request: Request, namespace: NamespaceLike) -> list[str]:
        """The creation classes that an enumeration covers.

        A CIM server asks once for each class that is registered, so a creation class stands for itself alone; a
        class above stands for what this provider serves below it.
        """
        name = self._class(_path(request).class_name).name
        if namespace.provider(name) is not None:
            return [name]
        return [each for each in namespace.served(name) if self._provider_of(each) == request.provider]

    def _enumerate(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        classes = self._asked_for(request, namespace)
        names_only = request.operation is Operation.ENUMERATE_NAMES
        properties = None if names_only else request.arguments[0]

        def instances() -> Iterator[Instance]:
            for class_name in classes:
                provider = namespace.provider(class_name)
                assert provider is not None
                try:
                    yield from list(provider.instances(class_name, context))
                except Exception:
                    if len(classes) == 1:
                        raise
                    log.exception("The instances of %s are left out", class_name)

        return self._objects(namespace, instances(), names_only, properties)

    def _get(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        provider, declaration, path = self._target(request, namespace)
        instance = provider.get_instance(declaration.name, path.keys, context)
        (properties,) = request.arguments
        shape = self._shaper.shape(namespace, instance.class_name, keys_only=False, properties=properties)
        yield _shape_frame(0, shape)
        yield _objects_frame(0, True, [self.cache.encoded(shape, instance)])

    def _create(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        new = self._model.instance(request.arguments[0])
        provider = namespace.provider(new.class_name)
        if provider is None:
            raise CIMError(Status.NOT_SUPPORTED, f"Instances of {new.class_name} cannot be created")
        given = {name: value for name, value in new.properties.items() if value is not None}
        path = provider.create_instance(new.class_name, given, context)
        shape = self._shaper.shape(namespace, path.class_name, keys_only=True)
        yield _shape_frame(0, shape)
        yield _objects_frame(0, False, [shape.values(path.keys)])

    def _modify(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        """Only the properties that the request holds change, restricted by the property list.

        A property that the list names and the instance does not hold is set to the default of the class.
        """
        provider, declaration, path = self._target(request, namespace)
        new = self._model.instance(request.arguments[0])
        if new.class_name != declaration.name:
            raise CIMError(Status.INVALID_PARAMETER, "The class of the instance is not that of its name")
        wanted: tuple[str, ...] | None = request.arguments[1]
        properties = {name: value for name, value in new.properties.items() if name not in declaration.keys}
        if wanted is None:
            # SFCB and Pegasus hand over every property of the class, NULL where the client gave none.
            properties = {name: value for name, value in properties.items() if value is not None}
        else:
            chosen = {}
            for name in wanted:
                declared = declaration.properties.get(name.lower())
                if declared is None:
                    raise CIMError(Status.NO_SUCH_PROPERTY, f"{declaration.name} has no property {name}")
                if not declared.is_key:
                    chosen[declared.name] = properties.get(declared.name, declared.default)
            properties = chosen
        provider.modify_instance(declaration.name, path.keys, properties, context)
        return iter(())

    def _delete(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        provider, declaration, path = self._target(request, namespace)
        provider.delete_instance(declaration.name, path.keys, context)
        return iter(())

    def _query(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        """A query on a class that stands for itself alone; SFCB applies the list of properties.

        For all other classes SFCB would ask once for each registered class below, and get everything each time.  When
        it is told that queries are not supported, it enumerates class by class and selects by itself.
        """
        text, language = request.arguments
        name = self._class(_path(request).class_name).name
        if namespace.served(name) != (name,):
            raise CIMError(Status.NOT_SUPPORTED, f"Queries on {name} are carried out class by class")
        selected = self._model.select(text, language or "WQL", context)
        return self._objects(namespace, (each for each in selected if each.class_name == name), False, None)

    # Associations

    def _source(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Instance | None:
        """The instance to start from; None for an object of another provider's, which has no associations here."""
        path = self._model.path(_path(request))
        provider = namespace.provider(path.class_name)
        return None if provider is None else provider.get_instance(path.class_name, path.keys, context)

    def _own(self, request: Request, namespace: NamespaceLike) -> Iterable[Association]:
        for each in namespace.associations:
            if any(self._provider_of(class_name) == request.provider for class_name in each.class_names):
                yield each

    def _links(
        self, request: Request, namespace: NamespaceLike, context: RequestContext, filters: AssociationFilters
    ) -> Iterator[tuple[Instance, Instance]]:
        source = self._source(request, namespace, context)
        if source is not None:
            links = self._model.links(self._own(request, namespace), source, filters, context)
            for link, other in links:
                if self._provider_of(link.class_name) == request.provider:
                    yield link, other

    def _associators(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        names_only = request.operation is Operation.ASSOCIATOR_NAMES
        filters = AssociationFilters(*request.arguments[:4])
        others = (other for _, other in self._links(request, namespace, context, filters))
        properties = None if names_only else request.arguments[4]
        return self._objects(namespace, _once(others), names_only, properties)

    def _references(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        """ResultClass of References is the class of the association."""
        names_only = request.operation is Operation.REFERENCE_NAMES
        result_class, role = request.arguments[:2]
        filters = AssociationFilters(association_class=result_class, role=role)
        links = (link for link, _ in self._links(request, namespace, context, filters))
        properties = None if names_only else request.arguments[2]
        return self._objects(namespace, _once(links), names_only, properties)

    # Methods

    def _invoke(self, request: Request, namespace: NamespaceLike, context: RequestContext) -> Iterator[bytes]:
        """An extrinsic method, of an instance or of a class: the provider decides whether it needs the instance."""
        wire = _path(request)
        declaration = self._class(wire.class_name)
        method = declaration.methods.get(request.arguments[0].lower())
        if method is None:
            raise CIMError(Status.METHOD_NOT_FOUND, f"{declaration.name} has no method {request.arguments[0]}")
        keys = self._model.path(wire).keys if wire.keys else None
        provider = namespace.provider(declaration.name)
        if provider is None:
            if keys is None:
                raise CIMError(Status.METHOD_NOT_AVAILABLE, f"{declaration.name}.{method.name} is not available")
            raise CIMError(Status.NOT_FOUND, f"No instance of {declaration.name} exists in {namespace.name}")
        parameters = self._model.method_parameters(declaration.name, method.name, request.arguments[1])
        result = provider.invoke_method(declaration.name, keys, method.name, parameters, context)
        for name, value in result.out.items():
            declared = method.parameters.get(name.lower())
            if declared is None or value is None:
                if declared is None:
                    log.error("%s.%s gives back an unknown parameter %s", declaration.name, method.name, name)
                continue
            code = type_code(declared.type, declared.is_array, bool(declared.embedded_object))
            try:
                converted = self._shaper.converter(declared, namespace)(value)
            except (ValueError, KeyError) as exc:
                log.error("Output parameter %s of %s.%s: %s", name, declaration.name, method.name, exc)
                continue
            yield answer_frame(Answer.OUT, declared.name, code, converted)
        if result.return_value is not None:
            convert = self._shaper.scalar(method.return_type)
            code = type_code(method.return_type, False, False)
            yield answer_frame(Answer.VALUE, code, convert(result.return_value))

    # Frames

    def _objects(
        self,
        namespace: NamespaceLike,
        instances: Iterable[Instance],
        names_only: bool,
        properties: tuple[str, ...] | None,
    ) -> Iterator[bytes]:
        """Shapes as they are first needed, and batches of objects.  A broken instance is left out."""
        shapes: dict[str, tuple[int, Shape]] = {}
        current, size = -1, 0
        batch: list[bytes] = []
        for instance in instances:
            try:
                known = shapes.get(instance.class_name)
                if known is None:
                    shape = self._shaper.shape(
                        namespace, instance.class_name, keys_only=names_only, properties=properties
                    )
                    number = len(shapes)
                    yield _shape_frame(number, shape)
                    shapes[instance.class_name] = number, shape
                else:
                    number, shape = known
                encoded = shape.values(instance.keys()) if names_only else self.cache.encoded(shape, instance)
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


def _path(request: Request) -> WirePath:
    if request.path is None:
        raise CIMError(Status.INVALID_PARAMETER, f"{request.operation.name} needs an object")
    return request.path


def _once(instances: Iterable[Instance]) -> Iterator[Instance]:
    seen = set()
    for each in instances:
        key = each.class_name, each.identity
        if key not in seen:
            seen.add(key)
            yield each


def _shape_frame(number: int, shape: Shape) -> bytes:
    return frame(array_head(6) + integer(Answer.SHAPE) + integer(number) + shape.declaration)


def _objects_frame(number: int, are_instances: bool, batch: list[bytes]) -> bytes:
    head = array_head(4) + integer(Answer.OBJECTS) + integer(number) + cbor2.dumps(are_instances)
    return frame(b"".join((head, array_head(len(batch)), *batch)))
