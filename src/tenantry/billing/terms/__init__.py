"""What subscriptions cost, and since when: the past that the normal form does not keep."""
