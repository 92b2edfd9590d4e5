"""From MOF to a class store, with a cache between the two.

The cache file holds the declarations as they were in the MOF; classes are resolved by the store when they are asked
for.  It is valid for exactly the MOF it was made from, and is made again when it is not whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from virtcim.schema.classes import (
    ClassStore,
    LocalClass,
    ParameterDeclaration,
    PropertyDeclaration,
    Qualifier,
    QualifierDeclaration,
    SchemaError,
    pack,
)
from virtcim.schema.names import base_of, prefix_of

__all__ = ["CACHE_NAME", "TEMPLATE_SCHEMA", "MofSource", "cache_name", "load_class_store"]

CACHE_NAME = "classes.cache"

TEMPLATE_SCHEMA = "Platform"
"""The schema name in templates; every platform has the classes of the templates under its own schema name."""

_FORMAT = b"virtcim class cache 2"
"""To be changed with everything that changes the content of the cache for the same MOF."""

_log = logging.getLogger(__name__)


_Extension = dict[str, dict[str, Any]]
"""The classes that a platform extends: name of the template to what is declared beside it."""


class MofSource(NamedTuple):
    """A MOF text; `name` stands in messages.  A plain pair will do wherever one is asked for."""

    name: str
    text: str


def load_class_store(
    sources: Sequence[tuple[str, str]],
    templates: Sequence[tuple[str, str]],
    prefixes: Sequence[str],
    cache_dir: Path | None,
    extensions: Mapping[str, str] | None = None,
    compiled: Sequence[Path] = (),
    compile_apart: Callable[[str, str], None] | None = None,
) -> ClassStore:
    """Make the class store, from the cache where it is valid.

    Parameters:
        sources: classes common to all platforms, in the order of compilation: qualifier declarations first, and a
            class after its superclass.
        templates: classes named `Platform_...`, compiled after the sources.
        prefixes: the schema name of each platform (`KVM`); in its classes it stands for `Platform` in every class
            name, superclass, reference, EmbeddedInstance and text.
        cache_dir: directory for the cache file, which must not be writable for others; None for no cache.
        extensions: prefix to MOF of classes `<prefix>_X : Platform_X` with properties that class X has on this platform
            beside those of the template.
        compiled: directories with cache files that are read before that of `cache_dir`, and never written.
        compile_apart: called when there is no valid cache, with an extension's prefix and MOF, or with two empty texts
            for the common classes: may put it into `cache_dir`, so that this process need not compile.

    Raises:
        SchemaError: when the MOF does not compile, or its classes contradict each other.
        ValueError: for a prefix that is no schema name (DSP0004 2.8, section 5.1.2.3: no underscore in it).
    """
    for prefix in prefixes:
        if not prefix.isidentifier() or "_" in prefix:
            raise ValueError(f"Not a schema name: {prefix!r}")
    digest = _digest(sources, templates)
    caches = _Caches(cache_dir, compiled, compile_apart)
    body = caches.read("", "", digest)
    if body is None:
        body = _compile(sources, templates)
        # The classes of one platform stand for those of all.
        store = _store(body, prefixes[:1])
        _check(store, store)
        caches.write("", digest, body)
    added = {
        prefix: _extension(prefix, text, sources[0], (digest, body), caches)
        for prefix, text in (extensions or {}).items()
    }
    return _store(body, prefixes, added)


def _extension(
    prefix: str, text: str, qualifiers: tuple[str, str], base: tuple[bytes, bytes], caches: _Caches
) -> _Extension:
    """Compile the classes that a platform extends, or read them from their cache.

    Parameters:
        qualifiers: the source that declares the qualifier types.
        base: digest and body of the classes that are extended.

    Raises:
        SchemaError: as `load_class_store`.
    """
    digest, body = base
    own = _digest([(digest.decode(), "")], [(prefix, text)])
    content = caches.read(prefix, text, own)
    if content is not None:
        extension: _Extension = json.loads(content)
        return extension
    from virtcim.schema.mofcompile import compile_mof

    extension = {}
    for declared in compile_mof([qualifiers, (f"MOF of {prefix}", text)])[1][1]:
        name, superclass = declared["name"], declared["superclass"] or ""
        template = f"{TEMPLATE_SCHEMA}_{base_of(name)}"
        if prefix_of(name) != prefix or superclass != template:
            raise SchemaError(f"{name}: expected a class {prefix}_X with the superclass {TEMPLATE_SCHEMA}_X")
        if declared["methods"]:
            raise SchemaError(f"{name}: a platform cannot add methods; expected properties only")
        extension[template] = declared
    store = _store(body, [prefix], {prefix: extension})
    unknown = [name for name in extension if f"{prefix}_{base_of(name)}" not in store]
    if unknown:
        raise SchemaError(f"{', '.join(unknown)}: no such class; expected one of the classes of all platforms")
    _check(store, [f"{prefix}_{base_of(name)}" for name in extension])
    caches.write(prefix, own, json.dumps(extension, separators=(",", ":")).encode())
    return extension


def _digest(sources: Sequence[tuple[str, str]], templates: Sequence[tuple[str, str]]) -> bytes:
    digest = hashlib.sha256(_FORMAT)
    for kind, texts in (("source", sources), ("template", templates)):
        for name, text in texts:
            digest.update(f"\0{kind}\0{name}\0".encode())
            digest.update(text.encode())
    return digest.hexdigest().encode()


def _compile(sources: Sequence[tuple[str, str]], templates: Sequence[tuple[str, str]]) -> bytes:
    """The body of the cache: one line of JSON with the qualifier declarations and the index of the classes (name,
    superclass, whether from a template, length of its text), then the packed texts without separators."""
    from virtcim.schema.mofcompile import compile_mof

    qualifiers, classes = compile_mof([*sources, *templates])
    index = []
    texts = []
    for number, declarations in enumerate(classes):
        is_template = number >= len(sources)
        for declaration in declarations:
            name = declaration["name"]
            if is_template != name.startswith(f"{TEMPLATE_SCHEMA}_"):
                raise SchemaError(f"{name}: the classes of templates, and no others, are named {TEMPLATE_SCHEMA}_...")
            text = pack(declaration)
            index.append([name, declaration["superclass"], is_template, len(text)])
            texts.append(text)
    head = json.dumps({"qualifiers": qualifiers, "classes": index}, separators=(",", ":")).encode()
    return b"\n".join([head, b"".join(texts)])


def _store(body: bytes, prefixes: Sequence[str], extensions: Mapping[str, _Extension] | None = None) -> ClassStore:
    head, _, texts = body.partition(b"\n")
    index = json.loads(head)
    classes = _classes(index["classes"], texts, prefixes, extensions or {})
    return ClassStore(map(_qualifier_declaration, index["qualifiers"]), classes)


def _qualifier_declaration(flat: dict[str, Any]) -> QualifierDeclaration:
    value = flat["value"]
    return QualifierDeclaration(
        flat["name"],
        flat["type"],
        flat["array"],
        flat["size"],
        tuple(value) if isinstance(value, list) else value,
        frozenset(flat["scopes"]),
        *flat["flavors"],
    )


def _classes(
    index: list[list[Any]], texts: bytes, prefixes: Sequence[str], extensions: Mapping[str, _Extension]
) -> Iterator[LocalClass]:
    start = 0
    for name, superclass, is_template, length in index:
        local = LocalClass(name, superclass, texts[start : start + length])
        start += length
        if is_template:
            for prefix in prefixes:
                extra = extensions.get(prefix, {}).get(name)
                extended = local if extra is None else _extended(local, extra)
                yield extended.for_schema(TEMPLATE_SCHEMA, prefix)
        else:
            yield local


def _extended(local: LocalClass, extra: dict[str, Any]) -> LocalClass:
    """A class with the qualifiers and properties that another declaration adds to it."""
    declaration = local.declaration()
    there = {each["name"].lower() for each in declaration["properties"]}
    again = [each["name"] for each in extra["properties"] if each["name"].lower() in there]
    if again:
        raise SchemaError(f"{extra['name']} declares {', '.join(again)}, which all platforms have")
    for part in ("qualifiers", "properties"):
        declaration[part] = [*declaration[part], *extra[part]]
    return replace(local, text=pack(declaration))


def _check(store: ClassStore, names: Iterable[str]) -> None:
    """Resolve classes once, which finds contradictions, and see that every class that they name exists."""
    for name in names:
        declaration = store[name]
        superclass = None if declaration.superclass is None else store[declaration.superclass]
        for local in declaration.local_properties:
            each = declaration.properties[local.lower()]
            if superclass and local.lower() in superclass.properties and not _overrides(each.qualifiers):
                raise SchemaError(f"{name}.{local} hides an inherited property without the Override qualifier")
            _check_named(store, each, f"{name}.{local}")
        for local in declaration.local_methods:
            method = declaration.methods[local.lower()]
            if superclass and local.lower() in superclass.methods and not _overrides(method.qualifiers):
                raise SchemaError(f"{name}.{local} hides an inherited method without the Override qualifier")
            for parameter in method.parameters.values():
                _check_named(store, parameter, f"{name}.{local}({parameter.name})")


def _overrides(qualifiers: Mapping[str, Qualifier]) -> bool:
    return "override" in qualifiers and not qualifiers["override"].propagated


def _check_named(store: ClassStore, element: PropertyDeclaration | ParameterDeclaration, where: str) -> None:
    for named in (element.reference_class, element.embedded_class):
        if named is not None and named not in store:
            raise SchemaError(f"{where} names {named}, which is not declared")


def cache_name(prefix: str) -> str:
    """Name the cache file of a platform's extension, or of the common classes for an empty prefix."""
    return f"{prefix.lower()}-{CACHE_NAME}" if prefix else CACHE_NAME


