"""The machinery of the labs: what a handout holds, what a submission may do, what the results say."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import textwrap
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any, Iterator, Optional

import pytest

from grade import mutants, next as going_on, results as rs, submission
from grade.course import ROOT, CourseError, Lab, Promise, all_labs, lab_names, read_lab
from grade.handout import HandoutError, make_handout, resolve, solved_at, student_toml, tree_files, visible_tests
from grade.submission import MAX_FILE, SubmissionError, read_submission

LAB = Lab(
    name="9-try",
    folder=Path("labs/9-try"),
    title="Try",
    points=4,
    files=("kernel/virtio/blk.c", "kernel/virtio/gpu.c"),
    tests=(
        Promise("a", "a holds", 2, spec="1.1", hint="look at a"),
        Promise("b", "b holds", 1, visible="hidden", hint="nobody sees this"),
        Promise("c", "c holds", 1, visible="after_due", hint="nor this"),
    ),
)


# ---- the course ----


def test_every_lab_can_be_read() -> None:
    for lab in all_labs():
        assert lab.name in solved_at(), f"labs/start.mk does not say what is solved at {lab.name}"
        for name in lab.files:
            assert (ROOT / name).is_file(), f"{lab.name} names {name}"


def test_what_is_solved_grows_from_lab_to_lab() -> None:
    table = solved_at()
    before: set[str] = set()
    for lab in sorted(table)[1:]:
        now = {name for name, solved in table[lab].items() if solved}
        assert before <= now and len(now) <= len(before) + 1
        before = now
    assert all(table["0-tour"].values())


@pytest.mark.parametrize(
    "text, complaint",
    [
        ('title = "x"\npoints = 1\ncolour = 3\n', "unknown key 'colour'"),
        ('title = "x"\npoints = "1"\n', "not of the right kind"),
        ('title = "x"\n', "points"),
        ('title = "x"\npoints = 3\n[[test]]\nid = "a"\ntitle = "a"\npoints = 1\n', "the tests have 1"),
        ('title = "x"\npoints = 1\n[[test]]\nid = "a"\ntitle = "a"\npoints = 1\nvisible = "no"\n', "visible"),
        ("title = ", "lab.toml"),
    ],
)
def test_a_wrong_lab_toml_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "start.mk").write_text("")
    folder = tmp_path / "1-x"
    folder.mkdir()
    (folder / "lab.toml").write_text(text)
    with pytest.raises(CourseError, match=complaint):
        read_lab(folder)


# ---- handouts ----


def secret_lines(solved: dict[str, bool]) -> set[str]:
    """Lines of code that only a solution not yet released has."""
    everything = {name: True for name in solved}
    secret: set[str] = set()
    given: set[str] = set()
    for name in tree_files():
        if name.endswith((".c", ".h", ".S")) and name.startswith(("kernel/", "user/")):
            with_it = (resolve(ROOT / name, everything) or "").splitlines()
            without = (resolve(ROOT / name, solved) or "").splitlines()
            given.update(line.strip() for line in without)
            secret.update(line.strip() for line in set(with_it) - set(without))
    # Short lines, such as `return 0;`, and the heads of ordinary loops are nobody's secret.
    return {line for line in secret - given if len(line) >= 24 and not re.match(r"for \(\w+ \w = 0; ", line)}


@pytest.mark.parametrize("name, earlier", [*((name, "source") for name in lab_names()), ("2-disk", "object")])
def test_a_handout_holds_no_solution(name: str, earlier: str, tmp_path: Path) -> None:
    lab = read_lab(ROOT / "labs" / name)
    out = tmp_path / "out"
    make_handout(lab, out, earlier=earlier)
    files = [path for path in out.rglob("*") if path.is_file() and ".git/" not in f"{path}"]
    texts = {path: path.read_text(errors="replace") for path in files}
    # Where solutions come compiled, none of any lab is to be read.
    compiled = earlier == "object" or name.startswith("0-")
    assert compiled == any(path.suffix == ".o" for path in files)
    secret = secret_lines({key: value and not compiled for key, value in solved_at()[name].items()})
    assert secret or name == lab_names()[-1]
    for path, text in texts.items():
        leaked = secret & {line.strip() for line in text.splitlines()}
        assert not leaked, f"{path.relative_to(out)} holds {sorted(leaked)[:3]}"
        assert "SOLVED_" not in text and ("VQSAN" not in text or name > "4"), path
    names = {str(path.relative_to(out)) for path in files}
    for word in ("mutants", "variants", "hidden", "start.mk", "staff", "grade/tests", "grade/vqsan", "submission"):
        assert not [each for each in names if word in each and each not in lab.docs] or name >= "4", word
    for later in lab_names():
        assert (f"labs/{later}/lab.toml" in names) == (later <= name)
    log = subprocess.run(["git", "-C", str(out), "log", "--oneline"], capture_output=True, text=True).stdout
    assert len(log.splitlines()) == 1
    assert not subprocess.run(["git", "-C", str(out), "status", "-s"], capture_output=True, text=True).stdout
    json.loads((out / ".devcontainer/devcontainer.json").read_text())


def test_an_id_gives_the_same_handout_again(tmp_path: Path) -> None:
    names = [name for name in lab_names() if not name.startswith("0-")]
    if not names:
        pytest.skip("no lab is there yet")
    lab = read_lab(ROOT / "labs" / names[0])

    def contents(id: str, out: Path) -> dict[str, bytes]:
        make_handout(lab, out, id, git=False)
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    first, again = contents("s1234", tmp_path / "1"), contents("s1234", tmp_path / "2")
    other = contents("s1235", tmp_path / "3")
    assert first == again
    differing = {name for name in first if first[name] != other[name]}
    assert "handout.mk" in differing and first.keys() == other.keys()
    assert b"LINK_FIRST" in first["handout.mk"]


def test_a_handout_is_not_written_over_something(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("work of weeks")
    with pytest.raises(HandoutError, match="not empty"):
        make_handout(LAB, tmp_path)


def test_unseen_tests_are_cut_out() -> None:
    text = textwrap.dedent(
        '''\
        """The tests."""
        import pytest

        # About a.
        @pytest.mark.promise("a")
        def test_a() -> None:
            assert True


        # About b, which nobody is to see.
        @pytest.mark.promise("b")
        @pytest.mark.parametrize("x", [1, 2])
        def test_b(x: int) -> None:
            assert x


        @pytest.mark.promise("c")
        def test_c() -> None:
            assert True
        '''
    )
    seen = visible_tests(text, LAB)
    assert seen is not None and "test_a" in seen and "About a." in seen
    assert "test_b" not in seen and "nobody" not in seen and "test_c" not in seen
    assert visible_tests(text.replace('"a"', '"b"'), LAB) is None


def test_what_a_student_sees_of_lab_toml(tmp_path: Path) -> None:
    folder = tmp_path / "9-try"
    folder.mkdir()
    (folder / "lab.toml").write_text(student_toml(LAB))
    lab = read_lab(folder)
    assert [test.id for test in lab.tests] == ["a", "c"] and lab.points == 4 and lab.files == LAB.files
    assert lab.promise("a").hint == "look at a" and lab.promise("c").hint == ""


# ---- going on to the next lab ----


def test_own_work_is_carried_over(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for lab, files in (("1-one", ["a.c", "b.c"]), ("2-two", ["c.c"])):
        (new / "labs" / lab).mkdir(parents=True)
        (new / "labs" / lab / "lab.toml").write_text(f'title = "x"\npoints = 0\nfiles = {json.dumps(files)}\n')
    for tree in (old, new):
        (tree / "given").mkdir(parents=True)
        for name in "abc":
            (tree / f"{name}.c").write_text(f"{tree.name} {name}")
    (new / "given/a.c.o").write_text("object")
    lab = Lab("2-two", new / "labs/2-two", "x", 0, given=("b.c",))
    said = going_on.carry_over(lab, old, new)
    assert [(new / f"{name}.c").read_text() for name in "abc"] == ["old a", "new b", "new c"]
    assert not (new / "given/a.c.o").exists() and len(said) == 2
    (old / "a.c").unlink()
    with pytest.raises(going_on.NextError, match="no file a.c"):
        going_on.carry_over(lab, old, new)


# ---- submissions: what is taken, and what is refused ----


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
    files.update({f"{below}Makefile": b"all:", f"{below}grade/score.py": b"print('full marks')", "new\nline": b""})
    path = write(tmp_path / "s", files) if kind == "dir" else packed(tmp_path / f"s.{kind}", files)
    found = read_submission(path, LAB)
    assert found.files == TAKEN
    assert "3 other files" in " ".join(found.notes)


def test_files_without_their_folders_are_taken(tmp_path: Path) -> None:
    assert read_submission(write(tmp_path, {"blk.c": "int blk;\n", "gpu.c": "int gpu;\n"}), LAB).files == TAKEN


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    found = read_submission(write(tmp_path, {BLK: "int blk;\n"}), LAB)
    assert list(found.files) == [BLK] and any(GPU in note for note in found.notes)


def refusal(path: Path) -> str:
    with pytest.raises(SubmissionError) as caught:
        read_submission(path, LAB)
    return str(caught.value)


def test_nothing_of_use(tmp_path: Path) -> None:
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


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
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


def test_a_path_out_of_the_archive_reaches_nothing(tmp_path: Path) -> None:
    path = packed(tmp_path / "s.tar", {"../../../tmp/ringfence-evil": b"x", "/etc/ringfence-evil": b"x", **GOOD})
    assert read_submission(path, LAB).files == TAKEN
    assert not Path("/tmp/ringfence-evil").exists() and not Path("/etc/ringfence-evil").exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_small_archive_of_much_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "MAX_UNPACKED", 4 << 20)
    zeros = bytes(5 << 20)
    complaint = refusal(packed(tmp_path / f"s.{kind}", {BLK: zeros}))
    assert "bytes" in complaint or "unpacks to more" in complaint


@pytest.mark.parametrize("cut", [0, 10, 100])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_a_damaged_archive_is_refused(kind: str, cut: int, tmp_path: Path) -> None:
    path = packed(tmp_path / f"s.{kind}", {name: os.urandom(2000).hex().encode() for name in GOOD})
    path.write_bytes(path.read_bytes()[:cut])
    assert refusal(path)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "MAX_ENTRIES", 100)
    assert "more than 100" in refusal(packed(tmp_path / "s.zip", {f"f{i}": b"" for i in range(101)}))


def test_a_large_file_that_lies_about_its_size(tmp_path: Path) -> None:
    path = packed(tmp_path / "s.zip", {BLK: bytes(MAX_FILE * 3), GPU: b"int gpu;\n"})
    data = bytearray(path.read_bytes())
    true, false = (MAX_FILE * 3).to_bytes(4, "little"), (9).to_bytes(4, "little")
    path.write_bytes(bytes(data).replace(true, false))
    assert refusal(path)


# ---- the sandbox ----


@pytest.fixture(params=["bwrap", "user"])
def boxed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Each way of shutting in what is not trusted."""
    from grade import sandbox

    monkeypatch.setenv("SANDBOX", request.param)
    # This tree may lie where everybody sees it; a sandbox that is only tested has nothing to hide.
    monkeypatch.setattr(sandbox, "_hidden_from_others", lambda path: True)
    sandbox.method.cache_clear()
    try:
        sandbox.method()
        yield sandbox
    except sandbox.SandboxError as error:
        pytest.skip(str(error))
    finally:
        sandbox.method.cache_clear()


