"""Which files the grader takes from a submission, which it refuses, and how the sandbox isolates them."""

from __future__ import annotations

import io
import os
import random
import socket
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from grade.staff import submission
from grade.staff.submission import MAX_FILE, SubmissionError, read_submission
from grade.tests.support.lab_trees import LAB
from grade.tests.support.needs import here, need


# ---- submissions: what the grader takes and refuses ----


def write(root: Path, files: dict[str, Any]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def packed(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return path


BLK, GPU = "kernel/virtio/blk.c", "kernel/virtio/gpu.c"
GOOD = {BLK: b"int blk;\r\n", GPU: b"int gpu;\n"}
TAKEN = {BLK: b"int blk;\n", GPU: b"int gpu;\n"}


@pytest.mark.parametrize("kind", ["dir", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("below", ["", "ringfence/", "a/b/"])
def test_the_named_files_are_taken(kind: str, below: str, tmp_path: Path) -> None:
    files = {f"{below}{name}": data for name, data in GOOD.items()}
    files.update({f"{below}Makefile": b"all:", f"{below}grade/marking/mark.py": b"print('full marks')", "new\nline": b""})
    path = write(tmp_path / "s", files) if kind == "dir" else packed(tmp_path / f"s.{kind}", files)
    found = read_submission(path, LAB)
    assert found.files == TAKEN
    assert "3 other files" in " ".join(found.notes)


def test_files_without_their_folders_are_taken(tmp_path: Path) -> None:
    assert read_submission(write(tmp_path, {"blk.c": "int blk;\n", "gpu.c": "int gpu;\n"}), LAB).files == TAKEN


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    found = read_submission(write(tmp_path, {BLK: "int blk;\n"}), LAB)
    assert list(found.files) == [BLK] and any(GPU in note for note in found.notes)


def refusal(path: Path) -> str:
    with pytest.raises(SubmissionError) as caught:
        read_submission(path, LAB)
    return str(caught.value)


def test_a_submission_without_a_useful_file_is_refused(tmp_path: Path) -> None:
    assert "none of" in refusal(write(tmp_path, {"essay.txt": "", "new\nline.c": ""}))
    assert "no file or directory" in refusal(tmp_path / "absent")


def test_a_link_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {GPU: "int gpu;\n"})
    (tmp_path / BLK).symlink_to("/etc/passwd")
    assert "link" in refusal(tmp_path)


def test_a_link_to_a_folder_is_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", GOOD)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/kernel").symlink_to(tmp_path / "elsewhere/kernel")
    assert "none of" in refusal(tmp_path / "s")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {GPU: "int gpu;\n"})
    os.mkfifo(tmp_path / BLK)
    assert "no ordinary file" in refusal(tmp_path)


def test_a_file_of_10_gigabytes_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {BLK: ""})
    os.truncate(tmp_path / BLK, 10 << 30)
    assert "10,737,418,240 bytes" in refusal(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(write(tmp_path, {BLK: b"// caf\xe9\n"}))
    assert "zero byte" in refusal(write(tmp_path, {BLK: b"int\0"}))


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    assert "more than once" in refusal(write(tmp_path, {f"a/{BLK}": "1", f"b/{BLK}": "2"}))


def test_links_in_a_tar_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        entry = tarfile.TarInfo(BLK)
        entry.type, entry.linkname = tarfile.SYMTYPE, "../../../etc/passwd"
        archive.addfile(entry)
    assert "link" in refusal(tmp_path / "s.tar")


def test_a_path_out_of_the_archive_is_ignored(tmp_path: Path) -> None:
    evil = [f"{tmp_path}/absolute", f"{'../' * 20}{tmp_path}/above"]
    path = packed(tmp_path / "s.tar", {**{name: b"x" for name in evil}, **GOOD})
    assert read_submission(path, LAB).files == TAKEN
    assert [each.name for each in tmp_path.iterdir()] == ["s.tar"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_bomb_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "MAX_UNPACKED", 4 << 20)
    zeros = bytes(5 << 20)
    complaint = refusal(packed(tmp_path / f"s.{kind}", {BLK: zeros}))
    assert "bytes" in complaint or "unpacks to more" in complaint


@pytest.mark.parametrize("cut", [0, 10, 100])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_damaged_archive_is_refused(kind: str, cut: int, tmp_path: Path, seed: int) -> None:
    path = packed(tmp_path / f"s.{kind}", {name: random.Random(seed).randbytes(2000).hex().encode() for name in GOOD})
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "MAX_ENTRIES", 100)
    assert "more than 100" in refusal(packed(tmp_path / "s.zip", {f"f{i}": b"" for i in range(101)}))


def test_a_file_with_a_false_size_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "s.zip", {BLK: bytes(MAX_FILE * 3), GPU: b"int gpu;\n"})
    data = bytearray(path.read_bytes())
    true, false = (MAX_FILE * 3).to_bytes(4, "little"), (9).to_bytes(4, "little")
    path.write_bytes(bytes(data).replace(true, false))
    assert refusal(path)


# ---- the sandbox ----


