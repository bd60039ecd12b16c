"""Experiments on how a driver waits: a timeline of a frame, the compiled loops of a function, a guess and what is seen."""
