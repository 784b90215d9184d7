"""One file a vendor; `base` holds what they share with the room."""
