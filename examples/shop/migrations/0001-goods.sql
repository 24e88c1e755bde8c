CREATE TABLE goods (id serial PRIMARY KEY, title text NOT NULL, price numeric(8, 2) NOT NULL);
INSERT INTO goods (title, price) VALUES ('Tea', 4.50), ('Kettle', 39.00);
