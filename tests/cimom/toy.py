"""A small catalog with instances in memory: values of every type, associations of every shape."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from virtcim.providers.interface import (
    Association,
    Catalog,
    CIMError,
    EmbeddedInstance,
    End,
    Instance,
    InstancePath,
    InstanceProvider,
    MethodResult,
    RequestContext,
    Status,
)
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store

MOF = Path(__file__).with_name("toy.mof")

SINCE = datetime(2026, 2, 28, 23, 59, 58, 123456, timezone(timedelta(minutes=-90)))
AGE = timedelta(days=3, hours=4, minutes=5, seconds=6, microseconds=7)

ODD_NAMES = (
    "plain",
    "a/b",
    'quo"ted',
    "it's & <that>",
    "back\\slash",
    "per%41cent",
    "emoji \U0001f427",
    "comma,=.eq",
    "köln:colon",
    "  blanks  ",
)


def setting(name: str, **properties: Any) -> EmbeddedInstance:
    return EmbeddedInstance("Toy_Setting", {"InstanceID": name, **properties})


ALL_TYPES: dict[str, Any] = {
    "ElementName": "tab\tnew\nline \x01 control, \U0001f427 & <b> \"q\" 'a' ]]>",
    "Caption": "",
    "EnabledState": 2,
    "Dedicated": True,
    "U8": 255,
    "U16": 65535,
    "U32": 2**32 - 1,
    "U64": 2**64 - 1,
    "S8": -128,
    "S16": -(2**15),
    "S32": -(2**31),
    "S64": -(2**63),
    "R32": 0.1,
    "R64": 0.1,
    "Letter": "ß",
    "Since": SINCE,
    "Age": AGE,
    "Notes": ["one", "", "<three>", None],
    "Codes": (1, 2, 65535),
    "Flags": [True, False],
    "Ratios": [1.0, 1e300, -2.5e-7],
    "Times": [SINCE, AGE],
    "Setting": setting("s&1", Weight=7, Since=SINCE, Words=["a", "<b>"], Inner=setting("inner", Weight=1)),
    "Settings": [
        setting("a"),
        setting("b", Owner=InstancePath("Toy_System", {"CreationClassName": "Toy_System", "Name": "plain"})),
    ],
    "Anything": setting("any"),
}


class ToyInstance(Instance):
    __slots__ = ("class_name", "identity", "namespace", "revision", "values")

    def __init__(self, class_name: str, values: dict[str, Any], revision: int = 0, namespace: str = "root/toy") -> None:
        self.namespace = namespace
        self.class_name = class_name
        self.values = values
        self.identity: Hashable = values.get("Name", values.get("Number"))
        self.revision: Hashable = revision

    def keys(self) -> dict[str, Any]:
        if self.class_name == "Toy_Single":
            return {"Number": self.values["Number"]}
        return {"CreationClassName": self.class_name, "Name": self.values["Name"]}

    def properties(self) -> Mapping[str, Any]:
        return {**self.values, **self.keys()}


class ToyProvider(InstanceProvider):
    """Instances in dictionaries; `calls` records the methods that were invoked."""

    def __init__(self) -> None:
        self.class_names = ["Toy_System", "Toy_SpecialSystem", "Toy_Disk", "Toy_Single"]
        self.stores: dict[str, dict[Any, ToyInstance]] = {name: {} for name in self.class_names}
        self.calls: list[tuple[str, Any, str, dict[str, Any], str]] = []
        self.failure: Exception | None = None

    def add(self, class_name: str, **values: Any) -> ToyInstance:
        instance = ToyInstance(class_name, values)
        self.stores[class_name][instance.identity] = instance
        return instance

    def change(self, class_name: str, identity: Any, **values: Any) -> None:
        old = self.stores[class_name][identity]
        assert isinstance(old.revision, int)
        self.stores[class_name][identity] = ToyInstance(class_name, {**old.values, **values}, old.revision + 1)

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        if self.failure is not None:
            raise self.failure
        return list(self.stores[class_name].values())

    def get_instance(self, class_name: str, keys: Mapping[str, Any], context: RequestContext) -> Instance:
        given = {name.lower(): value for name, value in keys.items()}
        wanted = {"number"} if class_name == "Toy_Single" else {"creationclassname", "name"}
        if given.keys() != wanted:
            raise CIMError(Status.INVALID_PARAMETER, f"The keys of {class_name} are {sorted(wanted)}")
        instance = self.stores[class_name].get(given.get("name", given.get("number")))
        if instance is None or given.get("creationclassname", class_name).lower() != class_name.lower():
            raise CIMError(Status.NOT_FOUND, f"No such instance ({given.get('name', given.get('number'))})")
        return instance

    def invoke_method(
        self,
        class_name: str,
        keys: Mapping[str, Any] | None,
        method: str,
        parameters: Mapping[str, Any],
        context: RequestContext,
    ) -> MethodResult:
        if self.failure is not None:
            raise self.failure
        self.calls.append((class_name, keys, method, dict(parameters), context.principal))
        if method == "Count":
            return MethodResult(len(self.stores[class_name]))
        if method == "Missing":
            return super().invoke_method(class_name, keys, method, parameters, context)
        if keys is None:
            raise CIMError(Status.INVALID_PARAMETER, f"{method} needs an instance")
        target = self.get_instance(class_name, keys, context)
        out: dict[str, Any] = {"Result": target.path(), "Results": [target.path()], "Numbers": [1, 2], "When": SINCE}
        out["Echo"] = repr(sorted(parameters))
        out["NewSetting"] = parameters.get("Setting")
        return MethodResult(0 if parameters["State"] < 100 else 4097, out)

    def create_instance(self, class_name: str, properties: Mapping[str, Any], context: RequestContext) -> InstancePath:
        if class_name != "Toy_Disk":
            return super().create_instance(class_name, properties, context)
        if not properties.get("Name"):
            raise CIMError(Status.INVALID_PARAMETER, "Name is needed")
        if properties["Name"] in self.stores[class_name]:
            raise CIMError(Status.ALREADY_EXISTS, f"{properties['Name']} exists")
        return self.add(class_name, **properties).path()

    def modify_instance(
        self, class_name: str, keys: Mapping[str, Any], properties: Mapping[str, Any], context: RequestContext
    ) -> None:
        self.get_instance(class_name, keys, context)
        self.change(class_name, keys["Name"], **properties)

    def delete_instance(self, class_name: str, keys: Mapping[str, Any], context: RequestContext) -> None:
        self.get_instance(class_name, keys, context)
        del self.stores[class_name][keys["Name"]]


class RemoteProvider(InstanceProvider):
    """One instance in another namespace."""

    class_names = ("Toy_Remote",)

    def __init__(self) -> None:
        self.only = ToyInstance("Toy_Remote", {"Name": "far"}, namespace="root/far")

    def instances(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return [self.only]

    def get_instance(self, class_name: str, keys: Mapping[str, Any], context: RequestContext) -> Instance:
        if keys.get("Name") != "far":
            raise CIMError(Status.NOT_FOUND, "No such instance")
        return self.only


class ToyAssociation(Association):
    """Pairs, computed from the stores."""

    def __init__(self, class_name: str, provider: ToyProvider, left: tuple[str, ...], right: tuple[str, ...]) -> None:
        self.class_names = (class_name,)
        self.provider = provider
        self.left = End("Antecedent", frozenset(left))
        self.right = End("Dependent", frozenset(right))

    def _all(self, end: End) -> list[ToyInstance]:
        stores = self.provider.stores
        return [each for name in sorted(end.class_names) for each in stores[name].values()]

    def related(self, left: ToyInstance, right: ToyInstance) -> bool:
        """A disk belongs to the system whose name its name begins with."""
        return bool(str(right.identity).startswith(f"{left.identity}|"))

    def to_right(self, left: Instance, context: RequestContext) -> Iterable[Instance]:
        assert isinstance(left, ToyInstance)
        return [each for each in self._all(self.right) if self.related(left, each)]

    def to_left(self, right: Instance, context: RequestContext) -> Iterable[Instance]:
        assert isinstance(right, ToyInstance)
        return [each for each in self._all(self.left) if self.related(each, right)]

    def sources(self, class_name: str, context: RequestContext) -> Iterable[Instance]:
        return self._all(self.left)

    def class_name(self, left: Instance, right: Instance) -> str:
        return self.class_names[0]


class SystemDevice(ToyAssociation):
    def properties(self, left: Instance, right: Instance) -> Mapping[str, Any]:
        return {"Slot": len(str(right.identity))}


class Partner(ToyAssociation):
    """Systems point to the system that their Caption names: both ends are of one class."""

    def related(self, left: ToyInstance, right: ToyInstance) -> bool:
        return bool(left.values.get("Caption")) and left.values["Caption"] == right.identity


class Elsewhere(ToyAssociation):
    """Every system to the one instance of the other namespace."""

    def __init__(self, provider: ToyProvider, remote: RemoteProvider) -> None:
        super().__init__("Toy_Elsewhere", provider, ("Toy_System",), ("Toy_Remote",))
        self.remote = remote

    def _all(self, end: End) -> list[ToyInstance]:
        return [self.remote.only] if end is self.right else super()._all(end)

    def related(self, left: ToyInstance, right: ToyInstance) -> bool:
        return True


def class_store() -> ClassStore:
    return load_class_store([(MOF.name, MOF.read_text())], [], [], None)


class Toy:
    """The catalog and what stands behind it."""

    def __init__(self) -> None:
        self.provider = ToyProvider()
        self.remote = RemoteProvider()
        systems = ("Toy_System", "Toy_SpecialSystem")
        near = (
            SystemDevice("Toy_SystemDevice", self.provider, systems, ("Toy_Disk",)),
            Partner("Toy_Partner", self.provider, systems, systems),
            Elsewhere(self.provider, self.remote),
        )
        self.catalog = Catalog(
            namespaces={"root/toy": [self.provider], "root/far": [self.remote]},
            associations={"root/toy": near, "root/far": (near[2],)},
        )

    def fill(self) -> None:
        """The instances that most tests use."""
        for name in ODD_NAMES:
            self.provider.add("Toy_System", Name=name, EnabledState=2)
        self.provider.add("Toy_System", Name="typed", **ALL_TYPES)
        self.provider.add("Toy_System", Name="self", Caption="self")
        self.provider.add("Toy_SpecialSystem", Name="special", Special="yes", Caption="plain")
        self.provider.add("Toy_Disk", Name="plain|vda", Size=1)
        self.provider.add("Toy_Disk", Name="plain|vdb", Size=2)
        self.provider.add("Toy_Disk", Name="special|vda", Size=3)
        self.provider.add("Toy_Single", Number=7, Text="seven")
