"""What the wheel costs as it is handed out, and as staff have solved it: for comparison in the report. Measured by
grade/rate/model.py at 640x480; a test holds them against the tree."""

from grade.rate.model import Model

START = Model(
    rate=4.16, frame_ns=240.5e6, instructions=196.4e6, kicks=480, mib=1.172, console=9970, polls=1120, waits=180, ahead=0
)
REFERENCE = Model(
    rate=2250, frame_ns=0.445e6, instructions=0.428e6, kicks=1, mib=0.424, console=0, polls=7, waits=0, ahead=1
)
