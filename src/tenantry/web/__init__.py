"""The look of every page: frame, components, charts, languages, static files, and refusal of foreign form posts.

Knows no domain. Rooms that show pages use these names and the template globals `ui`, `sections` and `bar_chart`.
"""

from .charts import Rate
from .csrf import CrossSiteRefused, refuse_cross_site, safe_return_path
from .filters import Formats
from .layout import Layout, Link, Person, Working
from .letters import Letter, Letters
from .pages import create_templates, gettext, page, problem_page
from .preferences import install
from .translations import Translator, mark

__all__ = [
    "CrossSiteRefused",
    "Formats",
    "Layout",
    "Letter",
    "Letters",
    "Link",
    "Person",
    "Rate",
    "Translator",
    "Working",
    "create_templates",
    "gettext",
    "install",
    "mark",
    "page",
    "problem_page",
    "refuse_cross_site",
    "safe_return_path",
]
