"""The shell: how it runs a line, its messages, and the line editor on the console."""

from __future__ import annotations

from grade.machine.machine import Machine

# Command, exit status, output.
COMMANDS: list[tuple[str, int, str]] = [
    ("sh -c 'echo hello   world  # a comment'", 0, "hello world\n"),
    ("echo 'a  \"b\"' \"c  'd'\" e\\ f", 0, "a  \"b\" c  'd' e f\n"),
    ("false; echo $? '$?' \"$?\"", 0, "1 $? 1\n"),
    ("true && echo yes || echo no", 0, "yes\n"),
    ("false && echo yes || echo no", 0, "no\n"),
    ("false || false && echo never", 1, ""),
    ("(echo a; (echo b; exit 3)); echo $?", 0, "a\nb\n3\n"),
    ("echo one > t1; echo two >> t1; cat < t1", 0, "one\ntwo\n"),
    ("cat t1 | grep t | cat | wc -l", 0, "       1\n"),
    ("cat t1 | false", 1, ""),
    ("(cat; echo end) < t1 > t2; cat t2", 0, "one\ntwo\nend\n"),
    ("> t3; cat t3; rm t1 t2 t3", 0, ""),
    ("nosuch x 2> t4; cat t4; rm t4", 0, "sh: nosuch: not found\n"),
    ("nosuch x", 127, "sh: nosuch: not found\n"),
    ("./nosuch", 127, "sh: ./nosuch: not found\n"),
    ("/dev", 126, "sh: /dev: is a directory\n"),
    ("README", 126, "sh: README: not a program for this machine\n"),
    ("echo x 2> /nosuch/t", 1, "sh: /nosuch/t: no such file or directory\n"),
    ("(echo 1; nosuch) > t7 2> t8; cat t8 t7; rm t7 t8", 0, "sh: nosuch: not found\n1\n"),
    ("echo x 7> t9", 1, "sh: descriptor 7 cannot be redirected\n"),
    ("cat < nosuch", 1, "sh: nosuch: no such file or directory\n"),
    ("cd nosuch", 1, "sh: cd: nosuch: no such file or directory\n"),
    ("mkdir d; cd d; echo x > y; cd ..; cat d/y; rm -r d", 0, "x\n"),
    ("sh -c 'echo inner; exit 5'", 5, "inner\n"),
    ("echo 'echo from a pipe; exit 6' | sh", 6, "from a pipe\n"),
    ("echo 'echo one' > t5; echo 'echo two; exit 7' >> t5; sh t5", 7, "one\ntwo\n"),
    ("rm t5; sh t5", 1, "sh: t5: no such file or directory\n"),
    ("sh -c 'echo a | | b'", 2, "sh: syntax error near '|'\n"),
    ("sh -c 'echo \"a'", 2, 'sh: a " is not closed\n'),
    ("sh -c '(echo a'", 2, "sh: syntax error: the line ends too early\n"),
    ("sh -c 'echo )'", 2, "sh: syntax error near ')'\n"),
    ("sh -c 'echo a >'", 2, "sh: syntax error: the line ends too early\n"),
    ("echo" + " x" * 30, 0, "x " * 29 + "x\n"),
    ("sh -c 'echo" + " x" * 31 + "'", 2, "sh: too many words in one command\n"),
    ("sh -c '" + "(" * 33 + "x" + ")" * 33 + "'", 2, "sh: too many parentheses inside each other\n"),
    ("(" * 32 + "echo deep" + ")" * 32, 0, "deep\n"),
    ("|".join(["echo x"] + ["cat"] * 30), 0, "x\n"),
    ("(sleep 0.1 > t6 & wait) > t7; echo done; rm t6 t7", 0, "done\n"),
]


def test_lines(machine: Machine) -> None:
    wrong = []
    for command, status, output in COMMANDS:
        seen = machine.run_status(command)
        if seen != (status, output):
            wrong.append(f"{command!r}\n  gave {seen}\n  not  {(status, output)}")
    assert not wrong, "\n".join(wrong)


def test_long_line_is_refused(machine: Machine) -> None:
    """The shell reports and skips a script's line that is too long, and runs the next one."""
    machine.run("echo -n 'echo ' > t")
    for _ in range(6):
        machine.run("echo -n " + "x" * 200 + " >> t")
    machine.run("echo >> t; echo 'echo next' >> t")
    assert machine.run("sh t") == "sh: line longer than 1023 bytes ignored\nnext\n"


