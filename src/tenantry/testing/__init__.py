"""The public test kit: products test themselves with what tests Tenantry."""

from .databases import TestDatabase, postgres_database, sqlite_database, sqlite_template
from .kit import CALLBACK, PUBLIC_URL, START, AppKit
from .postgres import PostgresServer, start_postgres
from .process import Server, environment_of, serve

__all__ = [
    "CALLBACK",
    "PUBLIC_URL",
    "START",
    "AppKit",
    "PostgresServer",
    "Server",
    "TestDatabase",
    "environment_of",
    "postgres_database",
    "serve",
    "sqlite_database",
    "sqlite_template",
    "start_postgres",
]
