"""How much of something a caller may have: arithmetic on counters, without I/O. Knows neither callers nor protocols."""
