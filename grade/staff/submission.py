"""Reads a student's submission, and builds the tree to grade.

From a directory, a zip or a tar, we take only the files that lab.toml names, and copy them over a fresh handout of the lab.
We use nothing else of the submission. An archive may be hostile: we check sizes before we read, refuse links, and never
unpack to disk under a name from the archive.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Callable, Iterator, Optional

from grade.machine.job import Job
from grade.marking.course import Lab, find_lab
from grade.staff import plain, sandbox
from grade.staff.handout import make_handout, source_digest

MAX_FILE = 1 << 20  # bytes in a source file
MAX_ENTRIES = 20_000
MAX_UNPACKED = 256 << 20  # bytes in a tar after decompression


class SubmissionError(Exception):
    """The submission cannot be graded. The text tells the student why."""


@dataclass
class Submission:
    files: dict[str, bytes] = field(default_factory=dict)  # name in lab.toml: content
    notes: list[str] = field(default_factory=list)  # for the student to read


@dataclass(frozen=True)
class Entry:
    """One entry of a submission. `read` returns its content; `trouble` says why we refuse it."""

    path: PurePosixPath
    size: int
    read: Callable[[], bytes]
    trouble: str = ""


# ---- the entries of a submission ----


def _read_at_most(stream: IO[bytes]) -> bytes:
    return stream.read(MAX_FILE + 1)


def _from_directory(root: Path) -> Iterator[Entry]:
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in [*names, *(name for name in folders if os.path.islink(os.path.join(where, name)))]:
            path = Path(where) / name
            info = path.lstat()
            trouble = "" if stat.S_ISREG(info.st_mode) else "it is a link or no ordinary file"

            def read(path: Path = path) -> bytes:
                # O_NOFOLLOW: somebody may have replaced the file by a link since the check above.
                with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
                    return _read_at_most(stream)

            yield Entry(PurePosixPath(path.relative_to(root).as_posix()), info.st_size, read, trouble)


def _from_zip(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for member in archive.infolist():
        if member.is_dir():
            continue
        mode = member.external_attr >> 16
        trouble = "it is encrypted" if member.flag_bits & 1 else ""
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            trouble = "it is a link or no ordinary file"

        def read(member: zipfile.ZipInfo = member) -> bytes:
            with archive.open(member) as stream:
                return _read_at_most(stream)

        yield Entry(PurePosixPath(member.filename), member.file_size, read, trouble)


class _Bounded(io.RawIOBase):
    """Reads a stream up to a limit: a small compressed file may contain gigabytes of zeros."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.left = MAX_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(len(buffer))
        self.left -= len(data)
        if self.left < 0:
            raise SubmissionError(f"it unpacks to more than {MAX_UNPACKED >> 20} MiB")
        buffer[: len(data)] = data
        return len(data)


def _from_tar(stream: IO[bytes]) -> Iterator[Entry]:
    # We read the archive once, in its order, and keep the content of all files that are small enough.
    with tarfile.open(fileobj=io.BufferedReader(_Bounded(stream)), mode="r|") as archive:
        for member in archive:
            if member.isdir():
                continue
            trouble, data = "", b""
            if not member.isreg() or member.issparse():
                trouble = "it is a link or no ordinary file"
            elif member.size <= MAX_FILE:
                file = archive.extractfile(member)
                data = _read_at_most(file) if file else b""
            yield Entry(PurePosixPath(member.name), member.size, functools.partial(bytes, data), trouble)


def _entries(path: Path) -> list[Entry]:
    def first(entries: Iterator[Entry]) -> list[Entry]:
        found: list[Entry] = []
        for entry in entries:
            if len(found) == MAX_ENTRIES:
                raise SubmissionError(f"it holds more than {MAX_ENTRIES} files")
            found.append(entry)
        return found

    if path.is_dir():
        return first(_from_directory(path))
    if not path.is_file():
        raise SubmissionError(f"there is no file or directory {str(path)!r}")
    try:
        if zipfile.is_zipfile(path):
            # Load the members before the archive closes.
            with zipfile.ZipFile(path) as archive:
                found = first(_from_zip(archive))
                return [_loaded(entry) for entry in found]
        for opener in (gzip.open, bz2.open, lzma.open, open):
            try:
                with opener(path, "rb") as stream:  # type: ignore[operator]
                    stream.read(1)
                    stream.seek(0)
                    return first(_from_tar(stream))
            except (OSError, lzma.LZMAError, EOFError, tarfile.ReadError):
                continue
    except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as e:
        raise SubmissionError(f"the archive is damaged: {e}") from None
    raise SubmissionError("it is not a directory, and we cannot read it as a zip or a tar (gz, bz2, xz)")


def _loaded(entry: Entry) -> Entry:
    if entry.trouble or entry.size > MAX_FILE:
        return entry
    try:
        data = entry.read()
    except Exception as error:  # zipfile may raise anything for a damaged member
        return Entry(entry.path, entry.size, entry.read, f"it cannot be unpacked ({error})")
    return Entry(entry.path, len(data), lambda: data, "")


# ---- the files that count ----


