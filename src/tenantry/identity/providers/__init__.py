"""The ways to sign in, one file a vendor. `building.py` makes those whose credentials are set."""
