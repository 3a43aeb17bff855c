"""What gateway processes ask the core: what a key may do, and when that changes."""
