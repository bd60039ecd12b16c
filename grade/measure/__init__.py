"""How fast the kernel is, where its instructions go, and whether it became slower."""
