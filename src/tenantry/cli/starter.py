"""The files `tenantry new` writes."""

_PRODUCT = '''\
"""What {title} offers: sign-in, plans and their limits. `tenantry check` reads it without starting anything."""

from tenantry import Google, Meter, Plan, Product

requests = Meter("requests", per="day")

product = Product(
    "{title}",
    sign_in=[Google()],
    plans=[
        Plan("free", price=0, limits={{requests: 100}}, features=["100 requests a day"]),
        Plan("pro", price=900, limits={{requests: 10_000}}, features=["10,000 requests a day"]),
    ],
)
'''

_ENV = """\
# Copy this file to .env and remove the # from what you need. `tenantry` reads .env in the folder it is started in;
# the environment wins over it. In development nothing here is necessary.

# Sign-in with Google. Callback address there: http://127.0.0.1:8000/auth/google/callback
#TENANTRY_GOOGLE_CLIENT_ID=
#TENANTRY_GOOGLE_CLIENT_SECRET=

# From the first customer on: PostgreSQL. `tenantry db init --print-env` makes the logins' addresses.
#TENANTRY_OWNER_URL=postgresql://postgres:password@127.0.0.1:5432/{slug}
#TENANTRY_DATABASE_URL=
#TENANTRY_SERVICE_URL=

# Production refuses what is unsafe; `tenantry check` says what is missing.
#TENANTRY_ENVIRONMENT=production
#TENANTRY_PUBLIC_URL=https://app.example.com
#TENANTRY_SECRET_KEYS=
"""

_GITIGNORE = """\
.env
.venv/
__pycache__/
var/
"""

_README = """\
# {title}

    tenantry run        serve it on http://127.0.0.1:8000, with demo sign-in and demo data
    tenantry check      say what is wrong with product.py and the settings
    tenantry db --help  the database

`product.py` says what is offered. Settings come from the environment or from `.env` (`.env.example` shows them).
In development everything is kept in `var/`; delete the folder to start anew.
"""


def files(title: str) -> dict[str, str]:
    """The name and the text of each file of a product called `title`, which is words and spaces only."""
    slug = "".join(character if character.isascii() and character.isalnum() else "_" for character in title.lower())
    return {
        "product.py": _PRODUCT.format(title=title),
        ".env.example": _ENV.format(slug=slug),
        ".gitignore": _GITIGNORE,
        "README.md": _README.format(title=title),
    }