def test_without_bubblewrap_the_tests_must_be_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grade import sandbox

    monkeypatch.setenv("SANDBOX", "user")
    sandbox.method.cache_clear()
    monkeypatch.setattr(sandbox, "_hidden_from_others", lambda path: False)
    with pytest.raises(sandbox.SandboxError, match="chmod 700|not root"):
        sandbox.method()
    sandbox.method.cache_clear()


def test_the_sandbox_shows_no_tests_and_no_network(boxed: Any, tmp_path: Path) -> None:
    tests, work = tmp_path / "tests", tmp_path / "work"
    tests.mkdir(mode=0o700)
    work.mkdir()
    (tests / "start.mk").write_text("SOLVED_AT")
    done = boxed.run(["sh", "-c", f"cat {tests}/start.mk; cat /proc/net/dev; echo x >x; echo x >{tests}/x"], work)
    assert "SOLVED_AT" not in done.output and "lo:" in done.output
    assert boxed.method() != "bwrap" or "eth" not in done.output
    assert not (work / "x").exists() and not (tests / "x").exists(), "it could write where it must not"
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
    life = 1000 + os.getpid() / 1e7  # a number of seconds that no other process sleeps for
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
        ("void _exit(int); void virtq(void) { _exit(0); }", "uses _exit"),
        ('int puts(const char *); void virtq(void) { puts("ok"); }', "uses puts"),
        ("int printf(const char *f, ...) { return !f; }", "defines printf"),
        ("__attribute__((constructor)) void virtq(void) { for (;;) ; }", "before or after main"),
        ("int virtq(unsigned long x) { return __builtin_popcountl(x); }", ""),
        ('void kprintf(const char *, ...); void virtq(void) { kprintf("here"); }', ""),
        ("extern int failures; void virtq(void) { failures = 0; }", "uses failures"),
        ('void virtq(void) { asm volatile("syscall" ::"a"(231), "D"(0)); }', "system call"),
    ],
)
def test_plain_code(code: str, fault: str, boxed: Any, tmp_path: Path) -> None:
    from grade import plain

    if "syscall" in code and os.uname().machine != "x86_64":
        pytest.skip("the system call of another processor")
    (tmp_path / "x.c").write_text(code + "\n")
    build = ["cc", "-O1", "-fsanitize=address,undefined", "-c", "-o", "x.o", "x.c"]
    subprocess.run(build, cwd=tmp_path, check=True)
    found = "; ".join(plain.faults(tmp_path, "x.o"))
    assert fault in found if fault else not found, found


