"""The table of cases that every front end is held to: a request, who makes it, and what comes of it.

Requests and outcomes are values.  An adapter for each front end (`tests.frontends.adapters`) sends the one and reads
the other.  Where a front end, or the CIM server before it, cannot carry a case, the case says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cimom.toy import AGE, SINCE, Toy
from virtcim.cimom.requests import (
    AssociationFilter,
    AssociatorNames,
    Associators,
    CreateInstance,
    DeleteInstance,
    EnumerateInstanceNames,
    EnumerateInstances,
    ExecQuery,
    GetInstance,
    GetProperty,
    InvokeMethod,
    ModifyInstance,
    Projection,
    ReferenceNames,
    References,
    Request,
    SetProperty,
)
from virtcim.providers.interface import EmbeddedInstance, InstancePath

__all__ = ["CASES", "NOT_COMPARED", "Case"]

NOT_COMPARED = object()
"""Stands for an outcome of which only the status counts."""

TOY = "root/toy"
FAR = "root/far"

OLD = datetime(999, 2, 3, 4, 5, 6, 0, UTC)

NO_PROPERTY_OPERATIONS = "CMPI has neither GetProperty nor SetProperty: CIM servers make instance operations of them"
NO_PROPERTIES = {
    "cmpi": NO_PROPERTY_OPERATIONS,
    "rest": "There is neither GetProperty nor SetProperty: a list of properties in GET and PATCH does the same",
}
NULL_IS_NOTHING = "CIM servers hand over every property of the class, NULL where the client gave none"
DEFAULT_IS_NOTHING = "OpenPegasus puts in the defaults of the class: they count as not given"
LEFT_TO_SERVER = "SFCB projects, and queries superclasses, only where the provider does not support the query"
MERGED = "every provider is asked about every object, and the CIM server merges what they answer"
TYPED = "requests come to the core with values of the declared types"
TARGETS = "requests come to the core with a class as the target where a client means one"
OWN_ADDRESS = "a class has an address of its own, and without keys there is no address of an instance"
NO_SHALLOW = "CIM servers apply DeepInheritance themselves"


@dataclass(frozen=True)
class Case:
    """One case.

    Attributes:
        name: what it shows.
        request: what is asked for.
        status: the CIM status code; 0 for success.
        value: the outcome, as `tests.frontends.adapters` reads it.
        text: stands in the description of the error.
        user: who asks; see `tests.frontends.conftest`.
        prepare: changes what there is before.
        stored: what the provider holds afterwards: identity of a Toy_Disk to its values; None where it is gone.
        cannot: front ends that cannot carry it, each with the reason.
    """

    name: str
    request: Request
    status: int = 0
    value: Any = NOT_COMPARED
    text: str = ""
    user: str = "root"
    prepare: Callable[[Toy], object] | None = None
    stored: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)


def path(class_name: str, name: str, **others: Any) -> InstancePath:
    """The path of a toy."""
    return InstancePath(class_name, {"CreationClassName": class_name, "Name": name, **others})


def named(class_name: str, name: str, namespace: str = TOY) -> tuple[Any, ...]:
    """A path as adapters read it."""
    return namespace, class_name, {"CreationClassName": class_name, "Name": name}


def link(class_name: str, left: tuple[Any, ...], right: tuple[Any, ...], namespace: str = TOY) -> tuple[Any, ...]:
    """The path of an association as adapters read it."""
    return namespace, class_name, {"Antecedent": left, "Dependent": right}


def get(class_name: str, name: str, *properties: str, **options: Any) -> GetInstance:
    """GetInstance of a toy, with a property list where properties are named."""
    projection = Projection(frozenset(each.lower() for each in properties) if properties else None)
    return GetInstance(namespace=TOY, path=path(class_name, name, **options), projection=projection)


def create(class_name: str = "Toy_Disk", /, **properties: Any) -> CreateInstance:
    """CreateInstance."""
    return CreateInstance(namespace=TOY, instance=EmbeddedInstance(class_name, properties))


def modify(name: str, *listed: str, of: str = "Toy_Disk", **properties: Any) -> ModifyInstance:
    """ModifyInstance of a disk."""
    return ModifyInstance(
        namespace=TOY,
        path=path("Toy_Disk", name),
        instance=EmbeddedInstance(of, properties),
        properties=frozenset(each.lower() for each in listed) or None,
    )


PLAIN = path("Toy_System", "plain")


def invoke(method: str, target: InstancePath | str = PLAIN, **arguments: Any) -> InvokeMethod:
    """A method of a system."""
    return InvokeMethod(namespace=TOY, target=target, method=method, arguments=arguments)


def setting(**properties: Any) -> EmbeddedInstance:
    """An embedded instance."""
    return EmbeddedInstance("Toy_Setting", properties)


DISK = "plain|vda"
DISKS = [named("Toy_Disk", name) for name in ("plain|vda", "plain|vdb", "special|vda")]
ENABLED = {"CreationClassName": "Toy_System", "Name": "plain", "EnabledState": 2}
REMOTE = named("Toy_Remote", "far", FAR)
FROM_PLAIN = [
    *(named("Toy_Disk", name) for name in ("plain|vda", "plain|vdb")),
    named("Toy_SpecialSystem", "special"),
]
DEFAULTS = {"Size": 10, "EnabledState": 5, "Interval": timedelta(minutes=5)}


def break_provider(toy: Toy) -> None:
    """Have every read fail."""
    toy.provider.failure = RuntimeError("the cable is out")


def leave_special(toy: Toy) -> None:
    """Leave one instance only of those below Toy_Element."""
    toy.provider.stores["Toy_System"].clear()
    toy.provider.stores["Toy_Disk"].clear()


def _reading() -> list[Case]:
    single = InstancePath("Toy_Single", {"Number": 7})
    partner = InstancePath(
        "Toy_Partner", {"Antecedent": path("Toy_SpecialSystem", "special"), "Dependent": path("Toy_System", "plain")}
    )
    return [
        Case("an instance", get("Toy_System", "plain"), value=(None, "Toy_System", ENABLED)),
        Case(
            "a number for a key",
            GetInstance(namespace=TOY, path=single),
            value=(None, "Toy_Single", {"Number": 7, "Text": "seven"}),
        ),
        Case(
            "classes in any case",
            GetInstance(namespace="/Root/TOY/", path=path("toy_SYSTEM", "plain")),
            value=(None, "Toy_System", ENABLED),
        ),
        Case(
            "a key with what has to be escaped",
            get("Toy_System", "it's & <that>", "Name", "CreationClassName"),
            value=(None, "Toy_System", {"CreationClassName": "Toy_System", "Name": "it's & <that>"}),
        ),
        Case(
            "a key beyond the first plane",
            get("Toy_System", "emoji \U0001f427", "Name", "CreationClassName"),
            value=(None, "Toy_System", {"CreationClassName": "Toy_System", "Name": "emoji \U0001f427"}),
        ),
        Case(
            "a key with blanks around it",
            get("Toy_System", "  blanks  ", "Name", "CreationClassName"),
            value=(None, "Toy_System", {"CreationClassName": "Toy_System", "Name": "  blanks  "}),
        ),
        Case(
            "a property list",
            get("Toy_System", "plain", "ENABLEDSTATE", "creationclassname", "Name", "Nothing"),
            value=(None, "Toy_System", ENABLED),
        ),
        Case(
            "NULL in place of the default",
            get("Toy_System", "self", "EnabledState", "CreationClassName", "Name"),
            value=(None, "Toy_System", {"CreationClassName": "Toy_System", "Name": "self"}),
        ),
        Case(
            "the ends of the integers",
            get("Toy_System", "typed", "U64", "S64", "U8", "S8", "CreationClassName", "Name"),
            value=(
                None,
                "Toy_System",
                {
                    "CreationClassName": "Toy_System",
                    "Name": "typed",
                    "U64": 2**64 - 1,
                    "S64": -(2**63),
                    "U8": 255,
                    "S8": -128,
                },
            ),
        ),
        Case(
            "points in time and intervals",
            get("Toy_System", "typed", "Since", "Age", "Times", "CreationClassName", "Name"),
            value=(
                None,
                "Toy_System",
                {"CreationClassName": "Toy_System", "Name": "typed", "Since": SINCE, "Age": AGE, "Times": [SINCE, AGE]},
            ),
        ),
        Case(
            "a year before 1000",
            get("Toy_System", "old", "Since", "CreationClassName", "Name"),
            prepare=lambda toy: toy.provider.add("Toy_System", Name="old", Since=OLD),
            value=(None, "Toy_System", {"CreationClassName": "Toy_System", "Name": "old", "Since": OLD}),
        ),
        Case(
            "arrays, with NULL as an empty text",
            get("Toy_System", "typed", "Notes", "Codes", "Flags", "CreationClassName", "Name"),
            value=(
                None,
                "Toy_System",
                {
                    "CreationClassName": "Toy_System",
                    "Name": "typed",
                    "Notes": ["one", "", "<three>", ""],
                    "Codes": [1, 2, 65535],
                    "Flags": [True, False],
                },
            ),
        ),
        Case(
            "embedded instances",
            get("Toy_System", "typed", "Setting", "CreationClassName", "Name"),
            value=(
                None,
                "Toy_System",
                {
                    "CreationClassName": "Toy_System",
                    "Name": "typed",
                    "Setting": (
                        "Toy_Setting",
                        {
                            "InstanceID": "s&1",
                            "Weight": 7,
                            "Since": SINCE,
                            "Words": ["a", "<b>"],
                            "Inner": ("Toy_Setting", {"InstanceID": "inner", "Weight": 1}),
                        },
                    ),
                },
            ),
        ),
        Case(
            "an association by its references",
            GetInstance(namespace=TOY, path=partner),
            value=(
                None,
                "Toy_Partner",
                {"Antecedent": named("Toy_SpecialSystem", "special"), "Dependent": named("Toy_System", "plain")},
            ),
        ),
        Case("an instance that is not there", get("Toy_System", "nobody"), 6, text="No such instance (nobody)"),
        Case(
            "an association that is not there",
            GetInstance(
                namespace=TOY,
                path=InstancePath(
                    "Toy_Partner", {"Antecedent": path("Toy_System", "plain"), "Dependent": path("Toy_System", "a/b")}
                ),
            ),
            6,
        ),
        Case(
            "a key is missing",
            GetInstance(namespace=TOY, path=InstancePath("Toy_System", {"Name": "plain"})),
            4,
            text="key CreationClassName is missing",
        ),
        Case("a key too many", get("Toy_System", "plain", EnabledState=2), value=NOT_COMPARED),
        Case(
            "a class without instances here",
            GetInstance(namespace=TOY, path=InstancePath("Toy_Setting", {"InstanceID": "x"})),
            6,
            text="No instance of Toy_Setting",
        ),
        Case(
            "a class that instances are below",
            GetInstance(namespace=TOY, path=InstancePath("Toy_Named", {"Name": "plain"})),
            6,
            text="Toy_Named has no instances of its own in root/toy; expected a class below it, such as Toy_",
        ),
        Case("a class that does not exist", get("Toy_Nothing", "plain"), 5, text="Toy_Nothing"),
        Case(
            "a namespace that does not exist", GetInstance(namespace="root/nowhere", path=PLAIN), 3, text="root/nowhere"
        ),
        Case(
            "a provider that fails",
            EnumerateInstances(namespace=TOY, class_name="Toy_System"),
            1,
            text="the cable is out",
            prepare=break_provider,
            cannot=dict.fromkeys(("core", "cimxml", "rest"), "Toy_System has subclasses: what fails there is left out"),
        ),
        Case(
            "a provider that fails, of one class",
            EnumerateInstances(namespace=TOY, class_name="Toy_Disk"),
            1,
            text="the cable is out",
            prepare=break_provider,
        ),
        Case("names", EnumerateInstanceNames(namespace=TOY, class_name="Toy_Disk"), value=DISKS),
        Case(
            "names below a superclass",
            EnumerateInstanceNames(namespace=TOY, class_name="Toy_Single"),
            value=[(TOY, "Toy_Single", {"Number": 7})],
        ),
        Case(
            "instances of subclasses",
            EnumerateInstances(
                namespace=TOY, class_name="Toy_Named", projection=Projection(frozenset({"size", "special"}))
            ),
            prepare=leave_special,
            value=[(named("Toy_SpecialSystem", "special"), "Toy_SpecialSystem", {"Special": "yes"})],
        ),
        Case(
            "only the properties of the class asked for",
            EnumerateInstances(namespace=TOY, class_name="Toy_Element", deep=False),
            prepare=leave_special,
            value=[(named("Toy_SpecialSystem", "special"), "Toy_SpecialSystem", {"Caption": "plain"})],
            cannot={"cmpi": NO_SHALLOW},
        ),
        Case(
            "a broken instance is left out",
            EnumerateInstanceNames(namespace=TOY, class_name="Toy_Disk"),
            prepare=lambda toy: toy.provider.add("Toy_Disk", Name=None),
            value=DISKS,
        ),
        Case("no instances of a class", EnumerateInstances(namespace=TOY, class_name="Toy_Setting"), value=[]),
        Case(
            "instances of a class that does not exist",
            EnumerateInstances(namespace=TOY, class_name="Toy_Nothing"),
            5,
            text="Toy_Nothing",
        ),
        Case(
            "a property",
            GetProperty(namespace=TOY, path=PLAIN, property_name="enabledstate"),
            value=2,
            cannot=NO_PROPERTIES,
        ),
        Case(
            "a property that does not exist",
            GetProperty(namespace=TOY, path=PLAIN, property_name="Nothing"),
            12,
            cannot=NO_PROPERTIES,
        ),
    ]


def _creating() -> list[Case]:
    made = named("Toy_Disk", "new")
    return [
        Case(
            "what is not given has the defaults of the class",
            create(Name="new"),
            value=made,
            stored={"new": {"Name": "new", **DEFAULTS}},
        ),
        Case(
            "what is given counts",
            create(Name="new", Size=2**64 - 1, Interval=timedelta(days=99_999_999)),
            value=made,
            stored={"new": {"Size": 2**64 - 1, "Interval": timedelta(days=99_999_999), "EnabledState": 5}},
        ),
        Case(
            "a year before 1000 is taken",
            create(Name="new", Interval=OLD),
            value=made,
            stored={"new": {"Interval": OLD}},
        ),
        Case(
            "NULL in place of a default is taken",
            create(Name="new", Size=None),
            value=made,
            stored={"new": {"Size": None}},
            cannot={"cmpi": NULL_IS_NOTHING},
        ),
        Case(
            "a property that the class does not have",
            create(Name="new", Colour="red"),
            4,
            text="Colour",
            stored={"new": None},
        ),
        Case("it exists already", create(Name=DISK), 11, text="exists"),
        Case("without its name", create(Size=3), 4, text="Name is needed"),
        Case("a class of which nothing can be created", create("Toy_System", Name="new"), 7, text="Toy_System"),
        Case("an abstract class", create("Toy_Named", Name="new"), 7, text="Toy_Named"),
        Case("of a class that does not exist", create("Toy_Nothing", Name="new"), 5, text="Toy_Nothing"),
        Case(
            "in a namespace that does not exist",
            CreateInstance(namespace="root/nowhere", instance=EmbeddedInstance("Toy_Disk", {"Name": "new"})),
            3,
            text="root/nowhere",
        ),
        Case("a reader may not", create(Name="new"), 2, text="administer", user="reader", stored={"new": None}),
    ]


def _changing() -> list[Case]:
    return [
        Case(
            "only what is given changes",
            modify(DISK, Size=7),
            prepare=lambda toy: toy.provider.change("Toy_Disk", DISK, Caption="stays"),
            stored={DISK: {"Size": 7, "Caption": "stays"}},
        ),
        Case(
            "only what the list names changes",
            modify(DISK, "SIZE", Size=7, Caption="not listed"),
            stored={DISK: {"Size": 7, "Caption": NOT_COMPARED}},
        ),
        Case(
            "what the list names and nobody gives has its default",
            modify(DISK, "Size", "Caption", Caption="x"),
            stored={DISK: {"Size": 10, "Caption": "x"}},
        ),
        Case(
            "NULL that the list names",
            modify(DISK, "Caption", Caption=None),
            prepare=lambda toy: toy.provider.change("Toy_Disk", DISK, Caption="goes"),
            stored={DISK: {"Caption": None}},
        ),
        Case(
            "NULL without a list",
            modify(DISK, Caption=None),
            prepare=lambda toy: toy.provider.change("Toy_Disk", DISK, Caption="goes"),
            stored={DISK: {"Caption": None}},
            cannot={"cmpi": NULL_IS_NOTHING},
        ),
        Case(
            "the default of the class without a list",
            modify(DISK, Size=10),
            stored={DISK: {"Size": 10}},
            cannot={"cmpi": DEFAULT_IS_NOTHING},
        ),
        Case(
            "its keys may be given",
            modify(DISK, CreationClassName="Toy_Disk", Name=DISK, Size=7),
            stored={DISK: {"Size": 7}},
        ),
        Case("another key", modify(DISK, Name="other", Size=7), 4, text="is a key", stored={DISK: {"Size": 1}}),
        Case("the class of another", modify(DISK, of="Toy_System", ElementName="x"), 4, text="class of the instance"),
        Case("an unknown property", modify(DISK, Colour="red"), 12, text="Colour"),
        Case(
            "an unknown property in the list",
            modify(DISK, "Colour", Size=7),
            12,
            text="olour",
            stored={DISK: {"Size": 1}},
        ),
        Case("what is not there", modify("nobody", Size=7), 6, text="nobody"),
        Case(
            "an operator may not modify",
            modify(DISK, Size=7),
            2,
            text="administer",
            user="operator",
            stored={DISK: {"Size": 1}},
        ),
        Case(
            "one property",
            SetProperty(namespace=TOY, path=path("Toy_Disk", DISK), property_name="size", value=7),
            stored={DISK: {"Size": 7}},
            cannot=NO_PROPERTIES,
        ),
        Case(
            "one property that is a key",
            SetProperty(namespace=TOY, path=path("Toy_Disk", DISK), property_name="Name", value="x"),
            4,
            text="is a key",
            cannot=NO_PROPERTIES,
        ),
        Case("delete", DeleteInstance(namespace=TOY, path=path("Toy_Disk", DISK)), stored={DISK: None}),
        Case("delete what is not there", DeleteInstance(namespace=TOY, path=path("Toy_Disk", "nobody")), 6),
        Case("delete of a class that does not exist", DeleteInstance(namespace=TOY, path=path("Toy_No", "x")), 5),
        Case(
            "delete what cannot be deleted",
            DeleteInstance(namespace=TOY, path=InstancePath("Toy_Partner", {"Antecedent": PLAIN, "Dependent": PLAIN})),
            7,
            text="Toy_Partner",
        ),
        Case(
            "a reader may not delete",
            DeleteInstance(namespace=TOY, path=path("Toy_Disk", DISK)),
            2,
            user="reader",
            stored={DISK: {"Size": 1}},
        ),
    ]


def _associated() -> list[Case]:
    plain = named("Toy_System", "plain")
    elsewhere = link("Toy_Elsewhere", plain, REMOTE)
    near_links = [
        *(link("Toy_SystemDevice", plain, named("Toy_Disk", name)) for name in ("plain|vda", "plain|vdb")),
        link("Toy_Partner", named("Toy_SpecialSystem", "special"), plain),
    ]

    def names(**given: Any) -> AssociatorNames:
        return AssociatorNames(namespace=TOY, path=PLAIN, filter=AssociationFilter(**given))

    return [
        Case("what is associated, in other namespaces too", names(), value=[*FROM_PLAIN, REMOTE]),
        Case("not where the user may not read", names(), user="near", value=FROM_PLAIN),
        Case("references", ReferenceNames(namespace=TOY, path=PLAIN), value=[*near_links, elsewhere]),
        Case(
            "no references to where the user may not read",
            ReferenceNames(namespace=TOY, path=PLAIN),
            user="near",
            value=near_links,
        ),
        Case(
            "instances in another namespace",
            Associators(namespace=TOY, path=PLAIN, filter=AssociationFilter(result_class="Toy_Remote")),
            value=[(REMOTE, "Toy_Remote", {"CreationClassName": "Toy_Remote", "Name": "far"})],
        ),
        Case(
            "no instances where the user may not read",
            Associators(namespace=TOY, path=PLAIN, filter=AssociationFilter(result_class="Toy_Remote")),
            user="near",
            value=[],
        ),
        Case(
            "associations themselves",
            References(namespace=TOY, path=PLAIN, filter=AssociationFilter("Toy_Partner")),
            value=[(near_links[2], "Toy_Partner", dict(near_links[2][2]))],
        ),
        Case(
            "by the class of the association",
            names(association_class="Toy_Dependency", result_class="Toy_Disk"),
            value=FROM_PLAIN[:2],
        ),
        Case("by role", names(role="dependent"), value=FROM_PLAIN[2:]),
        Case(
            "by the role of the other",
            names(result_role="DEPENDENT", association_class="Toy_SystemDevice"),
            value=FROM_PLAIN[:2],
        ),
        Case("by a role that there is not", names(role="Nothing"), value=[]),
        Case("by an association that does not exist", names(association_class="Toy_Nothing"), 4, text="AssocClass"),
        Case("by a class that does not exist", names(result_class="Toy_Nothing"), 4, text="ResultClass"),
        Case(
            "from an instance of a class that does not exist",
            AssociatorNames(namespace=TOY, path=path("Toy_Nothing", "plain")),
            4,
            text="Toy_Nothing",
        ),
        Case(
            "from what is not there",
            AssociatorNames(namespace=TOY, path=path("Toy_System", "nobody")),
            6,
            text="nobody",
        ),
        Case(
            "from a class without instances here",
            AssociatorNames(namespace=TOY, path=InstancePath("Toy_Setting", {"InstanceID": "x"})),
            6,
            cannot={"cmpi": MERGED},
        ),
    ]


def _queries() -> list[Case]:
    def query(text: str, language: str = "WQL") -> ExecQuery:
        return ExecQuery(namespace=TOY, language=language, query=text)

    return [
        Case(
            "all properties",
            query("SELECT * FROM Toy_Single WHERE Number = 7"),
            value=[("Toy_Single", {"Number": 7, "Text": "seven"})],
        ),
        Case("in the language of the DMTF", query("SELECT * FROM Toy_Single WHERE Number = 8", "DMTF:CQL"), value=[]),
        Case(
            "some properties",
            query("SELECT Name, Size FROM Toy_Disk WHERE Size > 2"),
            value=[("Toy_Disk", {"Name": "special|vda", "Size": 3})],
            cannot={"cmpi": LEFT_TO_SERVER},
        ),
        Case("a query that is none", query("SELECT FROM Toy_Disk"), 15),
        Case("a language that there is not", query("SELECT * FROM Toy_Disk", "SQL-92"), 14, text="SQL-92"),
        Case("a query without the right to read", query("SELECT * FROM Toy_Disk"), 2, user="stranger"),
    ]


def _methods() -> list[Case]:
    return [
        Case(
            "a method",
            invoke("change", State=3),
            value=(
                0,
                {
                    "Result": named("Toy_System", "plain"),
                    "Results": [named("Toy_System", "plain")],
                    "Numbers": [1, 2],
                    "When": SINCE,
                    "Echo": "['State']",
                },
            ),
        ),
        Case("a return code", invoke("Change", State=100), value=(4097, NOT_COMPARED)),
        Case(
            "arguments of all kinds",
            invoke(
                "Change",
                State=1,
                Timeout=timedelta(seconds=30),
                Force=True,
                Offset=-5,
                Words=["a", "c"],
                Setting=setting(InstanceID="new", Weight=5),
                Partner=path("Toy_System", "a/b"),
            ),
            value=(
                0,
                {
                    "Result": named("Toy_System", "plain"),
                    "Results": [named("Toy_System", "plain")],
                    "Numbers": [1, 2],
                    "When": SINCE,
                    "NewSetting": ("Toy_Setting", {"InstanceID": "new", "Weight": 5}),
                    "Echo": "['Force', 'Offset', 'Partner', 'Setting', 'State', 'Timeout', 'Words']",
                },
            ),
        ),
        Case(
            "a misspelt property in an embedded instance",
            invoke("Change", State=1, Setting=setting(InstanceID="new", Wieght=1)),
            4,
            text="Toy_Setting has no property Wieght",
            cannot={"core": TYPED},
        ),
        Case(
            "an embedded instance of another class",
            invoke("Change", State=1, Setting=EmbeddedInstance("Toy_Disk", {"Name": "x"})),
            4,
            text="Toy_Disk",
            cannot={"core": TYPED},
        ),
        Case("a required argument is missing", invoke("Change", Force=True), 4, text="State is required"),
        Case("an argument that does not exist", invoke("Change", State=1, Colour="red"), 4, text="Colour"),
        Case("a method that does not exist", invoke("Nothing"), 17, text="has no method"),
        Case("a method that nobody has", invoke("Missing"), 16, text="not available"),
        Case("a method of the class", invoke("Count", "Toy_System"), value=(12, {})),
        Case("a method that needs an instance", invoke("Change", "Toy_System", State=1), 4, text="needs an instance"),
        Case(
            "a method of the class, by a path without keys",
            invoke("Count", InstancePath("Toy_System", {})),
            value=(12, {}),
            cannot={"core": TARGETS, "rest": OWN_ADDRESS},
        ),
        Case(
            "a method, by a path without one of its keys",
            invoke("Change", InstancePath("Toy_System", {"Name": "plain"}), State=1),
            4,
            text="key CreationClassName is missing",
        ),
        Case("of what is not there", invoke("Change", path("Toy_System", "nobody"), State=1), 6, text="nobody"),
        Case("an operator may", invoke("Change", State=3), user="operator", value=(0, NOT_COMPARED)),
        Case("a reader may not call it", invoke("Change", State=3), 2, text="operate", user="reader"),
        Case("a stranger may not read", get("Toy_System", "plain"), 2, text="read", user="stranger"),
        Case("not in the other namespace", EnumerateInstances(namespace=FAR, class_name="Toy_Remote"), 2, user="near"),
    ]


CASES = [*_reading(), *_creating(), *_changing(), *_associated(), *_queries(), *_methods()]
