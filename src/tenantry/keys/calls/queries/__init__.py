"""All SQL about the calls made with keys: written, read, and kept in partitions."""
