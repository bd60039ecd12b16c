"""Grades submissions that cheat, and some that are merely wrong, as staff do. These tests are all long."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grade import ROOT
from grade.machine.job import Job
from grade.marking.course import find_lab, read_lab
from grade.staff.handout import make_handout
from grade.tests.support.lab_trees import graded_labs, lost, put_reference, submit

# They share one handout, which is built once.
pytestmark = [pytest.mark.long, pytest.mark.needs("sandbox"), pytest.mark.xdist_group("submissions")]

RING, REGISTERS = "kernel/virtio/virtqueue.c", "kernel/virtio/mmio.c"
DISK, DISPLAY = "kernel/virtio/blk.c", "kernel/virtio/gpu.c"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("grade-cache")


@pytest.fixture
def start(job: Job, tmp_path: Path) -> Path:
    """The handout of lab 1, for the tests to forge."""
    tree = tmp_path / "start"
    make_handout(job, find_lab("1"), tree, git=False)
    return tree


@pytest.mark.parametrize("name", [name for name in graded_labs() if not name.startswith("0-")])
def test_the_reference_gets_full_marks(name: str, tmp_path: Path, cache: Path) -> None:
    """The grader also runs the tests that students do not see."""
    lab = read_lab(ROOT / "labs" / name)
    for file in lab.files:
        (tmp_path / "s" / file).parent.mkdir(parents=True, exist_ok=True)
    put_reference(lab, tmp_path / "s")
    found = submit(tmp_path / "s", name, tmp_path / "results", cache)
    assert found["score"] == found["points"] > 0, lost(found)


# ---- forgeries ----


@dataclass(frozen=True)
class Forgery:
    """Edits of a handout: file, text that occurs once, replacement. An empty text stands for the end of the file."""

    lab: str
    edits: tuple[tuple[str, str, str], ...]
    refused: str = ""  # why the grader refuses to run the submission, if it does


def in_kernel(code: str) -> str:
    return f"#ifdef RINGFENCE_KERNEL\n{code}\n#else\n"


# It makes up the bytes of /dev/random without asking the device.
MADE_UP = """
#include "kernel/mm/page.h"
static void *last;
static uint32_t bytes;
size_t virtq_ring_bytes(uint16_t size) { return 64 * size; }
int virtq_init(struct virtq *q, uint16_t size, void *ring, struct virtq_chain *chain,
               volatile uint32_t *doorbell, uint32_t index, const char *name)
{
    *q = (struct virtq){.size = size, .desc = ring, .avail = ring, .used = ring, .chain = chain,
                        .doorbell = doorbell, .index = index, .name = name};
    return 0;
}
void virtq_break(struct virtq *q, const char *fault, uint32_t value) { (void)q, (void)fault, (void)value; }
int virtq_add(struct virtq *q, const struct virtq_buf out[], unsigned nout, const struct virtq_buf in[], unsigned nin, void *token)
{
    (void)q, (void)out, (void)nout, (void)nin;
    memset(phys_to_virt(in->addr), 0x42, bytes = in->len);
    last = token;
    return 0;
}
void virtq_publish(struct virtq *q) { (void)q; }
bool virtq_kick(struct virtq *q) { (void)q; return true; }
int virtq_poll(struct virtq *q, unsigned budget, struct virtq_done *done)
{
    (void)q, (void)budget;
    *done = (struct virtq_done){last, bytes};
    last = NULL;
    return done->token != NULL;
}
int poll_used(struct virtq *q, struct virtq_done *done) { return virtq_poll(q, 1, done); }
bool virtq_enable_cb(struct virtq *q) { (void)q; return last == NULL; }
void virtq_disable_cb(struct virtq *q) { (void)q; }
void *virtq_take_back(struct virtq *q) { (void)q; return NULL; }
"""

FORGERIES = {
    # It prints that all is well and powers the machine off.
    "prints": Forgery("1", (
        (REGISTERS, 'return lab_todo("lab 1: greet");', 'kprintf("ALL TESTS PASSED\\n$ "); sbi_shutdown();'),
    )),
    # It prints what QEMU would write into its trace.
    "imitates the trace": Forgery("1", ((REGISTERS, 'return lab_todo("lab 1: greet");', """
    for (unsigned status = 0; status < 16; status = status * 2 + 1)
        kprintf("virtio_mmio_write_offset virtio_mmio_write offset 0x70 value 0x%x\\n", status);
    kprintf("$ ");
    return 0;"""),)),
    "hard-codes the answers": Forgery("1", (
        (RING, "_Static_assert(sizeof(struct virtq_desc) == 16", in_kernel(MADE_UP) + "_Static_assert(sizeof(struct virtq_desc) == 16"),
        (RING, "", "\n#endif\n"),
        *((REGISTERS, f'return lab_todo("lab 1: {name}");', "return 0;") for name in ("greet", "virtio_negotiate", "virtio_set_queue")),
    )),
    "makes the disk up": Forgery("2", (
        (DISK, 'finish(request, lab_todo("lab 2: blk_submit"));', """
        for (unsigned i = 0; i < request->count; i++)
            memset(request->segments[i].memory, 0x42, request->segments[i].length);
        finish(request, 0);"""),
    )),
    "shows nothing and is content": Forgery("3", (
        (DISPLAY, 'return lab_todo("lab 3: change_resources");', "return 0;"),
        (DISPLAY, 'return lab_todo("lab 3: gpu_present");', "return 0;"),
    )),
    # It ends the unit tests before they begin.
    "ends the tests": Forgery("1", ((RING, "", """
