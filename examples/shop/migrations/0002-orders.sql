CREATE TABLE orders (id serial PRIMARY KEY, goods integer NOT NULL REFERENCES goods);
