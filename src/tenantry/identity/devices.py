"""What a browser says about itself, in three words for the list of sessions."""

USER_AGENT_CHARACTERS_MAX = 500

# The order matters: most browsers also name those they descend from.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str | None) -> tuple[str, str]:
    """The browser's and the system's name, each "" when it is not known. A guess: both can say what they like."""
    text = user_agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    return browser, next((name for mark, name in _SYSTEMS if mark in text), "")


def clipped(user_agent: str | None) -> str | None:
    """What a browser says of itself, short and printable."""
    if user_agent is None:
        return None
    return "".join(letter for letter in user_agent[:USER_AGENT_CHARACTERS_MAX] if letter.isprintable()) or None
