"""The virtqueue sanitizer: it finds accesses to the rings whose order nothing guarantees."""
