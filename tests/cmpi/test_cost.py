"""What an instance costs the library in the CIM server's process, in calls that can be counted on a busy machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.node import test_node as make_node
from tests.bed import Server
from tests.cmpi.broker import Broker

COUNTER = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct result { size_t read; int status; size_t required; };
typedef struct result decode(const unsigned char *, size_t, const void *, void *);

static size_t calls;

struct result cbor_stream_decode(const unsigned char *data, size_t size, const void *callbacks, void *context)
{
    static decode *real;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "cbor_stream_decode");
    calls++;
    return real(data, size, callbacks, context);
}

__attribute__((destructor)) static void tell(void)
{
    FILE *out = fopen(getenv("CALLS"), "w");
    fprintf(out, "%zu", calls);
    fclose(out);
}
"""
"""Counts the items that libcbor reads."""

MOST = 12
"""Items of a resource allocation that libcbor reads: its few long texts and large numbers, of some sixty properties."""


def test_an_instance_is_read_by_libcbor_in_a_few_places_only(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket, counter, calls = tmp_path / "s", tmp_path / "counter.so", tmp_path / "calls"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", counter, "-ldl"], input=COUNTER, text=True, check=True
    )
    node = tmp_path / "node.xml"
    node.write_text(make_node(40))  # enough of them that what comes once in an answer does not count
    serve(f"test://{node}", arguments=["--cmpi-socket", str(socket)])
    monkeypatch.setenv("LD_PRELOAD", str(counter))
    monkeypatch.setenv("CALLS", str(calls))
    with Broker(socket, sanitized=False) as broker:
        answer = broker.good("cost", 1, "Virt_RASD", "root/virt", "CIM_ResourceAllocationSettingData")
    assert answer["objects"] >= 400
    assert int(calls.read_text()) / answer["objects"] < MOST
