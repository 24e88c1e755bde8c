#!/usr/bin/env python3
"""A list of things to do, and the database that it needs: ``labrig group -f services.py start``."""

import urllib.error
import urllib.request

import labrig

labrig.group_name("todo")

DB_URI = "postgresql://dbuser:dbpwd@{host}:5432/appdb"
TABLES = """
CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE todo (
    id serial PRIMARY KEY,
    person integer NOT NULL REFERENCES person,
    title text NOT NULL,
    done boolean NOT NULL DEFAULT false
);
"""


class Database(labrig.Service):
    """PostgreSQL, which takes a second to initialize before it accepts connections."""

    name = "appdb"
    image = "todo-database:latest"
    build_from = "database"
    env = {"POSTGRES_USER": "dbuser", "POSTGRES_PASSWORD": "dbpwd", "POSTGRES_DB": "appdb"}
    stop_signal = "SIGINT"

    def ping(self):
        """Tell whether it accepts connections: the application ends if it does not."""
        return self.execute(*self.psql("SELECT 1"), check=False).code == 0

    def post_start(self):
        """Create the tables, and a person whose number is handed on to the application."""
        self.execute(*self.psql(TABLES))
        created = self.execute(*self.psql("INSERT INTO person (name) VALUES ('Ada') RETURNING id"))
        labrig.Context["user_id"] = int(created.stdout)

    @staticmethod
    def psql(statements):
        """Return the command that runs statements, over TCP as others do."""
        return ["psql", "--quiet", "--tuples-only", "--no-align", DB_URI.format(host="127.0.0.1"), "-c", statements]


class Application(labrig.Service):
    """The list in a web page."""

    name = "python-todo"
    image = "todo-application:latest"
    build_from = "application"
    dependencies = ["appdb"]
    env = {"DB_URI": DB_URI.format(host="appdb"), "USER_ID": "{user_id}"}
    # A free port of this machine, so that two copies of the group can run on it.
    ports = {8080: None}
    stop_signal = "SIGINT"

    def ping(self):
        """Tell whether it answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.host_port(8080)}/", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False


if __name__ == "__main__":
    labrig.cli()
