"""The people who can sign in at the stand-in identity provider."""

import msgspec


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is what `login_hint` takes, beside the e-mail address; the subject of tokens is made from it."""

    id: str
    given_name: str
    family_name: str
    email: str
    email_verified: bool = True

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"

    @property
    def subject(self) -> str:
        return f"demo-{self.id}"

    def claims(self, scopes: frozenset[str]) -> dict[str, str | bool]:
        """What the granted scopes tell about the person, always with `sub`."""
        claims: dict[str, str | bool] = {"sub": self.subject}
        if "profile" in scopes:
            claims |= {"name": self.name, "given_name": self.given_name, "family_name": self.family_name}
        if "email" in scopes:
            claims |= {"email": self.email, "email_verified": self.email_verified}
        return claims


PEOPLE = (
    Person(id="ada", given_name="Ada", family_name="Lovelace", email="ada@example.com"),
    Person(id="grace", given_name="Grace", family_name="Hopper", email="grace@example.com"),
    Person(id="alan", given_name="Alan", family_name="Turing", email="alan@example.com"),
    Person(id="mallory", given_name="Mallory", family_name="Moss", email="mallory@example.com", email_verified=False),
    Person(id="margaret", given_name="Margaret", family_name="Hamilton", email="operator@example.com"),
)
