"""For staff only: make handouts, grade submissions in a sandbox, and grade known-wrong solutions."""
