"""The section ``experiment`` as somebody begins with it: what is needed, and every other option with its meaning."""

from __future__ import annotations

import json

_TEXT = """\
# Branches deployed on a lab host, each under a URL of its own. `labrig experiment check-config` checks this.
experiment:
  # The lab host, as ssh knows it, and the domain whose wildcard record leads to it.
  host: {host}
  domain: {domain}
  # Part of every name; lower-case letters, digits, hyphens.
  app: {app}
  # The git repository, as the lab host reaches it.
  repository: {repository}

  # Where the application listens in its container.
  # port: 80

  # The image is built by `docker build` in the work tree, or by a command of your own, which has to call it `image`.
  # container_build_command: docker build --tag $APP_NAME/$INSTANCE_NAME .
  # image: $APP_NAME/$INSTANCE_NAME:latest
  # Before that, the application may be built in a container that has the work tree as its folder.
  # build_image: node:20
  # build_command: npm ci && npm run build

  # Variables. $VIRTUAL_HOST, $APP_NAME, $INSTANCE_NAME, $BRANCH_NAME and $RELEASE are replaced;
  # what `labrig experiment encrypt` prints is opened when it is deployed.
  # environment:
  #   PUBLIC_URL: https://$VIRTUAL_HOST/
  # Who can open what is sealed: public SSH keys, the lab host's and those of developers; or another provider:
  # ansible-vault, HashiCorp Vault, AWS KMS.
  # secrets:
  #   - ssh-ed25519 AAAA... root@lab

  # A command in the new image before it takes over: for migrations. Where it fails, the old container serves on.
  # before_start: ./manage migrate
  # When a new container is healthy: what it answers below this path, or a command in it.
  # health: {{path: /, timeout: 60s, interval: 1s}}

  # Services, each found under its name: mariadb, mysql, postgresql, redis.
  # services:
  #   db:
  #     service: postgresql
  #     provision: independent
  #     initial_data: /srv/dumps

  # Networks of others on the lab host that the container is in besides its own, for example of a swarm's services.
  # networks: [search]

  # The first label of the host name.
  # host_name: $APP_NAME-$INSTANCE_NAME
  # HTTPS, with files on the lab host, and who may look: hashes that `openssl passwd -6` prints.
  # tls: {{certificate: /etc/ssl/lab.pem, key: /etc/ssl/private/lab.key}}
  # users:
  #   anna: $6$...

  # What each container may use at most.
  # limits: {{memory: 1GiB, cpus: 1, processes: 512}}
  # How long an experiment stays after it was last deployed, and after how long without a request it sleeps.
  # expires: 7d
  # sleeps: never

  # Whether ssh reads its configuration files, and whether commands on the lab host show what they print.
  # ssh_config: true
  # verbose: false
"""


def text(*, host: str, domain: str, app: str, repository: str) -> str:
    """Return the section, as it stands in a file of its own or at the end of one."""
    # A JSON string is a YAML scalar that means the same, whatever is in it.
    return _TEXT.format(
        host=json.dumps(host), domain=json.dumps(domain), app=json.dumps(app), repository=json.dumps(repository)
    )
