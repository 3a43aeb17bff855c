"""Keys of an organisation."""
