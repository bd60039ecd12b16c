"""Experiments on how a driver waits: the timeline of a frame, a function's compiled loops, and guesses that you test."""
