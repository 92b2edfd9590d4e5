"""Mutated messages over HTTP: each is answered or refused, the answer is valid, and the server goes on."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.cimom.harness import RawClient, RunningServer, intrinsic, system
from tests.cimom.test_decode import SEEDS, mutate

ONE = intrinsic("GetInstance", InstanceName=system("typed"))


def test_mutated_messages(make_server: Callable[..., RunningServer]) -> None:
    server = make_server(pull_timeout=1, pull_max_open=20)

    @settings(max_examples=300)
    @given(
        seed=st.sampled_from(SEEDS),
        mutations=st.integers(0, 5),
        entropy=st.integers(0, 2**32),
        cut=st.none() | st.floats(0, 1),
    )
    def post(seed: str, mutations: int, entropy: int, cut: float | None) -> None:
        choose = random.Random(entropy)
        root = etree.fromstring(seed.encode())
        for _ in range(mutations):
            mutate(root, choose)
        body = etree.tostring(root, encoding="utf-8")
        if cut is not None:
            body = body[: round(cut * len(body))]
        with RawClient(server.port) as client:
            response = client.post(body)
            assert response.status in {200, 400, 413, 501}
            assert response.status == 200 or b"<CIM" not in response.body
            assert client.post(ONE).cim_status == 0

    post()
    assert server.answers >= 300
