"""An API that screens names against a watch list: keys, a call log, and trials for who wants to look first.

`watch_list.csv` beside this file holds invented people and firms. Bring your own of the same columns. The document that
this stands for names no prices: these are ours.
"""

import csv
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from anyascii import anyascii
from fastapi import APIRouter
from pydantic import BaseModel, Field, field_validator
from rapidfuzz import fuzz, process

from tenantry import Billing, Burst, Count, Google, Keys, MagicLink, Meter, Module, Plan, Product, Scope, Stripe, Trials
from tenantry.fastapi import Metered, Require

screenings, keys = Meter("screenings", per="day"), Count("keys")
router = APIRouter(prefix="/api/v1", tags=["screening"])
COMPANY_FORMS = {"ao", "co", "fze", "gmbh", "inc", "llc", "ltd", "sa"}


class Entry(BaseModel):
    """Who is on the list."""

    id: str
    name: str
    aliases: list[str]
    kind: Literal["person", "organisation"]
    country: str
    program: str
    listed_on: str


class Screening(BaseModel):
    """A name in any script. `threshold`: from which score of 100 on a match is told."""

    name: str = Field(max_length=200)
    threshold: int = Field(82, ge=50, le=100)
    limit: int = Field(10, ge=1, le=50)

    @field_validator("name")
    @classmethod
    def has_letters(cls, name: str) -> str:
        """Whatever the script, something must be left to compare."""
        if not words_of(name):
            raise ValueError("Send a name with at least one letter.")
        return name


class Reason(BaseModel):
    """A word of the name that was sent, the word of the list that it was held against, and how alike they are."""

    word: str
    listed: str | None
    score: int


class Match(BaseModel):
    """An entry that the name may mean, the spelling of it that was closest, and why."""

    entry: Entry
    spelling: str
    score: int
    reasons: list[Reason]


class Screened(BaseModel):
    """What was compared, in Latin letters, and the matches, the best first. None: nobody on the list is meant."""

    compared: str
    matches: list[Match]


class Spelling(NamedTuple):
    entry: Entry
    text: str


def words_of(name: str) -> list[str]:
    """A name's words in Latin letters, without accents, case and a company's form."""
    words = re.findall(r"[a-z0-9]+", anyascii(name).casefold())
    return [word for word in words if word not in COMPANY_FORMS] or words


def likeness(one: str, other: str, **_given: object) -> float:
    """How alike two names are, 0 to 100. Words may change places; one that is missing costs, more of a short name."""
    both = min(len(one.split()), len(other.split()))
    return max(fuzz.token_sort_ratio(one, other), fuzz.token_set_ratio(one, other) * (0.94 if both > 1 else 0.8))


def read_list(file: Path) -> tuple[list[Spelling], list[str]]:
    """Every spelling of every entry, and each as it is compared."""
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    entries = [Entry.model_validate(row | {"aliases": row["aliases"].split("|")}) for row in rows]
    spellings = [Spelling(entry, text) for entry in entries for text in (entry.name, *entry.aliases) if text]
    return spellings, [" ".join(words_of(spelling.text)) for spelling in spellings]


SPELLINGS, COMPARED = read_list(Path(__file__).with_name("watch_list.csv"))


@router.post("/screen", dependencies=[Metered(screenings)])
async def screen(asked: Screening) -> Screened:
    """Screen a name against the watch list."""
    words = words_of(asked.name)
    name, best = " ".join(words), dict[str, Match]()
    for text, score, place in process.extract(name, COMPARED, scorer=likeness, score_cutoff=asked.threshold, limit=200):
        pairs = [(word, process.extractOne(word, text.split(), scorer=fuzz.ratio, score_cutoff=60)) for word in words]
        reasons = [Reason(word=word, listed=one and one[0], score=round(one[1]) if one else 0) for word, one in pairs]
        spelling = SPELLINGS[place]
        found = Match(entry=spelling.entry, spelling=spelling.text, score=round(score), reasons=reasons)
        best.setdefault(spelling.entry.id, found)
    return Screened(compared=name, matches=list(best.values())[: asked.limit])


@router.get("/watch-list", dependencies=[Require("list:read")])
async def read_watch_list() -> list[Entry]:
    """Read the list itself, for which a key needs the scope."""
    return list({spelling.entry.id: spelling.entry for spelling in SPELLINGS}.values())


product = Product(
    "Namewatch",
    tagline="Screen a name in any script, and see why it matched.",
    description="One call tells whether somebody is on a watch list, how likely, and which words made it so.",
    sign_in=[Google(), MagicLink()],
    plans=[
        Plan("free", price=0, limits={screenings: 100, keys: 2}, features=["100 screenings a day"], burst=Burst(50)),
        Plan("standard", price=4900, limits={screenings: 5_000, keys: 10}, features=["5,000 screenings a day"]),
        Plan("enterprise", price=49900, limits={screenings: 100_000, keys: 50}, features=["100,000 screenings a day"]),
    ],
    billing=Billing(providers=[Stripe()]),
    keys=Keys("nw", meter=screenings, count=keys, scopes=[Scope("list:read", "Read the watch list itself.")]),
    trials=Trials(plan="standard", enterprise_plan="enterprise", length=timedelta(days=14)),
    modules=[Module("screening", routers=[router])],
)
