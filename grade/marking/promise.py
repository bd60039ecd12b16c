"""What a test of a lab raises when a promise is broken: said so that whoever reads it knows what to do."""

from __future__ import annotations


class Broken(AssertionError):
    """A promise of the driver's that was not kept.

        raise Broken(
            promised="the device sees a chain only after virtq_publish()",
            seen="QEMU's trace shows virtio_blk_handle_read 3 before the kick",
            look="virtq_add(): which store makes the chain visible?",
            spec="VirtIO 1.2, 2.7.13.3",
        )

    What is left out is taken from the test's entry in lab.toml: title, hint, spec.
    """

    def __init__(self, *, seen: str, promised: str = "", look: str = "", spec: str = "") -> None:
        self.promised, self.seen, self.look, self.spec = promised, seen, look, spec
        lines = [f"promised: {promised}", f"seen: {seen}", f"look: {look}", f"spec: {spec}"]
        super().__init__("\n".join(line for line in lines if not line.endswith(": ")))