def _choose(wanted: str, entries: list[Entry]) -> Optional[Entry]:
    """The entry for the file `wanted`: the one that ends in its path, nearest to the top; or, at the top, one with only its
    name. Raises SubmissionError if there are several."""
    path = PurePosixPath(wanted)
    count = len(path.parts)
    matches = [entry for entry in entries if entry.path.parts[-count:] == path.parts]
    if not matches:  # uploaded without folders
        matches = [entry for entry in entries if entry.path.parts == (path.name,)]
    if not matches:
        return None
    shallowest = min(len(entry.path.parts) for entry in matches)
    matches = [entry for entry in matches if len(entry.path.parts) == shallowest]
    if len(matches) > 1:
        places = ", ".join(repr(str(entry.path)) for entry in matches[:4])
        raise SubmissionError(f"it holds {wanted} more than once: {places}")
    return matches[0]


def read_submission(path: Path, lab: Lab) -> Submission:
    entries = _entries(path)
    found = Submission()
    for wanted in lab.files:
        entry = _choose(wanted, entries)
        if entry is None:
            found.notes.append(f"{wanted} is not there: graded as it was handed out")
            continue
        if entry.trouble:
            raise SubmissionError(f"{wanted} cannot be used: {entry.trouble}")
        if entry.size > MAX_FILE:
            raise SubmissionError(f"{wanted} has {entry.size:,} bytes; at most {MAX_FILE:,} are accepted")
        try:
            data = entry.read()
        except OSError as error:
            raise SubmissionError(f"{wanted} cannot be read: {error.strerror}") from None
        if len(data) > MAX_FILE:
            raise SubmissionError(f"{wanted} has more than {MAX_FILE:,} bytes")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise SubmissionError(f"{wanted} is not UTF-8 text (byte {error.start})") from None
        if "\0" in text:
            raise SubmissionError(f"{wanted} is not text: it has a zero byte")
        found.files[wanted] = text.replace("\r\n", "\n").encode()
    if lab.files and not found.files:
        names = ", ".join(repr(str(entry.path)) for entry in entries[:5]) or "nothing"
        raise SubmissionError(f"it holds none of {', '.join(lab.files)}; it holds {names}")
    others = len(entries) - len(found.files)
    if others:
        found.notes.append(f"{others} other file{'s are' if others > 1 else ' is'} not part of the hand-in: not used")
    return found


# ---- the tree to grade ----


def _cache() -> Path:
    folder = os.environ.get("GRADE_CACHE")
    return Path(folder) if folder else Path(tempfile.gettempdir()) / f"ringfence-grade-{os.getuid()}"


def _make(tree: Path, job: Job) -> sandbox.Outcome:
    return sandbox.run(["make", "all", *job.same_compiler], tree, sandbox.Limits(seconds=300), writable=True)


def pristine(lab: Lab, id: str, job: Job) -> Path:
    """Returns a built handout of the lab. It is kept between runs: do not change it. Raises RuntimeError if it does not
    build."""
    folder = _cache()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise SubmissionError(f"{folder} belongs to somebody else; set GRADE_CACHE")
    key = f"{source_digest()} {id} {job.same_compiler} {sandbox.method()}"
    kept = folder / f"{lab.name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if kept.exists():
        return kept
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        tree = Path(scratch) / "tree"
        make_handout(job, lab, tree, id, git=False)
        done = _make(tree, job)
        if done.status != 0 or done.stopped:
            raise RuntimeError(f"the handout itself does not build: {done.stopped}\n{done.output[-2000:]}")
        try:
            tree.rename(kept)
        except OSError:  # another run was faster
            pass
    for old in sorted(folder.glob("*-*"), key=lambda path: path.stat().st_mtime)[:-16]:
        shutil.rmtree(old, ignore_errors=True)
    return kept


def lay_over(submission: Submission, lab: Lab, id: str, tree: Path, job: Job) -> sandbox.Outcome:
    """Makes `tree`, which must not exist: copies the handout, copies the submission over it, and builds. Returns the
    outcome of the build. Raises SubmissionError if the code is not plain (plain.py)."""
    base = pristine(lab, id, job)
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(tree)], check=True)
    for name, data in submission.files.items():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(data)
    done = _make(tree, job)
    for name in submission.files:
        if (tree / f"build/host/asan/{name}.o").exists():
            wrong = plain.faults(tree, f"build/host/asan/{name}.o")
            if wrong:
                raise SubmissionError(f"{name} does what a driver must not do on the host: {'; '.join(sorted(set(wrong)))}")
    # The tests rely on the host programs and disk images, so use those of the handout. The student's build may have changed
    # them. (If the student writes programs, the disk images must be the student's.)
    ours = ["host/mkfs", "host/fsck", "host/fscat", "host/draw_wheel", "host/frames.so"]
    if not any(name.startswith("user/") for name in lab.files):
        ours += ["disk.img", "initrd.img"]
    for name in ours:
        if (base / "build" / name).exists():
            (tree / "build" / name).unlink(missing_ok=True)
            shutil.copy2(base / "build" / name, tree / "build" / name)
    sanitizer = job.build / "host/vqsan.so"
    if sanitizer.exists():
        shutil.copy2(sanitizer, tree / "build/host/vqsan.so")
    return done


def main() -> int:
    """Builds the handout for later submissions: python3 -m grade.staff.submission LAB ID."""
    lab, id = sys.argv[1:]
    print(f"prepared: {pristine(find_lab(lab), id, Job.from_environment())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