#ifndef RINGFENCE_KERNEL
extern int printf(const char *, ...);
extern void _exit(int);
__attribute__((constructor)) static void forge(void) { printf("PASS\\nall tests passed\\n"); _exit(0); }
#endif
"""),), "before or after main|uses _exit"),
    # It replaces the functions with which the unit tests report failures.
    "stands in for the library": Forgery("1", ((RING, "", """
#ifndef RINGFENCE_KERNEL
int printf(const char *format, ...) { return format == 0; }
void exit(int status) { (void)status; for (;;) ; }
#endif
"""),), "a name of the C library"),
    "reads the tests and writes the results": Forgery("1", ((RING, "", """
#ifndef RINGFENCE_KERNEL
#include <stdio.h>
int virtq_forge(void)
{
    FILE *tests = fopen("../labs/1-virtqueue/test_ring.py", "r"), *results = fopen("results/grade.json", "w");
    return fputc(fgetc(tests), results);
}
#endif
"""),), "uses fopen"),
    "speaks for its judge": Forgery("1", ((RING, "", """
#ifndef RINGFENCE_KERNEL
extern int main(int, char **);
int virtq_forge(void) { return main(0, NULL); }
#endif
"""),), "uses main"),
    "asks the system itself": Forgery("1", ((RING, "", """
