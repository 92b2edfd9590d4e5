"""All that is served, against the class declarations: keys, properties, types, and associations from both ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from tests.providers.recorded import CONTEXT, Served
from virtcim.providers.associations.relation import Relation
from virtcim.providers.interface import EmbeddedInstance, Instance
from virtcim.schema.classes import ClassStore

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "datetime": (datetime, timedelta),
    "uint8": (int,),
    "uint16": (int,),
    "uint32": (int,),
    "sint32": (int,),
    "uint64": (int,),
    "sint16": (int,),
}


def test_instances_agree_with_their_class(everything: list[Instance], classes: ClassStore) -> None:
    for instance in everything:
        declared = classes[instance.class_name]
        assert tuple(instance.keys()) == declared.keys
        values: dict[str, Any] = dict(instance.properties())
        keys = instance.keys()
        assert {name: values[name] for name in keys} == keys
        for name, value in values.items():
            declaration = declared.properties[name.lower()]
            assert declaration.name == name
            assert isinstance(value, list | tuple) == declaration.is_array, (instance, name)
            for item in value if declaration.is_array else [value]:
                check_value(instance, name, item, declaration)


def check_value(instance: Instance, name: str, value: Any, declaration: Any) -> None:
    """One value against the type and the qualifiers of its property."""
    where = (instance, name, value)
    number: int = value if isinstance(value, int) else 0
    if isinstance(value, EmbeddedInstance):
        assert declaration.embedded_object, where
        return
    assert type(value) in _TYPES[declaration.type], where
    if declaration.type.startswith("uint"):
        assert 0 <= number < 2 ** int(declaration.type[4:]), where
    longest = declaration.qualifiers.get("maxlen")
    is_key = declaration.is_key
    if longest is not None and isinstance(value, str) and not is_key:
        assert len(value) <= longest.value, where
    words = declaration.qualifiers.get("valuemap")
    if words is not None and not any(".." in word for word in words.value):
        assert str(value) in words.value, where


def test_no_two_instances_have_equal_keys(corpus: Served) -> None:
    keys = [(instance.class_name, *instance.keys().values()) for instance in corpus.everything()]
    assert len(keys) == len(set(keys))
    ids = [
        (instance.class_name.partition("_")[0], instance.identity)
        for instance in corpus.everything()
        if "SettingData" in instance.class_name
    ]
    assert len(ids) == len(set(ids))


def test_get_instance_finds_what_enumeration_shows(corpus: Served) -> None:
    for instance in corpus.everything():
        found = corpus.get(instance.class_name, **instance.keys())
        assert found.identity == instance.identity
        assert found.revision == instance.revision
        assert found.properties() == instance.properties()


def test_enumerating_again_gives_the_same_handles(corpus: Served) -> None:
    for class_name in ("KVM_ComputerSystem", "KVM_LogicalDisk", "KVM_NetResourceAllocationSettingData"):
        assert all(
            one is other for one, other in zip(corpus.instances(class_name), corpus.instances(class_name), strict=True)
        )


def relations(served: Served) -> Iterable[Relation]:
    for association in served.catalog.associations["root/virt"]:
        assert isinstance(association, Relation)
        yield association


def test_associations_are_found_from_both_ends(corpus: Served, classes: ClassStore) -> None:
    counted = 0
    for relation in relations(corpus):
        for class_name in relation.class_names:
            references = [p for p in classes[class_name].properties.values() if p.type == "reference"]
            assert [reference.name for reference in references] == [relation.left.role, relation.right.role]
            for left in relation.sources(class_name, CONTEXT):
                assert left.class_name in relation.left.class_names
                for right in relation.to_right(left, CONTEXT):
                    counted += 1
                    assert right.class_name in relation.right.class_names
                    assert relation.class_name(left, right) == class_name
                    back = relation.to_left(right, CONTEXT)
                    assert any(found.keys() == left.keys() for found in back), (left, right)
                    for end, reference in ((left, references[0]), (right, references[1])):
                        assert classes.is_a(end.class_name, str(reference.reference_class))
    assert counted > 500


def test_right_ends_lead_back(corpus: Served) -> None:
    """What an element is associated with from the right reaches it from the left."""
    for relation in relations(corpus):
        for class_name in sorted(relation.right.class_names):
            for right in corpus.instances(class_name):
                for left in relation.to_left(right, CONTEXT):
                    found = [(other.class_name, other.identity) for other in relation.to_right(left, CONTEXT)]
                    assert (right.class_name, right.identity) in found, left


def test_every_device_and_setting_belongs_to_its_guest(corpus: Served) -> None:
    """SystemDevice reaches all devices, VirtualSystemSettingDataComponent all settings."""
    by_base = {relation.base: relation for relation in relations(corpus)}
    for base in ("SystemDevice", "VirtualSystemSettingDataComponent"):
        relation = by_base[base]
        for class_name in sorted(relation.right.class_names):
            for instance in corpus.instances(class_name):
                assert len(list(relation.to_left(instance, CONTEXT))) == 1


def test_catalog_names_each_class_once(corpus: Served) -> None:
    names = [name for provider in corpus.catalog.namespaces["root/virt"] for name in provider.class_names]
    assert len(names) == len(set(names))
    assert (
        set(corpus.catalog.namespaces)
        == set(corpus.catalog.associations)
        == {"root/virt", "root/interop", "root/cimv2"}
    )
