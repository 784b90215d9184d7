"""What the frame around every page shows, as plain values.

The room that knows who is signed in fills a `Layout`; this room only draws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tenantry.kernel.impersonation import Impersonation

Theme = Literal["system", "light", "dark"]

THEMES: tuple[Theme, ...] = ("system", "light", "dark")


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its text (already translated), its address, and the name of an icon in `icons.html` ("" = none).

    `group` puts a heading above the first item of the group in the side navigation. `is_exact`: pages below its
    address have links of their own.
    """

    label: str
    href: str
    icon: str = ""
    group: str = ""
    is_exact: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in, as the user menu shows it."""

    email: str
    name: str = ""

    @property
    def shown_name(self) -> str:
        """The name, or the part of the e-mail before the @ when there is none."""
        return self.name or self.email.partition("@")[0]

    @property
    def initials(self) -> str:
        """One or two letters for the round mark beside the name."""
        words = self.shown_name.replace(".", " ").replace("_", " ").split()
        return "".join(word[0] for word in words[:2]).upper()


@dataclass(frozen=True, slots=True)
class Working:
    """For whom a person works now, and for whom else they could: each an id and a name.

    `back` is where they go on after they chose another one. `has_own` false: for nobody but themselves.
    """

    name: str
    others: Sequence[tuple[str, str]] = ()
    back: str = "/"
    has_own: bool = True
    choose: str = "/team/choose"
    create: str = "/team/new"


@dataclass(frozen=True, slots=True)
class Layout:
    """The values of the frame. With a `person` the navigation stands at the side, without one at the top.

    `theme` and `locale` None mean: as the visitor chose (cookie), else as the browser asks. `now` (aware, UTC) is
    what relative times count from; None is the system's clock. `notice` is one sentence about the environment,
    shown above everything ("Demo: prices come from a stand-in"). `impersonation`: an operator looks through somebody's
    eyes, which every page says; `end_impersonation` is where the way back is. `action` is the one prominent link of
    the header.
    `working` is None where there are no organizations. `holder` names the organization whose plan and quotas count on
    this page; "" where they are the person's own.
    """

    product_name: str
    nav: Sequence[Link] = ()
    person: Person | None = None
    working: Working | None = None
    holder: str = ""
    user_menu: Sequence[Link] = ()
    action: Link | None = None
    footer: Sequence[Link] = ()
    tagline: str = ""
    notice: str = ""
    impersonation: Impersonation | None = None
    request_id: str = ""
    home: str = "/"
    sign_out: str = "/auth/signout"
    end_impersonation: str = "/auth/impersonation/end"
    theme: Theme | None = None
    locale: str | None = None
    now: datetime | None = None