# ---- the plug-in, on a lab of its own ----

TESTS = '''
import pytest
from grade.promise import Broken

@pytest.mark.promise("a")
def test_a_first(award):
    award(0.5, "one of two")

@pytest.mark.promise("a")
def test_a_second():
    pass

@pytest.mark.promise("b")
def test_b(seed):
    raise Broken(seen=f"seed {seed}", look="here")

@pytest.mark.promise("c")
def test_c(award):
    award(0.25, "a little")
    print("log of c")
    assert 1 + 1 == 3, "one and one is three"
'''


def run_plugin(folder: Path, text: str, *options: str) -> tuple[list[dict[str, Any]], str]:
    lab = folder / "labs/9-try"
    lab.mkdir(parents=True, exist_ok=True)
    (lab / "lab.toml").write_text(student_toml(LAB) + '\n[[test]]\nid = "b"\ntitle = "b holds"\npoints = 1\n')
    (lab / "test_try.py").write_text(text)
    records = folder / "records"
    records.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "grade/pytest.ini"), f"--rootdir={ROOT}"]
    command += ["--import-mode=importlib", "-p", "grade.lab_plugin", "--records", str(records), *options, str(lab)]
    # The inner run is nobody's worker, though this one may be.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines = records.read_text().splitlines() if records.exists() else []
    return [json.loads(line) for line in lines], done.stdout


