from urllib.request import urlopen

import labrig


class Database(labrig.Service):
    name = "db"

    def post_start(self) -> None:
        labrig.Context["token"] = "made in post_start"


class Web(labrig.Service):
    name = "web"
    env = {"TOKEN": "{token}"}  # noqa: RUF012  # as users write it

    def ping(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.host_port(80)}/", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False
