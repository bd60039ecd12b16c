"""Lab 4's experiments, and its demo for the lecture. They work on a copy of the tree in the build directory."""
