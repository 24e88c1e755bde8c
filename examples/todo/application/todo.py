"""A list of things to do, kept in PostgreSQL, for the person whose number the environment gives."""

import os

import flask
import psycopg2

DB_URI = os.environ["DB_URI"]
USER_ID = int(os.environ["USER_ID"])

application = flask.Flask(__name__)


def query(statement, *values):
    """Return the rows that a statement yields; what it changes is committed."""
    connection = psycopg2.connect(DB_URI)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


# There is no second try: the application ends if the database does not answer when it starts.
query("SELECT 1")


@application.get("/")
def show():
    """Show the list."""
    [(name,)] = query("SELECT name FROM person WHERE id = %s", USER_ID)
    todos = query("SELECT id, title, done FROM todo WHERE person = %s ORDER BY id", USER_ID)
    return flask.render_template("list.html", name=name, todos=todos)


@application.post("/todos")
def add():
    """Put something on the list."""
    title = flask.request.form["title"].strip()
    if title:
        query("INSERT INTO todo (person, title) VALUES (%s, %s)", USER_ID, title)
    return flask.redirect("/", code=303)


@application.post("/todos/<int:todo>/done")
def done(todo):
    """Say that something is done, or that it is not."""
    query("UPDATE todo SET done = NOT done WHERE id = %s AND person = %s", todo, USER_ID)
    return flask.redirect("/", code=303)
