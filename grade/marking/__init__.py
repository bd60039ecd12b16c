"""Marks a lab: reads lab.toml, runs the lab's tests, gives points, and writes the results and the report."""
