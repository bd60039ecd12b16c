"""The small user programs: checks what each prints or leaves behind."""

from __future__ import annotations

import hashlib
import json
import re

from grade.machine.machine import Machine


def split_mix(seed: int, size: int) -> bytes:
    """The bytes that mkfile writes, computed like in user/lib/random.c."""
    mask = (1 << 64) - 1
    out = bytearray()
    while len(out) < size:
        seed = seed + 0x9E3779B97F4A7C15 & mask
        z = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        out += (z ^ z >> 31).to_bytes(8, "little")
    return bytes(out[:size])


def test_hash_and_mkfile(machine: Machine) -> None:
    for size in (0, 1, 55, 56, 63, 64, 65, 4096, 65537, 300001):
        machine.run(f"mkfile {size} t {size + 1}")
        data = split_mix(size + 1, size)
        assert machine.run("sha256sum t") == hashlib.sha256(data).hexdigest() + "  t\n"
        assert machine.run("cat t | sha256sum") == hashlib.sha256(data).hexdigest() + "  -\n"
        assert machine.run("wc -c t").split() == [str(size), "t"]


def test_diskread(machine: Machine) -> None:
    """diskread reads the places that its seed chooses. The host computes the same places and reads them from the image."""
    assert machine.disk is not None
    image = machine.disk.read_bytes()
    for count, blocks, times, seed in ((1, 1, 3, 7), (32, 32, 2, 8)):
        numbers = split_mix(seed, 8 * count * times)
        places = [int.from_bytes(numbers[i : i + 8], "little") for i in range(0, len(numbers), 8)]
        starts = [place % (len(image) // 4096 - blocks + 1) * 4096 for place in places]
        wanted = hashlib.sha256(b"".join(image[start : start + 4096 * blocks] for start in starts)).hexdigest()
        assert machine.run(f"diskread -n {times} -c {count} -b {blocks} -s {seed} | sha256sum").split()[0] == wanted
    status, output = machine.run_status("diskread -c 32 -b 33")
    assert status == 2 and output == "diskread: at most 32 stretches, and 1024 blocks together\n"
    assert machine.run_status("diskread -x 1")[0] == 2


def test_hexdump(machine: Machine) -> None:
    machine.run("echo 'Ringfence: rings and fences' > t")
    assert machine.run("hexdump -s 11 -n 18 t") == (
        "0000000b  72 69 6e 67 73 20 61 6e  64 20 66 65 6e 63 65 73  |rings and fences|\n"
        "0000001b  0a                                                |.|\n"
        "0000001c\n"
    )


GREP = [
    ("ab*c", ["abc", "ac", "abbbc", "xacx"], ["ab", "bc", "abd"]),
    ("^a.c$", ["abc", "axc"], ["aabc", "abcd", "ac"]),
    ("[0-9]+x?$", ["a1", "22x"], ["x", "1xx", "1a"]),
    ("^[^a-m]", ["north", "south"], ["east", "a"]),
    ("a\\.b", ["a.b"], ["axb"]),
    (".*end$", ["the end", "end"], ["ending"]),
]


def test_grep(machine: Machine) -> None:
    for pattern, good, bad in GREP:
        lines = sorted(good + bad)
        machine.run("rm -f t")
        for line in lines:
            machine.run(f"echo '{line}' >> t")
        expected = [line for line in lines if line in good]
        assert machine.run(f"grep '{pattern}' t").splitlines() == expected, pattern
        others = [line for line in lines if line not in good]
        assert machine.run(f"grep -v '{pattern}' t").splitlines() == others, pattern
        assert machine.run(f"grep -c '{pattern}' < t") == f"{len(expected)}\n"
    assert machine.run_status("grep nothing-of-the-kind t")[0] == 1
    assert machine.run_status("grep x nosuch") == (2, "grep: nosuch: no such file or directory\n")
    assert machine.run("echo ABC | grep -in b") == "1:ABC\n"


def test_files_and_directories(machine: Machine) -> None:
    run = machine.run
    run("mkdir d d/e; echo one > d/f; ln d/f d/g; cp d/f d/e; mv d/g d/h; touch d/i")
    names = [line.split()[-1] for line in run("ls -l d").splitlines()]
    assert names == ["e", "f", "h", "i"]
    assert re.search(r"^- +2 +4 +\d+ f$", run("ls -l d"), re.MULTILINE)
    assert run("ls d | cat") == "e/\nf\nh\ni\n"
    assert run("cat d/e/f d/h") == "one\none\n"
    assert machine.run_status("cp d/f d/h") == (1, "cp: d/f and d/h are the same file\n")
    assert machine.run_status("mv d x") == (1, "mv: d: directories cannot be moved\n")
    assert machine.run_status("rm d") == (1, "rm: d: directory not empty\n")
    assert machine.run_status("mkdir d") == (1, "mkdir: d: exists already\n")
    assert machine.run_status("cat d/nosuch") == (1, "cat: d/nosuch: no such file or directory\n")
    run("rm -r d")
    assert machine.run_status("ls d")[0] == 1
    assert machine.run_status("rm d") == (1, "rm: d: no such file or directory\n")
    run("rm -f d")


def test_rm_of_a_deep_and_wide_tree(machine: Machine) -> None:
    """The tree is deeper than the longest path, and a directory has more names than rm reads at once."""
    machine.run("mkdir top; cd top")
    machine.run("mkdir w; cd w; touch" + "".join(f" a{i}" for i in range(28)))
    machine.run("touch" + "".join(f" b{i}" for i in range(28)))
    machine.run("touch" + "".join(f" c{i}" for i in range(28)) + "; cd ..")
    for _ in range(5):
        machine.run("; ".join(["mkdir directoryname; cd directoryname"] * 10))
    machine.run("echo deep > file; cd /; rm -r top")
    assert machine.run_status("ls top")[0] == 1


def test_wc(machine: Machine) -> None:
    machine.run("echo 'two words' > t; echo three >> t")
    assert machine.run("wc t").split() == ["2", "3", "16", "t"]
    assert machine.run("head -n 1 README") == machine.run("cat README | head -n 1") == "# Ringfence\n"
    machine.run("hexdump /dev/random | head -n 1", total=60)  # must end, although /dev/random never does
    assert machine.run("wc -lw t t").split() == ["2", "3", "t", "2", "3", "t", "4", "6", "total"]


def test_vqstat(machine: Machine) -> None:
    """The disk's queue counts a read that no cache can answer. vqstat -d counts from zero."""
    table = machine.run("vqstat")
    assert re.search(r"^queue .*blk0", table, re.MULTILINE)
    rows = {line[:22].strip(): line[22:].split() for line in table.splitlines()}
    assert int(rows["completions"][rows["queue"].index("blk0")]) > 0
    quiet = machine.run("vqstat -d true")
    rows = {line[:22].strip(): line[22:].split() for line in quiet.splitlines()}
    column = rows["queue"].index("blk0")
    quiet_reads = int(rows["completions"][column])
    busy = machine.run("vqstat -d bench -q disk-4k")
    rows = {line[:22].strip(): line[22:].split() for line in busy.splitlines() if line[:22].strip()}
    assert int(rows["completions"][column]) > quiet_reads + 100
    assert int(rows["protocol errors"][column]) == 0


def test_bench_for_programs(machine: Machine) -> None:
    output = machine.run("bench -q -j getpid fsync", total=60)
    between = output.split("BENCH-BEGIN\n")[1].split("BENCH-END\n")[0]
    results = {entry["name"]: entry for entry in map(json.loads, between.splitlines())}
    assert set(results) == {"getpid", "fsync"}
    for result in results.values():
        assert 0 < result["low"] <= result["median"] <= result["high"]


def commits(machine: Machine) -> int:
    match = re.search(r"(\d+) commits", machine.run("free"))
    assert match
    return int(match.group(1))


def test_sync_commits(machine: Machine) -> None:
    """Each sync after a change makes its own commit. The kernel by itself commits only once a second."""
    before = commits(machine)
    machine.run("; ".join(f"echo {i} > t{i}; sync" for i in range(12)))
    assert commits(machine) >= before + 12
    before = commits(machine)
    machine.run("; ".join(["sync"] * 12))
    assert commits(machine) < before + 12


def test_kill(machine: Machine) -> None:
    output = machine.run("sleep 1000 &")
    match = re.match(r"\[(\d+)\]\n", output)
    assert match, output
    assert machine.run(f"kill {match[1]}; wait") == f"[{match[1]}] ended with status -1\n"
    assert machine.run_status(f"kill {match[1]}") == (1, f"kill: {match[1]}: no such process\n")


def test_power_off(machine: Machine) -> None:
    machine.run("echo text > t")
    machine.send("poweroff\r")
    assert machine.wait() == 0


def test_reboot(machine: Machine) -> None:
    """A file written before the reboot is there afterwards."""
    machine.run("echo kept > t")
    machine.send("reboot\r")
    machine.expect(r"Ringfence: ")
    machine.expect(r"^\$ ")
    assert machine.run("cat t") == "kept\n"
