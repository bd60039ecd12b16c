"""What people look at: the machine in a window or a browser, pictures and recordings, and GDB's view of a queue."""
