"""Checks of the servers: PostgreSQL, Redis, the API, the broker's gateway, the mail server."""

from __future__ import annotations

from typing import Any

from htbot.bootstrap.doctor.finding import Seen, fail, ok, warn
from htbot.bootstrap.doctor.site import Site
from htbot.domain.errors import ConfigurationError
from htbot.settings import Settings

_WAIT_S = 3.0


def record(site: Site) -> Seen:
    """PostgreSQL answers."""
    trouble = site.record_trouble
    if trouble is not None:
        return fail(trouble, "./restart.sh starts the embedded one (var/log/postgres.txt); DATABASE_URL is yours")
    return ok("embedded" if site.settings.database.embedded else "the one of DATABASE_URL")


def schema(site: Site) -> Seen:
    """The record is the one that this code was written for."""
    from htbot.persistence.migrations import require_head
    from htbot.persistence.revisions import newest_revision

    try:
        require_head(site.settings.database.url)
    except ConfigurationError as error:
        return fail(str(error), "htbot db upgrade, then ./restart.sh")
    return ok(f"revision {newest_revision()}")


def redis(site: Site) -> Seen:
    """Redis answers, and throws nothing away when it is full."""
    import redis as library

    if site.redis_trouble is not None:
        return fail(site.redis_trouble, "./restart.sh starts the embedded one (var/log/redis.txt); REDIS_URL is yours")
    client: Any = library.Redis.from_url(site.settings.redis.url, socket_timeout=2, socket_connect_timeout=2)
    try:
        policy = str(client.info("memory").get("maxmemory_policy", "noeviction"))
    except library.ResponseError:
        return ok("answers; its user may not ask for more")
    finally:
        client.close()
    if policy != "noeviction":
        return fail(f"maxmemory-policy is {policy}: tasks may vanish", "CONFIG SET maxmemory-policy noeviction")
    return ok("answers, noeviction")


def api(site: Site) -> Seen:
    """The API is ready."""
    import httpx

    url = site.settings.api.url
    try:
        answer = httpx.get(f"{url}/ready", timeout=_WAIT_S, trust_env=False, verify=site.settings.api.trust or True)
    except httpx.HTTPError as error:
        return fail(f"{url} does not answer ({type(error).__name__})", "see var/log/api.log, then ./restart.sh")
    if answer.status_code != httpx.codes.OK:
        return fail(f"{url}/ready says {answer.status_code}", "see the failing checks of database, Redis and desk")
    return ok(f"{url}/ready says 200")


def gateway(site: Site) -> Seen:
    """The broker's gateway accepts connections. While the desk has a session nobody else connects (RULINGS 16)."""
    from htbot.bootstrap.install.ports import answers

    broker = site.settings.ib
    where = f"{broker.host}:{broker.port}"
    if site.redis_trouble is None and site.desk.state == "running" and site.desk.connection == "connected":
        return ok(f"{where}, the desk is connected")
    if answers(broker.host, broker.port, _WAIT_S):
        return ok(f"{where} accepts connections")
    ours = "./restart.sh starts the paper gateway; see var/log/paper.log"
    return fail(
        f"nothing accepts connections at {where}",
        ours if broker.builtin_paper else "start TWS or IB Gateway and log in; its API port and IB_PORT must agree",
    )


def gateway_settings(site: Site) -> Seen:
    """Nobody is there to answer a dialog, so the gateway must not show one (RULINGS 16)."""
    if site.settings.ib.builtin_paper:
        return ok("the built-in paper gateway asks nothing")
    return warn(
        "cannot be read from here",
        "make sure by hand: API > Precautions > 'Bypass Order Precautions for API Orders' on (a dialog would hold"
        " orders until somebody clicks; htbot's own limits stand before every entry), 'Read-Only API' off,"
        " trusted IP 127.0.0.1 only",
    )


def mail(site: Site) -> Seen:
    """There is a way to a person."""
    from htbot.bootstrap.install.ports import answers
    from htbot.bootstrap.mail import build_channels

    settings = site.settings
    names = ", ".join(channel.name for channel in build_channels(settings))
    server, port = settings.mail.smtp_server, settings.mail.smtp_port
    if server is None:
        return _without_smtp(settings, names)
    if not answers(server, port, _WAIT_S):
        return fail(f"nothing accepts connections at {server}:{port}", "see SMTP_SERVER and SMTP_PORT, and the network")
    return ok(f"{names}; {server}:{port} accepts connections")


def _without_smtp(settings: Settings, names: str) -> Seen:
    if settings.mail.alert_urls:
        return ok(f"{names}; mails are files in {settings.paths.mail}")
    told = f"nobody is told: mails are files in {settings.paths.mail}"
    way_out = "set SMTP_SERVER and NOTIFICATION_EMAIL, or ALERT_URLS (docs/guides/email.md)"
    return warn(told, way_out) if settings.ib.is_live else ok(told)
