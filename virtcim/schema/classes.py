"""The class store: class and qualifier declarations, resolved (DSP0004 2.8, sections 5.1 and 5.6).

A class is kept as it was declared, one packed text each (`LocalClass.text`), and is resolved against its superclasses
when it is first asked for: most of the classes of a schema are never asked for.  What a subclass takes over
unchanged is shared with its superclass, object by object, and whole mappings where it changes nothing.

`schema.mof` makes a store from MOF.  Names are looked up in any case; every mapping here has lower-case keys.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from virtcim.immutable import immutable

__all__ = [
    "ClassDeclaration",
    "ClassStore",
    "LocalClass",
    "MethodDeclaration",
    "ParameterDeclaration",
    "PropertyDeclaration",
    "Qualifier",
    "QualifierDeclaration",
    "SchemaError",
    "pack",
]


class SchemaError(Exception):
    """The declarations contradict each other, or MOF cannot be compiled; the text names the class and element."""


@immutable
class QualifierDeclaration:
    """A qualifier type (DSP0004 2.8, section 5.6; DSP0201 2.4, QUALIFIER.DECLARATION).

    `scopes` holds the upper-case names of DSP0004 (`CLASS`, `PROPERTY`, ...; all of them where the MOF says Any).
    `value` is the default; a tuple when `is_array`.
    """

    name: str
    type: str
    is_array: bool
    array_size: int | None
    value: Any
    scopes: frozenset[str]
    overridable: bool = True
    tosubclass: bool = True
    translatable: bool = False


@immutable
class Qualifier:
    """A qualifier value on a class, property, method or parameter.

    `value` is a `bool`, `int`, `float` or `str`, a tuple of these for an array, None for NULL.  `propagated` is true
    when the value comes from a superclass.
    """

    name: str
    type: str
    value: Any
    overridable: bool = True
    tosubclass: bool = True
    translatable: bool = False
    propagated: bool = False


@immutable
class ParameterDeclaration:
    """A method parameter.

    `type` is the CIM type, `reference` for references.  `embedded_object` is "instance", "object" or None, and
    `embedded_class` the class named by EmbeddedInstance.
    """

    name: str
    type: str
    is_array: bool
    array_size: int | None
    reference_class: str | None
    embedded_object: str | None
    embedded_class: str | None
    qualifiers: Mapping[str, Qualifier]
    is_in: bool
    is_out: bool


@immutable
class PropertyDeclaration:
    """A property or reference of a class, as seen in that class.

    `class_origin` is the class that introduced the property; an override keeps it.  `propagated` is true when the
    class takes the property over unchanged.  The remaining attributes are as in `ParameterDeclaration`.
    """

    name: str
    type: str
    is_array: bool
    array_size: int | None
    reference_class: str | None
    embedded_object: str | None
    embedded_class: str | None
    default: Any
    class_origin: str
    propagated: bool
    is_key: bool
    qualifiers: Mapping[str, Qualifier]


@immutable
class MethodDeclaration:
    """A method of a class, as seen in that class; `class_origin` and `propagated` as in `PropertyDeclaration`."""

    name: str
    return_type: str
    parameters: Mapping[str, ParameterDeclaration]
    class_origin: str
    propagated: bool
    qualifiers: Mapping[str, Qualifier]


@immutable
class ClassDeclaration:
    """A class with all that it inherits.

    `properties` and `methods` are in the order of declaration, the topmost superclass first; an override keeps the
    place of what it overrides.  `keys` are the names of the key properties in the order in which the classes made
    them keys.  `local_properties` and `local_methods` name what the class itself declares, overrides included.
    """

    name: str
    superclass: str | None
    qualifiers: Mapping[str, Qualifier]
    properties: Mapping[str, PropertyDeclaration]
    methods: Mapping[str, MethodDeclaration]
    keys: tuple[str, ...]
    local_properties: tuple[str, ...]
    local_methods: tuple[str, ...]
    is_association: bool
    is_indication: bool
    is_abstract: bool


@immutable
class LocalClass:
    """A class as declared, unresolved: few are ever asked for.

    `text` is what `pack` gives of `{"name", "superclass", "qualifiers", "properties", "methods"}` in the form that
    `schema.mofcompile` gives.  `substitute` is a pair of schema names; the first is read as the second wherever a name
    starts with it, in texts too, which makes one template serve several platforms.
    """

    name: str
    superclass: str | None
    text: bytes
    substitute: tuple[str, str] | None = None

    def for_schema(self, template: str, schema: str) -> LocalClass:
        """This class with the schema name `template` (`Platform`) read as `schema` (`KVM`)."""
        names = [name and _renamed(name, template, schema) for name in (self.name, self.superclass)]
        return LocalClass(names[0] or "", names[1], self.text, (template, schema))

    def declaration(self) -> dict[str, Any]:
        """The declaration as plain values."""
        declaration: dict[str, Any] = json.loads(zlib.decompress(self.text))
        return declaration if self.substitute is None else _substituted(declaration, *self.substitute)


def pack(declaration: Mapping[str, Any]) -> bytes:
    """Make the text of a class from its declaration as plain values: compressed it takes less than half."""
    return zlib.compress(json.dumps(declaration, separators=(",", ":")).encode())


def _renamed(name: str, template: str, schema: str) -> str:
    """A class name with another schema name, where it has this one."""
    own, _, rest = name.partition("_")
    return f"{schema}_{rest}" if own == template else name


def _substituted(value: Any, template: str, schema: str) -> Any:
    """The value with the schema name replaced in every string in it."""
    if isinstance(value, str):
        return re.sub(rf"\b{template}_", f"{schema}_", value)
    if isinstance(value, list):
        return [_substituted(each, template, schema) for each in value]
    if isinstance(value, dict):
        return {key: _substituted(each, template, schema) for key, each in value.items()}
    return value


@immutable
class _Heritage:
    """What a class hands down to its subclasses, marked as propagated."""

    qualifiers: Mapping[str, Qualifier]
    properties: Mapping[str, PropertyDeclaration]
    methods: Mapping[str, MethodDeclaration]
    keys: tuple[str, ...]


_NOTHING = _Heritage({}, {}, {}, ())


class ClassStore:
    """All classes of a server.  Safe to read from any thread.

    Parameters:
        qualifier_declarations: the qualifier types.
        classes: the classes, each after its superclass.

    Raises:
        SchemaError: when a class is declared twice, or its superclass is not there before it.
    """

    def __init__(self, qualifier_declarations: Iterable[QualifierDeclaration], classes: Iterable[LocalClass]) -> None:
        self.qualifier_declarations: Mapping[str, QualifierDeclaration] = {
            declaration.name.lower(): declaration for declaration in qualifier_declarations
        }
        self._local: dict[str, LocalClass] = {}
        self._children: dict[str | None, list[str]] = {None: []}
        for local in classes:
            key = local.name.lower()
            parent = local.superclass and local.superclass.lower()
            if key in self._local:
                raise SchemaError(f"Class {local.name} is declared twice")
            if parent is not None and parent not in self._local:
                raise SchemaError(f"Superclass {local.superclass} of {local.name} is not declared before it")
            self._local[key] = local
            self._children.setdefault(parent, []).append(key)
        self._resolved: dict[str, ClassDeclaration] = {}
        self._heritages: dict[str, _Heritage] = {}
        self._concrete: dict[str, frozenset[str]] = {}
        self._shared: dict[Any, Any] = {}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._local

    def __iter__(self) -> Iterator[str]:
        """The names of all classes, as declared."""
        return (local.name for local in self._local.values())

    def __len__(self) -> int:
        return len(self._local)

    def __getitem__(self, name: str) -> ClassDeclaration:
        """The class with this name, in any case.  Raises KeyError when there is none."""
        key = name.lower()
        try:
            return self._resolved[key]
        except KeyError:
            declaration = self._resolved[key] = self._resolve(self._local[key])
            return declaration

    def get(self, name: str) -> ClassDeclaration | None:
        """The class with this name, in any case, or None."""
        if name.lower() not in self._local:
            return None
        return self[name]

    def spelling(self, name: str) -> str | None:
        """The name of a class as it is declared, from one in any case; None when there is no such class."""
        local = self._local.get(name.lower())
        return None if local is None else local.name

    def is_association(self, name: str) -> bool:
        """Whether a class is an association, without resolving it.

        An association has no superclass but associations (DSP0004 2.8, section 5.1.2.9): the topmost one tells.

        Raises:
            KeyError: there is no such class.
        """
        return self[self.ancestors(name)[-1]].is_association

    def ancestors(self, name: str) -> list[str]:
        """The class itself, its superclass, and so on to the top.  Raises KeyError for an unknown class."""
        local = self._local[name.lower()]
        names = [local.name]
        while local.superclass is not None:
            local = self._local[local.superclass.lower()]
            names.append(local.name)
        return names

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether `name` is `ancestor` or a descendant of it; false when either is unknown."""
        wanted = ancestor.lower()
        key: str | None = name.lower()
        while key is not None and key in self._local:
            if key == wanted:
                return True
            superclass = self._local[key].superclass
            key = superclass and superclass.lower()
        return False

    def subclasses(self, name: str | None, deep: bool) -> list[str]:
        """The direct subclasses of a class (of None: the classes without a superclass), or all its descendants.

        The class itself is not among them; a class comes before its own subclasses.  Raises KeyError for an
        unknown class.
        """
        key = name and name.lower()
        if key is not None and key not in self._local:
            raise KeyError(name)
        names = []
        for child in self._children.get(key, ()):
            names.append(self._local[child].name)
            if deep:
                names.extend(self.subclasses(child, deep))
        return names

    def concrete(self, name: str) -> frozenset[str]:
        """The names, as declared, of a class and all its descendants; empty for an unknown class."""
        key = name.lower()
        if key not in self._local:
            return frozenset()
        if key not in self._concrete:
            self._concrete[key] = frozenset([self._local[key].name, *self.subclasses(key, deep=True)])
        return self._concrete[key]

    def _resolve(self, local: LocalClass) -> ClassDeclaration:
        heritage = _NOTHING if local.superclass is None else self._heritage(local.superclass)
        raw = local.declaration()
        qualifiers = self._qualifiers(raw["qualifiers"], heritage.qualifiers, local.name)
        properties = heritage.properties
        if raw["properties"]:
            own = (self._property(each, properties.get(each["name"].lower()), local.name) for each in raw["properties"])
            properties = {**properties, **{each.name.lower(): each for each in own}}
        methods = heritage.methods
        if raw["methods"]:
            overrides = (self._method(each, methods.get(each["name"].lower()), local.name) for each in raw["methods"])
            methods = {**methods, **{each.name.lower(): each for each in overrides}}
        local_properties = tuple(sys.intern(each["name"]) for each in raw["properties"])
        own_keys = (name for name in local_properties if properties[name.lower()].is_key and name not in heritage.keys)
        return ClassDeclaration(
            name=sys.intern(local.name),
            superclass=local.superclass and sys.intern(local.superclass),
            qualifiers=qualifiers,
            properties=properties,
            methods=methods,
            keys=(*heritage.keys, *own_keys),
            local_properties=local_properties,
            local_methods=tuple(sys.intern(each["name"]) for each in raw["methods"]),
            is_association=_is_true(qualifiers, "association"),
            is_indication=_is_true(qualifiers, "indication"),
            is_abstract=_is_true(qualifiers, "abstract"),
        )

    def _heritage(self, name: str) -> _Heritage:
        key = name.lower()
        if key not in self._heritages:
            declaration = self[key]
            self._heritages[key] = _Heritage(
                self._handed_down(declaration.qualifiers),
                {lower: self._inherited_property(each) for lower, each in declaration.properties.items()},
                {lower: self._inherited_method(each) for lower, each in declaration.methods.items()},
                declaration.keys,
            )
        return self._heritages[key]

    def _inherited_property(self, declaration: PropertyDeclaration) -> PropertyDeclaration:
        if declaration.propagated:
            return declaration
        return replace(declaration, propagated=True, qualifiers=self._handed_down(declaration.qualifiers))

    def _inherited_method(self, declaration: MethodDeclaration) -> MethodDeclaration:
        if declaration.propagated:
            return declaration
        parameters = {
            key: replace(parameter, qualifiers=self._handed_down(parameter.qualifiers))
            for key, parameter in declaration.parameters.items()
        }
        return replace(
            declaration,
            propagated=True,
            parameters=parameters,
            qualifiers=self._handed_down(declaration.qualifiers),
        )

    def _handed_down(self, qualifiers: Mapping[str, Qualifier]) -> Mapping[str, Qualifier]:
        """The qualifiers with flavor ToSubclass; those with Restricted stay where they are declared."""
        return self._share(
            {
                key: each if each.propagated else self._qualifier(replace(each, propagated=True))
                for key, each in qualifiers.items()
                if each.tosubclass
            }
        )

    def _qualifiers(
        self, raw: list[list[Any]], inherited: Mapping[str, Qualifier], element: str
    ) -> Mapping[str, Qualifier]:
        """The declared qualifiers over the inherited ones.  A declared one is `[name, value]`, or
        `[name, value, overridable, tosubclass, translatable]` where the flavors differ from the qualifier type's."""
        if not raw:
            return inherited
        qualifiers = dict(inherited)
        for name, value, *flavors in raw:
            key = name.lower()
            declared = self.qualifier_declarations.get(key)
            if declared is None:
                raise SchemaError(f"Qualifier {name} of {element} is not declared")
            if not flavors:
                flavors = [declared.overridable, declared.tosubclass, declared.translatable]
            value = tuple(value) if isinstance(value, list) else value
            above = inherited.get(key)
            if above is not None and not above.overridable and above.value != value:
                raise SchemaError(f"Qualifier {name} of {element} is declared with DisableOverride above")
            qualifiers[key] = self._qualifier(Qualifier(declared.name, declared.type, value, *flavors))
        return self._share(qualifiers)

    def _property(self, raw: dict[str, Any], above: PropertyDeclaration | None, class_name: str) -> PropertyDeclaration:
        name = sys.intern(raw["name"])
        element = f"{class_name}.{name}"
        qualifiers = self._qualifiers(raw["qualifiers"], above.qualifiers if above else {}, element)
        if above is not None and (above.type, above.is_array) != (raw["type"], raw.get("array", False)):
            raise SchemaError(f"{element} overrides a property of another type")
        default = raw.get("default")
        return PropertyDeclaration(
            name=name,
            default=tuple(default) if isinstance(default, list) else default,
            class_origin=above.class_origin if above else sys.intern(class_name),
            propagated=False,
            is_key=_is_true(qualifiers, "key"),
            qualifiers=qualifiers,
            **_value_type(raw, qualifiers),
        )

    def _method(self, raw: dict[str, Any], above: MethodDeclaration | None, class_name: str) -> MethodDeclaration:
        name = sys.intern(raw["name"])
        element = f"{class_name}.{name}"
        parameters = {}
        for each in raw["parameters"]:
            key = each["name"].lower()
            overridden = above.parameters.get(key) if above else None
            qualifiers = self._qualifiers(
                each["qualifiers"], overridden.qualifiers if overridden else {}, f"{element}({each['name']})"
            )
            parameters[key] = ParameterDeclaration(
                name=sys.intern(each["name"]),
                qualifiers=qualifiers,
                is_in="in" not in qualifiers or bool(qualifiers["in"].value),
                is_out=_is_true(qualifiers, "out"),
                **_value_type(each, qualifiers),
            )
        return MethodDeclaration(
            name=name,
            return_type=sys.intern(raw["type"]),
            parameters=parameters,
            class_origin=above.class_origin if above else sys.intern(class_name),
            propagated=False,
            qualifiers=self._qualifiers(raw["qualifiers"], above.qualifiers if above else {}, element),
        )

    def _qualifier(self, qualifier: Qualifier) -> Qualifier:
        shared: Qualifier = self._shared.setdefault((type(qualifier.value), qualifier), qualifier)
        return shared

    def _share(self, qualifiers: dict[str, Qualifier]) -> Mapping[str, Qualifier]:
        """One mapping for all that are equal: thousands of properties have the same few qualifiers."""
        shared: Mapping[str, Qualifier] = self._shared.setdefault(tuple(map(id, qualifiers.values())), qualifiers)
        return shared


def _is_true(qualifiers: Mapping[str, Qualifier], name: str) -> bool:
    return name in qualifiers and bool(qualifiers[name].value)


def _value_type(raw: dict[str, Any], qualifiers: Mapping[str, Qualifier]) -> dict[str, Any]:
    """What properties and parameters have in common."""
    embedded_instance = qualifiers.get("embeddedinstance")
    embedded_object = None
    if embedded_instance is not None:
        embedded_object = "instance"
    elif _is_true(qualifiers, "embeddedobject"):
        embedded_object = "object"
    return {
        "type": sys.intern(raw["type"]),
        "is_array": raw.get("array", False),
        "array_size": raw.get("size"),
        "reference_class": raw.get("reference"),
        "embedded_object": embedded_object,
        "embedded_class": embedded_instance.value if embedded_instance else None,
    }
