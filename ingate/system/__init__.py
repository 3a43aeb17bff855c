"""The installation itself: is it ready."""
