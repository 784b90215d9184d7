"""The pages of the stand-in payment provider: to pay on, to see to a subscription on, receipts, and its own desk.

They work without JavaScript. English only, as a foreign site may be.
"""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from .billing_changes import cancel, change_plan, fail_payments, pause, resume
from .billing_events import Chaos
from .billing_shop import Refused, Shop
from .billing_state import ENDED, Checkout, Portal, Subscription
from .billing_terms import COUPONS, in_words, money, off
from .billing_time import let_pass

_FOLDER = Path(__file__).parent
_EVENTS_SHOWN = 50
_Work = Callable[[Request, dict[str, str]], Response]


class Pages:
    """The pages and what their buttons do."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
        )
        self._pages.globals |= {"_": _said, "money": money, "in_words": in_words}

    def routes(self) -> list[Route]:
        """Every page; what a button does is a POST."""
        return [
            Route("/", self._shown(self._desk)),
            Route("/billing.css", self._style),
            Route("/checkouts/{id}", self._shown(self._checkout)),
            Route("/checkouts/{id}/pay", self._done(self._pay), methods=["POST"]),
            Route("/portals/{id}", self._shown(self._portal)),
            Route("/portals/{id}/{what}", self._done(self._manage), methods=["POST"]),
            Route("/receipts/{id}", self._shown(self._receipt)),
            Route("/desk/{what}", self._done(self._work), methods=["POST"]),
        ]

    async def _style(self, request: Request) -> Response:
        return FileResponse(_FOLDER / "billing.css", media_type="text/css")

    def _shown(self, show: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            with self._shop.turn():
                try:
                    return show(request)
                except KeyError:
                    return self._gone()

        return handle

    def _done(self, work: _Work) -> Callable[[Request], Awaitable[Response]]:
        """A button that was pressed on a page of ours, and on no other."""

        async def handle(request: Request) -> Response:
            if request.headers.get("origin", self._shop.url) != self._shop.url:
                return self._page("gone", status=403)
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            with self._shop.turn():
                try:
                    return work(request, form)
                except KeyError:
                    return self._gone()

        return handle

    def _checkout(self, request: Request) -> Response:
        return self._checkout_page(self._opened(request, self._shop.books.checkouts))

    def _pay(self, request: Request, form: dict[str, str]) -> Response:
        checkout = self._opened(request, self._shop.books.checkouts)
        try:
            self._shop.pay(checkout, is_declined=form.get("card") == "declined")
        except Refused as refused:
            return self._checkout_page(checkout, wrong=str(refused))
        return RedirectResponse(checkout.success_url, 303, _headers(checkout.success_url))

    def _checkout_page(self, checkout: Checkout, *, wrong: str = "") -> Response:
        books = self._shop.books
        price = books.prices[checkout.price]
        full = price.amount * checkout.quantity
        return self._page(
            "checkout",
            status=402 if wrong else 200,
            back=(checkout.success_url, checkout.cancel_url),
            checkout=checkout,
            price=price,
            product=books.products[price.product],
            customer=books.customers[checkout.customer],
            today=0 if checkout.trial_days else full - off(checkout.coupon, full),
            coupon_percent=COUPONS.get(checkout.coupon or ""),
            site=urlsplit(checkout.success_url).netloc,
            is_paid=bool(checkout.subscription or checkout.payment),
            wrong=wrong,
        )

    def _portal(self, request: Request) -> Response:
        return self._portal_page(self._opened(request, self._shop.books.portals))

    def _portal_page(self, portal: Portal, *, wrong: str = "") -> Response:
        books = self._shop.books
        subscriptions = [one for one in books.subscriptions.values() if one.customer == portal.customer]
        payments = [one for one in books.payments.values() if one.customer == portal.customer]
        return self._page(
            "portal",
            status=409 if wrong else 200,
            portal=portal,
            customer=books.customers[portal.customer],
            subscriptions=[(one, books.prices[one.price], one.status in ENDED) for one in reversed(subscriptions)],
            payments=list(reversed(payments)),
            products=books.products,
            prices=[one for one in books.prices.values() if one.is_active and one.interval],
            site=urlsplit(portal.return_url).netloc,
            wrong=wrong,
        )

    def _manage(self, request: Request, form: dict[str, str]) -> Response:
        portal = self._opened(request, self._shop.books.portals)
        try:
            if request.path_params["what"] == "refund":
                self._refund(portal, form)
            else:
                self._see_to(portal, request.path_params["what"], form)
        except Refused as refused:
            return self._portal_page(portal, wrong=str(refused))
        return RedirectResponse(f"/portals/{portal.id}", 303, _headers())

    def _see_to(self, portal: Portal, what: str, form: dict[str, str]) -> None:
        subscription = self._own(portal, self._shop.books.subscriptions, form.get("subscription"))
        works: dict[str, Callable[[Shop, Subscription], None]] = {
            "cancel": cancel,
            "end": lambda shop, one: cancel(shop, one, at_once=True),
            "resume": resume,
            "pause": pause,
            "pass": let_pass,
            "fail": lambda shop, one: fail_payments(shop, one, 0 if one.failures else 1),
            "plan": lambda shop, one: change_plan(shop, one, price=form.get("price", ""), proration="prorate"),
        }
        works[what](self._shop, subscription)

    def _refund(self, portal: Portal, form: dict[str, str]) -> None:
        payment = self._own(portal, self._shop.books.payments, form.get("payment"))
        amount = form.get("amount", "")
        if amount and not (amount.isascii() and amount.isdigit() and len(amount) < 12):
            raise Refused("Write the amount in the smallest unit, in digits, or leave it empty for all of it.")
        self._shop.refund(payment, int(amount) if amount else None)

    def _receipt(self, request: Request) -> Response:
        books = self._shop.books
        payment = books.payments[request.path_params["id"]]
        price = books.prices[payment.price]
        return self._page("receipt", payment=payment, price=price, product=books.products[price.product])

    def _desk(self, _request: Request) -> Response:
        books = self._shop.books
        return self._page(
            "desk",
            customers=list(books.customers.values()),
            prices=[(one, books.products[one.product]) for one in books.prices.values()],
            events=list(reversed(books.events.values()))[:_EVENTS_SHOWN],
            chaos=self._shop.outbox.chaos,
        )

    def _work(self, request: Request, form: dict[str, str]) -> Response:
        what, outbox = request.path_params["what"], self._shop.outbox
        match what:
            case "portal":
                portal = self._shop.portal(customer=form.get("customer", ""), return_url=f"{self._shop.url}/")
                return RedirectResponse(f"/portals/{portal.id}", 303, _headers())
            case "chaos":
                outbox.chaos = _chaos_of(form)
            case "release":
                outbox.release(order=random.Random() if "shuffled" in form else None)  # noqa: S311 - no secret
            case "resend":
                outbox.resend(form.get("event", ""))
            case _:
                return self._gone()
        self._shop.touch()
        return RedirectResponse("/", 303, _headers())

    def _opened(self, request: Request, pages: dict[str, Any]) -> Any:
        page = pages[request.path_params["id"]]
        if page.expires_at <= self._shop.now():
            raise KeyError(page.id)
        return page

    def _own(self, portal: Portal, items: dict[str, Any], named: str | None) -> Any:
        item = items[named or ""]
        if item.customer != portal.customer:
            raise KeyError(named)
        return item

    def _gone(self) -> Response:
        return self._page("gone", status=404)

    def _page(self, name: str, *, status: int = 200, back: tuple[str, ...] = (), **values: Any) -> Response:
        text = self._pages.get_template(f"billing_{name}.html").render(**values)
        return HTMLResponse(text, status, _headers(*back))


def _headers(*back: str) -> dict[str, str]:
    # A form's answer that redirects must lead where `form-action` allows it.
    places = " ".join(sorted({f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, back)}))
    return {
        "content-security-policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
        f"form-action 'self' {places}".rstrip()
        + "; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        # Not no-referrer: a form would then say that it comes from nowhere.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }


def _chaos_of(form: dict[str, str]) -> Chaos:
    try:
        asked = {name: value for name, value in form.items() if value}
        return msgspec.convert({**asked, "is_holding": "is_holding" in form}, Chaos, strict=False)
    except msgspec.ValidationError:
        return Chaos()


def _said(text: str, **values: object) -> str:
    return text % values if values else text
