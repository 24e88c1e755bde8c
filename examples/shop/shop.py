"""A small shop: goods and orders in PostgreSQL, and on every page which branch and commit it is."""

import os

import flask
import psycopg2

application = flask.Flask(__name__)


def query(statement, *values):
    """Return the rows that a statement yields; what it changes is committed."""
    connection = psycopg2.connect(os.environ["DB_URL"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@application.get("/")
def show():
    """Show what there is."""
    goods = query(
        "SELECT goods.id, title, price, count(orders.id) FROM goods LEFT JOIN orders ON orders.goods = goods.id"
        " GROUP BY goods.id ORDER BY goods.id"
    )
    return flask.render_template(
        "shop.html", goods=goods, branch=os.environ["BRANCH_NAME"], release=os.environ["RELEASE"]
    )


@application.post("/orders")
def order():
    """Order one."""
    query("INSERT INTO orders (goods) VALUES (%s)", flask.request.form.get("goods", type=int))
    return flask.redirect("/", code=303)


@application.get("/health")
def health():
    """Answer only where the database does, and has the tables of this version."""
    [(applied,)] = query("SELECT count(*) FROM migrations")
    return {"branch": os.environ["BRANCH_NAME"], "release": os.environ["RELEASE"], "migrations": applied}
