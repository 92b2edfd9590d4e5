"""Lines for a shell that work on what is served, for whoever tries it out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from virtcim.frontends.http.listener import Endpoint
from virtcim.providers.guest import Guest
from virtcim.providers.guests import all_guests
from virtcim.providers.site import Site

__all__ = ["example_lines"]


def example_lines(endpoint: Endpoint, login: str, site: Site) -> Iterator[str]:
    """Say where a browser finds the console, and write lines for a shell that work on what is served: the names of the
    guests, their values, and a method of one."""
    place = endpoint.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    user, _, password = login.removesuffix("@").partition(":")
    yield f"Open {place}/ in a browser" + (f": user {user}, password {password}" if user else "")
    yield "Or ask in a shell:"
    url = f"{place.replace('//', f'//{login}', 1)}/{site.namespace}:"
    unverified = ["-noverify"] if endpoint.scheme == "https" else []

    def line(operation: str, path: str, *rest: str) -> str:
        command = shlex.join(["wbemcli", operation, *unverified, *rest[:1]])
        return f"{command} '{url}{path}' {' '.join(rest[1:])}".rstrip()

    yield line("ein", "Virt_ComputerSystem")
    yield line("ei", "Virt_ComputerSystem", "-nl", "Name,EnabledState,UUID")
    guests = (guest for platform in site.platforms for guest in all_guests(site, platform))
    guest = next(filter(_is_easy_to_write, guests), None)
    if guest is not None:
        class_name, name, runs = guest.platform.class_name("ComputerSystem"), guest.domain.name, guest.domain.active
        yield "Pause it, or have it go on by RequestedState=2:" if runs else "Start it:"
        path = f'{class_name}.CreationClassName="{class_name}",Name="{name}"'
        yield line("cm", path, "-nl", f"RequestStateChange.RequestedState={9 if runs else 2}")


def _is_easy_to_write(guest: Guest) -> bool:
    """Whether a shell, and wbemcli's own reader of paths, take the name of a guest as it is."""
    return guest.domain.name.isascii() and guest.domain.name.replace("-", "").replace("_", "").isalnum()
