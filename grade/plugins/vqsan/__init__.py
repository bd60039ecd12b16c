"""The virtqueue sanitizer: it finds accesses to the rings that no fence puts in order."""