def test_points_come_from_what_the_tests_say(tmp_path: Path) -> None:
    records, output = run_plugin(tmp_path, TESTS, "--seed", "1")
    assert len(records) == 4, output
    lab = rs.lab_result(LAB, records, staff=True)
    by_id = {test["id"]: test for test in lab["tests"]}
    assert (by_id["a"]["status"], by_id["a"]["score"], by_id["a"]["why"]) == ("PART", 1, "one of two")
    assert (by_id["b"]["status"], by_id["b"]["score"], by_id["b"]["look"]) == ("FAIL", 0, "here")
    assert by_id["b"]["promised"] == "b holds"
    assert (by_id["c"]["score"], by_id["c"]["why"]) == (0.25, "a little")
    assert "one and one is three" in by_id["c"]["seen"] and "log of c" in by_id["c"]["log"]
    assert lab["score"] == 1.25


def test_a_seed_brings_choices_back(tmp_path: Path) -> None:
    def seen(*options: str) -> str:
        return next(r["seen"] for r in run_plugin(tmp_path, TESTS, *options)[0] if r["id"] == "b")

    assert seen("--seed", "1") == seen("--seed", "1", "-n", "2") != seen("--seed", "2")
    assert seen() != seen()


def test_a_test_of_no_promise_is_an_error(tmp_path: Path) -> None:
    records, output = run_plugin(tmp_path, TESTS.replace('"c"', '"z"'))
    assert "there is no test 'z'" in output and not records


def test_a_test_file_that_cannot_be_loaded_is_no_zero(tmp_path: Path) -> None:
    records, _ = run_plugin(tmp_path, "import nothing_of_that_name\n")
    assert [record for record in records if "cannot be loaded" in record.get("error", "")]


def test_no_verdict_is_no_zero(tmp_path: Path) -> None:
    """A test that did not come to its end, or was skipped, has decided nothing: then the grader has failed."""
    from grade.score import without_verdict

    records, _ = run_plugin(tmp_path, TESTS, "--seed", "1")
    assert not without_verdict([LAB], records, staff=True)
    cut = [record for record in records if record["id"] != "c"]
    assert without_verdict([LAB], cut, staff=True) == ["c of 9-try"] and not without_verdict([LAB], cut, staff=False)
    skipped = TESTS.replace("    raise Broken", "    pytest.skip('no such tool')\n    raise Broken")
    assert without_verdict([LAB], run_plugin(tmp_path, skipped)[0], staff=True) == ["b of 9-try"]


