"""The proxy engine: plan, admit, attempt, relay, settle. Knows no HTTP server, no database and no feature."""
