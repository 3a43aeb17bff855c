"""gRPC: one set of generated stubs over two transports, a socket and this process."""
