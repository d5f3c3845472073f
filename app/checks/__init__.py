"""Checks of the source that run when the image is built; not part of what a release ships."""
