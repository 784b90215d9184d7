"""All SQL of billing, a file for each kind of thing."""
