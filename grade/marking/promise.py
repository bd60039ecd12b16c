"""The exception that a lab's test raises for a broken promise. Its text tells the student what to look at."""

from __future__ import annotations


class Broken(AssertionError):
    """The student's driver did not keep a promise.

        raise Broken(
            promised="the device sees a chain only after virtq_publish()",
            seen="QEMU's trace shows virtio_blk_handle_read 3 before the kick",
            look="virtq_add(): which store makes the chain visible?",
            spec="VirtIO 1.2, 2.7.13.3",
        )

    If you leave out promised, look or spec, the title, hint or spec of the test's entry in lab.toml is used.
    """

    def __init__(self, *, seen: str, promised: str = "", look: str = "", spec: str = "") -> None:
        self.promised, self.seen, self.look, self.spec = promised, seen, look, spec
        lines = [f"promised: {promised}", f"seen: {seen}", f"look: {look}", f"spec: {spec}"]
        super().__init__("\n".join(line for line in lines if not line.endswith(": ")))
