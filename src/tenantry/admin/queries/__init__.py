"""All SQL of the operator's pages: it reads the lower rooms' tables and writes none."""
