"""The machinery of the labs: the course's description, the contents of a handout, the step to the next lab."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from grade import ROOT
from grade.machine.job import Job
from grade.marking import next as going_on
from grade.marking.course import CourseError, Lab, all_labs, lab_names, read_lab
from grade.staff import mutants
from grade.staff.handout import VARIED, HandoutError, make_handout, resolve, solved_at, student_toml, tree_files, visible_tests
from grade.tests.support.lab_trees import LAB


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
        ('title = "x"\npoints = "1"\n', "has the wrong type"),
        ('title = "x"\n', "points"),
        ('title = "x"\npoints = 3\n[[test]]\nid = "a"\ntitle = "a"\npoints = 1\n', "the tests add up to 1"),
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
    """Lines of code that occur only in a solution not yet released."""
    everything = {name: True for name in solved}
    secret: set[str] = set()
    given: set[str] = set()
    for name in tree_files():
        if name.endswith((".c", ".h", ".S")) and name.startswith(("kernel/", "user/")):
            with_it = (resolve(ROOT / name, everything) or "").splitlines()
            without = (resolve(ROOT / name, solved) or "").splitlines()
            given.update(line.strip() for line in without)
            secret.update(line.strip() for line in set(with_it) - set(without))
    # Short lines, such as `return 0;`, and the heads of ordinary loops are not secret.
    return {line for line in secret - given if len(line) >= 24 and not re.match(r"for \(\w+ \w = 0; ", line)}


@pytest.mark.parametrize("name, earlier", [*((name, "source") for name in lab_names()), ("2-disk", "object")])
def test_a_handout_holds_no_solution(job: Job, name: str, earlier: str, tmp_path: Path) -> None:
    lab = read_lab(ROOT / "labs" / name)
    out = tmp_path / "out"
    make_handout(job, lab, out, earlier=earlier)
    files = [path for path in out.rglob("*") if path.is_file() and ".git/" not in f"{path}"]
    texts = {path: path.read_text(errors="replace") for path in files}
    # If solutions come as object files, no solution of any lab may be readable.
    compiled = earlier == "object" or name.startswith("0-")
    assert compiled == any(path.suffix == ".o" for path in files)
    secret = secret_lines({key: value and not compiled for key, value in solved_at()[name].items()})
    assert secret
    # What labs up to this one include on purpose.
    along = tuple(path for each in all_labs() if each.name <= name for path in each.docs)
    for path, text in texts.items():
        leaked = secret & {line.strip() for line in text.splitlines()}
        assert not leaked, f"{path.relative_to(out)} holds {sorted(leaked)[:3]}"
        assert "SOLVED_" not in text and ("VQSAN" not in text or "grade/plugins/vqsan" in along), path
    names = {str(path.relative_to(out)) for path in files}
    for word in ("mutants", "variants", "hidden", "start.mk", "staff", "grade/tests", "grade/plugins/vqsan", "submission"):
        assert not [each for each in names if word in each and not each.startswith(along)], word
    for later in lab_names():
        assert (f"labs/{later}/lab.toml" in names) == (later <= name)
    # Every file that a recipe runs is in the handout.
    recipes = "\n".join(path.read_text() for path in files if path.name == "Makefile" or path.suffix == ".mk")
    needed = set(re.findall(r"\bgrade/[\w/-]+\.sh\b", recipes))
    needed |= {f"{module.replace('.', '/')}.py" for module in re.findall(r"(?:-m|\(HARNESS\)) (grade[.\w]+)", recipes)}
    assert len(needed) > 5 and needed <= names, f"a recipe runs {sorted(needed - names)}, which the handout lacks"
    for words, lines in (("log --oneline", 1), ("status -s", 0)):
        done = subprocess.run(["git", "-C", out, *words.split()], capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == lines
    json.loads((out / ".devcontainer/devcontainer.json").read_text())


def test_an_id_gives_the_same_handout_again(job: Job, tmp_path: Path) -> None:
    lab = read_lab(ROOT / "labs/1-virtqueue")

    def contents(id: str, out: Path) -> dict[str, bytes]:
        make_handout(job, lab, out, id, git=False)
        return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}

    first, again = contents("s1234", tmp_path / "1"), contents("s1234", tmp_path / "2")
    other = contents("s1235", tmp_path / "3")
    assert first == again
    differing = {name for name in first if first[name] != other[name]}
    assert "handout.mk" in differing and first.keys() == other.keys()
    assert b"LINK_FIRST" in first["handout.mk"]


@pytest.mark.parametrize("pattern, line, values", VARIED)
def test_the_lines_to_vary_are_in_the_tree(pattern: str, line: str, values: tuple[int, ...]) -> None:
    assert any(line in path.read_text().splitlines() for path in ROOT.glob(pattern)), f"no {pattern} has the line {line!r}"


def test_a_handout_is_not_written_over_something(job: Job, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("work of weeks")
    with pytest.raises(HandoutError, match="not empty"):
        make_handout(job, LAB, tmp_path)


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


# ---- known-wrong solutions ----


def test_a_cached_verdict_is_used_only_if_nothing_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of the case, of files that grading reads, or of the compiler needs a new verdict; other files do not
    matter."""
    files = {
        "kernel/a.c": "int a;",
        "grade/marking/mark.py": "",
        "docs/book.md": "",
        "labs/1-x/mutants/mine.patch": "one",
        "labs/1-x/mutants/other.patch": "two",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    case = mutants.Case(LAB, tmp_path / "labs/1-x/mutants/mine.patch", "a", "x")

    def file(compiler: str = "false") -> Path:
        mutants._digest_of_all.cache_clear()
        return mutants.verdict_file(tmp_path, case, (compiler, "true"))

    seen = [file()]
    for unread in ("docs/book.md", "labs/1-x/mutants/other.patch"):
        (tmp_path / unread).write_text("changed")
        assert file() == seen[0], unread
    for read in ("kernel/a.c", "grade/marking/mark.py", "labs/1-x/mutants/mine.patch"):
        (tmp_path / read).write_text("changed")
        assert file() not in seen, read
        seen.append(file())
    assert file("cc") not in seen


# ---- the step to the next lab ----


def test_own_work_is_carried_over(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for name, files in (("1-one", ["a.c", "b.c"]), ("2-two", ["c.c"])):
        (new / "labs" / name).mkdir(parents=True)
        (new / "labs" / name / "lab.toml").write_text(f'title = "x"\npoints = 0\nfiles = {json.dumps(files)}\n')
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
