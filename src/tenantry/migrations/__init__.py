"""The one history of the schema. It imports nothing of the package and is handed the metadata.

`HEAD` is the newest revision; a house test holds it to the files, so that a server can tell without loading Alembic
whether its database is behind.
"""

HEAD = "0001"