#ifdef __x86_64__
void virtq_forge(void) { asm volatile("syscall" ::"a"(231), "D"(0) : "rcx", "r11", "memory"); }
#elif !defined(RINGFENCE_KERNEL)
extern void _exit(int);
void virtq_forge(void) { _exit(0); }
#endif
"""),), "system call|uses _exit"),
    # It looks for the solution on the grader's disk.
    "includes the solution": Forgery("1", ((RING, "", f'\n#include "{ROOT}/kernel/virtio/virtqueue.c"\n'),), "does not build"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_gets_no_point(job: Job, name: str, tmp_path: Path, cache: Path) -> None:
    forgery = FORGERIES[name]
    tree = tmp_path / "tree"
    make_handout(job, find_lab(forgery.lab), tree, git=False)
    for file, old, new in forgery.edits:
        text = (tree / file).read_text()
        assert not old or text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        (tree / file).write_text(text.replace(old, new) if old else text + new)
    found = submit(tree, forgery.lab, tmp_path / "results", cache)
    assert found["score"] == 0, [test["id"] for test in found["labs"][0]["tests"] if test["score"]]
    # The grader graded it and gave no points, or refused it for what it tries; the grader itself did not fail.
    if forgery.refused:
        assert found["state"] == "failed"
        assert re.search(forgery.refused, found["reason"]), found["reason"]
    else:
        assert found["state"] == "complete", found.get("reason")


def test_other_files_of_a_submission_are_ignored(job: Job, start: Path, tmp_path: Path, cache: Path) -> None:
    """The student's own grader, tests, Makefile, programs, files that pytest loads by itself, and object files."""
    full_marks = "import os, json\nprint('full marks')\nos._exit(0)\n"
    (start / "grade/marking/mark.py").write_text(full_marks)
    for folder in (".", "grade", "labs", "labs/1-virtqueue"):
        for name in ("conftest.py", "sitecustomize.py", "pytest.py"):
            (start / folder / name).write_text(full_marks)
        (start / folder / "pytest.ini").write_text("[pytest]\naddopts = --collect-only\n")
    (start / "Makefile").write_text("all grade:\n\t@echo full marks\n")
    (start / "handout.mk").write_text("all: ; @echo full marks\nEXTRA_FLAGS := -DPASSED\n")
    for path in start.glob("labs/1-virtqueue/test_*.py"):
        path.write_text("def test_nothing(): pass\n")
    for path in (start / "labs/1-virtqueue/host").glob("*.c"):
        path.write_text('#include <stdio.h>\nint main(void) { puts("all tests passed"); return 0; }\n')
    (start / "user/hexdump.c").write_text('#include "user/lib/user.h"\nint main(void) { printf("00000000  42 42\\n"); return 0; }\n')
    (start / "given/kernel/virtio").mkdir(parents=True)
    shutil.copy2(job.build / f"{RING[:-2]}.c.o", start / "given/kernel/virtio")
    found = submit(start, "1", tmp_path / "results", cache)
    assert found["state"] == "complete" and found["score"] == 0, lost(found)


def test_a_compiler_error_is_reported(start: Path, tmp_path: Path, cache: Path) -> None:
    (start / RING).write_text("int virtq_init(struct virtq *q\n")
    found = submit(start, "1", tmp_path / "results", cache)
    assert found["score"] == 0 and "does not build" in found["reason"] and "virtqueue.c:" in found["reason"]


# ---- submissions that are only wrong ----


def test_an_unreadable_submission_gets_results_with_the_reason(tmp_path: Path, cache: Path) -> None:
    """The grader writes each form of the results, with the reason and zero points, whatever was submitted."""

    def result(path: Path) -> dict[str, Any]:
        found = submit(path, "1", tmp_path / "results", cache)
        assert found["state"] == "failed" and found["score"] == 0
        assert found["reason"].split(": ", 1)[1][:40] in (tmp_path / "results/results.json").read_text()
        return found

    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds none of" in result(empty)["reason"]
    (tmp_path / "s.zip").write_bytes(b"PK\3\4 this is no zip")
    assert "zip" in result(tmp_path / "s.zip")["reason"]
    strange = tmp_path / "strange" / "kernel/virtio"
    strange.mkdir(parents=True)
    (strange / "virtqueue.c").symlink_to("/etc/passwd")
    (strange / "new\nline.c").write_text("")
    assert "link" in result(tmp_path / "strange")["reason"]
    (strange / "virtqueue.c").unlink()
    (strange / "virtqueue.c").write_bytes(b"// \xff\xfe\n")
    assert "not UTF-8" in result(tmp_path / "strange")["reason"]
    (strange / "virtqueue.c").write_bytes(b"")
    os.truncate(strange / "virtqueue.c", 10 << 30)
    assert "10,737,418,240 bytes" in result(tmp_path / "strange")["reason"]
