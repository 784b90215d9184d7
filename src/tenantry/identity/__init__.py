"""Users, accounts and sessions."""