# ---- results ----


def some_results(tmp_path: Path, text: str = TESTS) -> dict[str, Any]:
    records, _ = run_plugin(tmp_path, text, "--seed", "1")
    facts = {"seed": "1", "grader": "abc", "started": "now", "seconds": 1.5, "tools": {"qemu": "7"}, "state": "complete"}
    return rs.total(facts, [rs.lab_result(LAB, records, staff=True)])


def test_the_placeholder_gives_no_points(tmp_path: Path) -> None:
    facts = {"seed": "1", "grader": "abc", "started": "now", "seconds": 0.0, "tools": {}}
    rs.write_all(tmp_path, rs.placeholder(facts, [LAB], "not finished"))
    grade = json.loads((tmp_path / "grade.json").read_text())
    assert grade["state"] == "unfinished" and grade["score"] == 0 and grade["possible"] == 4
    scope = json.loads((tmp_path / "results.json").read_text())
    assert scope["score"] == 0 and "not finished" in scope["output"] and not rs.gradescope_faults(scope)
    assert "not finished" in (tmp_path / "report.html").read_text()


def test_every_form_of_the_results(tmp_path: Path) -> None:
    strange = TESTS.replace("log of c", "log \\x00\\x1b[31m <b>&").replace("one and one is three", "\\x00 <script> \\ud800")
    found = some_results(tmp_path, strange)
    out = tmp_path / "out"
    rs.write_all(out, found, "pytest says")
    scope = json.loads((out / "results.json").read_text())
    assert not rs.gradescope_faults(scope)
    assert [test["visibility"] for test in scope["tests"]] == ["visible", "hidden", "after_due_date"]
    suite = ET.parse(out / "junit.xml").getroot()[0]
    assert suite.get("tests") == "3" and suite.get("failures") == "3"
    assert len((out / "grade.csv").read_text().splitlines()) == 4
    page = (out / "report.html").read_text()
    assert "<script>" not in page and "http" not in page.replace("http://www.w3.org", "")
    assert (out / "logs/9-try.c.txt").exists() and (out / "pytest.txt").read_text() == "pytest says"
    assert not list(out.glob(".*")), "a file was left half written"


def test_gradescope_would_refuse() -> None:
    assert rs.gradescope_faults({"tests": []})
    assert rs.gradescope_faults({"score": "3"})
    assert rs.gradescope_faults({"score": 1, "colour": "red"})
    assert rs.gradescope_faults({"tests": [{"score": 3, "max_score": 2}]})
    assert rs.gradescope_faults({"tests": [{"score": 1, "max_score": 2, "visibility": "never"}]})


# ---- mutants ----


@pytest.mark.parametrize(
    "test, says, lost, complaint",
    [
        ("a", "slot 256", {"a": "seen slot 256"}, None),
        ("a", "slot 256", {"a": "something else"}, "does not say"),
        ("a", "slot", {}, "passes"),
        ("a", "slot", {"a": "slot", "b": "x"}, "as well"),
        ("a", "slot", {"b": "slot"}, "passes"),
        ("", "", {}, None),
        ("", "", {"b": "x"}, "loses b"),
    ],
)
def test_the_verdict_on_a_mutant(test: str, says: str, lost: dict[str, str], complaint: Optional[str]) -> None:
    rows = [
        {"id": id, "status": "FAIL" if id in lost else "PASS", "seen": lost.get(id, ""), "promised": "", "look": ""}
        for id in "abc"
    ]
    case = mutants.Case(LAB, Path("labs/9-try/mutants/x.patch"), test, says)
    verdict = mutants.judge(case, {"state": "complete", "labs": [{"tests": rows}]})
    assert complaint in verdict if complaint else not verdict
    assert mutants.judge(case, {"state": "failed", "reason": "it does not build", "labs": []})


def test_every_patch_is_of_the_right_form() -> None:
    for case in mutants.find_cases(all_labs(), ""):
        if case.patch:
            done = subprocess.run(
                ["patch", "-p1", "--dry-run", "--batch", "-i", str(case.patch)], cwd=ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{case.name} does not apply:\n{done.stdout}"
