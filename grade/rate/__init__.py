"""The judge of the frame rate: what a frame costs, and whether every screen is right."""
