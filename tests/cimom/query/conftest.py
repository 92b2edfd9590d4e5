"""The class stores that queries are checked against: the toy's, with a property of every type, and the real one."""

from __future__ import annotations

import pytest

from tests.bed.classes import class_store
from tests.cimom.toy import class_store as toy_classes
from virtcim.schema.classes import ClassStore


@pytest.fixture(scope="session")
def toy() -> ClassStore:
    return toy_classes()


@pytest.fixture(scope="session")
def store() -> ClassStore:
    return class_store(["KVM", "Xen"])
