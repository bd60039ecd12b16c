"""setup.sh and tools.sh, on systems made of a few fake commands. `make fresh` tries them on real systems."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from grade import ROOT


COMMANDS = "sh cat dirname env grep head id ln mktemp mv rm sed tail tr uname".split()
LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (unattended-upgr)"
COMPILER = "exit 0"  # a compiler that accepts every option
GDB_APPEARS = f'ln -sf {shutil.which("true")} "${{0%/*}}/gdb-multiarch"'


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """A PATH with the commands that every system has. The user is root, and `sleep` returns at once."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in COMMANDS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    put(folder, "sleep", "")
    put(folder, "id", "echo 0")
    return folder


def put(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def put_apt(bin: Path, script: str, packages: str = "") -> None:
    """An apt-get that records its arguments, and an apt-cache that knows `packages`."""
    put(bin, "apt-get", f'echo "$*" >>{bin}/asked\n{script}')
    put(bin, "apt-cache", f'case " {packages} " in *" $2 "*) echo "  Candidate: 1" ;; *) echo "  Candidate: (none)" ;; esac')


def run(bin: Path, script: str, *arguments: str, **variables: str) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", ROOT / "grade/setup" / script, *arguments],
        env={"PATH": str(bin), "HOME": os.environ.get("HOME", "/"), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def asked(bin: Path) -> list[str]:
    return (bin / "asked").read_text().splitlines()


def found(text: str, name: str) -> str:
    return next((line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{name}=")), "")


# ---- setup.sh ----


def test_progress_is_shown(bin: Path) -> None:
    states = ["dlstatus:1:4.2:Retrieving", "dlstatus:2:7:Retrieving", "Unpacking", "pmstatus:dpkg-exec:51.5:Running", "pmstatus:x:100:x"]
    put_apt(bin, "\n".join(f"echo {state}" for state in states) + f"\n{GDB_APPEARS}")
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 0, text
    install = text[text.index("apt-get install") :].splitlines()
    assert install[1:] == ["setup: downloading 0 %", "setup: installing 50 %", "setup: installing 100 %", "setup: installed"]


def test_it_waits_while_the_package_lock_is_held(bin: Path) -> None:
    put_apt(bin, f'[ $(grep -c . {bin}/asked) -gt 3 ] || {{ echo "{LOCKED}"; exit 100; }}\n{GDB_APPEARS}')
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 0, text
    assert text.count("another program is installing packages") == 1
    assert [line.split()[3] for line in asked(bin)] == ["update"] * 4 + ["install"]


def test_it_does_not_wait_for_ever(bin: Path) -> None:
    put_apt(bin, f'echo "{LOCKED}"; exit 100')
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 1 and "held by process 1234" in text


def test_a_package_source_that_does_not_answer_is_no_error(bin: Path) -> None:
    put_apt(bin, f'case "$*" in *update*) echo "E: The repository is gone"; exit 100 ;; esac\n{GDB_APPEARS}')
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 0, text
    assert "update failed; using the old lists" in text and "The repository is gone" in text


def test_one_unavailable_package_does_not_block_the_others(bin: Path) -> None:
    put_apt(bin, 'case "$*" in *riscv64-unknown-elf*) echo "E: Unable to locate package"; exit 100 ;; esac')
    status, text = run(bin, "setup.sh", "gcc,gdb")
    assert status == 1 and "Unable to locate package" in text
    assert [line.split()[-1] for line in asked(bin)] == ["update", "gdb-multiarch", "gcc-riscv64-unknown-elf", "gdb-multiarch"]


def test_installed_but_not_found_is_a_failure(bin: Path) -> None:
    put_apt(bin, "")
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 1 and "still cannot find gdb" in text


@pytest.mark.parametrize("package", ["qemu-system-riscv", "qemu-system-misc"])
def test_qemu_package_has_the_name_used_by_this_release(bin: Path, package: str) -> None:
    put_apt(bin, "", packages=f"{package} opensbi qemu-utils")
    run(bin, "setup.sh", "qemu")
    assert asked(bin)[-1].split()[-3:] == [package, "opensbi", "qemu-utils"]


def test_a_user_without_sudo_is_told_whom_to_ask(bin: Path) -> None:
    put_apt(bin, "")
    put(bin, "id", "echo 1000")
    status, text = run(bin, "setup.sh", "gdb")
    assert status == 1 and "ask an administrator to run:  apt-get install gdb-multiarch" in text
    assert not (bin / "asked").exists()


def test_a_user_who_may_not_use_sudo_is_told_too(bin: Path) -> None:
    put_apt(bin, "")
    put(bin, "id", "echo 1000")
    put(bin, "sudo", f'echo "$*" >>{bin}/sudo-asked\necho "you are not in the sudoers file" >&2\nexit 1')
    status, text = run(bin, "setup.sh", "gdb,qemu")
    assert status == 1 and "ask an administrator to run:  apt-get install gdb-multiarch" in text
    assert (bin / "sudo-asked").read_text().splitlines() == ["-n true", "-v"]  # asks for the password only once


def test_other_systems_are_told_what_to_type(bin: Path) -> None:
    put(bin, "dnf", "")
    status, text = run(bin, "setup.sh", "gdb,qemu")
    assert status == 1 and "please run:  dnf install gdb qemu-system-riscv qemu-img" in text


# ---- tools.sh ----


@pytest.mark.parametrize(
    "here, compiler, missing, fallback",
    [
        ("riscv64-unknown-elf-gcc riscv64-linux-gnu-gcc clang ld.lld", "riscv64-unknown-elf-gcc", False, ""),
        ("riscv64-elf-gcc clang ld.lld", "riscv64-elf-gcc", False, ""),
        ("riscv64-linux-gnu-gcc clang ld.lld", "riscv64-linux-gnu-gcc", True, "TOOLPREFIX=riscv64-linux-gnu-"),
        ("clang ld.lld llvm-objcopy", "clang", True, "CC=clang"),
        ("clang", "", True, ""),
        ("", "", True, ""),
    ],
)
def test_another_compiler_is_never_taken_silently(bin: Path, here: str, compiler: str, missing: bool, fallback: str) -> None:
    for name in here.split():
        put(bin, name, COMPILER)
    status, text = run(bin, "tools.sh")
    assert status == 0 and found(text, "TOOLS_FOUND") == "yes"
    assert found(text, "COMPILER") == compiler and found(text, "FALLBACK") == fallback
    assert ("gcc" in found(text, "MISSING").split(",")) == missing


@pytest.mark.parametrize(
    "variables, missing",
    [
        ({"CC": "clang-99"}, "clang-99"),
        ({"CC": "gcc"}, "CC=gcc"),
        ({"CC": "tcc"}, "CC=tcc"),
        ({"TOOLPREFIX": "riscv99-"}, "riscv99-gcc"),
        ({"QEMU": "/nope/qemu"}, "/nope/qemu"),
        ({"GDB": "/nope/gdb"}, "/nope/gdb"),
        ({"PYTHON": "/nope/python3"}, "/nope/python3"),
        ({"HOSTCC": "/nope/cc"}, "/nope/cc"),
    ],
)
def test_what_you_asked_for_is_not_replaced(bin: Path, variables: dict[str, str], missing: str) -> None:
    put_apt(bin, "")
    put(bin, "riscv64-unknown-elf-gcc", COMPILER)
    assert missing in found(run(bin, "tools.sh", **variables)[1], "MISSING").split(",")
    status, text = run(bin, "setup.sh", missing, **variables)
    assert status == 1 and f"you asked for {missing}" in text and not (bin / "asked").exists()


def test_a_host_compiler_without_sanitizers_is_not_enough(bin: Path) -> None:
    put(bin, "cc", 'case "$*" in *-fsanitize*) exit 1 ;; esac')
    assert "host-gcc" in found(run(bin, "tools.sh")[1], "MISSING").split(",")
    assert "host-gcc" not in found(run(bin, "tools.sh", HOSTCC="cc")[1], "MISSING").split(",")  # you asked for it
    put(bin, "gcc", COMPILER)
    text = run(bin, "tools.sh")[1]
    assert "host-gcc" not in found(text, "MISSING").split(",") and found(text, "HOST_COMPILER") == "gcc"


def test_a_gcc_may_be_given_as_cc(bin: Path) -> None:
    put(bin, "riscv64-linux-gnu-gcc", COMPILER)
    text = run(bin, "tools.sh", CC="riscv64-linux-gnu-gcc")[1]
    assert found(text, "COMPILER") == "riscv64-linux-gnu-gcc" and found(text, "LINKER") == "riscv64-linux-gnu-ld"


def test_a_qemu_without_firmware_is_noticed(bin: Path, tmp_path: Path) -> None:
    put(bin, "qemu-system-riscv64", f'[ "$*" != "-L help" ] || echo {tmp_path}/roms')
    assert "opensbi" in found(run(bin, "tools.sh")[1], "MISSING").split(",")
    (tmp_path / "roms").mkdir()
    (tmp_path / "roms/opensbi-riscv64-generic-fw_dynamic.bin").write_text("")
    assert "opensbi" not in found(run(bin, "tools.sh")[1], "MISSING").split(",")


def test_a_compiler_without_headers_is_noticed(bin: Path) -> None:
    put(bin, "riscv64-unknown-elf-gcc", "exit 1")
    assert "riscv-headers" in found(run(bin, "tools.sh")[1], "MISSING").split(",")


def test_make_stops_if_tools_sh_fails(tmp_path: Path) -> None:
    (tmp_path / "grade/setup").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "grade/setup/tools.sh").write_text("echo COMPILER=cc\nexit 1\n")
    mine = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
    environment = {key: value for key, value in os.environ.items() if key not in mine}
    done = subprocess.run(["make", "all"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "grade/setup/tools.sh failed" in done.stderr
