"""Who answers: an organisation's providers, the defaults of each type, and the built-in demo model."""
