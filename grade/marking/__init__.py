"""Mark a lab: read lab.toml, run its tests, give points, and write the results and the report."""
