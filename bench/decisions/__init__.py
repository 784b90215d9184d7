"""Small programs that produced the figures in `decisions/`. Each prints one table."""
