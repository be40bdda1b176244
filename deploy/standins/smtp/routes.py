"""What people and tests ask over HTTP: the mails as JSON, and as pages."""

import re
from pathlib import Path
from typing import Any

from aiohttp import web

from deploy.standins.pages import Pages
from deploy.standins.smtp.mailbox import Mail, Mailbox

#: Enough for a demonstration; older ones are a page further.
SHOWN = 200

#: The mail's own HTML, shut in: it runs nothing, loads nothing, and its links open beside it.
SANDBOX = {
    "Content-Security-Policy": (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

LINK = re.compile(r"https?://[^\s<>\"')\]]+")


class MailRoutes:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._pages = Pages(Path(__file__).parent / "templates")

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/api/messages", self.list)
        app.router.add_delete("/api/messages", self.clear)
        app.router.add_get("/api/messages/{id}", self.show)
        app.router.add_get("/", self.overview)
        app.router.add_get("/messages/{id}", self.page)
        app.router.add_get("/messages/{id}/html", self.html)

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "stand_in": True})

    async def list(self, request: web.Request) -> web.Response:
        mails = self._mailbox.all(request.query.get("to", "*"))
        return web.json_response(
            {
                "messages": [_summary(mail) for mail in mails],
                "copies": sum(len(mail.copies) for mail in mails),
                "refused": self._mailbox.refused,
                "stand_in": True,
            }
        )

    async def show(self, request: web.Request) -> web.Response:
        return web.json_response(_detail(self._mail(request)))

    async def clear(self, _request: web.Request) -> web.Response:
        self._mailbox.clear()
        return web.Response(status=204)

    async def overview(self, request: web.Request) -> web.Response:
        mails = self._mailbox.all()
        before = request.query.get("before", "")
        older = [mail for mail in mails if mail.id < int(before)] if before.isascii() and before.isdigit() else mails
        return self._pages.render(
            "mails.html",
            mails=older[: -SHOWN - 1 : -1],
            more=older[-SHOWN].id if len(older) > SHOWN else None,
            total=len(mails),
            copies=sum(len(mail.copies) for mail in mails),
        )

    async def page(self, request: web.Request) -> web.Response:
        mail = self._mail(request)
        detail = _detail(mail)
        return self._pages.render("mail.html", mail=mail, detail=detail, links=_links(detail["text"] or ""))

    async def html(self, request: web.Request) -> web.Response:
        html = self._mail(request).html
        if html is None:
            raise web.HTTPNotFound(text="This mail has no HTML.")
        return web.Response(text=html, content_type="text/html", headers=SANDBOX)

    def _mail(self, request: web.Request) -> Mail:
        mail = self._mailbox.get(request.match_info["id"])
        if mail is None:
            raise web.HTTPNotFound(text="There is no such mail.")
        return mail


def _summary(mail: Mail) -> dict[str, Any]:
    return {
        "id": str(mail.id),
        "from": mail.sender,
        "to": list(mail.recipients),
        "subject": mail.subject,
        "message_id": mail.message_id,
        "received_at": mail.received_at.isoformat(),
        "copies": len(mail.copies),
    }


def _detail(mail: Mail) -> dict[str, Any]:
    message = mail.parse()
    return {
        **_summary(mail),
        "deliveries": [{"received_at": each.received_at.isoformat(), "reply": each.reply} for each in mail.copies],
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": mail.text,
        "html": mail.html,
        "attachments": [
            {"name": part.get_filename(), "type": part.get_content_type()} for part in message.iter_attachments()
        ],
    }


def _links(text: str) -> list[str]:
    return list(dict.fromkeys(LINK.findall(text)))
