# SPDX-License-Identifier: MIT
"""A device's interrupts reach their handlers: a network card's MSI-X message through every message
controller that the machines have (the local APIC, the GICv3's ITS and the GICv2m frame; RISC-V's
machine has none), and a pin through the chipset's routing or the device tree's map."""
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


def arches():
    from conftest import ARCHES
    return ARCHES


def cases():
    return [pytest.param(arch, [*machine, "-device", "e1000e"], said, cpus,
                         id="-".join([arch, *machine[1:], f"{cpus}cpus"]))
            for arch, machine, said in CONTROLLERS if arch in arches() for cpus in (1, 4)]


@pytest.mark.parametrize("arch, extra, said, cpus", cases(), indirect=["arch"])
def test_a_message_of_a_device_arrives(start, extra, said, cpus):
    machine = start(append="test=pci", gdb=False, cpus=cpus, extra=extra)
    status = machine.exit_status()
    machine.console.join()
    text = machine.console.text
    assert said in text
    assert re.search(r"^ok \d+ pci: a device's MSI-X message arrives$", text, re.MULTILINE), text
    assert status == 0


@pytest.mark.parametrize("slot", (4, 5, 6, 7)) # one for each of the four lines that pins share
@pytest.mark.parametrize("arch", arches(), indirect=True)
def test_a_pin_of_a_device_arrives(start, slot):
    machine = start(append="test=pci", gdb=False, extra=["-device", f"edu,addr={slot}"])
    status = machine.exit_status()
    machine.console.join()
    text = machine.console.text
    assert re.search(r"^ok \d+ pci: a device's pin interrupts once for each time it is raised$", text,
                     re.MULTILINE), text
    assert status == 0