class _Caches(NamedTuple):
    """Where compiled classes are looked for and kept; the attributes are the parameters of `load_class_store`."""

    own: Path | None
    compiled: Sequence[Path]
    compile_apart: Callable[[str, str], None] | None

    def read(self, prefix: str, text: str, digest: bytes) -> bytes | None:
        """Find what was compiled from MOF with a digest; None where there is nothing valid."""
        places = [*self.compiled, *([] if self.own is None else [self.own])]
        bodies = (_read_cache(place / cache_name(prefix), digest) for place in places)
        body = next((each for each in bodies if each is not None), None)
        if body is None and self.compile_apart is not None and self.own is not None:
            self.compile_apart(prefix, text)
            body = _read_cache(self.own / cache_name(prefix), digest)
        return body

    def write(self, prefix: str, digest: bytes, body: bytes) -> None:
        """Keep what was compiled, where that is wanted."""
        if self.own is not None:
            _write_cache(self.own / cache_name(prefix), digest, body)


def _read_cache(path: Path, digest: bytes) -> bytes | None:
    """The body of the cache if it was made from this MOF and is whole.

    The file is `format LF digest of the MOF LF digest of the body LF body`.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    try:
        form, made_from, checksum, body = content.split(b"\n", 3)
    except ValueError:
        return None
    if (form, made_from, checksum) != (_FORMAT, digest, hashlib.sha256(body).hexdigest().encode()):
        return None
    return body


def _write_cache(path: Path, digest: bytes, body: bytes) -> None:
    """Put the cache in its place in one step.  Not being able to costs time at the next start and nothing else."""
    checksum = hashlib.sha256(body).hexdigest().encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        try:
            with open(descriptor, "wb") as file:
                file.write(b"\n".join([_FORMAT, digest, checksum, body]))
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        _log.warning("Class cache %s cannot be written: %s", path, error)
