# SPDX-License-Identifier: MIT
"""A network card's MSI-X message reaches its handler, through every message controller that the
machines have: the local APIC, the GICv3's ITS and the GICv2m frame. RISC-V's machine has none."""
import re

import pytest

CONTROLLERS = [  # and what the kernel says of it
    ("x86_64", [], ""),
    ("aarch64", ["-M", "virt,gic-version=3"], "ITS: 64 messages"),
    ("aarch64", ["-M", "virt,gic-version=2"], "GICv2m: 64 messages"),
]


@pytest.fixture
def arch(request):
    """The machine is one of CONTROLLERS' here, if it is among those asked for."""
    return request.param


def cases():
    from conftest import ARCHES
    return [pytest.param(arch, [*machine, "-device", "e1000e"], said, cpus,
                         id="-".join([arch, *machine[1:], f"{cpus}cpus"]))
            for arch, machine, said in CONTROLLERS if arch in ARCHES for cpus in (1, 4)]


@pytest.mark.parametrize("arch, extra, said, cpus", cases(), indirect=["arch"])
def test_a_message_of_a_device_arrives(start, extra, said, cpus):
    machine = start(append="test=pci", gdb=False, cpus=cpus, extra=extra)
    status = machine.exit_status()
    machine.console.join()
    text = machine.console.text
    assert said in text
    assert re.search(r"^ok \d+ pci: a device's MSI-X message arrives$", text, re.MULTILINE), text
    assert status == 0
