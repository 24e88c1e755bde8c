"""Bring the database to what this version needs: the files of ``migrations`` that it has not had, in order."""

import os
from pathlib import Path

import psycopg2

FOLDER = Path(__file__).parent / "migrations"


def main():
    """Apply each in a transaction of its own; one that fails changes nothing."""
    connection = psycopg2.connect(os.environ["DB_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)")
        cursor.execute("SELECT name FROM migrations")
        applied = {name for (name,) in cursor}
    for file in sorted(FOLDER.glob("*.sql")):
        if file.name in applied:
            continue
        print(f"applying {file.name}", flush=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(file.read_text())
            cursor.execute("INSERT INTO migrations VALUES (%s)", (file.name,))
    connection.close()


if __name__ == "__main__":
    main()