@pytest.fixture(params=["bwrap", "user"])
def boxed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Each kind of sandbox for untrusted code."""
    from grade.staff import sandbox

    if not here("bubblewrap") and not here("root"):
        need("sandbox")
    need({"bwrap": "bubblewrap", "user": "root"}[request.param])

    monkeypatch.setenv("SANDBOX", request.param)
    # Everybody may be able to read this tree. That is no problem, because this test's sandbox hides nothing secret.
    monkeypatch.setattr(sandbox, "_hidden_from_others", lambda path: True)
    sandbox.method.cache_clear()
    yield sandbox
    sandbox.method.cache_clear()


def test_without_bubblewrap_the_tests_must_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grade.staff import sandbox

    monkeypatch.setenv("SANDBOX", "user")
    sandbox.method.cache_clear()
    monkeypatch.setattr(sandbox, "_hidden_from_others", lambda path: False)
    with pytest.raises(sandbox.SandboxError, match="not root" if os.geteuid() else "chmod 700"):
        sandbox.method()
    sandbox.method.cache_clear()


def test_the_sandbox_shows_no_tests_and_no_network(boxed: Any, tmp_path: Path) -> None:
    tests, work = tmp_path / "tests", tmp_path / "work"
    tests.mkdir(mode=0o700)
    work.mkdir()
    (tests / "start.mk").write_text("SOLVED_AT")
    with socket.create_server(("127.0.0.1", 0)) as server:
        # Python 3.13 shows the failing line, so the word may occur in the output only.
        connect = f"import socket; socket.create_connection({server.getsockname()}, 10); print('conn' 'ected')"
        done = boxed.run(["sh", "-c", f'cat {tests}/start.mk; python3 -c "{connect}"; echo x >x; echo x >{tests}/x'], work)
    assert "SOLVED_AT" not in done.output
    # Only bubblewrap cuts off the network. The other way gets through, which shows that the connection would work.
    assert ("connected" in done.output) == (boxed.method() != "bwrap"), done.output
    assert not (work / "x").exists() and not (tests / "x").exists(), "the sandbox let it write"
    assert boxed.run(["sh", "-c", "echo x >x"], work, writable=True).status == 0 and (work / "x").exists()


@pytest.mark.parametrize(
    "command, limit",
    [
        ("sleep 60 & sleep 60", "it ran for"),
        ("yes", "it printed"),
        ("for i in $(seq 40); do sleep 60 & done; wait", "processes"),
        ("python3 -c \"x = b'1' * (300 << 20); import time; time.sleep(60)\"", "memory"),
    ],
)
def test_the_sandbox_has_limits(command: str, limit: str, boxed: Any, tmp_path: Path) -> None:
    limits = boxed.Limits(seconds=1 if "ran" in limit else 30, memory=200, processes=20, output=1)
    done = boxed.run(["sh", "-c", command], tmp_path, limits)
    assert limit in done.stopped, done
    large = boxed.run(["sh", "-c", "head -c 5M /dev/zero >big"], tmp_path, boxed.Limits(file=1), writable=True)
    assert large.status != 0 and (tmp_path / "big").stat().st_size <= 1 << 20


def test_nothing_outlives_the_sandbox(boxed: Any, tmp_path: Path) -> None:
    life = 1000 + os.getpid() / 1e7  # seconds; no other process sleeps for exactly this long
    done = boxed.run(["sh", "-c", f"setsid sh -c 'setsid sleep {life} & exec sleep {life}' >/dev/null & echo started"], tmp_path)
    assert done.output == "started\n"
    assert f"sleep\0{life}\0" not in [command_line(folder) for folder in Path("/proc").glob("[0-9]*")]


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text()
    except OSError:
        return ""


@pytest.mark.parametrize(
    "code, fault",
    [
        ("int virtq(int x) { return x + 1; }", ""),
        ("#include <string.h>\nvoid virtq(char *a, char *b, int n) { memcpy(a, b, n); }", ""),
        ("#include <string.h>\nint virtq(char *a, char *b) { return memcmp(a, b, 5) == 0; }", ""),
        ("int requests = 1; int virtq(void) { return ++requests; }", ""),
        ("void _exit(int); void virtq(void) { _exit(0); }", "uses _exit"),
        ('int puts(const char *); void virtq(void) { puts("ok"); }', "uses puts"),
        ("int printf(const char *f, ...) { return !f; }", "defines printf"),
        ("__attribute__((constructor)) void virtq(void) { for (;;) ; }", "before or after main"),
        ("int virtq(unsigned long x) { return __builtin_popcountl(x); }", ""),
        ('void kprintf(const char *, ...); void virtq(void) { kprintf("here"); }', ""),
        ("extern int failures; void virtq(void) { failures = 0; }", "uses failures"),
        pytest.param(
            'void virtq(void) { asm volatile("syscall" ::"a"(231), "D"(0)); }', "system call", marks=pytest.mark.needs("x86-64")
        ),
    ],
)
def test_plain_code(code: str, fault: str, boxed: Any, tmp_path: Path) -> None:
    from grade.staff import plain

    (tmp_path / "x.c").write_text(code + "\n")
    for compiler in filter(shutil.which, ("cc", "clang")):
        build = [compiler, "-O1", "-fsanitize=address,undefined", "-c", "-o", "x.o", "x.c"]
        subprocess.run(build, cwd=tmp_path, check=True)
        found = "; ".join(plain.faults(tmp_path, "x.o"))
        assert fault in found if fault else not found, f"{compiler}: {found}"
