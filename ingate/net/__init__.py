"""What connections on both sides of the gateway share, callers' and providers'. Knows no protocol."""
