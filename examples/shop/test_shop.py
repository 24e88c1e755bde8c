"""What has to hold of every version of the shop: ``labrig experiment test NAME python3 -m unittest``."""

import unittest

import shop


class Shop(unittest.TestCase):
    """The pages, against the database of the experiment that is tested."""

    def setUp(self):
        self.client = shop.application.test_client()

    def orders(self):
        [(count,)] = shop.query("SELECT count(*) FROM orders")
        return count

    def test_the_page_lists_all_goods(self):
        page = self.client.get("/").text
        titles = [title for (title,) in shop.query("SELECT title FROM goods")]
        self.assertTrue(titles)
        for title in titles:
            self.assertIn(title, page)

    def test_ordering_is_counted(self):
        before = self.orders()
        self.assertEqual(self.client.post("/orders", data={"goods": 1}).status_code, 303)
        self.assertEqual(self.orders(), before + 1)


if __name__ == "__main__":
    unittest.main()
