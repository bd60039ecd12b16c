"""The judge of the frame rate: computes what a frame costs, and checks every screen."""
