"""Paths to properties: names, looked up in the class store once, and read from each instance."""

from __future__ import annotations

from dataclasses import replace

from virtcim.cimom.query.errors import invalid_query, unsupported_feature
from virtcim.cimom.query.expressions import ALL, Chain, Step
from virtcim.cimom.query.languages import Language
from virtcim.cimom.query.operands import Evaluate, Operand, declared_operand, indexed
from virtcim.cimom.query.values import Kind
from virtcim.providers.interface import EmbeddedInstance, Properties
from virtcim.schema.classes import ClassDeclaration, ClassStore, PropertyDeclaration

__all__ = ["Paths"]


class Paths:
    """Looks up the paths of one query.

    Parameters:
        store: where classes and properties are looked up.
        class_name: the class whose instances are looked at, and its subclasses; None when they are of any class.
        names: lower-case names that stand for the instance: the class and its alias.
        language: decides whether names of WMI are known, such as `__class`.
        subclass_properties: whether a property may be one that only subclasses have.
        embedded: the classes that embedded instances of any class can be of, where that is known.
    """

    def __init__(
        self,
        store: ClassStore,
        class_name: str | None,
        names: frozenset[str],
        language: Language,
        subclass_properties: bool,
        embedded: frozenset[str] = frozenset(),
    ) -> None:
        self._store = store
        self._class_name = class_name
        self._names = names
        self._wql = language is Language.WQL
        self._subclass_properties = subclass_properties
        self._embedded = embedded

    def operand(self, chain: Chain) -> Operand:
        """Make an operand of a path.

        Raises:
            CIMError: INVALID_QUERY.
        """
        if chain.star:
            raise invalid_query(f"{chain} is not a value")
        first, *rest = chain.below(self._names).steps or (None,)
        if first is None or (self._wql and first.name.lower() == "__this" and not rest):
            return Operand(str(chain) or "the instance", Kind.INSTANCE, EmbeddedInstance)
        if self._wql and first.name.lower() == "__class" and not rest:
            return Operand(str(chain), Kind.STRING, lambda name, properties: name)
        operand = self._own(first, str(chain))
        for step in rest:
            operand = self._member(operand, step)
        return operand

    def named_by_class(self, chain: Chain) -> PropertyDeclaration | None:
        """The property that stands in front of a symbol, by the name of its class: `Class.Property#'Value'`
        (DSP0202 1.0, symbolic constants); None where the path begins otherwise."""
        match chain.steps:
            case (Step(owner, None, None), Step(name, None, None)) if owner.lower() not in self._names:
                pass
            case (Step(name, str() as owner, None),):
                pass
            case _:
                return None
        return self._declared(owner, name) if owner in self._store else None

    def check_selected(self, chain: Chain) -> None:
        """Look up the names of a path in a SELECT list.

        Raises:
            CIMError: INVALID_QUERY; QUERY_FEATURE_NOT_SUPPORTED for elements of arrays.
        """
        if any(step.index not in {None, ALL} for step in chain.steps):
            raise unsupported_feature(f"{chain} in a SELECT list")
        self.operand(replace(chain, star=False))

    def concrete(self, name: str) -> frozenset[str]:
        """The classes that instances of a class can be of.  Raises INVALID_QUERY where there is none of this name."""
        return self._store.concrete(self._class_of(name).name)

    def _own(self, step: Step, text: str) -> Operand:
        """A property of the instance."""
        classes = None
        if step.scope is None:
            declaration = self._declared(self._class_name, step.name)
        else:
            scope = self._class_of(step.scope)
            if self._class_name is not None and not (
                self._store.is_a(scope.name, self._class_name) or self._store.is_a(self._class_name, scope.name)
            ):
                raise invalid_query(f"{self._class_name} is not of class {scope.name}")
            declaration = self._declared(scope.name, step.name)
            classes = self._store.concrete(scope.name)
        evaluate: Evaluate
        if declaration is None:
            evaluate = self._finder(step.name)
        else:
            key = declaration.name
            if classes is None:

                def evaluate(name: str, properties: Properties) -> object:
                    return properties.get(key)
            else:

                def evaluate(name: str, properties: Properties) -> object:
                    return properties.get(key) if name in classes else None

        return indexed(declared_operand(text, declaration, evaluate), step)

    def _member(self, owner: Operand, step: Step) -> Operand:
        """A property of an embedded instance."""
        if owner.kind not in {Kind.INSTANCE, Kind.ANY} or (owner.is_array and not owner.each):
            raise invalid_query(f"{owner.text}: {step.name} is asked of something that is not an embedded instance")
        classes = None
        inside = owner.declaration.embedded_class if owner.declaration else None
        if step.scope is not None:
            inside = self._class_of(step.scope).name
            classes = self._store.concrete(inside)
        is_known = inside and inside in self._store
        declaration = self._declared(inside, step.name) if is_known else self._common(step.name)
        find = self._finder(step.name) if declaration is None else None
        key = step.name if declaration is None else declaration.name

        def member(value: object) -> object:
            if not isinstance(value, EmbeddedInstance) or (classes is not None and value.class_name not in classes):
                return None
            return value.properties.get(key) if find is None else find(value.class_name, value.properties)

        read = owner.evaluate
        if not owner.each:
            single = declared_operand(owner.text, declaration, lambda name, properties: member(read(name, properties)))
            return indexed(single, step)

        one = indexed(
            declared_operand(owner.text, declaration, lambda name, properties: member(properties["value"])), step
        )

        def members(name: str, properties: Properties) -> object:
            values = read(name, properties)
            if not isinstance(values, (list, tuple)):
                return None
            found = [one.evaluate(name, {"value": value}) for value in values]
            return [each for part in found if isinstance(part, (list, tuple)) for each in part] if one.each else found

        if one.is_array and not one.each:
            raise invalid_query(f"{owner.text}: an array in an array needs an index")
        return replace(one, evaluate=members, is_array=True, each=True)

    def _class_of(self, name: str) -> ClassDeclaration:
        """Look up a class.  Raises INVALID_QUERY where there is none."""
        declaration = self._store.get(name)
        if declaration is None:
            raise invalid_query(f"Class {name} does not exist")
        return declaration

    def _declared(self, owner: str | None, name: str) -> PropertyDeclaration | None:
        """The declaration of a property; None when only the instance will tell its type."""
        if owner is None:
            return None
        declaration = self._class_of(owner).properties.get(name.lower())
        if declaration is not None:
            return declaration
        if self._subclass_properties and any(
            name.lower() in self._store[each].properties for each in self._store.subclasses(owner, deep=True)
        ):
            return None
        raise invalid_query(f"Class {owner} has no property {name}")

    def _common(self, name: str) -> PropertyDeclaration | None:
        """The declaration of a property that all embedded instances have from one class; None for any other."""
        classes = (self._store[each].properties for each in self._embedded)
        found = [properties[name.lower()] for properties in classes if name.lower() in properties]
        origins = {(each.class_origin, each.type, each.is_array) for each in found}
        return self._declared(found[0].class_origin, name) if len(origins) == 1 else None

    def _finder(self, name: str) -> Evaluate:
        """Reads a property whose class, and so its spelling, only the instance tells."""
        key, store, spellings = name.lower(), self._store, dict[str, str]()

        def find(class_name: str, properties: Properties) -> object:
            spelling = spellings.get(class_name)
            if spelling is None:
                declaration = store.get(class_name)
                if declaration is None:
                    return next((value for each, value in properties.items() if each.lower() == key), None)
                own = declaration.properties.get(key)
                spelling = spellings[class_name] = name if own is None else own.name
            return properties.get(spelling)

        return find