LEFT, UP, DOWN, DELETE, HOME, END = "\x1b[D", "\x1b[A", "\x1b[B", "\x1b[3~", "\x1b[H", "\x1b[F"

# Keys, and what the command must then print between the marks. The quotes keep the marks out of the echoed line.
KEYS: list[tuple[str, str]] = [
    ("echo '<'abc'>'", "abc"),
    ("echo '<'ac'>'" + LEFT * 4 + "b", "abc"),
    ("cho '<'begin'>'\x01e\x05", "begin"),
    ("cho '<'home'>'" + HOME + "e" + END, "home"),
    (UP, "home"),
    (UP * 3, "abc"),
    ("nonsense" + UP + DOWN + "\x15echo '<'new'>'", "new"),
    ("echo '<'erased'>'xyz\x7f\x7f\x7f", "erased"),
    ("xxecho '<'deleted'>'\x01" + DELETE * 2, "deleted"),
    ("echo '<'cut'>'xyz" + LEFT * 3 + "\x0b", "cut"),
    ("echo '<'word'>' '<'gone'>'\x17", "word"),
    ("nonsense\x03echo '<'abandoned'>'", "abandoned"),
    ("echo '<'" + "w" * 200 + "'>'\x01\x05" + LEFT * 100 + "v", "w" * 103 + "v" + "w" * 97),
]


def test_editing(machine: Machine) -> None:
    for keys, printed in KEYS:
        machine.send(keys + "\r")
        match = machine.expect(r"^<([^>]*)>$")
        assert match.group(1) == printed, f"the keys {keys!r}"
        machine.expect(r"^\$ ")
    history = machine.run("history").splitlines()
    assert history[0].split(None, 1) == ["1", "echo '<'abc'>'"]
    assert sum(line.endswith("echo '<'abc'>'") for line in history) == 2


def test_completion(machine: Machine) -> None:
    machine.run("mkdir d d/sub; echo text > d/unmistakable; touch d/sub/one1 d/sub/one2")
    machine.send("ca\td/un\t| gre\tex\r")  # ca: only cat begins with it
    machine.expect(r"^text\n\$ ")
    machine.send("cd d/s\t\r")  # a directory gets a / and no space after it
    machine.expect(r"^\$ ")
    machine.send("rm o\t1\r")  # completes only what both names share
    machine.expect(r"^\$ ")
    machine.send("rm o\t\r")
    machine.expect(r"^\$ ")
    assert machine.run("ls | wc -l") == "       0\n"
    machine.send("sha256\t../un\t\r")
    machine.expect(r"^[0-9a-f]{64}  \.\./unmistakable\n\$ ")


def test_completion_lists_choices(machine: Machine) -> None:
    machine.run("mkdir d; touch d/alpha d/alphabet")
    machine.send("cat d/a\t")
    machine.expect(r"alpha")
    machine.send("\t")
    machine.expect(r"^(alpha +alphabet|alphabet +alpha) *\n")
    machine.expect(r"\$ cat d/alpha")


def test_typed_ahead(machine: Machine) -> None:
    """Lines that you type while a command runs are not lost, whole or in part."""
    machine.send("(echo start; sleep 1; echo stop)\recho fi'r'st\recho sec'o'nd\recho th")
    machine.expect(r"^start\n")
    machine.send("i'r'd\r")
    machine.expect(r"^stop\n")
    for word in ("first", "second", "third"):
        machine.expect(rf"^{word}\n")


def interrupt(machine: Machine, command: str) -> None:
    machine.send(command + "\r")
    machine.expect(r"^started\n")
    machine.send("\x03")
    machine.expect(r"\$ ")


def processes(machine: Machine) -> str:
    return next(line for line in machine.run("free").splitlines() if line.startswith("processes"))


def test_interrupt(machine: Machine) -> None:
    """^C ends every process of the foreground job, and nothing else."""
    before = processes(machine)
    interrupt(machine, "(echo started; sleep 1000)")
    interrupt(machine, "(echo started; sleep 1000) | cat | cat")
    interrupt(machine, "sh -c 'echo started; sleep 1000'")
    interrupt(machine, "cat README | (echo started; sleep 1000; cat)")
    background = machine.run("sleep 1000 &").strip().strip("[]")
    interrupt(machine, "(echo started; sleep 1000)")
    machine.run(f"kill {background} && wait")  # fails if ^C has killed it too
    assert processes(machine) == before


def test_end_of_input(machine: Machine) -> None:
    machine.send("\x04")
    machine.expect(r"the shell has ended: power off")
    assert machine.wait() == 0
