"""The class stores that queries are checked against: the toy's, with a property of every type, and the real one."""

from __future__ import annotations

import pytest

from tests.cimom.toy import class_store
from virtcim import mof, schema
from virtcim.schema.classes import ClassStore
from virtcim.schema.mof import load_class_store


@pytest.fixture(scope="session")
def toy() -> ClassStore:
    return class_store()


@pytest.fixture(scope="session")
def store() -> ClassStore:
    return load_class_store([*schema.texts(), *mof.texts()], mof.templates(), ("KVM", "Xen"), None)
