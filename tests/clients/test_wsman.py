"""A console by WS-Management: openwsman's gateway in front of the server, set up as docs/consoles.md says.

The gateway is the `openwsmand` of the PATH, or the one that VIRTCIM_TEST_OPENWSMAND names; without it this is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from tests.bed import Server, wait_until
from tests.bed.server import ROOT
from tests.bed.sshd import free_port
from tests.frontends.client import basic

GATEWAY = os.environ.get("VIRTCIM_TEST_OPENWSMAND") or shutil.which("openwsmand") or ""

pytestmark = pytest.mark.skipif(not GATEWAY, reason="there is no openwsmand (VIRTCIM_TEST_OPENWSMAND names one)")

NAMESPACES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "wsa": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "wsen": "http://schemas.xmlsoap.org/ws/2004/09/enumeration",
    "wse": "http://schemas.xmlsoap.org/ws/2004/08/eventing",
    "wsman": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "binding": "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd",
}
ANONYMOUS = f"{NAMESPACES['wsa']}/role/anonymous"
Element = etree._Element

CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2"
EVERY_CLASS = "http://schemas.dmtf.org/wbem/wscim/1/*"
CQL = "http://schemas.dmtf.org/wbem/cql/1/dsp0202.pdf"
GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
GUEST = {"CreationClassName": "Test_ComputerSystem", "Name": "test"}


class Gateway:
    """openwsmand in front of a server.

    Attributes:
        schema: the URI that stands for the classes of virtcim.
    """

    def __init__(self, port: int, server: Server, schema: str) -> None:
        self.port = port
        self.schema = schema
        self._login = basic(server.user or "", server.password)

    def ask(self, action: str, resource: str, body: str = "", selectors: Mapping[str, str] | None = None) -> Element:
        """Send a request, and give the answer, which is a fault where the request is wrong."""
        names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
        message = (
            f"<s:Envelope {names}><s:Header><wsa:Action>{action}</wsa:Action><wsa:To>{ANONYMOUS}</wsa:To>"
            f"<wsman:ResourceURI>{resource}</wsman:ResourceURI><wsa:MessageID>uuid:1</wsa:MessageID>"
            f"<wsa:ReplyTo><wsa:Address>{ANONYMOUS}</wsa:Address></wsa:ReplyTo>{selector_set(selectors)}"
            f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/soap+xml;charset=UTF-8", "Authorization": self._login}
        connection.request("POST", "/wsman", message.encode(), headers)
        answer = etree.fromstring(connection.getresponse().read())
        connection.close()
        return answer

    def enumerate(self, resource: str, restriction: str = "") -> list[Element]:
        """All instances, pulled one by one."""
        answer = self.ask(
            f"{NAMESPACES['wsen']}/Enumerate", resource, f"<wsen:Enumerate>{restriction}</wsen:Enumerate>"
        )
        found: list[Element] = []
        while True:
            assert fault(answer) == ""
            found += answer.findall(".//wsen:Items/*", NAMESPACES)
            context = answer.findtext(".//wsen:EnumerationContext", None, NAMESPACES)
            if not context or answer.find(".//wsen:EndOfSequence", NAMESPACES) is not None:
                return found
            pull = f"<wsen:Pull><wsen:EnumerationContext>{context}</wsen:EnumerationContext></wsen:Pull>"
            answer = self.ask(f"{NAMESPACES['wsen']}/Pull", resource, pull)

    def request_state(self, state: int) -> str:
        """RequestStateChange of the guest; its return code."""
        resource = f"{self.schema}/Test_ComputerSystem"
        body = (
            f'<m:RequestStateChange_INPUT xmlns:m="{resource}"><m:RequestedState>{state}</m:RequestedState>'
            "</m:RequestStateChange_INPUT>"
        )
        return value(self.ask(f"{resource}/RequestStateChange", resource, body, GUEST), "ReturnValue")


def selector_set(selectors: Mapping[str, str] | None) -> str:
    """The keys of an instance."""
    if selectors is None:
        return ""
    keys = "".join(f'<wsman:Selector Name="{name}">{escape(key)}</wsman:Selector>' for name, key in selectors.items())
    return f"<wsman:SelectorSet>{keys}</wsman:SelectorSet>"


def value(element: Element, name: str) -> str:
    """The text of the one element of a name, in any namespace."""
    (found,) = element.findall(f".//{{*}}{name}")
    return found.text or ""


def fault(answer: Element) -> str:
    """Why the answer is a fault; "" where it is none."""
    return str(answer.xpath("string(//s:Fault//s:Text)", namespaces=NAMESPACES))


@contextmanager
def gateway_of(server: Server, directory: Path) -> Iterator[Gateway]:
    """The gateway with the configuration that the page shows, at the ports of the tests."""
    (shown,) = re.findall(r"```ini\n(.*?)```", (ROOT / "docs/consoles.md").read_text(), re.DOTALL)
    port = free_port()
    for written, here in (
        ("port = 5985", f"port = {port}"),
        ("port = 5988", f"port = {server.port}"),
        ("/etc/openwsman/passwords", str(server.directory / "htpasswd")),
        ("KVM=", "Test="),
    ):
        assert written in shown
        shown = shown.replace(written, here)
    schema = re.findall(r"Test=([^,\n]*)", shown)[0]
    config = directory / "openwsman.conf"
    config.write_text(shown)
    with (directory / "gateway.log").open("w") as log:
        process = subprocess.Popen([GATEWAY, "-d", "-c", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is None and listens(port))
        yield Gateway(port, server, schema)
    finally:
        process.terminate()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def told(directory: Path) -> int:
    """How many changes of a guest the gateway was told of, as its log says."""
    return (directory / "gateway.log").read_bytes().count(b"in CIM_Indication_call")


def test_a_console_by_the_gateway(tmp_path: Path) -> None:
    with (
        Server("test:///default", config='[roles]\nadminister = ["bed"]\n') as server,
        gateway_of(server, tmp_path) as gateway,
    ):
        resource = f"{gateway.schema}/Test_ComputerSystem"
        (guest,) = gateway.enumerate(resource)
        assert value(guest, "Name") == "test"
        names = {value(each, "Name") for each in gateway.enumerate(f"{CIM}/CIM_ComputerSystem")}
        assert "test" in names
        assert value(gateway.ask(GET, resource, selectors=GUEST), "EnabledState") == "2"
        assert "gone" in fault(gateway.ask(GET, resource, selectors={**GUEST, "Name": "gone"}))

        devices = gateway.enumerate(
            f"{CIM}/CIM_LogicalDevice",
            '<wsman:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter">'
            f"<binding:AssociatedInstances><binding:Object><wsa:Address>{ANONYMOUS}</wsa:Address>"
            f"<wsa:ReferenceParameters><wsman:ResourceURI>{resource}</wsman:ResourceURI>{selector_set(GUEST)}"
            "</wsa:ReferenceParameters></binding:Object>"
            "<binding:AssociationClassName>CIM_SystemDevice</binding:AssociationClassName>"
            "<binding:Role>GroupComponent</binding:Role>"
            "<binding:ResultClassName>CIM_LogicalDevice</binding:ResultClassName>"
            "<binding:ResultRole>PartComponent</binding:ResultRole>"
            "</binding:AssociatedInstances></wsman:Filter>",
        )
        with server.pywbem() as connection:
            (path,) = connection.EnumerateInstanceNames("Test_ComputerSystem")
            wanted = connection.AssociatorNames(path, AssocClass="CIM_SystemDevice")
        assert sorted(value(each, "DeviceID") for each in devices) == sorted(each["DeviceID"] for each in wanted) != []

        answer = gateway.ask(
            f"{NAMESPACES['wse']}/Subscribe",
            EVERY_CLASS,
            '<wse:Subscribe><wse:Delivery Mode="http://schemas.xmlsoap.org/ws/2004/08/eventing/DeliveryModes/Push">'
            "<wse:NotifyTo><wsa:Address>http://127.0.0.1:9/</wsa:Address></wse:NotifyTo></wse:Delivery>"
            f'<wsman:Filter Dialect="{CQL}">SELECT * FROM CIM_InstModification WHERE SourceInstance ISA '
            "Virt_ComputerSystem</wsman:Filter></wse:Subscribe>",
        )
        assert fault(answer) == ""
        assert gateway.request_state(9) == "0"
        before = wait_until(lambda: told(tmp_path))
        paused = gateway.enumerate(
            EVERY_CLASS,
            f'<wsman:Filter Dialect="{CQL}">SELECT * FROM CIM_ComputerSystem WHERE EnabledState = 9</wsman:Filter>',
        )
        assert [value(each, "Name") for each in paused] == ["test"]
        assert gateway.request_state(2) == "0"
        wait_until(lambda: told(tmp_path) > before)
        # What the gateway has not taken is sent again, and told there.
        assert "virtcim.cimom.indications" not in server.errors
