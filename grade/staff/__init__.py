"""For staff only: makes handouts, grades submissions in a sandbox, and grades solutions that are known to be wrong."""
