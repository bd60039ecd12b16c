"""Shows the machine to people: in a window or a browser, in pictures and recordings, and as GDB's view of a queue."""
